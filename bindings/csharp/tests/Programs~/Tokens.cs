// Getting tokens: the scenarios of tests/hosts/scenarios.md that need a healthy gate, or one that hangs or is down.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Dataloop.DlAuth;

static class Tokens
{
    public static void FirstToken()
    {
        Gate.Reset();
        using (var auth = Gate.Handle())
        {
            Check.Equal(0, Gate.Count("requests"), "requests before the first call");
            string token = auth.Token();
            Check.Equal(1, Gate.Count("logins"), "logins");
            Check.Equal(Gate.LastToken(), token, "the token");
            Check.Equal("Bearer " + token, auth.Bearer(), "the header");
        }
    }

    public static void CachedRead()
    {
        Gate.Reset();
        using (var auth = Gate.Handle())
        {
            string first = auth.Token(), token = auth.Token();
            Check.Equal(first, token, "the second token");
            var buffer = new char[8191];
            for (int i = 0; i < 1000; i++)
            {
                Check.That(ReferenceEquals(token, auth.Token()), "it is the same string");
                Check.That(auth.TryGetToken(buffer, out int length) && length == token.Length, "it is copied");
                Check.That(token.AsSpan().SequenceEqual(buffer.AsSpan(0, length)), "it is copied whole");
                Check.That(ReferenceEquals(token, auth.TokenAsync().Result), "it is the same string, async");
            }
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    /// <summary>The bytes that this thread allocates in many reads.</summary>
    static long Garbage(int reads, Func<bool> read)
    {
        for (int i = 0; i < 1000; i++) Check.That(read(), "there is a token");
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool all = true;
        for (int i = 0; i < reads; i++) all &= read();
        long garbage = GC.GetAllocatedBytesForCurrentThread() - before;
        Check.That(all, "there is a token each time");
        return garbage;
    }

    public static void NoGarbage()
    {
        Gate.Reset();
        var buffer = new char[8191];
        Check.That(Garbage(1000, () => new string('x', 1000) != null) >= 2000000, "garbage is counted");
        using (var auth = Gate.Handle())
        {
            auth.Token();
            auth.Token(); // which is kept
            Check.Equal(0, Garbage(1000000, () => auth.TryGetToken(buffer, out int length)), "bytes by TryGetToken");
            Check.Equal(0, Garbage(1000000, () => auth.Token() != null), "bytes by Token");
            Check.Equal(0, Garbage(1000000, () => auth.Bearer() != null), "bytes by Bearer");
            Check.Equal(0, Garbage(1000000, () => auth.TokenAsync().Result != null), "bytes by TokenAsync");
        }
        // Nor while a refresh is in flight, and the copy is not to be trusted.
        Gate.Reset("{\"lifetime\": 60}", "[{\"do\": \"ok\"}, {\"do\": \"hang\"}]");
        using (var auth = Gate.Handle(Key.RefreshAt, "0.1"))
        {
            Check.Soon(() => auth.Token() != null && auth.Info().Activity == AuthActivity.Refreshing, "it is due");
            Check.Equal(0ul, auth.Generation, "the generation");
            Check.Equal(0, Garbage(100000, () => auth.TryGetToken(buffer, out int length)), "bytes by TryGetToken, due");
            Gate.Release();
        }
    }

    public static void TryGetTokenTells()
    {
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        using (var auth = Gate.Handle())
        {
            var buffer = new char[8191];
            Check.That(!auth.TryGetToken(buffer, out int length) && length == 0, "there is no token yet");
            Gate.Release();
            Check.Soon(() => auth.TryGetToken(buffer, out length), "it has begun a login");
            string token = auth.Token();
            foreach (int room in new[] { 0, 1, token.Length - 1 })
            {
                Check.That(!auth.TryGetToken(new char[room], out length), "it does not fit");
                Check.Equal(token.Length, length, "the room that it needs");
            }
            Check.That(auth.TryGetToken(new char[token.Length], out length), "it just fits");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    public static void Claims()
    {
        Gate.Reset();
        using (var auth = Gate.Handle())
        {
            string claims = auth.Claims();
            Check.That(claims.Contains("\"email\":\"" + Gate.Variable("GATE_USERNAME") + "\""), "the email: " + claims);
            long expiry = Number(claims, "exp");
            Check.That(expiry > Number(claims, "iat"), "exp is later than iat");
            string token = auth.Token();
            Check.Equal(claims, Jwt.Claims(token), "the claims of the token");
            Check.Equal(expiry, Jwt.Expiry(token).ToUnixTimeSeconds(), "the expiry");
            Check.Equal(expiry, auth.Info().ExpiresAt.Value.ToUnixTimeSeconds(), "the expiry that info tells");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    static long Number(string json, string name)
    {
        return long.Parse(Regex.Match(json, "\"" + name + "\":(\\d+)").Groups[1].Value);
    }

    public static void ExpiryAndRefresh()
    {
        Gate.Reset("{\"lifetime\": 3}");
        using (var auth = Gate.Handle())
        {
            string first = auth.Token();
            string token = first;
            Check.Soon(
                () =>
                {
                    DateTimeOffset now = DateTimeOffset.UtcNow;
                    token = auth.Token();
                    Check.That(Jwt.Expiry(token) > now, "no expired token is returned");
                    return token != first;
                },
                "it is replaced");
            Check.Equal(Gate.LastToken(), token, "the token");
            Check.Equal(1, Gate.Count("logins"), "logins");
            Check.Equal(1, Gate.Count("refreshes"), "refreshes");
            Check.Equal(2ul, auth.Info().Generation, "the tokens that info tells of");
        }
    }

    public static void GateDownWithAValidToken()
    {
        Gate.Reset("{\"lifetime\": 30}");
        using (var auth = Gate.Handle(Key.RefreshAt, "0.1"))
        {
            string token = auth.Token();
            Gate.Plan("{\"do\": \"status\", \"status\": 503, \"times\": 99}");
            Check.Soon(
                () =>
                {
                    Check.Equal(token, auth.Token(), "the token");
                    return auth.Info().Failures > 0;
                },
                "a refresh fails");
            Check.Equal(token, auth.Token(), "the token afterwards");
            Check.Equal(token, auth.TokenAsync().Result, "the token afterwards, async");
            Check.That(auth.TryGetToken(new char[8191], out int length), "the token afterwards, copied");
            Info info = auth.Info();
            Check.Equal(Status.Gate, info.LastStatus, "the last status");
            Check.Equal(503, info.LastHttpStatus, "the last HTTP status");
        }
    }

    public static void GateDownWithout()
    {
        Gate.Reset(plan: "[{\"do\": \"status\", \"status\": 503, \"times\": 99}]");
        using (var auth = Gate.Handle())
        {
            DlAuthException failure = Check.Fails(Status.Gate, () => auth.Token(), "a gate that is down");
            Check.Equal(503, failure.HttpStatus, "the HTTP status");
            Check.That(failure.RetryAfter > TimeSpan.Zero, "there is a retry time");
            Check.Fails(Status.Gate, () => auth.TokenAsync().GetAwaiter().GetResult(), "a gate that is down, async");
        }
        using (var auth = Gate.Handle(Key.Url, Gate.Variable("GATE_REFUSED_URL")))
        {
            DlAuthException failure = Check.Fails(Status.Unreachable, () => auth.Token(), "a gate that is not there");
            Check.Equal(0, failure.HttpStatus, "the HTTP status");
            Check.That(failure.RetryAfter > TimeSpan.Zero, "there is a retry time");
        }
    }

    public static void ManyAtOnceMakeOneLogin()
    {
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        using (var auth = Gate.Handle())
        {
            var got = new List<string>();
            List<Thread> threads = Enumerable.Range(0, 32).Select(i => new Thread(() =>
            {
                string token = auth.Token();
                lock (got) got.Add(token);
            })).ToList();
            threads.ForEach(thread => thread.Start());
            Check.Soon(() => auth.Info().Waiting == 32, "all threads wait");
            int before = Directory.GetDirectories("/proc/self/task").Length;
            Task<string>[] tasks = Enumerable.Range(0, 1000).Select(i => auth.TokenAsync()).ToArray();
            Gate.WaitFor("hanging=1");
            int more = Directory.GetDirectories("/proc/self/task").Length - before;
            Check.That(more < 20, "1000 tasks hold no thread each, there are " + more + " more");
            Check.That(!tasks.Any(task => task.IsCompleted), "all tasks wait");
            Gate.Release();
            threads.ForEach(thread => thread.Join());
            got.AddRange(Task.WhenAll(tasks).Result);
            Check.Equal(1032, got.Count, "tokens");
            Check.That(got.All(token => token == got[0]), "all are the same");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    public static void OtherCredentials()
    {
        Gate.Reset();
        using (var auth = Gate.Handle(Key.Password, "the old one of csharp"))
        {
            Check.Fails(Status.Denied, () => auth.Token(), "the old password");
            auth.SetCredentials(null, Gate.Variable("GATE_PASSWORD"));
            auth.Token();
            auth.SetCredentials("another@example.com", "another of csharp");
            Check.Fails(Status.Denied, () => auth.Token(), "another user");
        }
    }
}
