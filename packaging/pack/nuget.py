"""NuGet: the assembly for .NET Standard 2.1, and the native libraries by runtime identifier."""

import subprocess
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

from common import CSHARP, LICENCES, give_up, shared_library, version, write_zip

ID = "Dataloop.DlAuth"
DESCRIPTION = "Gives any number of threads and tasks a Dataloop token that is always valid. Contains the native library."

NUSPEC = """\
<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
  <metadata minClientVersion="4.9">
    <id>{id}</id>
    <version>{version}</version>
    <authors>Dataloop</authors>
    <license type="expression">MIT OR Apache-2.0</license>
    <readme>README.md</readme>
    <description>{description}</description>
    <dependencies>
      <group targetFramework=".NETStandard2.1" />
    </dependencies>
  </metadata>
</package>
"""

RELATIONS = """\
<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/{id}.nuspec" Id="manifest" />
</Relationships>
"""

TYPES = """\
<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
{rows}</Types>
"""


def assembly():
    """The assembly and its documentation. Mono compiles it against its own libraries. retarget.cs then makes it refer to
    .NET Standard instead.
    """
    cecil = sorted(Path("/usr/lib/mono/gac/Mono.Cecil").glob("0.11.*/Mono.Cecil.dll"))
    if not cecil:
        give_up("nuget needs Mono.Cecil 0.11: apt-get install mono-mcs libmono-cil-dev")
    sources = [str(path.relative_to(CSHARP)) for path in sorted(CSHARP.glob("Runtime/*.cs"))]
    with tempfile.TemporaryDirectory() as work:

        def run(*command):
            try:
                ran = subprocess.run(command, cwd=CSHARP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            except FileNotFoundError:
                give_up(f"nuget needs {command[0]}: apt-get install mono-mcs mono-runtime libmono-cil-dev")
            if ran.returncode:
                give_up(f"{' '.join(command)}:\n{ran.stdout}")

        Path(work, "Mono.Cecil.dll").write_bytes(cecil[-1].read_bytes())  # the program finds it beside itself
        about = Path(work, "About.cs")
        about.write_text(f'[assembly: System.Reflection.AssemblyVersion("{version()}.0")]\n')
        built, documentation, done = f"{work}/{ID}.dll", f"{work}/{ID}.xml", f"{work}/done.dll"
        run("mcs", f"-r:{work}/Mono.Cecil.dll", f"-out:{work}/retarget.exe", f"{Path(__file__).parent}/retarget.cs")
        compile = ["-target:library", "-optimize", "-r:System.Net.Http.dll", f"-doc:{documentation}", f"-out:{built}"]
        run("mcs", "-warnaserror+", *compile, *sources, str(about))
        run("mono", f"{work}/retarget.exe", built, done)
        return Path(done).read_bytes(), Path(documentation).read_bytes()


def content_type(name):
    suffix = name.rpartition("/")[2].rpartition(".")
    where = f'Default Extension="{suffix[2]}"' if suffix[1] else f'Override PartName="/{name}"'
    return f'  <{where} ContentType="application/octet-stream" />\n'


def pack(out, targets):
    dll, documentation = assembly()
    files = {
        f"{ID}.nuspec": NUSPEC.format(id=ID, version=version(), description=escape(DESCRIPTION)).encode(),
        f"lib/netstandard2.1/{ID}.dll": dll,
        f"lib/netstandard2.1/{ID}.xml": documentation,
        "README.md": (CSHARP / "README.md").read_bytes(),
        **{licence: (CSHARP / licence).read_bytes() for licence in LICENCES},
    }
    for target in targets:
        files[f"runtimes/{target.nuget}/native/{target.file}"] = shared_library(target)
    rows = "".join(sorted({content_type(name) for name in files}))
    files["[Content_Types].xml"] = TYPES.format(rows=rows).encode()
    files["_rels/.rels"] = RELATIONS.format(id=ID).encode()
    yield write_zip(out / f"{ID}.{version()}.nupkg", files)
