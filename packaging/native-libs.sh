#!/usr/bin/env bash
# Prints the libraries that a program needs beside libdl_auth.a, as options of the linker. They are those that rustc
# reports for TARGET (a target of Rust; default: the compiler's own). tests/install.rs compares them with the report for
# the library itself.
#
# One of them differs: libgcc_eh.a is libgcc_s.so.1 as an archive. With it, the program needs only the C library at run
# time, and `cc -static` works. `cc -static` refuses -lgcc_s.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/empty.rs"
told=$("${RUSTC:-rustc}" ${TARGET:+--target "$TARGET"} --crate-type=staticlib --print=native-static-libs \
  -o "$work/empty.a" "$work/empty.rs" 2>&1) || { printf '%s\n' "$told" >&2; exit 1; }
sed -n 's/^note: native-static-libs: //p' <<<"$told" | sed 's/-lgcc_s\>/-lgcc_eh/'
