#!/usr/bin/env bash
# Builds, tries and packs the library for a target: `dist.sh TARGET`. Writes the library into target/dist/TARGET, and the
# archive of the release, dl_auth-VERSION-TARGET.tar.gz, into target/packages. The same source makes the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# = 1 ] || { echo 'usage: dist.sh TARGET' >&2; exit 2; }
target=$1
packaging/column.sh "$target" >/dev/null || {
  echo "dist: choose one of: $(packaging/column.sh | paste -sd ' ')" >&2
  exit 1
}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
built=${CARGO_TARGET_DIR:-target}
library=$built/dist/$target
packaging/build.sh "$target"
packaging/try.sh "$target"
TARGET=$target packaging/pkg-config.sh "$library"

name=dl_auth-$(sed -n 's/^Version: //p' "$library/dl_auth.pc")-$target
mkdir -p "$built/packages"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/stage.sh "$library" "$work/$name"
cp LICENSE-APACHE LICENSE-MIT docs/install.md "$work/$name"
# What packaging/notices.sh has written, if it has run: the licences of the dependencies, and the bill of materials.
for file in LICENSES-THIRD-PARTY.toml dl_auth.cdx.json; do
  [ ! -e "$built/dist/$file" ] || cp "$built/dist/$file" "$work/$name"
done
tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -C "$work" "$name" |
  gzip --no-name --best >"$built/packages/$name.tar.gz.new"
mv "$built/packages/$name.tar.gz.new" "$built/packages/$name.tar.gz"
echo "$target: $built/packages/$name.tar.gz"
