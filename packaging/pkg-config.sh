#!/usr/bin/env bash
# Writes the pkg-config files of a built library: `pkg-config.sh DIRECTORY`. DIRECTORY must contain libdl_auth.so and
# libdl_auth.a. A program uses the package `dl_auth` for the shared library, or `dl_auth_static` for the archive.
set -euo pipefail
directory=$(cd "$1" && pwd)
include=$(cd "$(dirname "$0")/../include" && pwd)
version=$(sed -n 's/^#define DL_AUTH_VERSION "\(.*\)"$/\1/p' "$include/dl_auth.h")
write() {
  printf '%s\n' "Name: $1" "Description: $2" "Version: $version" "Cflags: -I\"$include\"" "Libs: $3" >"$directory/$1.pc.$$"
  mv "$directory/$1.pc.$$" "$directory/$1.pc" # replaces the file in one step, because a compiler may read it now
}
write dl_auth 'Trades Dataloop API credentials for a JWT, caches it and refreshes it' "-L\"$directory\" -ldl_auth"
# libgcc_eh.a is libgcc_s.so.1 as an archive. So the program needs only the C library at run time, and may be static.
write dl_auth_static 'The static archive of dl_auth' "\"$directory/libdl_auth.a\" -lgcc_eh -lpthread -lm -ldl"
