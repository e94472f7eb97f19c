// What goes wrong: credentials, options, arguments, closed handles, and the library itself.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Dataloop.DlAuth;

static class Errors
{
    public static void WrongPassword()
    {
        Gate.Reset();
        const string password = "csharp's own wrong password";
        using (var auth = Gate.Handle(Key.Password, password))
        {
            DlAuthException failure = Check.Fails(Status.Denied, () => auth.Token(), "a wrong password");
            Check.Equal(401, failure.HttpStatus, "the HTTP status");
            Check.That(failure.RetryAfter > TimeSpan.Zero, "there is a retry time");
            Check.That(!failure.ToString().Contains(password), "the password is not told");
            Check.Fails(Status.Denied, () => auth.Token(), "the same again");
            Check.Fails(Status.Denied, () => auth.TokenAsync().GetAwaiter().GetResult(), "the same again, async");
            Check.That(!auth.TryGetToken(new char[8191], out int length) && length == 0, "there is no token");
            Check.Equal(1, Gate.Count("requests"), "requests");
        }
    }

    public static void WrongOption()
    {
        DlAuthException failure = Check.Fails(Status.UnknownKey, () => Gate.Handle("usernam", "x"), "an unknown key");
        Check.That(failure.Message.Contains("`username`"), "the nearest key is named: " + failure.Message);
        failure = Check.Fails(Status.InvalidValue, () => Gate.Handle(Key.RefreshAt, "often"), "a wrong value");
        Check.That(failure.Message.Contains(Key.RefreshAt), "its key is named: " + failure.Message);
        Check.Fails(Status.NoCredentials, () => new Auth(new Dictionary<string, string>()), "no credentials");
        Check.Fails(Status.InvalidValue, () => Gate.Handle(Key.Store, "file:"), "a store");
    }

    /// <summary>Every call that may throw.</summary>
    static Dictionary<string, Action> Calls(Auth auth)
    {
        return new Dictionary<string, Action>
        {
            ["Token"] = () => auth.Token(),
            ["TokenWithin"] = () => auth.TokenWithin(TimeSpan.Zero, TimeSpan.FromSeconds(1)),
            ["TokenWithin, no wait"] = () => auth.TokenWithin(TimeSpan.Zero, TimeSpan.Zero),
            ["TokenAsync"] = () => auth.TokenAsync().GetAwaiter().GetResult(),
            ["Bearer"] = () => auth.Bearer(),
            ["Claims"] = () => auth.Claims(),
            ["Info"] = () => auth.Info(),
            ["Invalidate"] = () => auth.Invalidate("x"),
            ["SetCredentials"] = () => auth.SetCredentials(null, "x"),
        };
    }

    public static void UseAfterClose()
    {
        Gate.Reset();
        var auth = Gate.Handle();
        auth.Token();
        auth.Dispose();
        auth.Dispose();
        foreach (KeyValuePair<string, Action> call in Calls(auth)) Check.Fails(Status.Closed, call.Value, call.Key);
        Check.That(!auth.TryGetToken(new char[8191], out int length) && length == 0, "no token is copied");
        Check.Equal(0ul, auth.Generation, "the generation");
        auth.Dispose();
    }

    public static void DisposeWakesThoseThatWait()
    {
        Gate.Reset(plan: "[{\"do\": \"hang\"}]");
        var auth = Gate.Handle();
        Task<string>[] all =
        {
            Task.Run(() => auth.Token()), Task.Run(() => auth.TokenWithin(TimeSpan.Zero, TimeSpan.MaxValue)),
            Task.Run(() => auth.Claims()), auth.TokenAsync(),
        };
        Check.Soon(() => auth.Info().Waiting == 3, "all wait");
        auth.Dispose();
        foreach (Task<string> one in all)
        {
            Check.Soon(() => one.IsCompleted, "it does not wait on");
            Check.Fails(Status.Closed, () => one.GetAwaiter().GetResult(), "a call in flight");
        }
        Gate.Release();
    }

    public static int BackgroundThreads()
    {
        int count = 0;
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            try
            {
                if (File.ReadAllText(task + "/comm").Trim() == "dl-auth") count++;
            }
            catch (IOException) // it has just ended
            {
            }
        }
        return count;
    }

    /// <summary>Whether a handle without references has refreshed in the background before.</summary>
    static bool Forget()
    {
        bool refreshes = false;
        for (int i = 0; i < 20; i++)
        {
            var auth = Gate.Handle(Key.Refresh, "background");
            auth.Token();
            refreshes = BackgroundThreads() > 0;
            GC.KeepAlive(auth);
        }
        return refreshes;
    }

    public static void AForgottenHandleIsFreed()
    {
        Gate.Reset();
        bool refreshes = false;
        var thread = new Thread(() => refreshes = Forget()); // whose stack, which may hold one of them, ends
        thread.Start();
        thread.Join();
        Check.That(refreshes, "they refresh in the background");
        Check.Soon(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return BackgroundThreads() == 0;
            },
            "the finaliser frees them");
    }

    public static void BadArguments()
    {
        Gate.Reset();
        string nul = "a\0b", half = "a\ud800b";
        Check.Throws<ArgumentNullException>(() => new Auth(null), "no options");
        Check.Throws<ArgumentException>(
            () => new Auth(new[] { new KeyValuePair<string, string>(null, "x") }), "no key");
        Check.Throws<ArgumentException>(() => Gate.Handle(Key.Password, null), "no value");
        Check.Fails(Status.InvalidValue, () => Gate.Handle(Key.Password, nul), "a NUL in a value");
        Check.Fails(Status.InvalidValue, () => Gate.Handle(Key.Username + "\0x", "x"), "a NUL in a key");
        Check.Fails(Status.NotUtf8, () => Gate.Handle(Key.Password, half), "half a pair in a value");
        Check.Fails(Status.NotUtf8, () => Gate.Handle(half, "x"), "half a pair in a key");
        using (var auth = Gate.Handle())
        {
            string token = auth.Token();
            Check.Throws<ArgumentNullException>(() => auth.Invalidate(null), "no token");
            Check.Fails(Status.InvalidValue, () => auth.Invalidate(token + "\0"), "a NUL in a token");
            Check.Fails(Status.NotUtf8, () => auth.Invalidate(half), "half a pair in a token");
            Check.Throws<ArgumentNullException>(() => auth.SetCredentials("x", null), "no password");
            Check.Fails(Status.InvalidValue, () => auth.SetCredentials(null, nul), "a NUL in a password");
            Check.Fails(Status.NotUtf8, () => auth.SetCredentials(half, "x"), "half a pair in a username");
            Check.Fails(Status.InvalidValue, () => auth.SetCredentials("", "x"), "an empty username");
            TimeSpan negative = new TimeSpan(-1), huge = TimeSpan.MaxValue;
            Check.Throws<ArgumentOutOfRangeException>(() => auth.TokenWithin(negative, huge), "a negative validity");
            Check.Throws<ArgumentOutOfRangeException>(() => auth.TokenWithin(TimeSpan.Zero, negative), "a negative wait");
            Check.Fails(Status.TooShort, () => auth.TokenWithin(huge, huge), "a huge validity");
            Check.Equal(token, auth.TokenWithin(TimeSpan.Zero, huge), "the token within a huge wait");
            Check.Equal(token, auth.Token(), "the token afterwards");
        }
        foreach (string jwt in new[] { "", "x", "a.b.c", new string('x', 100000), new string('\u20ac', 5000) })
        {
            Check.Fails(Status.BadJwt, () => Jwt.Claims(jwt), "the claims of what is no JWT");
            Check.Fails(Status.BadJwt, () => Jwt.Expiry(jwt), "the expiry of what is no JWT");
        }
        Check.Throws<ArgumentNullException>(() => Jwt.Claims(null), "the claims of nothing");
        Check.Throws<ArgumentNullException>(() => Jwt.Expiry(null), "the expiry of nothing");
        Check.Fails(Status.InvalidValue, () => Jwt.Claims(nul), "the claims of a NUL");
        Check.Fails(Status.NotUtf8, () => Jwt.Expiry(half), "the expiry of half a pair");
    }

    public static void LongClaims()
    {
        string json = "{\"exp\":253402300799,\"text\":\"" + new string('x', 50000) + "\u20ac\"}";
        string jwt = "e30." + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(json))
            .TrimEnd('=').Replace('+', '-').Replace('/', '_') + ".x";
        Check.Equal(json, Jwt.Claims(jwt), "the claims");
        Check.Equal(9999, Jwt.Expiry(jwt).Year, "the last year");
    }

    public static void EveryStatus()
    {
        IEnumerable<int> statuses = Enum.GetValues(typeof(Status)).Cast<int>().Where(status => status != 0);
        foreach (int status in statuses.Concat(new[] { -77 }))
        {
            var auth = new Auth(new Dictionary<string, string> { [Key.Token] = status.ToString() });
            foreach (KeyValuePair<string, Action> call in Calls(auth))
            {
                DlAuthException failure = Check.Fails((Status)status, call.Value, call.Key);
                Check.Equal(418, failure.HttpStatus, "the HTTP status");
                Check.Equal(TimeSpan.FromMilliseconds(1500), failure.RetryAfter, "the retry time");
            }
            Check.Fails((Status)status, () => Jwt.Claims("x"), "Jwt.Claims");
            Check.Fails((Status)status, () => Jwt.Expiry("x"), "Jwt.Expiry");
            Check.That(!auth.TryGetToken(new char[8191], out int length) && length == 0, "there is no token");
        }
    }

    static void LibraryFails(string message)
    {
        foreach (Action call in new Action[] { () => new Auth(), () => Jwt.Claims("x"), () => Library.Version.Trim() })
        {
            DlAuthException failure = Check.Fails(Status.Unsupported, call, "no library");
            Check.That(failure.Message.StartsWith("libdl_auth.so could not be loaded: " + message), failure.Message);
            Check.That(failure.Message.Contains(Gate.Variable("LD_LIBRARY_PATH")), "so is the place: " + failure.Message);
            Check.That(failure.InnerException is DllNotFoundException, "the runtime's own error is inside");
            string own = failure.InnerException.Message;
            Check.That(failure.Message.EndsWith(own) || own.StartsWith("dl_auth assembly:"), "it is told: " + failure.Message);
        }
    }

    public static void LibraryMissing()
    {
        LibraryFails("looked for beside the program");
    }

    /// <summary>A file of its name that is no library.</summary>
    public static void LibraryDoesNotLoad()
    {
        LibraryFails(Gate.Variable("LD_LIBRARY_PATH") + "/libdl_auth.so is there, but does not load");
    }

    public static void LibraryTooOld()
    {
        foreach (Action call in new Action[] { () => new Auth(), () => Jwt.Claims("x"), () => Library.Version.Trim() })
        {
            DlAuthException failure = Check.Fails(Status.Unsupported, call, "an old library");
            string file = Path.GetFullPath(Gate.Variable("LD_LIBRARY_PATH")) + "/libdl_auth.so";
            Check.That(failure.Message.StartsWith(file + ", version 0.0.9, is too old"), failure.Message);
        }
    }
}
