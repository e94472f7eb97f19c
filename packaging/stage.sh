#!/usr/bin/env bash
# Lays down all files of an installed library: `stage.sh BUILT STAGE [LIBDIR]`. `make install`, CMake and packages use it.
# BUILT is the directory in which `make lib` or packaging/build.sh has built. It contains a library for Linux, Windows or
# macOS. STAGE stands for the prefix. LIBDIR is relative to it (default:
# lib). No file contains a path of this machine, so the tree can be moved.
#
# If STAGE exists, it is replaced. A file that is the same keeps its time, so that nothing that depends on it is built
# again.
set -euo pipefail
umask 022
built=$1 stage=$2 libdir=${3:-lib}
source=$(cd "$(dirname "$0")/.." && pwd)
field() { sed -n "s/^$1: //p" "$built/dl_auth.pc"; }
version=$(field Version)
major=${version%%.*}
up=$(sed 's|[^/][^/]*|..|g' <<<"$libdir") # the way from LIBDIR to the prefix
new=$stage.new.$$
trap 'rm -rf "$new" "$new.list"' EXIT

mkdir -p "$new/include" "$new/$libdir/pkgconfig" "$new/$libdir/cmake/dl_auth" "$new/share/man/man3" "$new/share/dl_auth"
if [ -e "$built/dl_auth.dll" ]; then
  mkdir "$new/bin"
  install -p -m 755 "$built/dl_auth.dll" "$new/bin"
  install -p -m 644 "$built/libdl_auth.dll.a" "$built/dl_auth.def" "$new/$libdir"
elif [ -e "$built/libdl_auth.dylib" ]; then
  install -p -m 755 "$built/libdl_auth.dylib" "$new/$libdir"
else
  install -p -m 755 "$built/libdl_auth.so" "$new/$libdir/libdl_auth.so.$version"
  ln -s "libdl_auth.so.$version" "$new/$libdir/libdl_auth.so.$major"
  ln -s "libdl_auth.so.$major" "$new/$libdir/libdl_auth.so"
fi
install -p -m 644 "$built/libdl_auth.a" "$new/$libdir"
install -p -m 644 "$source"/include/dl_auth.{h,hpp,cdef.h} "$new/include"
install -p -m 644 "$source"/packaging/man/*.3 "$new/share/man/man3"
sed -e "s|^prefix=.*|prefix=\${pcfiledir}/../$up|" -e "s|^libdir=.*|libdir=\${prefix}/$libdir|" \
  "$built/dl_auth.pc" >"$new/$libdir/pkgconfig/dl_auth.pc"
install -p -m 644 "$source/packaging/cmake/dl_auth-targets.cmake" "$new/$libdir/cmake/dl_auth"
for file in dl_auth-config.cmake dl_auth-config-version.cmake; do
  sed -e "s|@UP@|$up|" -e "s|@VERSION@|$version|" -e "s|@LIBS@|$(field Libs.private)|" \
    "$source/packaging/cmake/$file.in" >"$new/$libdir/cmake/dl_auth/$file"
done
# `make uninstall` removes these files, and these directories if they are empty. packaging/install.sh adds the
# directories that it makes.
manifest=share/dl_auth/manifest.txt
: >"$new/$manifest"
(cd "$new" && find . \( -type f -o -type l \) -printf 'file %P\n' | LC_ALL=C sort) >"$new.list"
printf 'dir %s\n' "$libdir/cmake/dl_auth" share/dl_auth >>"$new.list"
mv "$new.list" "$new/$manifest"

if [ -d "$stage" ]; then
  while read -r kind path; do
    [ "$kind" != file ] || [ -L "$new/$path" ] || ! cmp -s "$new/$path" "$stage/$path" || touch -r "$stage/$path" "$new/$path"
  done <"$new/$manifest"
  rm -rf "$stage"
fi
mv "$new" "$stage"
