// A handle of the library that is always freed: when it is disposed of, by the finaliser, and when its application
// domain is unloaded, as Unity's editor does before it reloads the scripts.
//
// The last is an event and not left to the finalisers: those run only after the domain's threads have ended, and a
// thread that waits in the library ends when its handle is freed. The default domain is never unloaded: Unity's editor
// runs scripts in a child domain. .NET Core has that one only, and there the event would hold this assembly, and so
// keep a collectible AssemblyLoadContext from being unloaded.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace Dataloop.DlAuth
{
    internal sealed class AuthHandle : SafeHandle
    {
        /// <summary>The handles of this domain that are not freed; guards the two flags, too.</summary>
        private static readonly HashSet<IntPtr> Open = new HashSet<IntPtr>();

        private static bool isWatched;
        private static bool isUnloading;

        /// <summary>The number of calls of this domain that may block in the library, see FreeAll.</summary>
        private static int blocking;

        /// <summary>Makes a handle.</summary>
        internal AuthHandle(IntPtr config) : base(IntPtr.Zero, true)
        {
            Status status = Status.Ok;
            var error = NativeError.New();
            try
            {
            }
            finally // no thread is aborted in a finally block, so no handle is lost between the library and this line
            {
                status = Native.dl_auth_new(config, out IntPtr made, ref error);
                if (status == Status.Ok) Keep(made);
            }
            if (status != Status.Ok) throw error.ToException(status);
        }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        /// <summary>The library's value for it. After it is freed, calls with it fail with status Closed.</summary>
        internal IntPtr Value
        {
            get { return handle; }
        }

        /// <summary>Counts a call that may block in the library, until the value is disposed of.</summary>
        internal static BlockingCall Blocking()
        {
            Interlocked.Increment(ref blocking);
            return default(BlockingCall);
        }

        internal struct BlockingCall : IDisposable
        {
            public void Dispose()
            {
                Interlocked.Decrement(ref blocking);
            }
        }

        private void Keep(IntPtr made)
        {
            SetHandle(made);
            lock (Open)
            {
                if (isUnloading)
                {
                    Native.dl_auth_free(made);
                    return;
                }
                Open.Add(made);
                if (!isWatched && !AppDomain.CurrentDomain.IsDefaultAppDomain())
                    AppDomain.CurrentDomain.DomainUnload += FreeAll;
                isWatched = true;
            }
        }

        protected override bool ReleaseHandle()
        {
            lock (Open) Open.Remove(handle);
            Native.dl_auth_free(handle);
            return true;
        }

        private static void FreeAll(object sender, EventArgs arguments)
        {
            lock (Open)
            {
                isUnloading = true;
                foreach (IntPtr made in Open) Native.dl_auth_free(made);
                Open.Clear();
            }
            // Next, Mono aborts the domain's threads. If one of them returns from the library at that moment, Mono 6.8
            // can end the process ("Cannot transition thread from STATE_BLOCKING", mono/mono issue 19264). All blocked
            // calls return now, because their handles are freed. The limit is for a count that an earlier abort left
            // too high.
            SpinWait.SpinUntil(() => Volatile.Read(ref blocking) == 0, 5000);
        }
    }
}
