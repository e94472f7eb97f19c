// Unity's domain reload, as Mono does it: 20 application domains that leave their handles behind, one after the other.
using System;
using System.Collections.Generic;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using Dataloop.DlAuth;

static class Domains
{
    /// <summary>Runs in a separate domain. A handle that refreshes each second, and a thread that waits for a
    /// login.</summary>
    static void Play()
    {
        var auth = Gate.Handle(Key.Refresh, "background", Key.RefreshAt, "0.1");
        auth.Token();
        Gate.Plan("{\"do\": \"hang\", \"on\": \"login\"}");
        var waits = Gate.Handle(Key.Refresh, "background", Key.Wait, "10m");
        new Thread(() => Wait(waits)).Start();
        Check.Soon(() => waits.Info().Waiting == 1 && Gate.HasDoneAllPlanned(), "a thread waits for the gate");
        Check.Equal(1, Blocking(), "the calls that block");
        AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => // after the binding's own handler
            Check.Equal(0, Blocking(), "the calls that block when the domain's threads are aborted");
        AppDomain.CurrentDomain.SetData("kept", new object[] { auth, waits });
    }

    /// <summary>The binding's count of calls that may block in the library.</summary>
    static int Blocking()
    {
        Type type = typeof(Auth).Assembly.GetType("Dataloop.DlAuth.AuthHandle");
        return (int)type.GetField("blocking", BindingFlags.NonPublic | BindingFlags.Static).GetValue(null);
    }

    static void Wait(Auth auth)
    {
        try
        {
            auth.Token();
        }
        catch (Exception) // the handle is closed, or the thread is aborted after the call
        {
        }
    }

    public static void TwentyReloadsLeaveNoHandle()
    {
        Gate.Reset("{\"lifetime\": 10}");
        for (int i = 0; i < 20; i++)
        {
            AppDomain domain = AppDomain.CreateDomain("reload " + i);
            domain.DoCallBack(Play);
            Check.That(Errors.BackgroundThreads() > 0, "the domain refreshes in the background");
            Task unloading = Task.Run(() => AppDomain.Unload(domain));
            Check.Soon(() => unloading.IsCompleted, "the domain is unloaded");
            unloading.Wait();
        }
        Check.Soon(() => Errors.BackgroundThreads() == 0, "no thread of the library is left");
        int requests = Gate.Count("requests");
        Check.That(requests >= 40, "each domain has logged in: " + requests);
        Thread.Sleep(1500); // longer than any of the handles would have waited
        Check.Equal(requests, Gate.Count("requests"), "requests afterwards");
        Gate.Release();
    }

    static void Refused()
    {
        Gate.Handle(Key.Password, "csharp's wrong password of another domain").Token();
    }

    public static void AFailureCrossesDomains()
    {
        Gate.Reset();
        AppDomain domain = AppDomain.CreateDomain("fails");
        DlAuthException failure = Check.Fails(Status.Denied, () => domain.DoCallBack(Refused), "a call in another domain");
        Check.Equal(401, failure.HttpStatus, "the HTTP status");
        Check.That(failure.RetryAfter > TimeSpan.Zero, "there is a retry time");
        AppDomain.Unload(domain);
    }

    static int Main()
    {
        return Check.Run(
            new Dictionary<string, Action>
            {
                ["twenty_domain_reloads_leave_no_handle"] = TwentyReloadsLeaveNoHandle,
                ["a_failure_crosses_domains_as_itself"] = AFailureCrossesDomains,
            },
            new string[0]);
    }
}
