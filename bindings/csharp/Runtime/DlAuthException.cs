// How a call failed: one exception for all failures. Its status distinguishes them, as in the library.
using System;
using System.Runtime.Serialization;

namespace Dataloop.DlAuth
{
    /// <summary>
    /// A call failed. The message says what happened, to what, and what to do; it is never empty, and never contains a
    /// username, a password or a token.
    /// </summary>
    [Serializable]
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

        /// <summary>A copy to throw in another place, because a thrown exception contains the place of its
        /// throw.</summary>
        internal DlAuthException Copy()
        {
            return new DlAuthException(Status, Message, HttpStatus, RetryAfter, InnerException);
        }

#if !NET5_0_OR_GREATER // which has one application domain, and calls these obsolete
        private DlAuthException(SerializationInfo info, StreamingContext context) : base(info, context)
        {
            Status = (Status)info.GetInt32(nameof(Status));
            HttpStatus = info.GetInt32(nameof(HttpStatus));
            RetryAfter = new TimeSpan(info.GetInt64(nameof(RetryAfter)));
        }

        /// <summary>For the transfer into another application domain.</summary>
        public override void GetObjectData(SerializationInfo info, StreamingContext context)
        {
            base.GetObjectData(info, context);
            info.AddValue(nameof(Status), (int)Status);
            info.AddValue(nameof(HttpStatus), HttpStatus);
            info.AddValue(nameof(RetryAfter), RetryAfter.Ticks);
        }
#endif

        /// <summary>
        /// The status of the call. <see cref="Dataloop.DlAuth.Status.Closed"/>: the <see cref="Auth"/> was disposed.
        /// <see cref="Dataloop.DlAuth.Status.Unsupported"/>: an option that is not built in; or there is no library, or
        /// one that is too old. A later library may have numbers that are not in the enumeration.
        /// </summary>
        public Status Status { get; }

        /// <summary>The HTTP status of the answer that caused the failure; 0: there was no answer.</summary>
        public int HttpStatus { get; }

        /// <summary>The time until the next refresh can start; zero: a call can start it, or none can help.</summary>
        public TimeSpan RetryAfter { get; }
    }
}
