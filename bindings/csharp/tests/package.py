"""Checks what Unity reads of the package: its manifest, its assembly definition, and a .meta for each file.

A package from git is read-only to Unity, which then ignores what has no .meta. An asset's GUID is made of the package's
name and its path, so that it stays the same wherever the package is made. `--write` writes the .meta files.
"""

import hashlib
import json
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent

FOLDER = "folderAsset: yes\nDefaultImporter:\n"
IMPORTERS = {
    ".cs": "MonoImporter:\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}\n",
    ".asmdef": "AssemblyDefinitionImporter:\n",
    ".json": "PackageManifestImporter:\n",
    ".md": "TextScriptImporter:\n",
}


def assets():
    """What Unity sees: it hides what begins with a dot or ends with a tilde."""
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        if not any(part.startswith(".") or part.endswith("~") for part in parts) and path.suffix != ".meta":
            yield path


def meta(path, package, importer):
    """The text of the .meta of an asset with this path in the package. packaging/pack.sh uses it for the native libraries."""
    guid = hashlib.md5(f"{package}/{path}".encode()).hexdigest()
    rest = "  externalObjects: {}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
    return f"fileFormatVersion: 2\nguid: {guid}\n{importer}{rest}"


def importer(path):
    if path.is_dir():
        return FOLDER
    return IMPORTERS.get(path.suffix, "DefaultImporter:\n")


def main():
    manifest = json.loads((PACKAGE / "package.json").read_text())
    for key in ["name", "displayName", "version", "description", "unity", "license"]:
        assert isinstance(manifest[key], str) and manifest[key], key
    assert all((PACKAGE / sample["path"]).is_dir() for sample in manifest["samples"]), "a sample is not there"
    definition = json.loads((PACKAGE / "Runtime/Dataloop.DlAuth.asmdef").read_text())
    assert definition["name"] == "Dataloop.DlAuth" and definition["allowUnsafeCode"] is False

    wanted = {
        path.with_name(path.name + ".meta"): meta(path.relative_to(PACKAGE).as_posix(), manifest["name"], importer(path))
        for path in assets()
    }
    if "--write" in sys.argv:
        for path, text in wanted.items():
            path.write_text(text)
    found = {path: path.read_text() for path in PACKAGE.rglob("*.meta")}
    wrong = sorted(str(path) for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
    assert not wrong, f"run tests/package.py --write, and delete what is left over: {wrong}"


if __name__ == "__main__":
    main()
