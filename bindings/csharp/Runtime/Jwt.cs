// Reads the claims of any JWT. The signature is not checked.
using System;

namespace Dataloop.DlAuth
{
    /// <summary>Reads JWTs. From any thread.</summary>
    public static class Jwt
    {
        /// <summary>
        /// The payload of a JWT, a JSON object (RFC 7519), as text. It does not show that the token is
        /// genuine: the signature is not checked.
        /// </summary>
        /// <exception cref="DlAuthException">Status BadJwt, NotUtf8, InvalidValue (a NUL inside),
        /// Unsupported.</exception>
        public static string Claims(string jwt)
        {
            if (jwt == null) throw new ArgumentNullException(nameof(jwt));
            Library.Check();
            byte[] bytes = Interop.ToUtf8(jwt, "the JWT");
            var claims = new byte[bytes.Length]; // base64 text is longer than the decoded bytes
            var error = NativeError.New();
            Status status = Native.dl_auth_jwt_claims(
                bytes, claims, (UIntPtr)claims.Length, out UIntPtr length, ref error);
            if (status != Status.Ok) throw error.ToException(status);
            return Interop.FromUtf8(new ReadOnlySpan<byte>(claims, 0, (int)length));
        }

        /// <summary>When a JWT expires: its claim `exp`, to the second. The only check is that it is a date.</summary>
        /// <exception cref="DlAuthException">Status BadJwt, NotUtf8, InvalidValue (a NUL inside),
        /// Unsupported.</exception>
        public static DateTimeOffset Expiry(string jwt)
        {
            if (jwt == null) throw new ArgumentNullException(nameof(jwt));
            Library.Check();
            var error = NativeError.New();
            Status status = Native.dl_auth_jwt_expiry(Interop.ToUtf8(jwt, "the JWT"), out long seconds, ref error);
            if (status != Status.Ok) throw error.ToException(status);
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        }
    }
}
