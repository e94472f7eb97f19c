// The gate to test against (tests/gate/README.md) by its control endpoint, and the handles that log in at it.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.Http;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using Dataloop.DlAuth;

static class Gate
{
    static readonly HttpClient Control = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };

    public static string Variable(string name)
    {
        return Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException(name + " is not set");
    }

    static string Send(HttpMethod method, string path, string json)
    {
        var request = new HttpRequestMessage(method, Variable("GATE_CONTROL_URL") + path);
        if (json != null) request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        using (var response = Control.SendAsync(request).Result)
        {
            string told = response.Content.ReadAsStringAsync().Result;
            Check.That(response.IsSuccessStatusCode, path + ": " + told);
            return told;
        }
    }

    /// <summary>As at its start, except these settings and this plan, each as JSON.</summary>
    public static void Reset(string settings = "{}", string plan = "[]")
    {
        Send(HttpMethod.Post, "/reset", "");
        Send(HttpMethod.Post, "/set", settings);
        Plan(plan);
    }

    public static void Plan(string plan)
    {
        Send(HttpMethod.Post, "/plan", plan);
    }

    public static bool HasDoneAllPlanned()
    {
        return Send(HttpMethod.Get, "/plan", null).Contains("\"left\":0");
    }

    public static void Release()
    {
        Send(HttpMethod.Delete, "/plan", null);
        Send(HttpMethod.Post, "/release", "");
    }

    public static void WaitFor(string counts)
    {
        Send(HttpMethod.Get, "/wait?" + counts, null);
    }

    public static int Count(string name)
    {
        return int.Parse(Regex.Match(Send(HttpMethod.Get, "/counts", null), "\"" + name + "\":(\\d+)").Groups[1].Value);
    }

    public static string LastToken()
    {
        return Send(HttpMethod.Get, "/last_token", null).Trim('"');
    }

    /// <summary>Options of a handle at this gate; `more` are names and values in turns.</summary>
    public static Dictionary<string, string> Options(params string[] more)
    {
        var options = new Dictionary<string, string>
        {
            [Key.Url] = Variable("GATE_URL"),
            [Key.Username] = Variable("GATE_USERNAME"),
            [Key.Password] = Variable("GATE_PASSWORD"),
            [Key.CaFile] = Variable("GATE_CA_FILE"),
            [Key.Proxy] = "none",
            [Key.MaxAttempts] = "1",
            // A busy machine must not reach a limit that a test does not set itself.
            [Key.Wait] = "10m",
            [Key.ConnectTimeout] = "5m",
            [Key.Timeout] = "10m",
        };
        for (int i = 0; i < more.Length; i += 2) options[more[i]] = more[i + 1];
        return options;
    }

    public static Auth Handle(params string[] more)
    {
        return new Auth(Options(more));
    }

    /// <summary>Waits until the present token may be replaced.</summary>
    public static void WaitForTheBrake(Auth auth)
    {
        Check.Soon(() => auth.Info().RetryIn == TimeSpan.Zero, "another token may be fetched");
    }
}

static class Check
{
    public static void That(bool holds, string what)
    {
        if (!holds) throw new InvalidOperationException("not so: " + what);
    }

    public static void Equal<T>(T wanted, T found, string what)
    {
        That(EqualityComparer<T>.Default.Equals(wanted, found), what + " is " + found + ", wanted " + wanted);
    }

    /// <summary>The exception of this kind that the call throws.</summary>
    public static T Throws<T>(Action call, string what) where T : Exception
    {
        try
        {
            call();
        }
        catch (T thrown)
        {
            That(thrown.Message.Length > 0, what + ": there is a message");
            return thrown;
        }
        throw new InvalidOperationException("not so: " + what + " throws " + typeof(T).Name);
    }

    public static DlAuthException Fails(Status status, Action call, string what)
    {
        var failure = Throws<DlAuthException>(call, what);
        Equal(status, failure.Status, "the status of " + what + " (" + failure.Message + ")");
        return failure;
    }

    /// <summary>Waits until it holds. The limit guards against a hang; the factor is the setting that all tests
    /// read.</summary>
    public static void Soon(Func<bool> holds, string what)
    {
        string factor = Environment.GetEnvironmentVariable("DL_AUTH_TEST_PATIENCE");
        TimeSpan limit = TimeSpan.FromSeconds(300 * (string.IsNullOrEmpty(factor) ? 1 : int.Parse(factor)));
        for (Stopwatch watch = Stopwatch.StartNew(); !holds(); Thread.Sleep(5))
            That(watch.Elapsed < limit, "within " + limit + ", " + what);
    }

    /// <summary>Runs each of the tests named, or all; the first that fails ends the process.</summary>
    public static int Run(Dictionary<string, Action> tests, string[] names)
    {
        foreach (string name in names.Length > 0 ? names : new List<string>(tests.Keys).ToArray())
        {
            try
            {
                tests[name]();
            }
            catch (Exception error)
            {
                Console.Error.WriteLine("FAILED " + name + ": " + error);
                return 1;
            }
            Console.WriteLine("ok " + name);
        }
        return 0;
    }
}
