// Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and the other variables. If a
// URL is given, it is then requested with the token.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http;
using Dataloop.DlAuth;

static class Program
{
    static int Main(string[] arguments)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            using (var auth = new Auth())
            {
                Tell(auth);
                if (arguments.Length > 0) Ask(auth, arguments[0]);
            }
            return 0;
        }
        catch (DlAuthException error)
        {
            Console.Error.WriteLine(error.Status + ": " + error.Message);
            return 1;
        }
    }

    static void Tell(Auth auth)
    {
        var watch = Stopwatch.StartNew();
        string token = auth.Token();
        double first = watch.Elapsed.TotalMilliseconds;

        watch.Restart();
        for (int i = 0; i < 1000; i++) auth.Token();
        double cached = watch.Elapsed.TotalMilliseconds / 1000;

        Console.WriteLine($"token   {token.Substring(0, 20)}... ({token.Length} bytes)");
        Console.WriteLine($"claims  {auth.Claims()}");
        Console.WriteLine($"expiry  {Jwt.Expiry(token).ToUnixTimeSeconds()} (Unix seconds)");
        Console.WriteLine($"first   {first:F1} ms (login over TLS)");
        Console.WriteLine($"cached  {cached:F6} ms (mean of 1000 calls)");
    }

    static void Ask(Auth auth, string url)
    {
        using (var client = new HttpClient(new DlAuthHandler(auth)))
        using (HttpResponseMessage response = client.GetAsync(url).GetAwaiter().GetResult())
            Console.WriteLine($"answer  {(int)response.StatusCode}");
    }
}
