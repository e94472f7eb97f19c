#!/usr/bin/env bash
# Tries a built library on its target: `try.sh TARGET [DIRECTORY]`. The default of DIRECTORY is target/dist/TARGET, where
# packaging/build.sh writes. The programs of tests/dist/ run natively, by qemu or by wine, against a gate on this machine:
#   login     with the shared library and with the archive: logs in, reads the cached token, sends a wrong password
#   unload    closes the library while a refresh runs
# Programs for macOS are only linked.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: try.sh TARGET [DIRECTORY]" >&2; exit 2; }
target=$1
runner=$(packaging/column.sh "$target" runner)
[ "$runner" != native ] || runner=
built=$(mkdir -p "${CARGO_TARGET_DIR:-target}" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
library=$(cd "${2:-$built/dist/$target}" && pwd) || { echo "try.sh: run packaging/build.sh $target first" >&2; exit 1; }
[ "$runner" = none ] || cargo build --release --locked --quiet --package dl_auth_gate
environment=$(packaging/toolchain.sh --test "$target")
eval "$environment"

work=$(mktemp -d)
wine=
gate=
cleanup() {
  [ -z "$gate" ] || kill "$gate" 2>/dev/null || true # it may have ended
  [ -z "$wine" ] || /usr/lib/wine/wineserver64 -k || true # ends the wine of this WINEPREFIX
  wait
  rm -rf "$work"
}
trap cleanup EXIT

fail() { echo "try.sh: $target: $*" >&2; exit 1; }

suffix=
options=(-O1 -Wall -Wextra -Iinclude)
shared=("-L$library" -ldl_auth "-Wl,-rpath,$library")
read -ra libs < <(TARGET=$target packaging/native-libs.sh)
static=(-static "$library/libdl_auth.a" "${libs[@]}")
module=$library/libdl_auth.so.0
case $target in
  x86_64-*-linux-gnu) cc=(cc) ;;
  aarch64-*-linux-gnu) cc=(aarch64-linux-gnu-gcc) ;;
  armv7-*-linux-gnueabihf) cc=(arm-linux-gnueabihf-gcc) ;;
  *-linux-musl) cc=(musl-gcc) ;;
  *-windows-gnu)
    cc=(x86_64-w64-mingw32-gcc)
    suffix=.exe
    shared=("-L$library" -ldl_auth)
    ;;
  *-apple-darwin)
    static=("$library/libdl_auth.a" "-F$built/toolchains/macos/System/Library/Frameworks" "${libs[@]}")
    cc=("$built/toolchains/zig/bin/python" -m ziglang cc -target "${target%%-*}-macos")
    ;;
esac

# Compiles a program: `compile NAME OUTPUT LIBRARIES...`.
compile() {
  local name=$1 output=$2
  shift 2
  "${cc[@]}" "${options[@]}" "tests/dist/$name.c" -o "$work/$output$suffix" "$@" 2>"$work/$output.log" ||
    { cat "$work/$output.log" >&2; fail "$name.c does not compile as $output"; }
}

# Runs a program with a limit against hangs.
run() { timeout 600 $runner "$work/$1$suffix" "${@:2}"; }

# One request to the gate's control endpoint: `control METHOD PATH [BODY]` prints the body of the answer.
control() {
  local body=${3:-} answer
  exec 3<>"/dev/tcp/127.0.0.1/${control##*:}"
  printf '%s %s HTTP/1.1\r\nHost: gate\r\nContent-Length: %s\r\n\r\n%s' "$1" "$2" "${#body}" "$body" >&3
  answer=$(cat <&3)
  exec 3>&-
  [[ $answer = 'HTTP/1.1 200'* ]] || fail "the gate's answer to $1 $2: $answer"
  printf '%s' "${answer#*$'\r\n\r\n'}"
}

field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/gate.json"; }
count() { control GET /counts | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

compile login shared "${shared[@]}"
compile login static "${static[@]}"
case $target in
  *-linux-*) compile unload unload -ldl ;;
  *) compile unload unload ;;
esac
if [ "$runner" = none ]; then
  echo "$target: the programs link; no test ran them"
  exit
fi

if [[ $runner = *wine* ]]; then
  export WINEPREFIX=$built/toolchains/wine WINEDEBUG=-all
  wine=yes
  mkdir -p "$WINEPREFIX"
  cp "$library/dl_auth.dll" "$work/"
  x86_64-w64-mingw32-gcc -shared -O1 -o "$work/bcryptprimitives.dll" tests/dist/bcryptprimitives.c -ladvapi32
  module=dl_auth.dll
fi

"$built/release/dl_auth_gate" --max-seconds 3600 >"$work/gate.json" &
gate=$!
until [ -s "$work/gate.json" ] || ! kill -0 $gate 2>/dev/null; do sleep 0.1; done
control=$(field control_url)
for variable in $(compgen -e DL_AUTH_); do unset "$variable"; done
export DL_AUTH_URL DL_AUTH_CA_FILE DL_AUTH_USERNAME DL_AUTH_PASSWORD DL_AUTH_PROXY=none DL_AUTH_TLS_ROOTS=ca_file_only
export DL_AUTH_WAIT=10m DL_AUTH_TIMEOUT=10m DL_AUTH_CONNECT_TIMEOUT=5m
DL_AUTH_URL=$(field url) DL_AUTH_CA_FILE=$(field ca_file)
DL_AUTH_USERNAME=$(field username) DL_AUTH_PASSWORD=$(field password)

for program in shared static; do
  control POST /reset >/dev/null
  token=$(run $program) || fail "login.c ($program) failed"
  [ "\"${token%$'\r'}\"" = "$(control GET /last_token)" ] || fail "login.c ($program) printed another token than the gate's last one"
  # 1000 cached reads, and two requests: the login and the wrong password.
  [ "$(count requests) $(count issued) $(count refused)" = "2 1 1" ] || fail "login.c ($program): the gate received $(control GET /counts)"
  echo "$target: login.c passed with the $program library"
done

control POST /reset >/dev/null
control POST /plan '{"do":"hang"}' >/dev/null
coproc unload { run unload "$module"; }
control GET '/wait?hanging=1' >/dev/null
echo >&"${unload[1]}"
read -r line <&"${unload[0]}" || fail "unload.c ended when it closed the library"
[ "${line%$'\r'}" = closed ] || fail "unload.c printed $line"
control POST /release >/dev/null
control GET '/wait?issued=1' >/dev/null
echo >&"${unload[1]}"
read -r line <&"${unload[0]}" && [ "${line%$'\r'}" = alive ] || fail "unload.c crashed after it closed the library during a refresh"
echo "$target: unload.c passed"
