#!/usr/bin/env bash
# Tries the Debian packages in a directory: `try-deb.sh DIRECTORY`. lintian must report no error. Then a new Debian system
# gets the packages, and a program that is compiled there gets a token. Needs root, debootstrap and lintian.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=$(cd "$1" && pwd)
built=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
lintian --fail-on error "$packages"/libdl-auth*.deb

work=$(mktemp -d)
gate=
cleanup() {
  [ -z "$gate" ] || kill "$gate" 2>/dev/null || true # it may have ended
  wait
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Suite: $suite" 2>/dev/null | head -n 1)
root=$work/root
debootstrap --variant=minbase --include=gcc,libc6-dev,pkg-config "$suite" "$root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
  { tail -n 5 "$work/log" >&2; echo 'try-deb: debootstrap failed' >&2; exit 1; }
cp "$packages"/libdl-auth*_amd64.deb "$root/tmp"
cp examples/c/token.c "$root/tmp"
chroot "$root" sh -ec 'dpkg --install /tmp/*.deb; cc -o /tmp/token /tmp/token.c $(pkg-config --cflags --libs dl_auth)' >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; echo 'try-deb: the packages cannot be installed' >&2; exit 1; }

cargo build --release --locked --quiet --package dl_auth_gate
"$built/release/dl_auth_gate" --max-seconds 600 >"$work/gate.json" &
gate=$!
until [ -s "$work/gate.json" ] || ! kill -0 $gate 2>/dev/null; do sleep 0.1; done
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/gate.json"; }
cp "$(field ca_file)" "$root/tmp/ca.pem"
echo '127.0.0.1 localhost' >>"$root/etc/hosts" # the new system has none
env -i PATH="$PATH" DL_AUTH_URL="$(field url)" DL_AUTH_CA_FILE=/tmp/ca.pem DL_AUTH_TLS_ROOTS=ca_file_only DL_AUTH_PROXY=none \
  DL_AUTH_USERNAME="$(field username)" DL_AUTH_PASSWORD="$(field password)" chroot "$root" /tmp/token
chroot "$root" dpkg --purge libdl-auth-dev libdl-auth0 >/dev/null
echo 'Debian: the packages install, and a program gets a token'
