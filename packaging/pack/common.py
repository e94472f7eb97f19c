"""The targets, their libraries, and archives that do not depend on the time or on the machine."""

import gzip
import io
import os
import re
import struct
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON, GO, CSHARP, LUA = (ROOT / "bindings" / name for name in ("python", "go", "csharp", "lua"))
sys.path[:0] = [str(PYTHON), str(CSHARP / "tests")]
import backend

LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")


class Target(NamedTuple):
    """A target of Rust, and its names in the formats. None: the format has no place for this target."""

    name: str
    file: str
    """The shared library."""
    wheel: str
    """The platform in a wheel's tag."""
    go: str
    """The directory of the archive in the Go module."""
    unity: "str | None"
    """The directory in Plugins/."""
    nuget: str
    """The runtime identifier."""


TARGETS = [
    Target(
        "x86_64-unknown-linux-gnu",
        "libdl_auth.so",
        "manylinux_2_17_x86_64",
        "linux_amd64",
        "Linux/x86_64",
        "linux-x64",
    ),
    Target(
        "aarch64-unknown-linux-gnu",
        "libdl_auth.so",
        "manylinux_2_17_aarch64",
        "linux_arm64",
        "Linux/arm64",
        "linux-arm64",
    ),
    Target(
        "x86_64-unknown-linux-musl",
        "libdl_auth.so",
        "musllinux_1_2_x86_64",
        "linux_amd64_musl",
        None,
        "linux-musl-x64",
    ),
    Target("x86_64-pc-windows-gnu", "dl_auth.dll", "win_amd64", "windows_amd64", "Windows/x86_64", "win-x64"),
]


def give_up(why):
    raise SystemExit(f"pack: {why}")


def version():
    """The library's, from its header."""
    header = (ROOT / "include/dl_auth.h").read_text()
    return re.search(r'^#define DL_AUTH_VERSION "(.*)"$', header, re.MULTILINE)[1]


def directory(target):
    """The directory of a target's libraries."""
    built = os.environ.get("DIST") or os.path.join(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target", "dist")
    place = Path(built, target.name).resolve()
    return place / "lib" if (place / "lib").is_dir() else place


def _read(target, file):
    path = directory(target) / file
    if not path.is_file():
        give_up(f"{path} is missing; run: packaging/build.sh {target.name}")
    return path, path.read_bytes()


def shared_library(target):
    """The bytes of a target's shared library. Gives up if the file is one of another platform."""
    path, content = _read(target, target.file)
    system, machine = re.fullmatch(r"([a-z]+)(?:_\d+_\d+)?_(\w+)", target.wheel).groups()
    if backend.platform_of(content) != (system, machine):
        give_up(f"{path} is a library for {'/'.join(backend.platform_of(content))}, not for {target.name}")
    return content


def archive(target):
    """The bytes of a target's static archive. Gives up if its objects are ones of another machine."""
    path, content = _read(target, "libdl_auth.a")
    wanted = target.name.partition("-")[0], "windows" if "windows" in target.name else "elf"
    if _machine_of(content) != wanted:
        give_up(f"{path} is not an archive for {target.name}")
    return content


def _machine_of(content):
    """The machine and the format of the first object in an archive."""
    at = 8
    while content[:8] == b"!<arch>\n" and at + 60 <= len(content):
        size = int(content[at + 48 : at + 58])
        member = content[at + 60 : at + 60 + size]
        if member[:4] == b"\x7fELF":
            return backend.ELF_MACHINES.get(struct.unpack_from("<H", member, 18)[0]), "elf"
        if member[:2] == b"\x64\x86":
            return "x86_64", "windows"
        at += 60 + size + size % 2
    return None


def write_zip(path, files):
    """An archive of names and contents: sorted, and of 1980."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type, entry.create_system = 0o644 << 16, zipfile.ZIP_DEFLATED, 3
            packed.writestr(entry, content)
    return path


def write_tar(path, files):
    """An archive of names and contents: sorted, and of 1970."""
    with open(path, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in sorted(files.items()):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
    return path


def tree(directory, *patterns):
    """The files of a directory that match the patterns: their paths in it, and their contents."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for pattern in patterns
        for path in directory.glob(pattern)
        if path.is_file()
    }
