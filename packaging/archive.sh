#!/usr/bin/env bash
# Makes libdl_auth.a: `archive.sh DIRECTORY`, the one where cargo has written libdl_auth_objects.a.
#
# The archive is one object, whose only global names are those of the C API. So a program may contain other Rust code:
# each Rust archive has its own copy of the Rust runtime (`rust_eh_personality` and many more), and two global copies do
# not link.
#
# The tools are those of the C compiler: set CC, NM, OBJCOPY and AR for another machine's. Symbols are made local in the
# format ELF only; on other systems, the archive is cargo's.
set -euo pipefail
cd "$1"
work=$(mktemp -d "$PWD/archive.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ "$("${AR:-ar}" p libdl_auth_objects.a | head -c 4)" != $'\x7fELF' ]; then
  cp libdl_auth_objects.a "$work/libdl_auth.a"
else
  roots=$("${NM:-nm}" -g --defined-only libdl_auth_objects.a 2>/dev/null | sed -n 's/^[0-9a-f]* T \(dl_auth_.*\)$/-Wl,-u,\1/p')
  [ -n "$roots" ] || { echo "archive.sh: libdl_auth_objects.a defines no dl_auth_*" >&2; exit 1; }
  # One object of all that the C API needs. A group of sections would be dropped where another object of the program has
  # a group of the same name, although the names in this one are local: there must be none.
  "${CC:-cc}" -r -nostdlib -fuse-ld=bfd -Wl,--gc-sections,--force-group-allocation $roots libdl_auth_objects.a -o "$work/dl_auth.o"
  # Without debug information, without the bitcode of std, and without names that the object does not need: the C library
  # may not have what code that was left out refers to.
  "${OBJCOPY:-objcopy}" --strip-unneeded --remove-section='.llvm*' --wildcard --keep-global-symbol='dl_auth_*' "$work/dl_auth.o"
  "${AR:-ar}" rcsD "$work/libdl_auth.a" "$work/dl_auth.o"
fi
mv "$work/libdl_auth.a" libdl_auth.a # one step: a linker may read the archive now
