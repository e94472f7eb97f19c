"""Makes the packages of the languages from the libraries that packaging/build.sh has built.

    packaging/pack.sh KIND OUT [TARGET...]

KIND is wheel, go, unity, nuget, lua, all, or sizes. OUT is the directory for the packages. Without a TARGET, a package
contains the libraries of all targets in its format. `sizes` writes the sizes of the packages in OUT to the page that
the next argument names.

DIST is the directory of the libraries (default: target/dist): DIST/TARGET/lib, or DIST/TARGET. The same libraries make
the same packages, byte for byte. This needs only Python. `nuget` also needs the C# compiler of Mono.
"""

import sys
from pathlib import Path

import go
import lua
import nuget
import sizes
import unity
import wheel
from common import TARGETS, give_up

KINDS = {"wheel": wheel.pack, "go": go.pack, "unity": unity.pack, "nuget": nuget.pack, "lua": lua.pack}


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in [*KINDS, "all", "sizes"]:
        give_up(f"usage: packaging/pack.sh {'|'.join(KINDS)}|all|sizes OUT [TARGET...]")
    kind, out, *rest = arguments
    out = Path(out)
    if kind == "sizes":
        if len(rest) != 1:
            give_up("usage: packaging/pack.sh sizes OUT PAGE")
        sizes.write(out, Path(rest[0]))
        return
    unknown = set(rest) - {target.name for target in TARGETS}
    if unknown:
        give_up(f"no package is made for {', '.join(sorted(unknown))}")
    targets = [target for target in TARGETS if target.name in rest or not rest]
    out.mkdir(parents=True, exist_ok=True)
    for pack in KINDS.values() if kind == "all" else [KINDS[kind]]:
        for path in pack(out, targets):
            print(path)


main(sys.argv[1:])
