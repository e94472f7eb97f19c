// The environment as the runtime has it, which is what the library gets. run.sh sets some variables at the start.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Dataloop.DlAuth;

static class Environments
{
    [DllImport("libc")]
    static extern int setenv(string name, string value, int overwrite);

    static void Set(string name, string value)
    {
        Environment.SetEnvironmentVariable(name, value);
    }

    /// <summary>A message must not hold the value of a variable.</summary>
    static Status Fails(Action call, string what, string named)
    {
        DlAuthException failure = Check.Throws<DlAuthException>(call, what);
        Check.That(failure.Message.Contains(named) && !failure.Message.Contains("canary"), failure.Message);
        return failure.Status;
    }

    static void Fails(Status status, Action call, string what, string named)
    {
        Check.Equal(status, Fails(call, what, named), "the status of " + what);
    }

    public static void VariablesOfManagedCodeCount()
    {
        Gate.Reset();
        Set("DL_AUTH_PROXY", "none");
        Set("DL_AUTH_CA_FILE", Gate.Variable("GATE_CA_FILE"));
        using (var auth = new Auth()) Check.Fails(Status.Denied, () => auth.Token(), "the password at the start");
        Set("DL_AUTH_PASSWORD", Gate.Variable("GATE_PASSWORD"));
        using (var auth = new Auth()) Check.Equal(auth.Token(), Gate.LastToken(), "the token");
        using (var auth = new Auth(new Dictionary<string, string> { [Key.UserAgent] = "test" }))
            Check.Equal(auth.Token(), Gate.LastToken(), "the token, with an option");

        Set("DL_AUTH_PASSWORD", null);
        Fails(Status.NoCredentials, () => new Auth(), "a removed password", "password");
        Set("DL_AUTH_PASSWORD", Gate.Variable("GATE_PASSWORD"));

        Set("DL_AUTH_CA_FILE", null);
        Set("SSL_CERT_FILE", Gate.Variable("GATE_CA_FILE"));
        using (var auth = new Auth()) Check.Equal(auth.Token(), Gate.LastToken(), "the token, trusted by SSL_CERT_FILE");

        Set("DL_AUTH_PROXY", null);
        foreach (string name in new[] { "HTTPS_PROXY", "https_proxy" })
        {
            Set(name, new Uri(Gate.Variable("GATE_REFUSED_URL")).Authority);
            using (var auth = new Auth())
                Fails(Status.Unreachable, () => auth.Token(), name, "proxy");
            foreach (string exception in new[] { "NO_PROXY", "no_proxy" })
            {
                Set(exception, "*");
                using (var auth = new Auth()) Check.Equal(auth.Token(), Gate.LastToken(), "the token, by " + exception);
                Set(exception, null);
            }
            Set(name, null);
        }

        Set("DL_AUTH_TIMEOUT", "canary");
        Fails(Status.InvalidValue, () => new Auth(), "a wrong value", "DL_AUTH_TIMEOUT");
        Set("DL_AUTH_TIMEOUT", "");
        try
        {
            Set("DL_AUTH_USER_AGENT", "canary\ud800");
            Fails(() => new Auth(), "half a pair, or what the runtime puts in its place", "DL_AUTH_USER_AGENT");
            Set("DL_AUTH_USER_AGENT", null);
        }
        catch (ArgumentException) // Mono does not set it
        {
        }

        setenv("DL_AUTH_PASSWORD", "of native code", 1);
        if (Environment.GetEnvironmentVariable("DL_AUTH_PASSWORD") == Gate.Variable("GATE_PASSWORD")) // not on Mono
            using (var auth = new Auth()) Check.Equal(auth.Token(), Gate.LastToken(), "the token beside native code");
    }

    /// <summary>run.sh starts it with the effective user of root and another real user.</summary>
    public static void ASetUserIdProgramIgnoresTheEnvironment()
    {
        Set("DL_AUTH_USERNAME", "bot");
        Set("DL_AUTH_PASSWORD", "canary");
        Set("DL_AUTH_URL", "canary");
        Fails(Status.NoCredentials, () => new Auth(), "credentials of the environment alone", "set-user-ID");
        new Auth(new Dictionary<string, string> { [Key.Username] = "bot", [Key.Password] = "canary" }).Dispose();
    }

    public static void HandlesAreMadeWhileVariablesAreSet()
    {
        const int handles = 1500;
        Set("DL_AUTH_CA_FILE", Gate.Variable("GATE_CA_FILE"));
        Exception failure = null;
        int makers = 3, written = 0;
        var writer = new Thread(
            () =>
            {
                for (; Volatile.Read(ref makers) > 0; written++)
                {
                    Set("DL_AUTH_PASSWORD", new string('p', 1 + written % 500));
                    Set("ANOTHER_" + written % 5000, new string('x', 1 + written % 200));
                    Set("ANOTHER_" + (written * 31) % 5000, null);
                }
            });
        var threads = new List<Thread>();
        for (int i = 0; i < 3; i++)
            threads.Add(
                new Thread(
                    () =>
                    {
                        try
                        {
                            for (int n = 0; n < handles; n++) new Auth().Dispose();
                        }
                        catch (Exception error)
                        {
                            failure = error;
                        }
                        Interlocked.Decrement(ref makers);
                    }));
        Set("DL_AUTH_PASSWORD", "p");
        writer.Start();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        writer.Join();
        if (failure != null) throw failure;
        Check.That(written > handles, "variables were set meanwhile: " + written);
    }
}
