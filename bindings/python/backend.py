"""Makes the wheel: this package, and the library of LIBRARY_DIR in it (PEP 517, PEP 427).

This is a separate backend instead of setuptools: the wheel is a few files and one tag, and its version is the library's
version. The build downloads nothing, and leaves no build/ or egg-info.

WHEEL_TAG makes a wheel for another platform, such as manylinux_2_17_aarch64. Then WHEEL_VERSION must be the version of
the library. `packaging/pack.sh wheel` sets both.
"""

from __future__ import annotations

import base64
import ctypes
import gzip
import hashlib
import io
import os
import re
import struct
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from typing import NoReturn, Optional

FILE = {"win32": "dl_auth.dll", "darwin": "libdl_auth.dylib"}.get(sys.platform, "libdl_auth.so")
HERE = Path(__file__).resolve().parent
LICENCES = ("LICENSE-APACHE", "LICENSE-MIT")

METADATA = """\
Metadata-Version: 2.1
Name: dl_auth
Version: {version}
Summary: Dataloop API credentials for a JWT that is always valid
License: MIT OR Apache-2.0
Requires-Python: >=3.9
Provides-Extra: requests
Requires-Dist: requests; extra == "requests"
Provides-Extra: httpx
Requires-Dist: httpx; extra == "httpx"
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: dl_auth
Root-Is-Purelib: false
Tag: {tag}
"""

ENTRY_POINTS = """\
[pyinstaller40]
hook-dirs = dl_auth._pyinstaller:hook_directories
"""


def build_wheel(
    wheel_directory: str, config_settings: Optional[object] = None, metadata_directory: Optional[str] = None
) -> str:
    """The hook of PEP 517 that pip calls: writes the wheel there, and gives its name."""
    platform = os.environ.get("WHEEL_TAG")
    if platform:
        file = "dl_auth.dll" if platform.startswith("win") else "libdl_auth.so"
        library = _library(file)
        version = os.environ.get("WHEEL_VERSION") or _give_up("set WHEEL_VERSION to the version of the library")
        check_platform(library.read_bytes(), version, platform)
    else:
        file, library = FILE, _library(FILE)
        version = _version(library)
        platform = platform_tag(sysconfig.get_platform(), sys.maxsize < 2**32)
    tag = f"py3-none-{platform}"
    about = f"dl_auth-{version}.dist-info"
    package = HERE / "src"
    files = {file.relative_to(package).as_posix(): file.read_bytes() for file in _sources(package)}
    files[f"dl_auth/{file}"] = library.read_bytes()
    for licence in LICENCES:
        files[f"{about}/licenses/{licence}"] = (HERE / licence).read_bytes()
    files[f"{about}/METADATA"] = METADATA.format(version=version).encode()
    files[f"{about}/entry_points.txt"] = ENTRY_POINTS.encode()
    files[f"{about}/WHEEL"] = WHEEL.format(tag=tag).encode()
    lines = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[f"{about}/RECORD"] = "".join([*lines, f"{about}/RECORD,,\n"]).encode()
    wheel = f"dl_auth-{version}-{tag}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980, so that the same files make the same wheel
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return wheel


def build_sdist(sdist_directory: str, config_settings: Optional[object] = None) -> str:
    """The other hook of PEP 517. The source distribution contains no library: to build a wheel of it, set LIBRARY_DIR
    again. Its version is the library's.
    """
    name = f"dl_auth-{_version(_library(FILE))}"
    metadata = METADATA.format(version=name.partition("-")[2]).encode()
    files = {"PKG-INFO": metadata}
    others = [HERE / name for name in ("pyproject.toml", "backend.py", "README.md", *LICENCES)]
    for file in [*others, *_sources(HERE / "src")]:
        files[file.relative_to(HERE).as_posix()] = file.read_bytes()
    # gzip gets no name and no time, so that the same files make the same archive.
    with open(Path(sdist_directory) / f"{name}.tar.gz", "wb") as whole:
        with gzip.GzipFile("", "wb", fileobj=whole, mtime=0) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for path, content in files.items():
                    entry = tarfile.TarInfo(f"{name}/{path}")
                    entry.size, entry.mode = len(content), 0o644
                    archive.addfile(entry, io.BytesIO(content))
    return f"{name}.tar.gz"


def _sources(directory: Path) -> list[Path]:
    """The source files of the package, without caches."""
    package = directory / "dl_auth"
    return [*sorted(package.rglob("*.py")), package / "py.typed"]


def platform_tag(platform: str, narrow: bool) -> str:
    """The part of a wheel's tag that names the platform, as pip looks for it. `platform` is Python's own name for it; a
    Python is `narrow` whose pointers have 32 bits, under a Linux that may have 64.
    """
    tag = platform.replace("-", "_").replace(".", "_")
    tag = re.sub(r"^macosx_(1[1-9]|[2-9]\d)(_\d+)?_", r"macosx_\1_0_", tag)  # from 11 on, the minor does not count
    if narrow:
        tag = {"linux_x86_64": "linux_i686", "linux_aarch64": "linux_armv7l"}.get(tag, tag)
    return tag


ELF_MACHINES = {62: "x86_64", 183: "aarch64", 40: "armv7l"}
PE_MACHINES = {0x8664: "amd64", 0xAA64: "arm64"}


def platform_of(content: bytes) -> tuple[str, str]:
    """The system and the machine of a shared library, in the words of a wheel's tag: ("manylinux", "x86_64")."""
    if content[:4] == b"\x7fELF":
        machine: int = struct.unpack_from("<H", content, 18)[0]
        system = "manylinux" if b"\0libc.so.6\0" in content else "musllinux"
        return system, ELF_MACHINES.get(machine, f"ELF machine {machine}")
    if content[:2] == b"MZ" and len(content) > 64:
        begin: int = struct.unpack_from("<I", content, 0x3C)[0]
        if content[begin : begin + 4] == b"PE\0\0":
            machine = struct.unpack_from("<H", content, begin + 4)[0]
            return "win", PE_MACHINES.get(machine, f"PE machine {machine}")
    return "unknown", "not a shared library"


def glibc_of(content: bytes) -> tuple[int, int]:
    """The version of glibc that a shared library needs. The names of the versions are strings in the file."""
    return max(((int(major), int(minor)) for major, minor in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", content)), default=(0, 0))


def check_platform(content: bytes, version: str, tag: str) -> None:
    """Gives up if a library is not of this version, or does not load on each system with this tag."""
    named = re.fullmatch(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)|(win)_(\w+)", tag)
    if not named:
        _give_up(f"WHEEL_TAG must be like manylinux_2_17_x86_64, musllinux_1_2_x86_64 or win_amd64, not {tag}")
    system, major, minor, machine = named[1] or named[5], named[2], named[3], named[4] or named[6]
    found = platform_of(content)
    if found != (system, machine):
        _give_up(f"the library in LIBRARY_DIR is one for {'/'.join(found)}, but WHEEL_TAG is {tag}")
    needed = glibc_of(content)
    if system == "manylinux" and needed > (int(major), int(minor)):
        _give_up(f"the library in LIBRARY_DIR needs glibc {needed[0]}.{needed[1]}, but WHEEL_TAG is {tag}")
    if f"dl_auth/{version}".encode() not in content:  # the User-Agent of its requests
        _give_up(f"the library in LIBRARY_DIR is not version {version}, which WHEEL_VERSION names")


def _library(file: str) -> Path:
    directory = os.environ.get("LIBRARY_DIR")
    if not directory:
        _give_up(f"set LIBRARY_DIR to the directory of {file}, which is to go into the wheel")
    if not os.path.isabs(directory):
        _give_up(f"LIBRARY_DIR must be an absolute path, not {directory}, because pip builds in a separate directory")
    library = Path(directory, file)
    if not library.is_file():
        _give_up(f"LIBRARY_DIR is {directory}, but there is no {file}")
    return library


def _version(library: Path) -> str:
    """The library's own; it is loaded for that, so that none of another machine's gets into a wheel for this one."""
    try:
        version = ctypes.CDLL(str(library)).dl_auth_version
    except (OSError, AttributeError) as error:
        _give_up(f"the library in LIBRARY_DIR is not one for this Python: {error}")
    version.restype = ctypes.c_char_p
    return str(version().decode())


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _give_up(why: str) -> NoReturn:
    raise SystemExit(f"dl_auth: {why}: LIBRARY_DIR=/path pip install ...")
