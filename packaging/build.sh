#!/usr/bin/env bash
# Builds the library for a target: `build.sh TARGET [DIRECTORY]`. The default of DIRECTORY is target/dist/TARGET. It
# contains afterwards:
#   Linux     libdl_auth.so.0, the link libdl_auth.so, and libdl_auth.a
#   macOS     libdl_auth.dylib and libdl_auth.a
#   Windows   dl_auth.dll, the import library libdl_auth.dll.a (MinGW), dl_auth.def (from which MSVC's `lib` makes an
#             import library), and libdl_auth.a
#
# packaging/toolchain.sh gets the toolchain. The build uses only the crates of Cargo.lock.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: build.sh TARGET [DIRECTORY]" >&2; exit 2; }
target=$1
linker=$(packaging/column.sh "$target" linker)
system=$(packaging/column.sh "$target" system)
built=${CARGO_TARGET_DIR:-target}
out=${2:-$built/dist/$target}
environment=$(packaging/toolchain.sh "$target")
eval "$environment"
mkdir -p "$out"
out=$(cd "$out" && pwd)

# The library contains the paths of its source files. With these flags, they do not name this machine, so the same source
# makes the same library. The time of the build is that of the last commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
remap=(--remap-path-prefix="${CARGO_HOME:-$HOME/.cargo}/registry/src=registry" --remap-path-prefix="$PWD=dl_auth")

# Builds packages: `build RUSTFLAG CARGO_ARGUMENTS...`. The name of the target ends with the version of glibc, for zig.
build() {
  local flags
  flags=$(printf '%s\x1f' "${remap[@]}" $1) # a flag may contain a space
  export CARGO_ENCODED_RUSTFLAGS=${flags%$'\x1f'}
  shift
  if [ "$linker" = zig ]; then
    local version=
    [[ $system != glibc* ]] || version=.${system#glibc }
    cargo zigbuild --release --locked --target "$target$version" "$@"
  else
    cargo build --release --locked --target "$target" "$@"
  fi
}

# Makes libdl_auth.a with the tools of GNU binutils whose names begin with $1.
archive() {
  CC=${1}gcc NM=${1}nm OBJCOPY=${1}objcopy AR=${1}ar packaging/archive.sh "$from"
  install -m 644 "$from/libdl_auth.a" "$out/"
}

from=$built/$target/release
case $target in
  *-linux-*)
    case $target in
      # By default, Rust links musl statically, and then makes no shared library. The archive keeps the default: it
      # contains the unwinder, so that a static program needs only musl.
      *-musl)
        build -Ctarget-feature=-crt-static --package dl_auth_shared
        build -Ctarget-feature=+crt-static --package dl_auth_static
        ;;
      *) build '' ;;
    esac
    case $target in
      x86_64-*) archive '' ;;
      aarch64-*) archive aarch64-linux-gnu- ;;
      armv7-*) archive arm-linux-gnueabihf- ;;
    esac
    install -m 755 "$from/libdl_auth.so" "$out/libdl_auth.so.0"
    # The name of musl's library on musl systems. Its loader takes it for itself in any case.
    [[ $target != *-musl ]] || "$built/toolchains/zig/bin/patchelf" --replace-needed libc.so libc.musl-x86_64.so.1 "$out/libdl_auth.so.0"
    ln -sf libdl_auth.so.0 "$out/libdl_auth.so"
    ;;
  *-apple-*)
    build ''
    install -m 755 "$from/libdl_auth.dylib" "$out/"
    install -m 644 "$from/libdl_auth_objects.a" "$out/libdl_auth.a"
    ;;
  *-windows-*)
    build ''
    install -m 755 "$from/dl_auth.dll" "$out/"
    install -m 644 "$from/libdl_auth.dll.a" "$out/"
    install -m 644 "$from/libdl_auth_objects.a" "$out/libdl_auth.a"
    x86_64-w64-mingw32-ar d "$out/libdl_auth.a" $(x86_64-w64-mingw32-ar t "$out/libdl_auth.a" | grep '\.dwo$')
    x86_64-w64-mingw32-strip --strip-debug "$out/libdl_auth.a"
    {
      echo 'LIBRARY dl_auth.dll'
      echo 'EXPORTS'
      x86_64-w64-mingw32-objdump -p "$out/dl_auth.dll" | sed -n 's/^\t\[ *[0-9]*\].* \(dl_auth_[a-z0-9_]*\)$/  \1/p' | sort
    } >"$out/dl_auth.def"
    grep -q ' dl_auth_new$' "$out/dl_auth.def" || { echo "build.sh: found no exports in dl_auth.dll" >&2; exit 1; }
    ;;
esac
