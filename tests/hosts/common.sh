# What the bindings' tests/run.sh share; to be sourced. tests/hosts.rs says what the environment holds.

# The test gate's control endpoint: `control POST /reset`, `control GET /counts`. Prints the answer's JSON.
control() {
  local address=${GATE_CONTROL_URL#http://}
  exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
  printf '%s %s HTTP/1.1\r\nHost: gate\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$1" "$2" >&3
  tail -n 1 <&3
  exec 3<&-
}

# Runs a host's example, which must log in once and write the lines of examples/c/token.c, and of a platform's answer
# where it was given one to ask.
tells_the_story() {
  local told wanted='token   eyJ|claims  \{"|expiry  [0-9]+ \(|first   [0-9.]+ ms|cached  [0-9.]+ ms|answer  200$' lines=5
  [ "${*: -1}" = "$PLATFORM" ] && lines=6
  control POST /reset >/dev/null
  told=$("$@")
  [ "$(grep -cE "^($wanted)" <<<"$told")" = "$lines" ] && [ "$(wc -l <<<"$told")" = "$lines" ] ||
    { echo "the example's lines are not those of the story: $told"; return 1; }
  control GET /counts | grep -q '"logins":1,' || { echo "the example has not logged in once"; return 1; }
}

# The fenced blocks of a language in a page: `blocks sh README.md`.
blocks() { awk -v begin="^\`\`\`$1\$" '/^```$/ {on = 0} on; $0 ~ begin {on = 1}' "$2"; }

# An empty directory in which the commands of a page run as a user's do, beside the library's own directories.
beside_the_library() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
  rm -rf "$1"
  mkdir -p "$1"
  ln -s "$root/include" "$root/bindings" "$root/examples" "$1"
  ln -s "$(dirname "$LIBRARY_DIR")" "$1/target"
}

# A user's environment: who logs in, and where. PLATFORM is what a program may ask with its token.
export DL_AUTH_URL=$GATE_URL DL_AUTH_CA_FILE=$GATE_CA_FILE DL_AUTH_PROXY=none
export DL_AUTH_USERNAME=$GATE_USERNAME DL_AUTH_PASSWORD=$GATE_PASSWORD PLATFORM=$GATE_CONTROL_URL/counts
