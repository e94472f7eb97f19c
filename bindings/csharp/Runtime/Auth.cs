// One user's token, safe for any number of threads. The library decides when to log in, when to refresh and which calls
// wait.
//
// This class keeps a copy of the token as a .NET string, so that a read makes no garbage. The library's generation
// number says whether the copy is still the current token.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading.Tasks;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// Holds one user's token. It logs in at the first call that needs a token, not before. Every member may be called
    /// from any thread, at the same time, Dispose included, which wakes the waiters. Each call except Dispose,
    /// <see cref="TryGetToken"/> and <see cref="Generation"/> may throw <see cref="DlAuthException"/>: with status
    /// Closed after Dispose, otherwise with the library's status.
    /// </summary>
    public sealed partial class Auth : IDisposable
    {
        private readonly AuthHandle handle;
        private volatile Copy copy;

        /// <summary>
        /// Configured by the environment: DL_AUTH_USERNAME and so on. The constructor reads the variables, as
        /// Environment.GetEnvironmentVariable returns them.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// Status NoCredentials or InvalidValue; Unsupported: an option that is not built in, or no usable library.
        /// </exception>
        public Auth() : this(new KeyValuePair<string, string>[0])
        {
        }

        /// <summary>
        /// Configured by options. An option that is not given comes from the environment. <see cref="Key"/> has the
        /// names of the options. The library's README says which values are valid. All values are copied.
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
        /// Returns the cached token immediately if it is valid. Otherwise starts a refresh, or joins the one in flight,
        /// and blocks for up to the option `wait`. Two reads of the same token return the same string.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// Status Denied, Timeout, Unreachable, RateLimited, Gate, BadResponse, Tls, NoCredentials, TooShort, Closed;
        /// Pending if `wait` is 0.
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
        /// As <see cref="Token"/>, but the token is valid for at least `minValid`, and the call blocks for up to
        /// `wait`. Both are rounded up to milliseconds. With zero and zero it never waits.
        /// </summary>
        /// <exception cref="DlAuthException">
        /// As Token; and Pending: `wait` is zero and a refresh is in flight; TooShort: no token is valid for
        /// `minValid`, or RetryAfter is not zero and another token may be fetched then.
        /// </exception>
        /// <exception cref="ArgumentOutOfRangeException">One of them is negative.</exception>
        public string TokenWithin(TimeSpan minValid, TimeSpan wait)
        {
            string token;
            DlAuthException failure = Ask(
                Interop.ToMilliseconds(minValid, nameof(minValid)), Interop.ToMilliseconds(wait, nameof(wait)), out token);
            return failure == null ? token : throw failure;
        }

        /// <summary>Calls the library once. Returns null and the token, or the failure.</summary>
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
        /// Copies a valid token into the caller's memory, as a frame loop needs. It never waits and never throws. It
        /// allocates only once for each new token. If there is no valid token, it starts a refresh, unless one is in
        /// flight or the last one has just failed.
        /// </summary>
        /// <param name="destination">8191 characters always suffice.</param>
        /// <param name="length">
        /// The token's length. If the call returns false: a length larger than that of `destination`, which is too
        /// small; or 0: there is no token, and <see cref="TokenWithin"/> with zero and zero says why.
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
        /// The payload of a valid token, a JSON object (RFC 7519), as text. Waits as <see cref="Token"/> does. The
        /// signature is not checked.
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
        /// The number of the current token, unique per token. 0 if a refresh is due. While the number is the same, the
        /// token is the same. Never waits and never throws; 0 after Dispose.
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

        /// <summary>The state of the handle. Starts no refresh and does not wait.</summary>
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
        /// Reports that the platform refused a token with 401. Pass exactly the refused token. If it is still the
        /// current token, the next call refreshes it. Otherwise nothing happens, so many callers that get a 401 cause
        /// one refresh. A token that was just fetched is kept until another may be fetched.
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
        /// Replaces the credentials. `username` null keeps the current username. The current token is kept only if the
        /// username is unchanged.
        /// </summary>
        /// <exception cref="DlAuthException">Status InvalidValue, NoCredentials (no username to keep),
        /// NotUtf8.</exception>
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
        /// Frees the handle. Waiters on other threads get a <see cref="DlAuthException"/> with status Closed, and so
        /// does each later call. A second call does nothing.
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

        /// <summary>The copy, if it is still the current token; otherwise null.</summary>
        private Copy Kept()
        {
            Copy kept = copy;
            return kept != null && Generation == kept.Generation ? kept : null;
        }

        /// <summary>
        /// The token that was just read, as a string. It is kept if the generation is the same before and after the
        /// read.
        /// </summary>
        private string Keep(ulong before, ReadOnlySpan<byte> read)
        {
            string token = Interop.FromUtf8(read);
            if (before != 0 && Generation == before) copy = new Copy(before, token);
            return token;
        }
    }
}
