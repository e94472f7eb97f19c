#!/usr/bin/env bash
# Runs parts of the tests, several at the same time: `parts.sh [PART...]`. Without arguments, it runs all parts. A part is
# lint, unit, doc, models, packages (the other packages of the workspace), or the name of a file tests/*.rs.
#
# Prints the time of each part, and the output of each part that failed. Exits with 1 if a part failed.
# DL_AUTH_TEST_JOBS is the number of parts that run at the same time. The default is one more than the number of cores,
# because most parts also wait.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${DL_AUTH_TEST_JOBS:-$(($(nproc) + 1))}
[ "$jobs" -ge 1 ] || { echo "parts: DL_AUTH_TEST_JOBS must be at least 1" >&2; exit 2; }
failed=()
# With these variables, tests run fewer cases, or write the files that they compare.
unset DL_AUTH_TEST_SEED DL_AUTH_TEST_SEEDS DL_AUTH_WRITE DL_AUTH_WRITE_DOCS
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Each call selects the whole workspace: with another selection, cargo compiles the dependencies again, for other features.
tests() { cargo test --workspace --locked "$@"; }

# The packages in packaging/ have no unit tests, and need dl_auth compiled once more, without its unit tests.
without_packaging=(--exclude dl_auth_shared --exclude dl_auth_static)

part() {
  case $1 in
    build)
      tests --no-run --bins --test '*'
      # For the tests of the C API, and with full debug information for that of the ABI.
      CARGO_PROFILE_DEV_DEBUG=full cargo build --lib --locked --features test-panic
      ;;
    lint) make --silent lint ;;
    library) make --silent lib ;;
    # Optimised, because the simulations compute much. The other parts do not use this build.
    unit) CARGO_PROFILE_DEV_OPT_LEVEL=1 tests "${without_packaging[@]}" --lib ;;
    doc) tests --doc ;;
    packages) tests --bins $(basename --multiple --suffix .rs tests/gate/tests/*.rs benches/tests/*.rs | sed 's/^/--test /') ;;
    models)
      tests "${without_packaging[@]}" --lib --features dl_auth/shuttle auth::model
      tests "${without_packaging[@]}" --lib --features dl_auth/loom seqlock::model
      ;;
    *) tests --test "$1" ;;
  esac
}

# Runs a part in a separate shell, so that `set -e` holds in it. Prints its time, and records that it passed.
timed() {
  local TIMEFORMAT=$'%R %U %S' code=0
  { time bash tests/parts.sh --part "$1" >"$results/$1.output" 2>&1; } 2>"$results/$1.time" || code=$?
  read -r elapsed user system < <(tail -n 1 "$results/$1.time")
  printf '%-14s %7.1f s, %7.1f s of CPU time%s\n' "$1" "$elapsed" "$(awk "BEGIN {print $user + $system}")" \
    "$([ $code = 0 ] || echo ', FAILED')"
  if [ $code = 0 ]; then touch "$results/$1.passed"; else cat "$results/$1.output"; fi
}

# Starts the parts in order, at most $jobs at the same time, and waits for all. A part without a record has failed: its
# shell may have been killed.
together() {
  for name in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || true; done
    timed "$name" &
  done
  wait
  for name in "$@"; do [ -e "$results/$name.passed" ] || failed+=("$name"); done
}

if [ "${1:-}" = --part ]; then
  part "$2"
  exit
fi
parts=("$@")
if [ ${#parts[@]} = 0 ]; then
  # The parts that take longest start first.
  first=(hosts c dist models store unit abi readme install)
  mapfile -t files < <(basename --suffix .rs tests/*.rs)
  mapfile -t others < <(printf '%s\n' "${files[@]}" packages doc | grep -vxF "$(printf '%s\n' "${first[@]}")")
  parts=(lint "${first[@]}" "${others[@]}")
fi
started=$SECONDS
together build library
[ ${#failed[@]} -gt 0 ] || together "${parts[@]}"
echo "all parts: $((SECONDS - started)) s"
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
