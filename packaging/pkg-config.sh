#!/usr/bin/env bash
# Writes what pkg-config tells of a built library: `pkg-config.sh DIRECTORY`, the one with libdl_auth.so and
# libdl_auth.a. A program says `dl_auth` for the shared library, `dl_auth_static` for the archive.
set -euo pipefail
directory=$(cd "$1" && pwd)
include=$(cd "$(dirname "$0")/../include" && pwd)
version=$(sed -n 's/^#define DL_AUTH_VERSION "\(.*\)"$/\1/p' "$include/dl_auth.h")
write() {
  printf '%s\n' "Name: $1" "Description: $2" "Version: $version" "Cflags: -I\"$include\"" "Libs: $3" >"$directory/$1.pc.$$"
  mv "$directory/$1.pc.$$" "$directory/$1.pc" # one step: a compiler may read the file now
}
write dl_auth 'Dataloop API credentials for a JWT that is always valid' "-L\"$directory\" -ldl_auth"
# libgcc_eh.a is libgcc_s.so.1 as an archive. So the program needs the C library alone at run time, and may be static.
write dl_auth_static 'the same, as a static archive' "\"$directory/libdl_auth.a\" -lgcc_eh -lpthread -lm -ldl"
