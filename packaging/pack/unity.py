"""Unity: the package with the native libraries, as the tarball that Unity's package manager installs."""

import json
from pathlib import PurePosixPath

import package
from common import CSHARP, LICENCES, give_up, shared_library, tree, version, write_tar

# The platforms of Unity. A library is enabled for one of them, and for the editor of the same system and processor.
# Unity's editor and its desktop player for Linux are x86-64; Linux on arm64 is the platform Embedded Linux.
PLATFORMS = {
    "Linux/x86_64": ("Standalone: Linux64", "x86_64", "Linux"),
    "Linux/arm64": ("EmbeddedLinux: EmbeddedLinux", "ARM64", None),
    "Windows/x86_64": ("Standalone: Win64", "x86_64", "Windows"),
}


def importer(place):
    """How Unity is to import the native library in this directory of Plugins/."""
    platform, processor, editor = PLATFORMS[place]
    entries = [entry("Any: ", 0, {})]
    entries.append(
        entry("Editor: Editor", 1, {"CPU": processor, "DefaultValueInitialized": "true", "OS": editor})
        if editor
        else entry("Editor: Editor", 0, {"DefaultValueInitialized": "true"})
    )
    for name in sorted({name for name, _, _ in PLATFORMS.values()}):
        entries.append(entry(name, int(name == platform), {"CPU": processor if name == platform else "None"}))
    return (
        "PluginImporter:\n  serializedVersion: 2\n  iconMap: {}\n  executionOrder: {}\n  defineConstraints: []\n"
        "  isPreloaded: 0\n  isOverridable: 0\n  isExplicitlyReferenced: 0\n  validateReferences: 1\n  platformData:\n"
        + "".join(entries)
    )


def entry(platform, enabled, settings):
    lines = "".join(f"        {name}: {value}\n" for name, value in settings.items())
    text = "      settings:\n" + lines if lines else "      settings: {}\n"
    return f"  - first:\n      {platform}\n    second:\n      enabled: {enabled}\n{text}"


def pack(out, targets):
    manifest = json.loads((CSHARP / "package.json").read_text())
    if manifest["version"] != version():
        give_up(f"bindings/csharp/package.json has version {manifest['version']}, and the library {version()}")
    files = tree(CSHARP, "*", "Runtime/*", "Samples~/*/*")
    del files["tests.meta"]
    folders = {PurePosixPath("Plugins")}
    for target in targets:
        if target.unity:
            path = PurePosixPath("Plugins", target.unity, target.file)
            files[str(path)] = shared_library(target)
            files[f"{path}.meta"] = package.meta(path, manifest["name"], importer(target.unity)).encode()
            folders |= {parent for parent in path.parents if parent.name}
    for folder in folders:
        files[f"{folder}.meta"] = package.meta(folder, manifest["name"], package.FOLDER).encode()
    missing = [licence for licence in LICENCES if licence not in files]
    if missing:
        give_up(f"bindings/csharp has no {', '.join(missing)}")
    yield write_tar(
        out / f"{manifest['name']}-{version()}.tgz", {f"package/{name}": content for name, content in files.items()}
    )
