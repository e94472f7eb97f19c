// Names the members of other assemblies that an assembly refers to and this runtime does not have. A method that refers
// to such a member fails only when it is called.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

static class Members
{
    // Stands for each parameter of a generic type or method: only the names and signatures are compared.
    private static readonly Type[] any = Enumerable.Repeat(typeof(object), 4).ToArray();

    static int Main(string[] files)
    {
        Module module = Assembly.LoadFrom(Path.GetFullPath(files[0])).ManifestModule;
        MetadataReader reader = new PEReader(File.OpenRead(files[0])).GetMetadataReader();
        var missing = new List<string>();
        foreach (MemberReferenceHandle member in reader.MemberReferences)
        {
            try
            {
                module.ResolveMember(MetadataTokens.GetToken(member), any, any);
            }
            catch (MissingMemberException error)
            {
                missing.Add(error.Message);
            }
        }
        missing.ForEach(Console.Error.WriteLine);
        Console.WriteLine(reader.MemberReferences.Count + " members are used");
        return reader.MemberReferences.Count > 100 && missing.Count == 0 ? 0 : 1;
    }
}
