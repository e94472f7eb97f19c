// The native library: found by the runtime at the first call, and looked at once, before that call does anything else.
//
// It is a method and no static constructor, so that what is wrong comes as a DlAuthException, and comes again with the next
// call, which may find that the library is there now.
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
        /// <exception cref="DlAuthException">There is no library, or one that is too old.</exception>
        public static string Version
        {
            get
            {
                Check();
                return Marshal.PtrToStringAnsi(Native.dl_auth_version());
            }
        }

        /// <summary>Throws where the library is missing or too old.</summary>
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
                throw Unusable(FileName + " was not found" + LookedFor(), error);
            }
            catch (BadImageFormatException error)
            {
                throw Unusable(FileName + " is not for this machine" + LookedFor(), error);
            }
            catch (EntryPointNotFoundException error)
            {
                throw Unusable(Where() + " is no dl_auth, for it has no dl_auth_abi_version", error);
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

        private static string LookedFor()
        {
            string variable = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "PATH"
                : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
            string value = Environment.GetEnvironmentVariable(variable);
            return ": looked for beside the program (" + AppDomain.CurrentDomain.BaseDirectory + "), in " + variable + " ("
                + (string.IsNullOrEmpty(value) ? "not set" : value) + "), and where the system keeps libraries";
        }

        /// <summary>The file that was loaded, where the system tells; else the name alone.</summary>
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
