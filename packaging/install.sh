#!/usr/bin/env bash
# Installs the library, or removes what it has installed: `install.sh install BUILT` and `install.sh uninstall`. It takes
# PREFIX, DESTDIR and LIBDIR from the environment. BUILT is the output directory of `make lib`.
#
# If it cannot install everything, it installs nothing, and says what to do in one line. It makes all files in a
# directory inside of PREFIX, and moves them to their places at the end. If a move fails, it moves the old files back.
#
# This is a script and not cargo-c, because cargo-c installs the archive that cargo builds: not the one object with only
# our names that packaging/archive.sh makes. It also has no CMake package, no C++ header and no uninstall.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
action=$1
fail() {
  printf 'make %s: %s\n' "$action" "$1" >&2
  exit 1
}

prefix=${PREFIX-/usr/local} destdir=${DESTDIR-} libdir=${LIBDIR-lib}
for name in prefix destdir libdir; do
  case ${!name} in *[[:cntrl:]]*) fail "${name^^} contains a line break or another control character; choose another path" ;; esac
done
case $prefix in
  /*) ;;
  '') fail 'PREFIX is empty; set it to an absolute path, such as PREFIX=/usr/local' ;;
  *) fail "PREFIX must be an absolute path; write PREFIX=$PWD/$prefix" ;;
esac
case $destdir in '' | /*) ;; *) fail "DESTDIR must be an absolute path; write DESTDIR=$PWD/$destdir" ;; esac
while [[ $prefix = */ ]]; do prefix=${prefix%/}; done
case $libdir in "$prefix"/*) libdir=${libdir#"$prefix"/} ;; esac
while [[ $libdir = */ ]]; do libdir=${libdir%/}; done
case /$libdir/ in
  *//* | */./* | */../* | *[!A-Za-z0-9._+/-]*)
    fail "LIBDIR must be a directory inside of PREFIX, of letters, digits and ._+-/; write LIBDIR=lib" ;;
esac
to=$destdir$prefix # it is empty if the prefix is the root directory
manifest=share/dl_auth/manifest.txt

# Fails unless a directory can be used, or made. A message of the system would not say what to do.
must_be_writable() {
  local at=$1
  until [ -e "$at" ] || [ -L "$at" ]; do at=${at%/*}; at=${at:-/}; done
  [ -d "$at" ] || fail "$at is not a directory; move it away, or choose another PREFIX"
  [ -w "$at" ] && [ -x "$at" ] || fail "cannot write to $at; run this as a user that can (sudo), or choose another PREFIX"
}

# The paths in the manifest after a word. A manifest with a path that leads out of the prefix is not one of ours.
listed() {
  local kind path
  while read -r kind path; do
    case $kind:/$path/ in
      *:*/../*) fail "$to/$manifest is damaged; remove the files by hand" ;;
      file://* ) fail "$to/$manifest is damaged; remove the files by hand" ;;
    esac
    [ "$kind" != "$1" ] || printf '%s\n' "$path"
  done <"$2"
}

# Removes these directories, the deepest first, if they are empty. An absolute path is a directory above the prefix.
remove_directories() {
  local path
  while IFS= read -r path; do
    case $path in
      '') ;;
      /*) case $to/ in "$destdir$path"/*) rmdir "$destdir$path" 2>/dev/null || true ;; esac ;;
      *) rmdir "$to/${path%.}" 2>/dev/null || true ;;
    esac
  done < <(LC_ALL=C sort -r <<<"$1")
}

uninstall() {
  [ -f "$to/$manifest" ] || fail "nothing is installed in ${to:-/}: there is no $to/$manifest; set PREFIX as for make install"
  local files directories path
  files=$(listed file "$to/$manifest")
  directories=$(listed dir "$to/$manifest")
  while IFS= read -r path; do
    [ -d "$to/$path" ] && [ ! -L "$to/$path" ] && fail "$to/$path is a directory and not our file; move it away"
    must_be_writable "$to/${path%/*}"
  done <<<"$files"
  # The manifest goes last, so that an uninstall that was stopped can be repeated.
  while IFS= read -r path; do [ "$path" = "$manifest" ] || rm -f "$to/$path"; done <<<"$files"
  rm -f "$to/$manifest"
  remove_directories "$(grep -v '^/' <<<"$directories" || true)"
  remove_directories "$(grep '^/' <<<"$directories" || true)"
  echo "removed dl_auth from ${to:-/}"
}

# Builds the library. Without cargo, as often under sudo, takes what is built if no source is newer.
build() {
  if command -v cargo >/dev/null; then
    local tool
    for tool in "${CC:-cc}" "${AR:-ar}" "${NM:-nm}" "${OBJCOPY:-objcopy}"; do
      command -v "$tool" >/dev/null || fail "$tool is missing; install a C compiler and binutils (Debian: apt install gcc binutils)"
    done
    MAKEFLAGS='' make --silent lib ${BUILT:+BUILT="$BUILT"} TARGET="${TARGET-}" >&2 ||
      fail 'the library does not build (see above); nothing is installed'
  elif [ ! -e "$built/dl_auth.pc" ]; then
    fail 'cargo is missing; install Rust 1.95 or later with rustup, or run `make lib` before as the user that has it'
  elif [ -n "$(find Cargo.toml Cargo.lock build.rs cbindgen.toml src include packaging -type f -newer "$built/dl_auth.pc" -print -quit)" ]; then
    fail 'cargo is missing, and the library is older than its sources; run `make lib` as the user that has cargo'
  fi
}

made=() moved=() stage=
make_directory() {
  local at=$1 error
  [ -d "${at:-/}" ] && return
  make_directory "${at%/*}"
  made+=("$at")
  error=$(mkdir "$at" 2>&1) || fail "nothing is installed: $error"
}

# Undoes all that was done, if the installation did not succeed.
undo() {
  trap '' INT TERM HUP
  local nth
  for ((nth = ${#moved[@]} - 1; nth >= 0; nth--)); do
    if [ -e "$stage/${moved[nth]}" ] || [ -L "$stage/${moved[nth]}" ]; then
      : # it was not moved
    elif [ -e "$stage.old/$nth" ] || [ -L "$stage.old/$nth" ]; then
      mv -fT "$stage.old/$nth" "$to/${moved[nth]}" || true
    else
      rm -f "$to/${moved[nth]}" || true
    fi
  done
  [ -z "$stage" ] || rm -rf "$stage" "$stage.old" "$stage".new.*
  for ((nth = ${#made[@]} - 1; nth >= 0; nth--)); do rmdir "${made[nth]}" 2>/dev/null || true; done
}

install_all() {
  must_be_writable "$to/$libdir"
  for directory in include share/man/man3 share/dl_auth; do must_be_writable "$to/$directory"; done
  build

  trap 'undo' EXIT
  trap 'fail "stopped by a signal; nothing is installed"' INT TERM HUP
  local error path directory old_files='' old_directories='' nth=0
  make_directory "$to"
  stage=$(mktemp -d "$to/.dl_auth.XXXXXX" 2>&1) || { error=$stage stage=''; fail "nothing is installed: $error"; }
  mkdir "$stage.old"
  error=$(packaging/stage.sh "$built" "$stage" "$libdir" 2>&1) || fail "nothing is installed: ${error%%$'\n'*}"
  if [ -f "$to/$manifest" ]; then
    old_files=$(listed file "$to/$manifest")
    old_directories=$(listed dir "$to/$manifest")
  fi
  local files
  files=$(listed file "$stage/$manifest")
  while IFS= read -r path; do
    [ -d "$to/$path" ] && [ ! -L "$to/$path" ] && fail "$to/$path is a directory; move it away, or choose another PREFIX"
    must_be_writable "$to/${path%/*}"
  done <<<"$files"
  while IFS= read -r path; do make_directory "$to/${path%/*}"; done <<<"$files"
  {
    for directory in "${made[@]}"; do
      case $directory/ in
        "$to"/) echo "dir ." ;;
        "$to"/*) echo "dir ${directory#"$to"/}" ;;
        *) echo "dir ${directory#"$destdir"}" ;;
      esac
    done
    [ -z "$old_directories" ] || sed 's/^/dir /' <<<"$old_directories"
  } | grep -vxFf "$stage/$manifest" | LC_ALL=C sort -u >"$stage/$manifest.more" || true
  cat "$stage/$manifest.more" >>"$stage/$manifest"
  while IFS= read -r path; do
    if [ -e "$to/$path" ] || [ -L "$to/$path" ]; then
      cp -aT --link "$to/$path" "$stage.old/$nth" 2>/dev/null || cp -aT "$to/$path" "$stage.old/$nth"
    fi
    moved+=("$path") # before the move, because a signal can end the script directly after it
    error=$(mv -fT "$stage/$path" "$to/$path" 2>&1) || fail "nothing is installed: $error"
    nth=$((nth + 1))
  done <<<"$files"
  trap - EXIT INT TERM HUP
  # Files of an earlier version that this one does not have.
  [ -z "$old_files" ] || grep -vxF "$files" <<<"$old_files" | while IFS= read -r path; do rm -f "$to/$path"; done || true
  rm -rf "$stage" "$stage.old"
  local hint='; run ldconfig if programs do not find libdl_auth.so.0'
  [ -z "$destdir" ] || hint=
  echo "installed dl_auth $(sed -n 's/^Version: //p' "$built/dl_auth.pc") in ${to:-/}$hint"
}

case $action in
  install) built=$2; install_all ;;
  uninstall) uninstall ;;
  *) echo 'usage: install.sh install BUILT | uninstall' >&2; exit 2 ;;
esac
