// Conversions for the library: strings to NUL-terminated valid UTF-8, and time spans to milliseconds.
using System;
using System.Text;

namespace Dataloop.DlAuth
{
    internal static class Interop
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>
        /// A string for the library, with `before` before it. A string that C would cut, or that is not text, is
        /// refused.
        /// </summary>
        internal static byte[] ToUtf8(string text, string what, string before = "")
        {
            if (text.IndexOf('\0') >= 0)
                throw new DlAuthException(Status.InvalidValue, what + " contains a NUL character");
            try
            {
                var bytes = new byte[Strict.GetByteCount(before) + Strict.GetByteCount(text) + 1];
                int start = Strict.GetBytes(before, 0, before.Length, bytes, 0);
                Strict.GetBytes(text, 0, text.Length, bytes, start);
                return bytes;
            }
            catch (EncoderFallbackException)
            {
                throw new DlAuthException(Status.NotUtf8, what + " has half a surrogate pair: it is not Unicode text");
            }
        }

        internal static string FromUtf8(ReadOnlySpan<byte> bytes)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        /// <summary>Milliseconds for the library, rounded up.</summary>
        internal static ulong ToMilliseconds(TimeSpan time, string parameter)
        {
            if (time < TimeSpan.Zero) throw new ArgumentOutOfRangeException(parameter, "a time must not be negative");
            long rest = time.Ticks % TimeSpan.TicksPerMillisecond;
            return (ulong)(time.Ticks / TimeSpan.TicksPerMillisecond + (rest > 0 ? 1 : 0));
        }

        internal static TimeSpan ToTimeSpan(ulong milliseconds)
        {
            return ToTimeSpan((long)Math.Min(milliseconds, long.MaxValue));
        }

        internal static TimeSpan ToTimeSpan(long milliseconds)
        {
            long most = TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerMillisecond;
            return new TimeSpan(Math.Max(-most, Math.Min(milliseconds, most)) * TimeSpan.TicksPerMillisecond);
        }
    }
}
