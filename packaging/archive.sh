#!/usr/bin/env bash
# Makes libdl_auth.a: `archive.sh DIRECTORY`. DIRECTORY must contain the file libdl_auth_objects.a that cargo has built.
#
# The archive contains one object. Its only global names are those of the C API. So a program may contain other Rust
# code: each Rust archive has its own copy of the Rust runtime (`rust_eh_personality` and many more), and two copies
# with global names do not link.
#
# The script uses the tools of the C compiler. For another machine, set CC, NM, OBJCOPY and AR. UNWINDER is an archive
# with an unwinder, which becomes part of the object; without it, the program links one. The script makes symbols local only
# in the format ELF. On other systems, it copies cargo's archive.
set -euo pipefail
cd "$1"
work=$(mktemp -d "$PWD/archive.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ "$("${AR:-ar}" p libdl_auth_objects.a | head -c 4)" != $'\x7fELF' ]; then
  cp libdl_auth_objects.a "$work/libdl_auth.a"
else
  roots=$("${NM:-nm}" -g --defined-only libdl_auth_objects.a 2>/dev/null | sed -n 's/^[0-9a-f]* T \(dl_auth_.*\)$/-Wl,-u,\1/p')
  [ -n "$roots" ] || { echo "archive.sh: libdl_auth_objects.a defines no dl_auth_*" >&2; exit 1; }
  # Links all code that the C API needs into one object. The object must have no section groups: if another object of
  # the program had a group of the same name, the linker would drop this one, although its names are local.
  "${CC:-cc}" -r -nostdlib -fuse-ld=bfd -Wl,--gc-sections,--force-group-allocation $roots libdl_auth_objects.a ${UNWINDER:+"$UNWINDER"} -o "$work/dl_auth.o"
  # Removes debug information, the bitcode of std, and names that the object does not need. Code that was left out may
  # refer to names that the C library does not have.
  "${OBJCOPY:-objcopy}" --strip-unneeded --remove-section='.llvm*' --wildcard --keep-global-symbol='dl_auth_*' "$work/dl_auth.o"
  "${AR:-ar}" rcsD "$work/libdl_auth.a" "$work/dl_auth.o"
fi
mv "$work/libdl_auth.a" libdl_auth.a # replaces the file in one step, because a linker may read the archive now
