// Waiting without a thread: the library is asked again and again, by one poller for all the tasks that wait on a handle.
//
// A poller ends as soon as it is told something else than when it began; the tasks that wait for it then see for themselves
// whether that is their answer. It asks and goes out of the way under one lock, so that who comes later, such as after
// SetCredentials, never gets an answer from before.
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
        /// As <see cref="Token"/>, for async code: while there is a valid token, the task has ended already; else the
        /// library is asked again and again with pauses of up to 50 ms, once for all tasks that wait, and no thread is
        /// held meanwhile. A call that is cancelled gives up its wait; the refresh goes on.
        /// </summary>
        /// <exception cref="OperationCanceledException">`cancellation` was cancelled.</exception>
        /// <exception cref="DlAuthException">As Token; never Pending, but Timeout when the option `wait` is over.</exception>
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
                        Status.Timeout, "there was no token within " + limit + ", the option wait; the refresh goes on",
                        retryAfter: failure.RetryAfter);
                token = await ended.Ended.Task.ConfigureAwait(false);
                failure = ended.Failure?.Copy();
            }
            return failure == null ? token : throw failure;
        }

        /// <summary>Whether there may be a token soon: a refresh is in flight, or the next one is waited for.</summary>
        private static bool MayPass(DlAuthException failure)
        {
            return failure != null && (failure.Status == Status.Pending
                || (failure.Status == Status.TooShort && failure.RetryAfter > TimeSpan.Zero));
        }

        /// <summary>The poller, when it has ended; null: the time was over first.</summary>
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
                        stop.Cancel(); // or its timer would stay
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

        /// <summary>Never fails: what goes wrong is for those that wait, and for nobody where none does.</summary>
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
                        more = mine.Waiting; // none: all have given up
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
                GC.KeepAlive(mine.Ended.Task.Exception); // which has been seen now, though nobody should wait
            }
        }

        private sealed class Poller
        {
            /// <summary>What it began with.</summary>
            internal readonly Status Told;

            /// <summary>Has the token. What comes after a task runs apart from what comes after the others.</summary>
            internal readonly TaskCompletionSource<string> Ended =
                new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);

            /// <summary>Why there is no token; to be read when it has ended.</summary>
            internal DlAuthException Failure;

            internal int Waiting;

            internal Poller(Status told)
            {
                Told = told;
            }
        }
    }
}
