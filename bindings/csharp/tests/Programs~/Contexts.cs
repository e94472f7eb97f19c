// A collectible AssemblyLoadContext, the domain of .NET Core: it is unloaded after the binding in it is no longer used.
using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Threading;
using System.Threading.Tasks;

static class Contexts
{
    /// <summary>In a separate frame, which ends and then holds no reference to it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static WeakReference UseAndUnload(string file, bool isDisposed)
    {
        var context = new AssemblyLoadContext("plugin", true);
        Type type = context.LoadFromAssemblyPath(Path.GetFullPath(file)).GetType("Dataloop.DlAuth.Auth", true);
        object auth = Activator.CreateInstance(type, Gate.Options());
        var task = (Task<string>)type.GetMethod("TokenAsync").Invoke(auth, new object[] { CancellationToken.None });
        Check.Equal(task.Result, Gate.LastToken(), "the token");
        if (isDisposed) ((IDisposable)auth).Dispose();
        context.Unload();
        return new WeakReference(context);
    }

    static int Main(string[] files)
    {
        Action test = () =>
        {
            foreach (bool isDisposed in new[] { true, false })
            {
                Gate.Reset();
                WeakReference context = UseAndUnload(files[0], isDisposed);
                Check.Soon(
                    () =>
                    {
                        GC.Collect();
                        GC.WaitForPendingFinalizers();
                        return !context.IsAlive;
                    },
                    "the context is collected");
            }
        };
        return Check.Run(new Dictionary<string, Action> { ["a_collectible_context_is_unloaded"] = test }, new string[0]);
    }
}
