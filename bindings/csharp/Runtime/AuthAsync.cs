// Waiting without a thread: one poller polls the library for all tasks that wait on a handle.
//
// A poller ends when the library's answer differs from the first answer. Each task that waits for it then checks
// whether that is its answer. The poller asks, and removes itself, under one lock. So a later caller, such as one after
// SetCredentials, never gets an earlier answer.
using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;

namespace Dataloop.DlAuth
{
    public sealed partial class Auth
    {
        private readonly object asking = new object();
        private Poller poller; // guarded by `asking`, as is its count

        /// <summary>
        /// As <see cref="Token"/>, but async. While there is a valid token, the returned task is already completed.
        /// Otherwise the library is polled with pauses of up to 50 ms, once for all tasks that wait, and no thread is
        /// held meanwhile. A call that is cancelled stops waiting; the refresh continues.
        /// </summary>
        /// <exception cref="OperationCanceledException">`cancellation` was cancelled.</exception>
        /// <exception cref="DlAuthException">As Token; never Pending, but Timeout when the option `wait` is
        /// over.</exception>
        public Task<string> TokenAsync(CancellationToken cancellation = default(CancellationToken))
        {
            if (cancellation.IsCancellationRequested) return Task.FromCanceled<string>(cancellation);
            return Kept()?.Task ?? WaitAsync(cancellation);
        }

        private async Task<string> WaitAsync(CancellationToken cancellation)
        {
            Stopwatch waited = Stopwatch.StartNew();
            string token;
            DlAuthException failure = Ask(0, 0, out token);
            TimeSpan limit = MayPass(failure) ? Info().Wait : TimeSpan.Zero;
            while (MayPass(failure))
            {
                TimeSpan left = limit - waited.Elapsed;
                if (failure.Status == Status.TooShort && failure.RetryAfter > left) break;
                Poller ended = left <= TimeSpan.Zero ? null
                    : await Await(failure.Status, left, cancellation).ConfigureAwait(false);
                if (ended == null)
                    throw new DlAuthException(
                        Status.Timeout, "no token within " + limit + ", the option `wait`; the refresh continues",
                        retryAfter: failure.RetryAfter);
                token = await ended.Ended.Task.ConfigureAwait(false);
                failure = ended.Failure?.Copy();
            }
            return failure == null ? token : throw failure;
        }

        /// <summary>Whether there may be a token soon: a refresh is in flight, or the next one may start
        /// soon.</summary>
        private static bool MayPass(DlAuthException failure)
        {
            return failure != null && (failure.Status == Status.Pending
                || (failure.Status == Status.TooShort && failure.RetryAfter > TimeSpan.Zero));
        }

        /// <summary>The poller, after it has ended; null: the time was over before that.</summary>
        private async Task<Poller> Await(Status told, TimeSpan left, CancellationToken cancellation)
        {
            Poller joined = Join(told);
            try
            {
                using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
                {
                    Task delay = Task.Delay((int)Math.Ceiling(left.TotalMilliseconds), stop.Token);
                    Task first = await Task.WhenAny(joined.Ended.Task, delay).ConfigureAwait(false);
                    if (first == joined.Ended.Task)
                    {
                        stop.Cancel(); // otherwise its timer would stay
                        return joined;
                    }
                }
            }
            finally
            {
                Leave(joined);
            }
            cancellation.ThrowIfCancellationRequested();
            return null;
        }

        private Poller Join(Status told)
        {
            lock (asking)
            {
                Poller joined = poller ?? new Poller(told);
                joined.Waiting++;
                if (poller == null)
                {
                    poller = joined;
                    _ = Poll(joined); // which may have ended here already
                }
                return joined;
            }
        }

        private void Leave(Poller joined)
        {
            lock (asking) joined.Waiting--;
        }

        /// <summary>Never fails: a failure goes to the tasks that wait, and is dropped if no task waits.</summary>
        private async Task Poll(Poller mine)
        {
            try
            {
                string token = null;
                for (int pause = 1, more = 1; more > 0; pause = Math.Min(2 * pause, 50))
                {
                    await Task.Delay(pause).ConfigureAwait(false);
                    lock (asking)
                    {
                        more = mine.Waiting; // 0: all have given up
                        if (more > 0) mine.Failure = Ask(0, 0, out token);
                        if (!MayPass(mine.Failure) || mine.Failure.Status != mine.Told) more = 0;
                        if (more == 0) poller = null;
                    }
                }
                mine.Ended.SetResult(token);
            }
            catch (Exception error)
            {
                lock (asking) poller = null;
                mine.Ended.SetException(error);
                GC.KeepAlive(mine.Ended.Task.Exception); // marks the exception as observed, even if no task waits
            }
        }

        private sealed class Poller
        {
            /// <summary>The status at its start.</summary>
            internal readonly Status Told;

            /// <summary>Has the token. The continuation of each task runs separately.</summary>
            internal readonly TaskCompletionSource<string> Ended =
                new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);

            /// <summary>Why there is no token. Read it after the poller has ended.</summary>
            internal DlAuthException Failure;

            internal int Waiting;

            internal Poller(Status told)
            {
                Told = told;
            }
        }
    }
}
