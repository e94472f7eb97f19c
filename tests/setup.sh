#!/usr/bin/env bash
# Installs what tests/packages.txt lists and this machine lacks: `setup.sh all` for the tests, `setup.sh demo` and
# `setup.sh bench` for the lines with *, `setup.sh peers` for those with + and with b, `setup.sh dist` for those of the
# tests and with d.
set -euo pipefail
cd "$(dirname "$0")"
case "${1:-}" in
  all) wanted='$2 != "b" && $2 != "d"' ;;
  dist) wanted='$2 != "b"' ;;
  demo | bench) wanted='$2 == "*"' ;;
  peers) wanted='$2 == "b" || $2 == "+"' ;;
  *) echo "usage: setup.sh all|demo|bench|peers|dist" >&2; exit 2 ;;
esac
if ! command -v cargo >/dev/null; then
  echo "setup: cargo is missing; install Rust 1.95 or later with rustup, and run this again" >&2
  exit 1
fi
if [ "$1" = all ] || [ "$1" = dist ]; then
  echo "setup: the tests of the bindings download missing packages into cargo's output directory: Go's modules ($(
    sed -n 's/^require //p' ../bindings/go/go.mod) and its dependencies) and from PyPI: $(
    grep -hv '^#' ../bindings/{python,csharp}/tests/requirements.txt | xargs)"
fi
missing=()
for package in $(awk "!/^#/ && $wanted {print \$1}" packages.txt); do
  [ "$package" = golang-go ] && command -v go >/dev/null && continue # any Go will do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "setup: installing ${missing[*]} (Debian packages, listed in tests/packages.txt)"
if [ "$(id -u)" -ne 0 ]; then
  echo "setup: that needs root; run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
