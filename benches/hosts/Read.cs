// Reads a cached token in a loop: through Dataloop.DlAuth, and with common hand-written C# code, a lock and a clock.
//
// DL_AUTH_* have the credentials and the URL. The program prints "ready". It reads lines "WAY THREADS MILLISECONDS",
// with 1 for THREADS, and prints nanoseconds per read.
using System;
using System.Diagnostics;
using System.Globalization;
using Dataloop.DlAuth;

static class Read
{
    const int Batch = 256;

    sealed class Holder
    {
        readonly object gate = new object();
        readonly string token;
        readonly DateTime expires = DateTime.UtcNow.AddDays(1);

        public Holder(string token)
        {
            this.token = token;
        }

        public string Token()
        {
            lock (gate)
            {
                if (DateTime.UtcNow >= expires) throw new InvalidOperationException("it would log in here");
                return token;
            }
        }
    }

    static double Measure(Func<bool> read, int milliseconds)
    {
        var watch = Stopwatch.StartNew();
        long reads = 0;
        for (; watch.ElapsedMilliseconds < milliseconds; reads += Batch)
            for (int i = 0; i < Batch; i++)
                if (!read()) throw new InvalidOperationException("no token");
        return watch.Elapsed.TotalMilliseconds * 1e6 / reads;
    }

    static void Main()
    {
        using (var auth = new Auth())
        {
            var holder = new Holder(auth.Token());
            var buffer = new char[8192];
            int length;
            Console.WriteLine("ready");
            for (string line; (line = Console.ReadLine()) != null;)
            {
                var words = line.Split(' ');
                Func<bool> read;
                if (words[0] == "ours") read = () => auth.Token() != null;
                else if (words[0] == "span") read = () => auth.TryGetToken(buffer, out length);
                else read = () => holder.Token() != null;
                Console.WriteLine(Measure(read, int.Parse(words[2])).ToString(CultureInfo.InvariantCulture));
            }
        }
    }
}
