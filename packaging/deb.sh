#!/usr/bin/env bash
# Makes the Debian packages libdl-auth0 and libdl-auth-dev: `deb.sh BUILT OUT [ARCHITECTURE]`. BUILT is the directory in
# which `make lib` or packaging/build.sh has built. ARCHITECTURE is Debian's name (default: that of this machine).
#
# debhelper does the work. It gets a source tree that contains only packaging/debian: the library is built already.
set -euo pipefail
umask 022
source=$(cd "$(dirname "$0")/.." && pwd)
built=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
architecture=${3:-$(dpkg --print-architecture)}
command -v dh >/dev/null || { echo 'deb.sh: debhelper is missing; run: apt-get install debhelper' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tree=$work/dl-auth
mkdir "$tree"
cp -r "$source/packaging/debian" "$tree/debian"
cp "$source/tests/abi/dl_auth.symbols" "$tree/debian/libdl-auth0.symbols"
version=$(sed -n 's/^#define DL_AUTH_VERSION "\(.*\)"$/\1/p' "$source/include/dl_auth.h")
date=$(date -u -R -d "@${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct)}")
cat >"$tree/debian/changelog" <<END
dl-auth ($version-1) unstable; urgency=medium

  * Version $version. CHANGELOG.md of the source says what has changed.

 -- dl_auth developers <dl-auth@users.noreply.github.com>  $date
END
(
  cd "$tree"
  # DEB_BUILD_OPTIONS: the packages for debug information would be empty.
  SOURCE=$source BUILT=$built DEB_BUILD_OPTIONS='noautodbgsym nocheck' \
    dpkg-buildpackage --build=binary --no-sign --no-check-builddeps --host-arch="$architecture" >"$work/log" 2>&1
) || { cat "$work/log" >&2; exit 1; }
mv "$work"/*.deb "$out"
