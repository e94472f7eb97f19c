#!/usr/bin/env bash
# Prints the libraries that a program needs beside libdl_auth.a, as options of the linker. They are those that rustc
# reports for this machine; all targets with glibc need the same. tests/install.rs compares them with the report for the
# library itself. If TARGET is set to another target of Rust, they are those in the table `targets`.
#
# One of them differs: libgcc_eh.a is libgcc_s.so.1 as an archive. With it, the program needs only the C library at run
# time, and `cc -static` works. `cc -static` refuses -lgcc_s.
set -euo pipefail
libs=-
[ -z "${TARGET:-}" ] || libs=$("$(dirname "$0")/column.sh" "$TARGET" libs)
[ "$libs" = - ] || { printf '%s\n' "$libs"; exit; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.rs"
told=$("${RUSTC:-rustc}" --crate-type=staticlib --print=native-static-libs \
  -o "$work/empty.a" "$work/empty.rs" 2>&1) || { printf '%s\n' "$told" >&2; exit 1; }
sed -n 's/^note: native-static-libs: //p' <<<"$told" | sed 's/-lgcc_s\>/-lgcc_eh/'
