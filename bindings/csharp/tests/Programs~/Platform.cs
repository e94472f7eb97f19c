// HttpClient with the token, with a test platform that refuses the given tokens.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Dataloop.DlAuth;

/// <summary>A server on 127.0.0.1: one request a connection.</summary>
sealed class Platform : IDisposable
{
    readonly TcpListener listener = new TcpListener(IPAddress.Loopback, 0);

    /// <summary>"PATH AUTHORIZATION BODY" of each request; to be locked.</summary>
    public readonly List<string> Seen = new List<string>();

    /// <summary>A request with one of these tokens, or without a token, gets 401; null: every request does.</summary>
    public volatile string[] Refused = new string[0];

    /// <summary>The target of /moved, and of /again if the request has a token.</summary>
    public string Elsewhere = "";

    public Platform()
    {
        listener.Start();
        Serve();
    }

    public string Url
    {
        get { return "http://127.0.0.1:" + ((IPEndPoint)listener.LocalEndpoint).Port + "/"; }
    }

    public void Dispose()
    {
        listener.Stop();
    }

    async void Serve()
    {
        try
        {
            while (true)
            {
                TcpClient client = await listener.AcceptTcpClientAsync().ConfigureAwait(false);
                new Thread(() => Answer(client)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException) // it was stopped while it waited
        {
        }
        catch (InvalidOperationException) // or before
        {
        }
    }

    void Answer(TcpClient client)
    {
        using (client)
        {
            var reader = new StreamReader(client.GetStream());
            string path = (reader.ReadLine() ?? " ").Split(' ')[1];
            string authorization = "";
            int length = 0;
            for (string line; !string.IsNullOrEmpty(line = reader.ReadLine());)
            {
                string value = line.Substring(line.IndexOf(':') + 1).Trim();
                if (line.StartsWith("Authorization:", StringComparison.OrdinalIgnoreCase)) authorization = value;
                if (line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase)) length = int.Parse(value);
            }
            var body = new char[length];
            reader.ReadBlock(body, 0, length);
            lock (Seen) Seen.Add((path + " " + authorization + " " + new string(body)).Trim());
            string status = path == "/moved" || (path == "/again" && authorization != "") ? "307 Moved"
                : authorization == "" || Refused?.Contains(authorization) != false ? "401 No" : "200 Yes";
            byte[] answer = Encoding.ASCII.GetBytes(
                "HTTP/1.1 " + status + "\r\nLocation: " + Elsewhere + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.GetStream().Write(answer, 0, answer.Length);
        }
    }
}

static class Http
{
    /// <summary>What a platform has seen, with the names of tokens in their places.</summary>
    static string Requests(Platform platform, string first, string second = "?")
    {
        lock (platform.Seen)
            return string.Join("|", platform.Seen).Replace(first, "FIRST").Replace(second, "SECOND");
    }

    static HttpStatusCode Get(HttpClient client, string url)
    {
        using (HttpResponseMessage response = client.GetAsync(url).GetAwaiter().GetResult()) return response.StatusCode;
    }

    static HttpStatusCode Post(HttpClient client, string url, HttpContent content)
    {
        using (HttpResponseMessage response = client.PostAsync(url, content).GetAwaiter().GetResult())
            return response.StatusCode;
    }

    public static void Platform401()
    {
        Gate.Reset("{\"lifetime\": 10}");
        using (var auth = Gate.Handle())
        using (var client = new HttpClient(new DlAuthHandler(auth)))
        using (var platform = new Platform())
        {
            string first = auth.Bearer();
            Gate.WaitForTheBrake(auth);
            platform.Refused = new[] { first };
            Check.Equal(HttpStatusCode.OK, Post(client, platform.Url, new StringContent("a body")), "the answer");
            string second = auth.Bearer();
            Check.That(first != second, "there is another token");
            Check.Equal("/ FIRST a body|/ SECOND a body", Requests(platform, first, second), "requests");
            Check.Equal(HttpStatusCode.OK, Get(client, platform.Url), "the answer to the next one");
            Check.Equal(3, platform.Seen.Count, "requests of the platform");
            Check.Equal(1, Gate.Count("logins"), "logins");
            Check.Equal(1, Gate.Count("refreshes"), "refreshes");
        }
    }

    public static void ManyThatSeeA401CauseOneRefresh()
    {
        Gate.Reset("{\"lifetime\": 10}");
        using (var auth = Gate.Handle())
        using (var client = new HttpClient(new DlAuthHandler(auth)))
        using (var platform = new Platform())
        {
            platform.Refused = new[] { auth.Bearer() };
            Gate.WaitForTheBrake(auth);
            Task<HttpResponseMessage>[] all = Enumerable.Range(0, 50).Select(i => client.GetAsync(platform.Url)).ToArray();
            Check.That(Task.WhenAll(all).Result.All(response => response.IsSuccessStatusCode), "all have their answer");
            Check.Equal(1, Gate.Count("refreshes"), "refreshes");
        }
    }

    public static void A401IsHandedThroughOnce()
    {
        using (var platform = new Platform { Refused = null })
        {
            // The token has just been fetched, and for a while there is no other one.
            Gate.Reset();
            using (var auth = Gate.Handle())
            using (var client = new HttpClient(new DlAuthHandler(auth)))
                Check.Equal(HttpStatusCode.Unauthorized, Get(client, platform.Url), "the answer");
            Check.Equal(1, platform.Seen.Count, "requests with the only token");
            Check.Equal(1, Gate.Count("requests"), "requests of the gate");

            // The other one is refused, too.
            Gate.Reset("{\"lifetime\": 10}");
            using (var auth = Gate.Handle())
            using (var client = new HttpClient(new DlAuthHandler(auth)))
            {
                auth.Token();
                Gate.WaitForTheBrake(auth);
                Check.Equal(HttpStatusCode.Unauthorized, Get(client, platform.Url), "the answer");
            }
            Check.Equal(3, platform.Seen.Count, "requests with both");
            Check.Equal(2, Gate.Count("requests"), "requests of the gate");

            // There is no token, because the gate is down.
            Gate.Reset("{\"lifetime\": 10}", "[{\"do\": \"ok\"}, {\"do\": \"status\", \"status\": 503, \"times\": 9}]");
            using (var auth = Gate.Handle())
            using (var client = new HttpClient(new DlAuthHandler(auth)))
            {
                auth.Token();
                Gate.WaitForTheBrake(auth);
                Check.Equal(HttpStatusCode.Unauthorized, Get(client, platform.Url), "the answer");
            }
            Check.Equal(4, platform.Seen.Count, "requests with none");
        }
    }

    public static void ABodyThatIsReadOnceIsSentOnce()
    {
        Gate.Reset("{\"lifetime\": 10}");
        using (var auth = Gate.Handle())
        using (var client = new HttpClient(new DlAuthHandler(auth)))
        using (var platform = new Platform())
        {
            string first = auth.Bearer();
            platform.Refused = new[] { first };
            Gate.WaitForTheBrake(auth);
            var body = new StreamContent(new MemoryStream(Encoding.ASCII.GetBytes("a stream")));
            body.Headers.ContentLength = 8;
            Check.Equal(HttpStatusCode.Unauthorized, Post(client, platform.Url, body), "the answer");
            Check.Equal("/ FIRST a stream", Requests(platform, first), "requests");
            Check.That(auth.Bearer() != first, "the token is invalidated all the same");
        }
    }

    /// <summary>Follows a redirect with the token, which a correct handler does not do.</summary>
    sealed class Careless : DelegatingHandler
    {
        public Careless() : base(new HttpClientHandler { AllowAutoRedirect = false })
        {
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
        {
            HttpResponseMessage response = await Once(request, cancellation);
            if (response.Headers.Location == null) return response;
            request.RequestUri = response.Headers.Location;
            return await Once(request, cancellation);
        }

        Task<HttpResponseMessage> Once(HttpRequestMessage request, CancellationToken cancellation)
        {
            return base.SendAsync(request, cancellation);
        }
    }

    public static void ARedirectTakesTheTokenNowhere()
    {
        Gate.Reset("{\"lifetime\": 10}");
        using (var auth = Gate.Handle())
        using (var platform = new Platform())
        using (var other = new Platform())
        {
            string bearer = auth.Bearer();
            Gate.WaitForTheBrake(auth);
            Action<string, string> follow = (from, to) =>
            {
                platform.Elsewhere = to;
                using (var client = new HttpClient(new DlAuthHandler(auth)))
                    Check.Equal(HttpStatusCode.Unauthorized, Get(client, platform.Url + from), "the answer");
            };
            follow("moved", other.Url + "end");
            follow("moved", platform.Url + "end");
            follow("again", platform.Url + "again");
            Check.Equal("/end", Requests(other, bearer), "requests to elsewhere");
            Check.Equal("/moved FIRST|/moved FIRST|/end|/again FIRST|/again", Requests(platform, bearer), "requests");

            // A handler below that does take it along is its user's fault; but what elsewhere says of it is ignored.
            platform.Elsewhere = other.Url + "end";
            other.Refused = new[] { bearer };
            using (var client = new HttpClient(new DlAuthHandler(auth, new Careless())))
                Check.Equal(HttpStatusCode.Unauthorized, Get(client, platform.Url + "moved"), "the answer");
            Check.Equal(2, other.Seen.Count, "requests to elsewhere");
            Check.Equal(bearer, auth.Bearer(), "the token, which was not invalidated,");
            Check.Equal(1, Gate.Count("requests"), "requests of the gate");
        }
    }

    public static void WithoutATokenNothingIsSent()
    {
        using (var platform = new Platform())
        {
            Gate.Reset(plan: "[{\"do\": \"status\", \"status\": 503, \"times\": 99}]");
            using (var auth = Gate.Handle())
            using (var client = new HttpClient(new DlAuthHandler(auth)))
                Check.Fails(Status.Gate, () => Get(client, platform.Url), "a gate that is down");
            Gate.Reset(plan: "[{\"do\": \"hang\"}]");
            using (var auth = Gate.Handle())
            using (var client = new HttpClient(new DlAuthHandler(auth)))
            using (var source = new CancellationTokenSource())
            {
                Task<HttpResponseMessage> answer = client.GetAsync(platform.Url, source.Token);
                Gate.WaitFor("hanging=1");
                source.Cancel();
                Check.Throws<OperationCanceledException>(() => answer.GetAwaiter().GetResult(), "a cancelled request");
                Gate.Release();
                Check.Equal(HttpStatusCode.OK, Get(client, platform.Url), "the answer to the next one");
            }
            Check.Equal(1, platform.Seen.Count, "requests of the platform");
            Check.Throws<ArgumentNullException>(() => new DlAuthHandler(null), "no Auth");
        }
    }
}
