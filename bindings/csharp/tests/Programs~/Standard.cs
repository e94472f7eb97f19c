// Names the types of an assembly's that netstandard.dll does not forward; for .NET Core, which has the parts to read
// them.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

static class Standard
{
    static string Name(MetadataReader reader, StringHandle space, StringHandle name)
    {
        return reader.GetString(space) + "." + reader.GetString(name);
    }

    static int Main(string[] files)
    {
        MetadataReader standard = new PEReader(File.OpenRead(files[0])).GetMetadataReader();
        var known = new HashSet<string>(
            standard.ExportedTypes.Select(standard.GetExportedType).Select(type => Name(standard, type.Namespace, type.Name)));
        MetadataReader reader = new PEReader(File.OpenRead(files[1])).GetMetadataReader();
        List<TypeReference> used = reader.TypeReferences.Select(reader.GetTypeReference).ToList();
        List<string> strange = used.Where(type => type.ResolutionScope.Kind == HandleKind.AssemblyReference)
            .Select(type => Name(reader, type.Namespace, type.Name)).Where(name => !known.Contains(name)).ToList();
        strange.ForEach(Console.Error.WriteLine);
        Console.WriteLine(used.Count + " types are used, " + known.Count + " are in " + Path.GetFileName(files[0]));
        return used.Count > 50 && known.Count > 2000 && strange.Count == 0 ? 0 : 1;
    }
}
