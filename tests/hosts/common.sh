# The common functions of the bindings' tests/run.sh, which source this file. tests/hosts.rs describes the environment.
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Runs a command under a limit that ends a hanging command: `patiently SECONDS COMMAND...`. All tests use the same
# factor.
patiently() { timeout $(($1 * ${DL_AUTH_TEST_PATIENCE:-1})) "${@:2}"; }

# The test gate's control endpoint: `control POST /reset`, `control GET /counts`. Prints the answer's JSON.
control() {
  local address=${GATE_CONTROL_URL#http://}
  exec 9<>"/dev/tcp/${address%:*}/${address#*:}"
  printf '%s %s HTTP/1.1\r\nHost: gate\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" "$2" >&9
  local answer
  answer=$(patiently 900 cat <&9)
  exec 9<&-
  [[ $answer == "HTTP/1.1 200 "* ]] || { echo "the gate answers $1 $2 with: $answer" >&2; return 1; }
  tail -n 1 <<<"$answer"
}

# Runs a command in a user's environment, which has the URL and the credentials. The limits are so long that a busy
# machine does not reach them.
as_a_user() {
  DL_AUTH_WAIT=10m DL_AUTH_CONNECT_TIMEOUT=5m DL_AUTH_TIMEOUT=10m DL_AUTH_URL=$GATE_URL DL_AUTH_CA_FILE=$GATE_CA_FILE DL_AUTH_PROXY=none \
    DL_AUTH_USERNAME=$GATE_USERNAME DL_AUTH_PASSWORD=$GATE_PASSWORD patiently 900 "$@"
}

# Checks the number of logins at the gate since its reset.
logins_are() {
  control GET /counts | grep -q "\"logins\":$1," || { echo "the gate has not counted $1 logins" >&2; return 1; }
}

# tells_the_story LINES COMMAND...: runs a host's example. It must log in once and print the lines of
# examples/c/token.c: five, and a sixth with the answer of a platform, if it gets the URL of one.
tells_the_story() {
  local told n wanted=('token   eyJ.{17}\.\.\. \([0-9]+ bytes\)' 'claims  \{.*\}' 'expiry  [0-9]+ \(Unix seconds\)'
    'first   [0-9.]+ ms \(login over TLS\)' 'cached  [0-9.]+ ms \(mean of 1000 calls\)' 'answer  200')
  control POST /reset >/dev/null
  told=$(as_a_user "${@:2}")
  for ((n = 0; n < $1; n++)); do
    sed -n "$((n + 1))p" <<<"$told" | grep -qxE "${wanted[n]}" || { echo "no ${wanted[n]} in: $told" >&2; return 1; }
  done
  [ "$(wc -l <<<"$told")" = "$1" ] || { echo "not $1 lines: $told" >&2; return 1; }
  logins_are 1
}

# Packs for this machine, with the library of LIBRARY_DIR: `pack_for_this_machine KIND OUT`. Prints the packages.
pack_for_this_machine() {
  local target dist=$2/dist
  target=$(uname -m)-unknown-linux-gnu
  mkdir -p "$dist/$target"
  cp "$LIBRARY_DIR"/libdl_auth.{so,a} "$dist/$target"
  DIST=$dist "$repository/packaging/pack.sh" "$1" "$2" "$target"
}

# Prints the fenced blocks of a page in a language, one after the other: `blocks sh README.md`.
blocks() { awk -v begin="^\`\`\`$1\$" '/^```$/ {on = 0} on; $0 ~ begin {on = 1}' "$2"; }

# Unpacks a page into a directory: each program into the file that its first line names after the comment mark, and the
# command blocks in order into block1.sh and so on.
unpack() {
  (cd "$2" && awk '
    /^```/ && file == "" { if ($0 == "```sh") file = "block" ++blocks ".sh"; else { getline; file = $2; sub(/:$/, "", file) } }
    /^```$/ { file = ""; next }
    file != "" && !/^```/ { print >file }' "$1")
}

# Makes an empty directory, with links to the library's files next to it, as the pages expect.
beside_the_library() {
  rm -rf "$1"
  mkdir -p "$1"
  ln -s "$repository"/{include,bindings,examples} "$1"
  ln -s "$(dirname "$LIBRARY_DIR")" "$1/target"
}
