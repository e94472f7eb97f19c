// A user's token, for any number of threads. All that matters is the library's: when to log in, when to refresh, who waits.
//
// What is kept here is a copy of the token as a .NET string, so that a read makes no garbage: the library tells by a number
// whether the copy is still the token.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading.Tasks;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// Holds one user's token. It logs in at the first call that needs a token, not before. Every member may be called
    /// from any thread, at the same time; Dispose too, which wakes those that wait. Each call but Dispose,
    /// <see cref="TryGetToken"/> and <see cref="Generation"/> throws <see cref="DlAuthException"/>: with status Closed
    /// after Dispose, else with what the library says.
    /// </summary>
    public sealed partial class Auth : IDisposable
    {
        private readonly AuthHandle handle;
        private volatile Copy copy;

        /// <summary>
        /// Configured by the environment: DL_AUTH_USERNAME and the like, which are read here and now, as
        /// Environment.GetEnvironmentVariable gives them.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// Status NoCredentials or InvalidValue; Unsupported: an option that is not built in, or no usable library.
        /// </exception>
        public Auth() : this(new KeyValuePair<string, string>[0])
        {
        }

        /// <summary>
        /// Configured by options, and by the environment for what they leave out. <see cref="Key"/> has the options'
        /// names, and the library's README the form of each value. All are copied.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// Status UnknownKey, whose message names the nearest key; InvalidValue, NotUtf8, NoCredentials, Unsupported.
        /// </exception>
        /// <exception cref="ArgumentException">A key or a value is null.</exception>
        public Auth(IEnumerable<KeyValuePair<string, string>> options)
        {
            if (options == null) throw new ArgumentNullException(nameof(options));
            Library.Check();
            IntPtr config = Native.dl_auth_config_new();
            try
            {
                foreach (KeyValuePair<string, string> option in options) Set(config, option.Key, option.Value);
                Environ.HandOver(config);
                handle = new AuthHandle(config);
            }
            finally
            {
                Native.dl_auth_config_free(config);
            }
        }

        private static void Set(IntPtr config, string key, string value)
        {
            if (key == null) throw new ArgumentException("an option's name is null", "options");
            byte[] name = Interop.ToUtf8(key, "the name of an option");
            if (value == null) throw new ArgumentException("the option " + key + " is null", "options");
            byte[] bytes = Interop.ToUtf8(value, "the option " + key);
            var error = NativeError.New();
            Status status = Native.dl_auth_config_set(config, name, bytes, ref error);
            Array.Clear(bytes, 0, bytes.Length);
            if (status != Status.Ok) throw error.ToException(status);
        }

        /// <summary>
        /// A valid token: at once while there is one; else after the refresh in flight, which this call begins where there
        /// is none, and at most after the option `wait`. A token that is read again is the same string.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// Status Denied, Timeout, Unreachable, RateLimited, Gate, BadResponse, Tls, NoCredentials, TooShort, Closed;
        /// Pending where `wait` is 0.
        /// </exception>
        public string Token()
        {
            return Kept()?.Token ?? Fetch();
        }

        private string Fetch()
        {
            var buffer = new NativeBuffer();
            ulong before = Generation;
            var error = NativeError.New();
            Status status;
            UIntPtr length;
            using (AuthHandle.Blocking())
            {
                status = Native.dl_auth_token(
                    handle.Value, ref buffer, (UIntPtr)NativeBuffer.Bytes, out length, ref error);
            }
            GC.KeepAlive(handle);
            if (status != Status.Ok) throw error.ToException(status);
            return Keep(before, buffer.Start((int)length));
        }

        /// <summary>
        /// As <see cref="Token"/>, for a caller with needs of its own: a token that is valid for another `minValid`, and
        /// a wait of at most `wait`. Both are rounded up to milliseconds. With zero and zero it never waits.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// As Token; and Pending: `wait` is zero and a refresh is under way; TooShort: no token lives for `minValid`, or
        /// RetryAfter is not zero and another may be fetched then.
        /// </exception>
        /// <exception cref="ArgumentOutOfRangeException">One of them is negative.</exception>
        public string TokenWithin(TimeSpan minValid, TimeSpan wait)
        {
            string token;
            DlAuthException failure = Ask(
                Interop.ToMilliseconds(minValid, nameof(minValid)), Interop.ToMilliseconds(wait, nameof(wait)), out token);
            return failure == null ? token : throw failure;
        }

        /// <summary>Asks once. The token, or why there is none.</summary>
        private DlAuthException Ask(ulong minValidMs, ulong waitMs, out string token)
        {
            var buffer = new NativeBuffer();
            ulong before = Generation;
            var error = NativeError.New();
            Status status;
            UIntPtr length;
            using (AuthHandle.Blocking())
            {
                status = Native.dl_auth_token_within(
                    handle.Value, minValidMs, waitMs, ref buffer, (UIntPtr)NativeBuffer.Bytes, out length, ref error);
            }
            GC.KeepAlive(handle);
            token = status == Status.Ok ? Keep(before, buffer.Start((int)length)) : null;
            return status == Status.Ok ? null : error.ToException(status);
        }

        /// <summary>
        /// Copies a valid token into memory of the caller's: the read of a frame loop. It never waits, never throws, and
        /// makes no garbage but once for each new token. Where there is no valid token, it begins a refresh, unless one is
        /// in flight or the last one has just failed.
        /// </summary>
        /// <param name="destination">8191 characters always suffice.</param>
        /// <param name="length">
        /// The token's length. Where the call returns false: more than `destination` has, which is then too small; or 0:
        /// there is no token, and <see cref="TokenWithin"/> with zero and zero says why.
        /// </param>
        public bool TryGetToken(Span<char> destination, out int length)
        {
            Copy kept = Kept();
            if (kept == null) return TryFetch(destination, out length);
            length = kept.Token.Length;
            return kept.Token.AsSpan().TryCopyTo(destination);
        }

        private bool TryFetch(Span<char> destination, out int length)
        {
            var buffer = new NativeBuffer();
            ulong before = Generation;
            var error = NativeError.New();
            Status status = Native.dl_auth_token_within(
                handle.Value, 0, 0, ref buffer, (UIntPtr)NativeBuffer.Bytes, out UIntPtr written, ref error);
            GC.KeepAlive(handle);
            length = status == Status.Ok ? (int)written : 0;
            if (status != Status.Ok) return false;
            ReadOnlySpan<byte> read = buffer.Start(length);
            if (before != 0) Keep(before, read);
            if (length > destination.Length) return false;
            for (int i = 0; i < length; i++) destination[i] = (char)read[i]; // a JWT is ASCII
            return true;
        }

        /// <summary>As <see cref="Token"/>, with "Bearer " before it: the value of the header Authorization.</summary>
        public string Bearer()
        {
            return Kept()?.Bearer ?? "Bearer " + Fetch();
        }

        /// <summary>
        /// The payload of a valid token, a JSON object (RFC 7519), as text. Waits as <see cref="Token"/> does. It says
        /// what the token says of itself; the signature is not checked.
        /// </summary>
        public string Claims()
        {
            var buffer = new NativeBuffer();
            var error = NativeError.New();
            Status status;
            UIntPtr length;
            using (AuthHandle.Blocking())
            {
                status = Native.dl_auth_claims(
                    handle.Value, ref buffer, (UIntPtr)NativeBuffer.Bytes, out length, ref error);
            }
            GC.KeepAlive(handle);
            if (status != Status.Ok) throw error.ToException(status);
            return Interop.FromUtf8(buffer.Start((int)length));
        }

        /// <summary>
        /// The number of the present token, where it needs no refresh; else 0. While the number is the same, so is the
        /// token. Never waits and never throws; 0 after Dispose.
        /// </summary>
        public ulong Generation
        {
            get
            {
                ulong generation = Native.dl_auth_generation(handle.Value);
                GC.KeepAlive(handle);
                return generation;
            }
        }

        /// <summary>How it stands. Starts no refresh and waits for nothing.</summary>
        public Info Info()
        {
            var info = NativeInfo.New();
            var error = NativeError.New();
            Status status = Native.dl_auth_info(handle.Value, ref info, ref error);
            GC.KeepAlive(handle);
            if (status != Status.Ok) throw error.ToException(status);
            return new Info(info);
        }

        /// <summary>
        /// Tells that the platform refused a token with 401: give the very token that was refused. Where it is still the
        /// present one, the next call refreshes; else nothing is done, and so many who saw a 401 cause one refresh. A
        /// token that has just been fetched stays until another may be.
        /// </summary>
        public void Invalidate(string rejectedToken)
        {
            if (rejectedToken == null) throw new ArgumentNullException(nameof(rejectedToken));
            var error = NativeError.New();
            Status status = Native.dl_auth_invalidate(
                handle.Value, Interop.ToUtf8(rejectedToken, "the rejected token"), ref error);
            GC.KeepAlive(handle);
            if (status != Status.Ok) throw error.ToException(status);
        }

        /// <summary>
        /// Logs in with these from now on; `username` null keeps the one there is. The present token stays only where the
        /// username does.
        /// </summary>
        /// <exception cref="DlAuthException">Status InvalidValue, NoCredentials (no username to keep), NotUtf8.</exception>
        public void SetCredentials(string username, string password)
        {
            if (password == null) throw new ArgumentNullException(nameof(password));
            byte[] name = username == null ? null : Interop.ToUtf8(username, "the username");
            byte[] secret = Interop.ToUtf8(password, "the password");
            var error = NativeError.New();
            Status status = Native.dl_auth_set_credentials(handle.Value, name, secret, ref error);
            GC.KeepAlive(handle);
            Array.Clear(secret, 0, secret.Length);
            if (status != Status.Ok) throw error.ToException(status);
        }

        /// <summary>
        /// Gives the token up. Who waits on another thread gets a <see cref="DlAuthException"/> with status Closed, and
        /// so does who calls later. Again: nothing.
        /// </summary>
        public void Dispose()
        {
            handle.Dispose();
            copy = null;
        }

        private sealed class Copy
        {
            internal readonly ulong Generation;
            internal readonly string Token;
            internal readonly string Bearer;
            internal readonly Task<string> Task;

            internal Copy(ulong generation, string token)
            {
                Generation = generation;
                Token = token;
                Bearer = "Bearer " + token;
                Task = System.Threading.Tasks.Task.FromResult(token);
            }
        }

        /// <summary>The copy, while it is the token; else null.</summary>
        private Copy Kept()
        {
            Copy kept = copy;
            return kept != null && Generation == kept.Generation ? kept : null;
        }

        /// <summary>The token that was just read as a string, kept where it was the same one before and after.</summary>
        private string Keep(ulong before, ReadOnlySpan<byte> read)
        {
            string token = Interop.FromUtf8(read);
            if (before != 0 && Generation == before) copy = new Copy(before, token);
            return token;
        }
    }
}
