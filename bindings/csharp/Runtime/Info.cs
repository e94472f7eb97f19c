// A look at a handle: the numbers of dl_auth_info_t, with times as .NET has them.
using System;

namespace Dataloop.DlAuth
{
    /// <summary>What a token is good for.</summary>
    public enum TokenState
    {
        /// <summary>There is none.</summary>
        Empty = 0,
        /// <summary>Valid, and needs no refresh.</summary>
        Fresh = 1,
        /// <summary>Valid, and the next call that finds it begins a refresh.</summary>
        Due = 2,
        /// <summary>Not handed out any more: it has ended, or the platform refused it.</summary>
        Expired = 3,
    }

    /// <summary>What an <see cref="Auth"/> is doing.</summary>
    public enum AuthActivity
    {
        /// <summary>Nothing.</summary>
        Idle = 0,
        /// <summary>A refresh is in flight.</summary>
        Refreshing = 1,
        /// <summary>The last refresh failed, and no other begins for <see cref="Info.RetryIn"/>.</summary>
        Cooling = 2,
        /// <summary>The gate refused the credentials; they are not sent again for <see cref="Info.RetryIn"/>.</summary>
        Denied = 3,
    }

    /// <summary>How an <see cref="Auth"/> was at the moment that it was asked.</summary>
    public struct Info
    {
        internal Info(NativeInfo native)
        {
            State = (TokenState)native.State;
            Activity = (AuthActivity)native.Activity;
            Generation = native.Generation;
            IssuedAt = Date(native.IssuedAt);
            ExpiresAt = Date(native.ExpiresAt);
            ExpiresIn = Interop.ToTimeSpan(native.ExpiresInMs);
            RefreshIn = Interop.ToTimeSpan(native.RefreshInMs);
            ClockSkew = Interop.ToTimeSpan(native.ClockSkewMs);
            Logins = native.Logins;
            Refreshes = native.Refreshes;
            Failures = native.Failures;
            SharedHits = native.SharedHits;
            StoreFailures = native.StoreFailures;
            Waiting = native.Waiting;
            LastStatus = (Status)native.LastStatus;
            LastHttpStatus = (int)native.LastHttpStatus;
            RetryIn = Interop.ToTimeSpan(native.RetryInMs);
            Wait = Interop.ToTimeSpan(native.WaitMs);
        }

        /// <summary>What the token is good for.</summary>
        public TokenState State { get; }

        /// <summary>What the handle is doing.</summary>
        public AuthActivity Activity { get; }

        /// <summary>How many tokens the handle has held; 0: none yet.</summary>
        public ulong Generation { get; }

        /// <summary>The token's `iat`; null: none.</summary>
        public DateTimeOffset? IssuedAt { get; }

        /// <summary>The token's `exp`; null: none.</summary>
        public DateTimeOffset? ExpiresAt { get; }

        /// <summary>
        /// Until the token ends, by a clock that counts suspend and that nobody can set; negative: it has ended; zero:
        /// there is none.
        /// </summary>
        public TimeSpan ExpiresIn { get; }

        /// <summary>Until the token's refresh is due; negative: it is due; zero: there is no token.</summary>
        public TimeSpan RefreshIn { get; }

        /// <summary>The gate's clock minus this machine's, good to about a second.</summary>
        public TimeSpan ClockSkew { get; }

        /// <summary>Tokens that were got for the password.</summary>
        public ulong Logins { get; }

        /// <summary>Tokens that were got for a refresh token.</summary>
        public ulong Refreshes { get; }

        /// <summary>Refreshes that failed, each with all its tries.</summary>
        public ulong Failures { get; }

        /// <summary>Tokens that were found in the shared store. 0: there is no shared store yet.</summary>
        public ulong SharedHits { get; }

        /// <summary>Failures of the shared store. 0: there is no shared store yet.</summary>
        public ulong StoreFailures { get; }

        /// <summary>Callers that wait inside the library at this moment; one in TokenAsync is none of them.</summary>
        public ulong Waiting { get; }

        /// <summary>What the last refresh came to; <see cref="Status.Ok"/>: it worked, or there was none.</summary>
        public Status LastStatus { get; }

        /// <summary>The HTTP status of its answer, where it failed; 0: it worked, or there was no answer.</summary>
        public int LastHttpStatus { get; }

        /// <summary>Until the next refresh may begin, after one that failed, or has just worked; zero: at once.</summary>
        public TimeSpan RetryIn { get; }

        /// <summary>The most that Token and TokenAsync wait: the option `wait`.</summary>
        public TimeSpan Wait { get; }

        private static DateTimeOffset? Date(long unixSeconds)
        {
            return unixSeconds == 0 ? (DateTimeOffset?)null : DateTimeOffset.FromUnixTimeSeconds(unixSeconds);
        }
    }
}
