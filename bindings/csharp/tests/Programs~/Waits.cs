// Waiting for a token without a thread: what the waiters share, and when each gives up.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Dataloop.DlAuth;

static class Waits
{
    public static void Cancellation()
    {
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        using (var auth = Gate.Handle())
        using (var source = new CancellationTokenSource())
        {
            Task<string> task = auth.TokenAsync(source.Token);
            Gate.WaitFor("hanging=1");
            Check.That(!task.IsCompleted, "the task waits");
            source.Cancel();
            Check.Throws<OperationCanceledException>(() => task.GetAwaiter().GetResult(), "a task that is cancelled");
            Check.That(task.IsCanceled && auth.TokenAsync(source.Token).IsCanceled, "both tasks are cancelled");
            Check.Fails(Status.Timeout, () => auth.TokenWithin(TimeSpan.Zero, new TimeSpan(1)), "a wait of 0.1 us");
            Check.Fails(Status.Pending, () => auth.TokenWithin(TimeSpan.Zero, TimeSpan.Zero), "no wait");
            Gate.Release();
            string token = auth.TokenAsync().Result;
            Check.Equal(Gate.LastToken(), token, "the token");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    public static void TokenAsyncKeepsToTheOptionWait()
    {
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        using (var auth = Gate.Handle(Key.Wait, "70ms"))
        {
            Check.Fails(Status.Timeout, () => auth.TokenAsync().GetAwaiter().GetResult(), "a wait of 70 ms");
            Gate.Release();
            Check.Soon(() => auth.Info().Generation == 1, "the refresh continues");
            Check.Equal(Gate.LastToken(), auth.TokenAsync().Result, "the token");
        }
    }

    /// <summary>Has a token that ends before another may be fetched, a second after it came.</summary>
    static void GetTokenLongOnItsWay(Auth auth)
    {
        Gate.Reset("{\"lifetime\": 2}", "{\"do\": \"slow\", \"bytes\": 500, \"delay_ms\": 130, \"times\": 999}");
        Check.Soon(() => HasToken(auth), "it comes before it ends");
        Check.Soon(() => auth.Info().State == TokenState.Expired, "it ends");
    }

    /// <summary>On a busy machine a token of two seconds may have ended when it comes, and then the login
    /// fails.</summary>
    static bool HasToken(Auth auth)
    {
        try
        {
            return auth.TokenWithin(TimeSpan.Zero, TimeSpan.FromMinutes(5)) != null;
        }
        catch (DlAuthException failure) when (failure.Status == Status.BadResponse)
        {
            return false;
        }
    }

    public static void TokenAsyncWaitsForWhatMayBeFetchedOnlyThen()
    {
        using (var auth = Gate.Handle())
        {
            GetTokenLongOnItsWay(auth);
            Gate.Reset();
            string token = auth.TokenAsync().Result;
            Check.Equal(Gate.LastToken(), token, "the token after it");
            Check.Equal(1, Gate.Count("requests"), "one more request");
        }
    }

    static async Task<TimeSpan> TimeUntilTimeout(Auth auth)
    {
        Stopwatch watch = Stopwatch.StartNew();
        try
        {
            await auth.TokenAsync();
        }
        catch (DlAuthException failure) when (failure.Status == Status.Timeout)
        {
            return watch.Elapsed;
        }
        throw new InvalidOperationException("there is a token");
    }

    /// <summary>A waiter that gives up, by its limit or its cancellation, does not affect the others.</summary>
    public static void SharedPollerOwnWait()
    {
        int unobserved = 0;
        TaskScheduler.UnobservedTaskException += (sender, arguments) => Interlocked.Increment(ref unobserved);
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        using (var auth = Gate.Handle(Key.Wait, "1s"))
        using (var source = new CancellationTokenSource())
        {
            Task<string> cancelled = auth.TokenAsync(source.Token);
            Task<TimeSpan> early = TimeUntilTimeout(auth);
            Thread.Sleep(500);
            Task<TimeSpan> late = TimeUntilTimeout(auth);
            source.Cancel();
            Check.Soon(() => cancelled.IsCompleted, "it is cancelled");
            foreach (Task<TimeSpan> waited in new[] { early, late })
                Check.That(waited.Result > TimeSpan.FromMilliseconds(950), "each waits for a second: " + waited.Result);
            Gate.Release();
            Check.Soon(() => auth.Info().Generation == 1, "the refresh continues");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
        Gate.Reset(plan: "[{\"do\": \"hang\", \"then\": {\"do\": \"status\", \"status\": 503}}]");
        using (var auth = Gate.Handle())
        {
            Task<string>[] tasks = Enumerable.Range(0, 100).Select(i => auth.TokenAsync()).ToArray();
            Gate.WaitFor("hanging=1");
            Gate.Release();
            var failures = new HashSet<DlAuthException>();
            foreach (Task<string> task in tasks)
            {
                DlAuthException failure = Check.Fails(Status.Gate, () => task.GetAwaiter().GetResult(), "a task");
                Check.Equal(503, failure.HttpStatus, "the HTTP status");
                Check.That(failure.RetryAfter > TimeSpan.Zero && failures.Add(failure), "each has a separate exception");
            }
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Check.Equal(0, unobserved, "unobserved exceptions");
    }

    /// <summary>Whether TokenAsync fails, directly after the token has expired, because the next token comes later than
    /// it may wait.</summary>
    static bool IsTold()
    {
        using (var auth = Gate.Handle(Key.Wait, "100ms"))
        {
            GetTokenLongOnItsWay(auth);
            try
            {
                return auth.TokenAsync().GetAwaiter().GetResult() == null;
            }
            catch (DlAuthException failure)
            {
                return failure.Status == Status.TooShort && failure.RetryAfter > TimeSpan.FromMilliseconds(100);
            }
        }
    }

    /// <summary>A machine that is slow just then may miss it, but not each time.</summary>
    public static void NotForWhatComesTooLate()
    {
        Check.That(Enumerable.Range(0, 50).Any(i => IsTold()), "TokenAsync says so immediately");
    }

    public static void AfterSetCredentials()
    {
        Gate.Reset();
        using (var auth = Gate.Handle(Key.Password, "the older one of csharp"))
        {
            Check.Fails(Status.Denied, () => auth.TokenAsync().GetAwaiter().GetResult(), "the old password");
            Gate.Plan("{\"do\": \"hang\"}");
            auth.SetCredentials(null, "the old one of csharp, again");
            Task<string> before = auth.TokenAsync();
            Gate.WaitFor("hanging=1");
            auth.SetCredentials(null, Gate.Variable("GATE_PASSWORD"));
            string token = auth.TokenAsync().Result;
            Check.Equal(Gate.LastToken(), token, "the token");
            Check.Equal(token, before.Result, "the token of the earlier waiter");
            Gate.Release();
        }
    }
}
