// The library's variables, as this runtime has them. On .NET (Unix), Environment.SetEnvironmentVariable changes a copy
// of the environment, which native code does not see. On Mono it changes the environment of the process, which native
// code cannot read safely meanwhile. So the library gets an array, and does not read the environment of the process.
//
// Each variable is read by its name: Mono takes a lock for that, but none for Environment.GetEnvironmentVariables,
// which crashes beside SetEnvironmentVariable. A variable that is not found is read again: .NET Core 3.1 sometimes
// misses one whose length changes meanwhile.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Dataloop.DlAuth
{
    internal static class Environ
    {
        /// <summary>The variables that the library reads in addition to DL_AUTH_*.</summary>
        private static readonly string[] Others =
        {
            "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
        };

        /// <summary>Passes the variables to a configuration, which copies them. The copies made here are wiped. In a
        /// program with more rights than its user, nothing is passed: the library ignores the environment, and says so.
        /// </summary>
        internal static void HandOver(IntPtr config)
        {
            if (IsPrivileged()) return;
            var entries = new List<GCHandle>();
            try
            {
                foreach (string name in Names())
                {
                    string value = null;
                    for (int tries = 0; value == null && tries < 3; tries++)
                        value = Environment.GetEnvironmentVariable(name);
                    if (value == null) continue;
                    byte[] entry = Interop.ToUtf8(value, "the variable " + name, name + "=");
                    entries.Add(GCHandle.Alloc(entry, GCHandleType.Pinned));
                }
                var variables = new IntPtr[entries.Count + 1]; // the last one stays NULL
                for (int i = 0; i < entries.Count; i++) variables[i] = entries[i].AddrOfPinnedObject();
                var error = NativeError.New();
                Status status = Native.dl_auth_config_set_environ(config, variables, ref error);
                if (status != Status.Ok) throw error.ToException(status);
            }
            finally
            {
                foreach (GCHandle entry in entries)
                {
                    var bytes = (byte[])entry.Target;
                    Array.Clear(bytes, 0, bytes.Length);
                    entry.Free();
                }
            }
        }

        /// <summary>Whether the program is set-user-ID or set-group-ID, or its file has capabilities.</summary>
        private static bool IsPrivileged()
        {
            const ulong atSecure = 23; // AT_SECURE
            try
            {
                return Unix.getauxval((UIntPtr)atSecure) != UIntPtr.Zero; // Linux
            }
            catch (Exception error) when (error is EntryPointNotFoundException || error is DllNotFoundException)
            {
            }
            try
            {
                return Unix.issetugid() != 0; // macOS
            }
            catch (Exception error) when (error is EntryPointNotFoundException || error is DllNotFoundException)
            {
                return false; // Windows
            }
        }

        private static class Unix
        {
            [DllImport("libc")]
            internal static extern UIntPtr getauxval(UIntPtr type);

            [DllImport("libc")]
            internal static extern int issetugid();
        }

        private static IEnumerable<string> Names()
        {
            foreach (string name in Others) yield return name;
            for (uint i = 0;; i++)
            {
                IntPtr key = Native.dl_auth_config_key((UIntPtr)i);
                if (key == IntPtr.Zero) break;
                yield return "DL_AUTH_" + Marshal.PtrToStringAnsi(key).ToUpperInvariant();
            }
        }
    }
}
