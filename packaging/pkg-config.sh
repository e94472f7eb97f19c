#!/usr/bin/env bash
# Writes dl_auth.pc for a built library: `pkg-config.sh DIRECTORY`. DIRECTORY must contain libdl_auth.so and libdl_auth.a.
# packaging/stage.sh makes the installed dl_auth.pc from this one. For another machine, set TARGET to a target of Rust.
#
# `pkg-config --static` adds what the archive needs. The linker still takes the shared library if it finds both, unless
# the program is static (`cc -static`). With `--define-variable=library=:libdl_auth.a`, it takes the archive.
set -euo pipefail
directory=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^#define DL_AUTH_VERSION "\(.*\)"$/\1/p' "$root/include/dl_auth.h")
libs=$("$root/packaging/native-libs.sh")
# pkg-config writes a space in ${pcfiledir} with a backslash. So there are no quotes around a path.
cat >"$directory/dl_auth.pc.$$" <<END
prefix=${root// /\\ }
libdir=\${pcfiledir}
includedir=\${prefix}/include
library=dl_auth

Name: dl_auth
Description: Trades Dataloop API credentials for a JWT, caches it and refreshes it
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -l\${library}
Libs.private: $libs
END
mv "$directory/dl_auth.pc.$$" "$directory/dl_auth.pc" # replaces the file in one step, because a compiler may read it now
