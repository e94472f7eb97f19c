// How a call failed: one exception for all of them, told apart by its status, as the library does.
using System;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// A call failed. The message says what happened, to what, and what to do; it is never empty, and never holds a
    /// username, a password or a token.
    /// </summary>
    public sealed class DlAuthException : Exception
    {
        internal DlAuthException(
            Status status, string message, int httpStatus = 0, TimeSpan retryAfter = default(TimeSpan), Exception inner = null)
            : base(string.IsNullOrEmpty(message) ? "dl_auth: " + status + " (" + (int)status + ")" : message, inner)
        {
            Status = status;
            HttpStatus = httpStatus;
            RetryAfter = retryAfter;
        }

        /// <summary>
        /// What the call came to. <see cref="Dataloop.DlAuth.Status.Closed"/>: the <see cref="Auth"/> was disposed.
        /// <see cref="Dataloop.DlAuth.Status.Unsupported"/>: an option that is not built in; or there is no library, or
        /// one that is too old. A later library may have numbers that are not in the enumeration.
        /// </summary>
        public Status Status { get; }

        /// <summary>The HTTP status of the answer behind the failure; 0: there was none.</summary>
        public int HttpStatus { get; }

        /// <summary>How long until the library itself tries again; zero: at the next call, or never.</summary>
        public TimeSpan RetryAfter { get; }
    }
}
