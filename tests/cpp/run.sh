#!/usr/bin/env bash
# The tests of include/dl_auth.hpp: with two compilers and two standards, with and without exceptions, under sanitizers;
# and the page of the example. tests/hosts.rs describes the environment. Everything is compiled again, into $SCRATCH.
set -eEuo pipefail
trap 'echo "tests/cpp/run.sh: failed at line $LINENO" >&2' ERR
cd "$(dirname "$0")/../.."
root=$PWD tests=$PWD/tests/cpp
. tests/hosts/common.sh
mkdir -p "$SCRATCH"
cd "$SCRATCH"

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
strict=("${warnings[@]}" -Wsign-conversion -Wold-style-cast -Wnull-dereference -Wformat=2)
without=(-fno-exceptions -fno-rtti)
link=(gate.o -L "$LIBRARY_DIR" -ldl_auth)

jobs=()
compile() { # COMPILER STANDARD ARGUMENTS...: in parallel with the others
  "$1" "-std=c++$2" -pthread -I "$root/include" "${@:3}" &
  jobs+=($!)
}
compiled() {
  for job in "${jobs[@]}"; do wait "$job"; done
  jobs=()
}
run() { # DIRECTORY-OF-THE-LIBRARY PROGRAM ARGUMENTS...
  LD_LIBRARY_PATH=$1 patiently 1200 "${@:2}"
}
again() { # WHAT: the scenarios of a further run, which do not count as separate scenarios
  sed "s/^ok /passed $1: /"
}

gcc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -I "$root/include" -c "$tests/gate.c" -o gate.o
compile g++ 17 -O2 "${warnings[@]}" "$tests/scenarios.cpp" "${link[@]}" -o scenarios
compile g++ 17 -O2 "${warnings[@]}" "$tests/arguments.cpp" "${link[@]}" -o arguments
compile g++ 17 -O2 "${warnings[@]}" "${without[@]}" "$tests/noexcept.cpp" "${link[@]}" -o noexcept
compiled
for program in scenarios arguments noexcept; do
  options=(); [ $program != noexcept ] || options=("${without[@]}")
  compile clang++ 20 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all "${warnings[@]}" "${options[@]}" \
    "$tests/$program.cpp" "${link[@]}" -o $program-sanitized
  compile g++ 20 -fsyntax-only "${warnings[@]}" "${options[@]}" "$tests/$program.cpp"
  compile clang++ 17 -fsyntax-only "${warnings[@]}" "${options[@]}" "$tests/$program.cpp"
done
compile g++ 17 -g -O1 -fsanitize=thread "${warnings[@]}" "$tests/scenarios.cpp" "${link[@]}" -o scenarios-threads
compiled

# The header alone and twice, in two units of one program, one of them without exceptions.
for compiler in g++ clang++; do
  for standard in 17 20; do
    units=units-$compiler-$standard
    compile $compiler $standard -O2 "${strict[@]}" -c "$tests/units.cpp" -o $units-with.o
    compile $compiler $standard -O2 "${strict[@]}" "${without[@]}" -c "$tests/units.cpp" -o $units-without.o
    compiled
    $compiler $units-with.o $units-without.o -L "$LIBRARY_DIR" -ldl_auth -o $units
    run "$LIBRARY_DIR" ./$units
  done
done

run "$LIBRARY_DIR" ./scenarios
run "$STUB_FAILING" ./scenarios every_status
run "$STUB_OLD" ./scenarios library_too_old
if run "$SCRATCH/nowhere" ./scenarios first_token >missing 2>&1; then
  echo "the program started without a library" >&2
  exit 1
fi
grep -q 'libdl_auth\.so\.0' missing
echo "ok library_missing"

run "$LIBRARY_DIR" ./arguments | again "with exceptions"
run "$LIBRARY_DIR" ./noexcept | again "without exceptions"
run "$STUB_FAILING" ./noexcept every_status | again "without exceptions"
run "$STUB_OLD" ./noexcept library_too_old | again "without exceptions"
for program in scenarios arguments noexcept; do
  run "$LIBRARY_DIR" ./$program-sanitized | again "under the sanitizers"
done
# The library is not instrumented, so what its threads do among themselves cannot be checked. Address space
# randomisation is off, because older run-times find no free address range under newer kernels.
steady=(); ! setarch -R true 2>/dev/null || steady=(setarch -R)
TSAN_OPTIONS=ignore_noninstrumented_modules=1 run "$LIBRARY_DIR" "${steady[@]}" ./scenarios-threads \
  platform_401 many_at_once_make_one_login use_after_close | again "under the thread sanitizer"

# The page: each block of C++ becomes the file that its first line names, and each block of commands is run unchanged.
beside_the_library page
printf '%s\n' "$GATE_PASSWORD" >page/password.txt
unpack "$root/examples/cpp/README.md" page
follow() { # BLOCK LINES...: the block makes one login and prints exactly these lines
  control POST /reset >/dev/null
  (cd page && as_a_user env -u DL_AUTH_PASSWORD DL_AUTH_PASSWORD_FILE=password.txt bash -e "$1" >"$1.told")
  logins_are 1
  [ "$(wc -l <"page/$1.told")" = $(($# - 1)) ]
  for line in "${@:2}"; do grep -qxE "$line" "page/$1.told"; done
}
(cd page && bash -e block1.sh)
follow block2.sh 'eyJ.{17}'
follow block3.sh 'token   eyJ.*' 'claims  .*' 'expiry  .*' 'first   .*' 'cached  .*'
LD_LIBRARY_PATH=$LIBRARY_DIR tells_the_story 5 page/longer
echo "ok example"
follow block4.sh 'online: [0-9]+ bytes'
follow block5.sh 'Authorization: Bearer eyJ.{10}\.\.\.' 'answer  200'
[ ! -e page/block6.sh ]
echo "ok readme"
