// Makes an assembly refer to netstandard 2.1 instead of Mono's libraries: `retarget.exe IN.dll OUT.dll`. Also writes a
// module identifier that depends only on the contents, and no time. tests/run.sh of the C# binding runs the result, and
// checks that each member exists in .NET Core.
using System;
using System.IO;
using System.Linq;
using Mono.Cecil;

// Finds the definitions of types in Mono's libraries, also after the references have changed.
class Types : MetadataResolver
{
    private readonly ModuleDefinition[] modules;

    public Types(ModuleDefinition[] modules) : base(new DefaultAssemblyResolver())
    {
        this.modules = modules;
    }

    public override TypeDefinition Resolve(TypeReference type)
    {
        return modules.Select(module => module.GetType(type.FullName)).FirstOrDefault(found => found != null)
            ?? base.Resolve(type);
    }
}

static class Retarget
{
    static void Main(string[] arguments)
    {
        string libraries = Path.GetDirectoryName(typeof(object).Assembly.Location);
        var names = new[] { "mscorlib", "System", "System.Core", "System.Net.Http" };
        var types = new Types(names.Select(name => ModuleDefinition.ReadModule(Path.Combine(libraries, name + ".dll"))).ToArray());
        var module = ModuleDefinition.ReadModule(arguments[0], new ReaderParameters { MetadataResolver = types });
        var standard = new AssemblyNameReference("netstandard", new Version(2, 1, 0, 0))
        {
            PublicKeyToken = new byte[] { 0xcc, 0x7b, 0x13, 0xff, 0xcd, 0x2d, 0xdd, 0x51 },
        };
        foreach (var type in module.GetTypeReferences())
            if (type.Scope is AssemblyNameReference) type.Scope = standard;
        // Mono's indexer of a ReadOnlySpan lacks the mark of a reference that is only for reading.
        var mark = new TypeReference("System.Runtime.InteropServices", "InAttribute", module, standard);
        foreach (var method in module.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody))
            foreach (var called in method.Body.Instructions.Select(instruction => instruction.Operand).OfType<MethodReference>())
                if (called.Name == "get_Item" && called.DeclaringType.GetElementType().FullName == "System.ReadOnlySpan`1"
                    && !called.ReturnType.IsRequiredModifier)
                    called.ReturnType = new RequiredModifierType(mark, called.ReturnType);
        module.AssemblyReferences.Clear();
        module.AssemblyReferences.Add(standard);
        module.Write(arguments[1], new WriterParameters { DeterministicMvid = true, Timestamp = 0 });
    }
}
