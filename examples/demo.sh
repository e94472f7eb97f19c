#!/usr/bin/env bash
# Builds examples/c/token.c with plain cc and the library in the given directory, and runs it: with your account
# if DL_AUTH_USERNAME and DL_AUTH_PASSWORD are set, otherwise with the test gate in tests/gate, which ends with this script.
set -euo pipefail
cd "$(dirname "$0")/.."
built=$(realpath "${1:-target/release}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cc -std=c11 -O2 -Wall -Wextra -Iinclude examples/c/token.c -o "$work/token" -L"$built" -ldl_auth -Wl,-rpath,"$built"

if [ -n "${DL_AUTH_USERNAME:-}" ] && [ -n "${DL_AUTH_PASSWORD:-}${DL_AUTH_PASSWORD_FILE:-}" ]; then
  echo "make demo: logging in as DL_AUTH_USERNAME"
else
  "$built/dl_auth_gate" >"$work/gate.json" &
  until [ -s "$work/gate.json" ] || ! kill -0 $!; do sleep 0.1; done
  field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/gate.json"; }
  unset DL_AUTH_TOKEN DL_AUTH_PASSWORD_FILE DL_AUTH_ENVIRONMENT DL_AUTH_TLS_ROOTS
  export DL_AUTH_URL DL_AUTH_CA_FILE DL_AUTH_USERNAME DL_AUTH_PASSWORD DL_AUTH_PROXY=none
  DL_AUTH_URL=$(field url) DL_AUTH_CA_FILE=$(field ca_file)
  DL_AUTH_USERNAME=$(field username) DL_AUTH_PASSWORD=$(field password)
  echo "make demo: no account in DL_AUTH_USERNAME and DL_AUTH_PASSWORD, so this logs in at a test gate, $DL_AUTH_URL"
fi
"$work/token"
