"""Go: the module with the static archives, as a directory and packed."""

import shutil

from common import GO, LICENCES, ROOT, archive, tree, version, write_tar


def pack(out, targets):
    files = tree(GO, "*.go", "example/*.go", "archive/*/doc.go", "go.mod", "go.sum", "README.md", *LICENCES)
    files = {name: content for name, content in files.items() if not name.endswith("_test.go")}
    files["dl_auth.h"] = (ROOT / "include/dl_auth.h").read_bytes()
    for target in targets:
        files[f"archive/{target.go}/libdl_auth.a"] = archive(target)
    name = f"dl_auth-go-{version()}"
    module = out / name
    shutil.rmtree(module, ignore_errors=True)
    for file, content in files.items():
        (module / file).parent.mkdir(parents=True, exist_ok=True)
        (module / file).write_bytes(content)
    yield module
    yield write_tar(out / f"{name}.tar.gz", {f"{name}/{file}": content for file, content in files.items()})
