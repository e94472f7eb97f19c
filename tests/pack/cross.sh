#!/usr/bin/env bash
# Packs the libraries of all targets, and tries what is for other machines than this one against the gate:
#   wheels    auditwheel checks the tags; an arm64 Python logs in by qemu
#   Go        a program for arm64 logs in by qemu, a static one with musl, one for Windows by wine
# DIST names the directory of the libraries. tests/pack.rs describes the other variables.
#
# It needs the cross compilers and wine that packaging/toolchain.sh installs. It downloads auditwheel from PyPI, and
# Debian's Python for arm64 into its own directory, and does not change this system.
set -euo pipefail
shopt -s inherit_errexit
trap 'echo "cross.sh: line $LINENO failed" >&2' ERR
. "$(dirname "$0")/../hosts/common.sh"
unset PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH
cd "$SCRATCH"
stop() { echo "cross.sh: $1" >&2; exit 1; }
out=$SCRATCH/packages
"$repository/packaging/pack.sh" all "$out"
version=$(sed -n 's/^#define DL_AUTH_VERSION "\(.*\)"$/\1/p' "$repository/include/dl_auth.h")

python3 -m venv environment
grep -E '^(auditwheel|pyelftools|packaging)=' "$repository/bindings/python/tests/requirements.txt" >requirements.txt
[ "$(wc -l <requirements.txt)" = 3 ] || stop "bindings/python/tests/requirements.txt does not pin auditwheel and what it needs"
environment/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
for tag in manylinux_2_17_x86_64 manylinux_2_17_aarch64 musllinux_1_2_x86_64; do
  told=$(environment/bin/auditwheel show "$out/dl_auth-$version-py3-none-$tag.whl" 2>&1) || stop "$told"
  [[ $(tr -s '\n' ' ' <<<"$told") == *"consistent with the following platform tag: \"$tag\"."* ]] || stop "auditwheel does not agree with $tag: $told"
done
echo "ok auditwheel"

# Debian's Python for arm64, unpacked into a directory. The state of this system's apt stays as it is.
private=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$SCRATCH/apt" -o "Dir::Cache=$SCRATCH/apt"
  -o "Dir::State::status=$SCRATCH/apt/status" -o APT::Sandbox::User=root -o Debug::NoLocking=1)
mkdir -p apt/lists/partial apt/archives/partial arm64
touch apt/status
apt-get "${private[@]}" -qq update
apt-get "${private[@]}" -qq -y --no-install-recommends --download-only install python3-minimal libpython3-stdlib >/dev/null
for package in apt/archives/*.deb; do dpkg -x "$package" arm64; done
environment/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps --only-binary=:all: --target site \
  --platform manylinux_2_17_aarch64 "$out/dl_auth-$version-py3-none-manylinux_2_17_aarch64.whl"
PYTHONPATH=$SCRATCH/site tells_the_story 5 qemu-aarch64-static -L arm64 arm64/usr/bin/python3 \
  "$repository/bindings/python/example/login.py"
echo "ok wheel for arm64"

export GOFLAGS=-buildvcs=false GOTOOLCHAIN=local CGO_ENABLED=1 PKG_CONFIG=/nowhere
build() { (cd "$out/dl_auth-go-$version" && go build "$@" ./example); }
GOARCH=arm64 CC=aarch64-linux-gnu-gcc build -o "$SCRATCH/go-arm64"
tells_the_story 5 qemu-aarch64-static -L /usr/aarch64-linux-gnu ./go-arm64
echo "ok go for arm64"
CC=musl-gcc build -tags musl -ldflags '-linkmode external -extldflags "-static"' -o "$SCRATCH/go-musl"
! readelf -l go-musl | grep INTERP || stop "the program with musl is not static"
tells_the_story 5 ./go-musl
echo "ok go with musl"
GOOS=windows CC=x86_64-w64-mingw32-gcc build -o "$SCRATCH/go.exe"
# The wine of Debian 12 has no such library. Windows has one.
x86_64-w64-mingw32-gcc -shared -O1 -o bcryptprimitives.dll "$repository/tests/dist/bcryptprimitives.c" -ladvapi32
export WINEPREFIX=$SCRATCH/wine WINEDEBUG=-all
trap '/usr/lib/wine/wineserver64 -k || true' EXIT
patiently 900 /usr/lib/wine/wine64 go.exe >/dev/null 2>&1 || true # makes the directory of this wine; fails without options
story() { patiently 900 /usr/lib/wine/wine64 go.exe 2>/dev/null | tr -d '\r'; }
export -f story patiently
tells_the_story 5 bash -c story
echo "ok go for windows"
