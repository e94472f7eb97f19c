// The state of a handle: the numbers of dl_auth_info_t, with .NET types for times.
using System;

namespace Dataloop.DlAuth
{
    /// <summary>The state of a token.</summary>
    public enum TokenState
    {
        /// <summary>There is no token.</summary>
        Empty = 0,
        /// <summary>Valid; no refresh is due.</summary>
        Fresh = 1,
        /// <summary>Valid; a refresh is due, and the next call starts it.</summary>
        Due = 2,
        /// <summary>No longer returned: it has expired, or the platform refused it.</summary>
        Expired = 3,
    }

    /// <summary>The current activity of an <see cref="Auth"/>.</summary>
    public enum AuthActivity
    {
        /// <summary>Nothing.</summary>
        Idle = 0,
        /// <summary>A refresh is in flight.</summary>
        Refreshing = 1,
        /// <summary>Cooldown: the last refresh failed, and the next one starts after <see
        /// cref="Info.RetryIn"/>.</summary>
        Cooling = 2,
        /// <summary>The gate refused the credentials; they are not sent again for <see cref="Info.RetryIn"/>.</summary>
        Denied = 3,
    }

    /// <summary>The state of an <see cref="Auth"/> at the moment of the call.</summary>
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
            StoreMessage = native.StoreMessage.ToString();
            Waiting = native.Waiting;
            LastStatus = (Status)native.LastStatus;
            LastHttpStatus = (int)native.LastHttpStatus;
            RetryIn = Interop.ToTimeSpan(native.RetryInMs);
            Wait = Interop.ToTimeSpan(native.WaitMs);
        }

        /// <summary>The state of the token.</summary>
        public TokenState State { get; }

        /// <summary>The current activity of the handle.</summary>
        public AuthActivity Activity { get; }

        /// <summary>The number of tokens that the handle has had; 0: no token yet.</summary>
        public ulong Generation { get; }

        /// <summary>The token's `iat`; null: there is no `iat`.</summary>
        public DateTimeOffset? IssuedAt { get; }

        /// <summary>The token's `exp`; null: there is no token.</summary>
        public DateTimeOffset? ExpiresAt { get; }

        /// <summary>
        /// Until the token's `exp`, by a clock that counts suspend and cannot be set. State says whether it has
        /// expired. Zero: there is no token.
        /// </summary>
        public TimeSpan ExpiresIn { get; }

        /// <summary>Until the planned time of the next refresh. State says whether it is due.</summary>
        public TimeSpan RefreshIn { get; }

        /// <summary>The gate's clock minus this machine's, exact to about a second.</summary>
        public TimeSpan ClockSkew { get; }

        /// <summary>Tokens from a login.</summary>
        public ulong Logins { get; }

        /// <summary>Tokens from a refresh token.</summary>
        public ulong Refreshes { get; }

        /// <summary>Refreshes that failed, each after all its attempts.</summary>
        public ulong Failures { get; }

        /// <summary>Tokens from the shared store: another process had fetched them.</summary>
        public ulong SharedHits { get; }

        /// <summary>Refreshes that could not use the shared store.</summary>
        public ulong StoreFailures { get; }

        /// <summary>Why the shared store could not be used the last time; empty: it has not failed.</summary>
        public string StoreMessage { get; }

        /// <summary>Callers that wait inside the library at this moment. Tasks of TokenAsync are not counted.</summary>
        public ulong Waiting { get; }

        /// <summary>The status of the last refresh; <see cref="Status.Ok"/>: it succeeded, or there was no
        /// refresh.</summary>
        public Status LastStatus { get; }

        /// <summary>The HTTP status of its answer, if it failed; 0: it succeeded, or there was no answer.</summary>
        public int LastHttpStatus { get; }

        /// <summary>Until the next refresh may start, after one that failed or has just succeeded; zero:
        /// immediately.</summary>
        public TimeSpan RetryIn { get; }

        /// <summary>The maximum time that Token and TokenAsync wait: the option `wait`.</summary>
        public TimeSpan Wait { get; }

        private static DateTimeOffset? Date(long unixSeconds)
        {
            return unixSeconds == 0 ? (DateTimeOffset?)null : DateTimeOffset.FromUnixTimeSeconds(unixSeconds);
        }
    }
}
