"""Checks what is in the packages, and which libraries packaging/pack.sh refuses. The libraries are ones that this file makes:
a header of the right format, and the strings that packaging/pack.sh looks for. tests/pack.rs runs this file.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = re.search(r'^#define DL_AUTH_VERSION "(.*)"$', (ROOT / "include/dl_auth.h").read_text(), re.MULTILINE)[1]
GNU, ARM, MUSL, WINDOWS = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "x86_64-pc-windows-gnu",
)
TAGS = {
    GNU: "manylinux_2_17_x86_64",
    ARM: "manylinux_2_17_aarch64",
    MUSL: "musllinux_1_2_x86_64",
    WINDOWS: "win_amd64",
}


def elf(machine, libc, glibc="2.17", version=VERSION):
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HH", 3, machine)
    return head + f"\0{libc}\0GLIBC_2.2.5\0GLIBC_{glibc}\0dl_auth/{version}\0".encode()


def pe(machine):
    return b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", machine) + f"dl_auth/{VERSION}".encode()


def archive(member):
    member += b"\n" * (len(member) % 2)
    return b"!<arch>\n" + b"/".ljust(48) + b"4".ljust(10) + b"`\n" + bytes(4) + b"dl_auth.o/".ljust(48) + str(
        len(member)
    ).encode().ljust(10) + b"`\n" + member


LIBRARIES = {
    GNU: {"libdl_auth.so": elf(62, "libc.so.6"), "libdl_auth.a": archive(elf(62, "libc.so.6"))},
    ARM: {"libdl_auth.so": elf(183, "libc.so.6"), "libdl_auth.a": archive(elf(183, "libc.so.6"))},
    MUSL: {"libdl_auth.so": elf(62, "libc.so"), "libdl_auth.a": archive(elf(62, "libc.so"))},
    WINDOWS: {"dl_auth.dll": pe(0x8664), "libdl_auth.a": archive(b"\x64\x86" + bytes(20))},
}


class PackTest(unittest.TestCase):
    def setUp(self):
        self.work = Path(self.enterContext(tempfile.TemporaryDirectory(dir=os.environ["SCRATCH"])))
        self.dist, self.out = self.work / "dist", self.work / "out"
        for target, files in LIBRARIES.items():
            for name, content in files.items():
                self.put(target, name, content)

    def enterContext(self, context):  # Python 3.11 has it
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def put(self, target, name, content):
        path = self.dist / target / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def run_pack(self, kind, *arguments, out=None, **environment):
        command = [str(ROOT / "packaging/pack.sh"), kind, str(out or self.out), *map(str, arguments)]
        environment = {**os.environ, "DIST": str(self.dist), **environment}
        return subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def pack(self, kind, *arguments, **named):
        ran = self.run_pack(kind, *arguments, **named)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        return [Path(line) for line in ran.stdout.splitlines()]

    def refused(self, said, kind, *arguments, **environment):
        ran = self.run_pack(kind, *arguments, **environment)
        self.assertNotEqual(ran.returncode, 0, ran.stdout)
        self.assertRegex(ran.stdout, said)
        self.assertEqual(ran.stdout.count("\n"), 1, f"not one line: {ran.stdout}")
        left = [path.name for path in self.out.glob("*")] if self.out.exists() else []
        self.assertEqual(left, [], "a package was left")


class WheelTest(PackTest):
    def test_each_wheel_has_the_tag_and_the_library_of_its_target(self):
        wheels = self.pack("wheel")
        self.assertEqual([path.name for path in wheels], [f"dl_auth-{VERSION}-py3-none-{tag}.whl" for tag in TAGS.values()])
        for wheel, (target, tag) in zip(wheels, TAGS.items()):
            with zipfile.ZipFile(wheel) as packed:
                about = f"dl_auth-{VERSION}.dist-info"
                self.assertIn(f"\nTag: py3-none-{tag}\n", packed.read(f"{about}/WHEEL").decode())
                self.assertIn(f"\nVersion: {VERSION}\n", packed.read(f"{about}/METADATA").decode())
                name = "dl_auth.dll" if target == WINDOWS else "libdl_auth.so"
                libraries = [file for file in packed.namelist() if re.search(r"\.(so|dll)$", file)]
                self.assertEqual(libraries, [f"dl_auth/{name}"])
                self.assertEqual(packed.read(libraries[0]), LIBRARIES[target][name])
                lines = packed.read(f"{about}/RECORD").decode().splitlines()
                self.assertEqual(len(lines), len(packed.namelist()))
                for line in lines[:-1]:
                    file, digest, size = line.rsplit(",", 2)
                    content = packed.read(file)
                    sha = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                    self.assertEqual((digest, size), (f"sha256={sha}", str(len(content))), file)

    def test_pip_installs_each_wheel_on_its_platform_only(self):
        wheels = self.pack("wheel")
        subprocess.run([sys.executable, "-m", "venv", self.work / "environment"], check=True)

        def install(platform, place):
            command = [self.work / "environment/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
            command += ["--disable-pip-version-check", "--only-binary=:all:", "--platform", platform]
            command += ["--find-links", self.out, "--target", self.work / place, "dl_auth"]
            ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            return ran.returncode, ran.stdout

        for platform, target, name in [
            ("manylinux_2_17_x86_64", GNU, "libdl_auth.so"),
            ("manylinux_2_17_aarch64", ARM, "libdl_auth.so"),
            ("musllinux_1_2_x86_64", MUSL, "libdl_auth.so"),
            ("win_amd64", WINDOWS, "dl_auth.dll"),
        ]:
            self.assertEqual(install(platform, platform), (0, ""))
            self.assertEqual((self.work / platform / "dl_auth" / name).read_bytes(), LIBRARIES[target][name])
        code, said = install("manylinux_2_17_armv7l", "none")
        self.assertNotEqual(code, 0)
        self.assertIn("No matching distribution", said)
        self.assertEqual(len(wheels), 4)

    def test_a_library_that_does_not_fit_the_tag_is_refused(self):
        for file, said in [
            (elf(183, "libc.so.6"), f"is a library for manylinux/aarch64, not for {GNU}"),
            (elf(62, "libc.so"), f"is a library for musllinux/x86_64, not for {GNU}"),
            (pe(0x8664), f"is a library for win/amd64, not for {GNU}"),
            (b"no library", f"is a library for unknown/not a shared library, not for {GNU}"),
            (elf(62, "libc.so.6", glibc="2.34"), "needs glibc 2.34, but WHEEL_TAG is manylinux_2_17_x86_64"),
            (elf(62, "libc.so.6", version="9.9.9"), f"is not version {VERSION}"),
        ]:
            self.put(GNU, "libdl_auth.so", file)
            self.refused(said, "wheel", GNU)
        self.put(GNU, "libdl_auth.so", elf(62, "libc.so.6", glibc="2.34"))
        [wheel] = self.pack("wheel", GNU, PACK_WHEEL_TAG="manylinux_2_34_x86_64")
        self.assertTrue(wheel.name.endswith("-manylinux_2_34_x86_64.whl"))

    def test_the_backend_says_what_is_wrong_with_its_variables(self):
        program = "import sys, backend; print(backend.build_wheel(sys.argv[1]))"
        lib = self.dist / GNU / "lib"
        for environment, said in [
            ({"WHEEL_TAG": TAGS[GNU]}, "set WHEEL_VERSION"),
            ({"WHEEL_TAG": "manylinux2014", "WHEEL_VERSION": VERSION}, "WHEEL_TAG must be like"),
            ({"WHEEL_TAG": TAGS[ARM], "WHEEL_VERSION": VERSION}, "is one for manylinux/x86_64"),
            ({"WHEEL_TAG": TAGS[WINDOWS], "WHEEL_VERSION": VERSION}, "there is no dl_auth.dll"),
        ]:
            environment = {**os.environ, "LIBRARY_DIR": str(lib), "PYTHONPATH": str(ROOT / "bindings/python"), **environment}
            ran = subprocess.run(
                [sys.executable, "-B", "-c", program, str(self.work)], env=environment, stderr=subprocess.PIPE, text=True
            )
            self.assertNotEqual(ran.returncode, 0)
            self.assertIn(said, ran.stderr)
        self.assertEqual(list(self.work.glob("*.whl")), [])


class GoTest(PackTest):
    def test_the_module_carries_the_archives_and_the_header(self):
        module, packed = self.pack("go")
        archives = {"linux_amd64": GNU, "linux_amd64_musl": MUSL, "linux_arm64": ARM, "windows_amd64": WINDOWS}
        found = {path.parent.name: path.read_bytes() for path in module.glob("archive/*/libdl_auth.a")}
        self.assertEqual(found, {place: LIBRARIES[target]["libdl_auth.a"] for place, target in archives.items()})
        self.assertEqual((module / "dl_auth.h").read_bytes(), (ROOT / "include/dl_auth.h").read_bytes())
        self.assertEqual([path.name for path in module.rglob("*_test.go")], [])
        with tarfile.open(packed) as tar:
            files = {entry.name: tar.extractfile(entry).read() for entry in tar}
        wanted = {f"{module.name}/{path.relative_to(module).as_posix()}": path for path in module.rglob("*") if path.is_file()}
        self.assertEqual(files, {name: path.read_bytes() for name, path in wanted.items()})

    def test_an_archive_of_another_machine_is_refused(self):
        for target, content in [
            (GNU, archive(elf(183, "libc.so.6"))),
            (ARM, archive(elf(62, "libc.so.6"))),
            (WINDOWS, archive(elf(62, "libc.so.6"))),
            (MUSL, b"no archive"),
        ]:
            self.put(target, "libdl_auth.a", content)
            self.refused(f"is not an archive for {target}", "go", target)


class UnityTest(PackTest):
    def test_each_asset_has_a_meta_and_each_library_one_platform(self):
        [package] = self.pack("unity")
        with tarfile.open(package) as tar:
            files = {entry.name.partition("/")[2]: tar.extractfile(entry).read() for entry in tar}
        self.assertEqual(json.loads(files["package.json"])["version"], VERSION)
        hidden = re.compile(r"(^|/)(\.|[^/]*~(/|$))")
        assets = {name for name in files if not name.endswith(".meta") and not hidden.search(name)}
        folders = {parent.as_posix() for name in assets for parent in Path(name).parents if parent.name}
        metas = {name[: -len(".meta")] for name in files if name.endswith(".meta")}
        self.assertEqual(metas, assets | folders)
        guids = [re.search(rb"^guid: ([0-9a-f]{32})$", files[f"{name}.meta"], re.MULTILINE)[1] for name in metas]
        self.assertEqual(len(guids), len(set(guids)))
        for place, target, file, enabled in [
            ("Linux/x86_64", GNU, "libdl_auth.so", {"Editor": ("x86_64", "Linux"), "Linux64": ("x86_64", None)}),
            ("Linux/arm64", ARM, "libdl_auth.so", {"EmbeddedLinux": ("ARM64", None)}),
            ("Windows/x86_64", WINDOWS, "dl_auth.dll", {"Editor": ("x86_64", "Windows"), "Win64": ("x86_64", None)}),
        ]:
            self.assertEqual(files[f"Plugins/{place}/{file}"], LIBRARIES[target][file])
            meta = files[f"Plugins/{place}/{file}.meta"].decode()
            self.assertIn("\nPluginImporter:\n", meta)
            found = {}
            entries = re.findall(r"  - first:\n      (?:\w+: )?(\w*):? ?\n    second:\n      enabled: 1\n((?:      .*\n)*)", meta)
            for name, settings in entries:
                values = dict(re.findall(r"^ {8}(\w+): (\w+)$", settings, re.MULTILINE))
                found[name] = values["CPU"], values.get("OS")
            self.assertEqual(found, enabled, meta)
        self.assertEqual(len([name for name in files if name.endswith((".so", ".dll"))]), 3)


class NugetTest(PackTest):
    def test_the_libraries_stand_below_their_runtime_identifiers(self):
        [package] = self.pack("nuget")
        self.assertEqual(package.name, f"Dataloop.DlAuth.{VERSION}.nupkg")
        with zipfile.ZipFile(package) as packed:
            files = {name: packed.read(name) for name in packed.namelist()}
        types = ElementTree.fromstring(files["[Content_Types].xml"])
        suffixes = {entry.get("Extension") for entry in types}
        parts = {entry.get("PartName") for entry in types}
        for name in files.keys() - {"[Content_Types].xml"}:
            self.assertTrue(f"/{name}" in parts or name.rpartition(".")[2] in suffixes, f"{name} has no content type")
        for runtime, target, file in [
            ("linux-x64", GNU, "libdl_auth.so"),
            ("linux-arm64", ARM, "libdl_auth.so"),
            ("linux-musl-x64", MUSL, "libdl_auth.so"),
            ("win-x64", WINDOWS, "dl_auth.dll"),
        ]:
            self.assertEqual(files.pop(f"runtimes/{runtime}/native/{file}"), LIBRARIES[target][file])
        self.assertEqual(
            set(files),
            {"[Content_Types].xml", "_rels/.rels", "Dataloop.DlAuth.nuspec", "README.md", "LICENSE-MIT", "LICENSE-APACHE"}
            | {f"lib/netstandard2.1/Dataloop.DlAuth.{kind}" for kind in ("dll", "xml")},
        )
        spec = ElementTree.fromstring(files["Dataloop.DlAuth.nuspec"])[0]
        facts = {entry.tag.rpartition("}")[2]: entry.text for entry in spec}
        self.assertEqual((facts["id"], facts["version"], facts["readme"]), ("Dataloop.DlAuth", VERSION, "README.md"))
        self.assertEqual(ElementTree.fromstring(files["_rels/.rels"])[0].get("Target"), "/Dataloop.DlAuth.nuspec")
        # The names of the references of an assembly are strings in its table of names.
        names = files["lib/netstandard2.1/Dataloop.DlAuth.dll"]
        self.assertIn(b"\0netstandard\0", names)
        self.assertNotIn(b"\0mscorlib\0", names)


class AllTest(PackTest):
    def test_the_same_libraries_make_the_same_packages(self):
        first = {path.name: path for path in self.pack("all") if path.is_file()}
        self.assertEqual(len(first), 8)
        # Another directory for the sources and for the libraries, and other times.
        copy = self.work / "another place"
        for part in ("bindings", "include", "packaging"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(self.dist, copy / "target/dist")
        for path in copy.rglob("*"):
            os.utime(path, (10**9, 10**9))
        command = [str(copy / "packaging/pack.sh"), "all", str(self.work / "second")]
        others = ("DIST", "CARGO_TARGET_DIR", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if name not in others}
        subprocess.run(command, env={**environment, "TZ": "Asia/Tokyo"}, check=True, stdout=subprocess.DEVNULL, umask=0o077)
        second = {path.name: path for path in (self.work / "second").glob("*") if path.is_file()}
        self.assertEqual(first.keys(), second.keys())
        for name, path in first.items():
            self.assertTrue(path.read_bytes() == second[name].read_bytes(), f"{name} differs")
        self.assertFalse(list((copy / "packaging/pack").rglob("__pycache__")), "something was written into the sources")

    def test_a_missing_library_and_a_wrong_command_are_one_line(self):
        shutil.rmtree(self.dist / MUSL)
        for kind in ("wheel", "go", "nuget"):
            self.refused(f"is missing; run: packaging/build.sh {MUSL}", kind, MUSL)
        self.refused("no package is made for riscv", "wheel", "riscv")
        self.refused("usage: ", "egg")
        self.refused("has no packages", "sizes", self.work / "page.md")
        self.assertFalse((self.work / "page.md").exists())

    def test_the_page_of_sizes_has_a_row_for_each_package(self):
        packages = [path for path in [*self.pack("wheel"), *self.pack("go"), *self.pack("lua")] if path.is_file()]
        page = self.work / "page.md"
        self.pack("sizes", page)
        rows = dict(re.findall(r"^\| `(.*)` \| (.*) \|$", page.read_text(), re.MULTILINE))
        self.assertEqual(rows.keys(), {path.name for path in packages})
        self.assertEqual(len(rows), 6)
        for path in packages:
            opened = zipfile.ZipFile if path.suffix == ".whl" else tarfile.open
            with opened(path) as packed:
                whole = sum(
                    entry.file_size if path.suffix == ".whl" else entry.size
                    for entry in (packed.infolist() if path.suffix == ".whl" else packed.getmembers())
                )
            self.assertEqual(rows[path.name], f"{path.stat().st_size / 1e6:.2f} | {whole / 1e6:.2f}", path.name)


unittest.main(verbosity=2)
