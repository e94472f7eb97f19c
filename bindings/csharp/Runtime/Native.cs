// The C functions and structs of include/dl_auth.h, as they are. Arguments are numbers, arrays of bytes, and structs as
// large as what C reads and writes: nothing for Mono or IL2CPP to convert, and no pointer, which a compiler would have
// to be told to allow.
//
// Handles go in as plain numbers and not as a SafeHandle: that would put off dl_auth_free until the calls inside have
// ended, and it is dl_auth_free that wakes those that wait. The library recognises a handle that was freed.
using System;
using System.Runtime.InteropServices;

namespace Dataloop.DlAuth
{
    internal static class Native
    {
        internal const int AbiVersion = 1;

        internal const string Name = "dl_auth";
        private const CallingConvention C = CallingConvention.Cdecl;

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern uint dl_auth_abi_version();

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern IntPtr dl_auth_version();

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern IntPtr dl_auth_config_new();

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_config_set(IntPtr config, byte[] key, byte[] value, ref NativeError error);

        /// <summary>`variables`: addresses of "NAME=VALUE" with a NUL at the end; the last address is 0.</summary>
        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_config_set_environ(IntPtr config, IntPtr[] variables, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern IntPtr dl_auth_config_key(UIntPtr index);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern void dl_auth_config_free(IntPtr config);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_new(IntPtr config, out IntPtr auth, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern void dl_auth_free(IntPtr auth);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_token(
            IntPtr auth, ref NativeBuffer buf, UIntPtr cap, out UIntPtr len, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_token_within(
            IntPtr auth, ulong minValidMs, ulong waitMs,
            ref NativeBuffer buf, UIntPtr cap, out UIntPtr len, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_claims(
            IntPtr auth, ref NativeBuffer buf, UIntPtr cap, out UIntPtr len, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern ulong dl_auth_generation(IntPtr auth);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_info(IntPtr auth, ref NativeInfo info, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_invalidate(IntPtr auth, byte[] rejectedToken, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_set_credentials(
            IntPtr auth, byte[] username, byte[] password, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_jwt_claims(
            byte[] jwt, [In, Out] byte[] buf, UIntPtr cap, out UIntPtr len, ref NativeError error);

        [DllImport(Name, CallingConvention = C, ExactSpelling = true)]
        internal static extern Status dl_auth_jwt_expiry(byte[] jwt, out long unixSeconds, ref NativeError error);
    }

    /// <summary>dl_auth_error_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeError
    {
        private uint size;
        private int status;
        private uint httpStatus;
        private uint reserved;
        private ulong retryAfterMs;
        private Message message;

        /// <summary>char[512], as a compiler lays out a fixed buffer.</summary>
        [StructLayout(LayoutKind.Sequential, Size = Bytes)]
        private struct Message
        {
            internal const int Bytes = 512;
            internal byte First;
        }

        internal static NativeError New()
        {
            return new NativeError { size = 24 + Message.Bytes };
        }

        /// <summary>What a call that returned this status is to throw.</summary>
        internal DlAuthException ToException(Status returned)
        {
            ReadOnlySpan<byte> text = MemoryMarshal.CreateReadOnlySpan(ref message.First, Message.Bytes);
            int end = text.IndexOf((byte)0);
            string told = Interop.FromUtf8(end < 0 ? text : text.Slice(0, end));
            return new DlAuthException(returned, told, (int)httpStatus, Interop.ToTimeSpan(retryAfterMs));
        }
    }

    /// <summary>char[DL_AUTH_TOKEN_MAX], on the stack: it fits every token, its NUL, and its claims.</summary>
    [StructLayout(LayoutKind.Sequential, Size = Bytes)]
    internal struct NativeBuffer
    {
        internal const int Bytes = 8192;
        private byte first;

        /// <summary>What was written; to be read while the buffer is there.</summary>
        internal ReadOnlySpan<byte> Start(int length)
        {
            return MemoryMarshal.CreateReadOnlySpan(ref first, length);
        }
    }

    /// <summary>dl_auth_info_t.store_message.</summary>
    [StructLayout(LayoutKind.Sequential, Size = Bytes)]
    internal struct NativeStoreMessage
    {
        internal const int Bytes = 256;
        private byte first;

        /// <summary>The text.</summary>
        public override string ToString()
        {
            ReadOnlySpan<byte> text = MemoryMarshal.CreateReadOnlySpan(ref first, Bytes);
            int end = text.IndexOf((byte)0);
            return Interop.FromUtf8(end < 0 ? text : text.Slice(0, end));
        }
    }

    /// <summary>dl_auth_info_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct NativeInfo
    {
        internal uint Size;
        internal int State;
        internal int Activity;
        internal uint Reserved;
        internal ulong Generation;
        internal long IssuedAt;
        internal long ExpiresAt;
        internal long ExpiresInMs;
        internal long RefreshInMs;
        internal long ClockSkewMs;
        internal ulong Logins;
        internal ulong Refreshes;
        internal ulong Failures;
        internal ulong SharedHits;
        internal ulong StoreFailures;
        internal ulong Waiting;
        internal int LastStatus;
        internal uint LastHttpStatus;
        internal long RetryInMs;
        internal ulong WaitMs;
        internal NativeStoreMessage StoreMessage;

        internal static NativeInfo New()
        {
            return new NativeInfo { Size = 136 + NativeStoreMessage.Bytes };
        }
    }
}
