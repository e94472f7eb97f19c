#!/usr/bin/env bash
# Builds the library for a target twice, in directories with different names and with different homes of cargo, and
# compares the files: `reproduce.sh TARGET`. The first build is the one in target/dist.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1
built=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
home=${CARGO_HOME:-$HOME/.cargo}

mkdir -p "$work/another place" "$work/home"
ln -s "$home/registry" "$work/home/registry" # the same crates under another path
git archive HEAD | tar -x -C "$work/another place"
mkdir "$work/another place/target"
ln -s "$built/toolchains" "$work/another place/target/toolchains"
(unset CARGO_TARGET_DIR; CARGO_HOME=$work/home "$work/another place/packaging/build.sh" "$target")
for file in "$built/dist/$target"/*; do
  [ "${file##*.}" = pc ] || cmp "$file" "$work/another place/target/dist/$target/${file##*/}" ||
    { echo "reproduce: ${file##*/} differs between two builds" >&2; exit 1; }
done
if strings -a "$built/dist/$target"/libdl_auth.* | grep -F -e "$PWD" -e "$home" -m 1; then
  echo 'reproduce: the library names a directory of this machine' >&2
  exit 1
fi
echo "$target: two builds are equal"
