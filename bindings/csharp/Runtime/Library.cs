// The native library: the runtime finds it at the first call. The first call checks it one time, before anything else.
//
// The check is a method, not a static constructor, so that a failure is a DlAuthException. The next call checks again,
// because the library may be there then.
using System;
using System.IO;
using System.Runtime.InteropServices;

namespace Dataloop.DlAuth
{
    /// <summary>The native library, libdl_auth.</summary>
    public static class Library
    {
        private static volatile bool isChecked;

        /// <summary>The library's version, such as "1.2.3".</summary>
        /// <exception cref="DlAuthException">There is no library, or one that does not load or is too old.</exception>
        public static string Version
        {
            get
            {
                Check();
                return Marshal.PtrToStringAnsi(Native.dl_auth_version());
            }
        }

        /// <summary>Throws if the library is missing, does not load, or is too old.</summary>
        internal static void Check()
        {
            if (!isChecked) Look();
            isChecked = true;
        }

        private static void Look()
        {
            uint abi;
            try
            {
                abi = Native.dl_auth_abi_version();
            }
            catch (DllNotFoundException error)
            {
                throw Unusable(NotLoaded(error), error);
            }
            catch (BadImageFormatException error)
            {
                throw Unusable(NotLoaded(error), error);
            }
            catch (EntryPointNotFoundException error)
            {
                throw Unusable(Where() + " is not dl_auth, because it has no dl_auth_abi_version", error);
            }
            if (abi < Native.AbiVersion)
                throw Unusable(
                    Where() + ", version " + Marshal.PtrToStringAnsi(Native.dl_auth_version()) + ", is too old: its ABI is "
                    + abi + ", and at least " + Native.AbiVersion + " is needed", null);
        }

        private static DlAuthException Unusable(string message, Exception inner)
        {
            return new DlAuthException(Status.Unsupported, message, inner: inner);
        }

        private static string FileName
        {
            get
            {
                if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows)) return "dl_auth.dll";
                return RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libdl_auth.dylib" : "libdl_auth.so";
            }
        }

        private static string NotLoaded(Exception error)
        {
            string variable = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "PATH"
                : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
            string value = Environment.GetEnvironmentVariable(variable) ?? "";
            string program = AppDomain.CurrentDomain.BaseDirectory, there = null;
            foreach (string directory in (program + Path.PathSeparator + value).Split(Path.PathSeparator))
            {
                string file = directory.TrimEnd('/', '\\') + Path.DirectorySeparatorChar + FileName;
                if (there == null && directory.Length > 0 && File.Exists(file)) there = file;
            }
            string told = there != null
                ? ": " + there + " is there, but does not load: it is for another architecture, or no library, or needs a "
                    + "library that is missing, or a later C library"
                : ": looked for beside the program (" + program + "), in " + variable + " ("
                    + (value.Length == 0 ? "not set" : value) + "), and where the system keeps libraries";
            bool saysNothing = error.Message.StartsWith(Native.Name + " assembly:", StringComparison.Ordinal); // Mono's
            return FileName + " could not be loaded" + told + (saysNothing ? "" : ". " + error.Message);
        }

        /// <summary>The file that was loaded, if the system says so; otherwise only the name.</summary>
        private static string Where()
        {
            try
            {
                foreach (string line in File.ReadLines("/proc/self/maps"))
                {
                    int path = line.IndexOf('/');
                    if (path >= 0 && line.IndexOf("/" + FileName, path, StringComparison.Ordinal) >= 0)
                        return line.Substring(path);
                }
            }
            catch (IOException)
            {
            }
            catch (UnauthorizedAccessException)
            {
            }
            return FileName;
        }
    }
}
