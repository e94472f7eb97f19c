"""The page with the size of each package."""

import tarfile
import zipfile

from common import give_up

PAGE = """\
# Sizes of the packages

`make packages` writes this page. "Unpacked" is the sum of the files in the package.

| package | MB | unpacked, MB |
|---|---|---|
{rows}"""

SUFFIXES = (".whl", ".nupkg", ".tar.gz", ".tgz", ".tar.xz", ".deb", ".zip")


def unpacked(path):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return sum(entry.file_size for entry in packed.infolist())
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as packed:
            return sum(entry.size for entry in packed if entry.isfile())
    return None  # such as a .deb


def write(out, page):
    packages = sorted(path for path in out.glob("*") if path.is_file() and path.name.endswith(SUFFIXES))
    if not packages:
        give_up(f"{out} has no packages")
    rows = ""
    for path in packages:
        whole = unpacked(path)
        rows += f"| `{path.name}` | {path.stat().st_size / 1e6:.2f} | {'' if whole is None else f'{whole / 1e6:.2f}'} |\n"
    page.write_text(PAGE.format(rows=rows))
