#!/usr/bin/env bash
# Goes through the scenarios of tests/hosts/scenarios.md, with LuaJIT's compiler and without it; then runs the example, and
# each program and command of the page. tests/hosts.rs says what the environment holds.
set -euo pipefail
shopt -s inherit_errexit # so that what fails within a substitution fails
trap 'echo "run.sh: line $LINENO failed" >&2' ERR
tests=$(cd "$(dirname "$0")" && pwd)
binding=$(dirname "$tests")
root=$(dirname "$(dirname "$binding")")
. "$root/tests/hosts/common.sh"
unset LUA_INIT LUA_CPATH DL_AUTH_LIBRARY
export DECLARATIONS=$root/include/dl_auth.cdef.h

# The page's programs under the names in their first lines, and its commands, in a directory as the page has it.
page=$SCRATCH/page
beside_the_library "$page"
unpack "$binding/README.md" "$page"
printf '%s\n' "$GATE_PASSWORD" >"$page/password.txt"

lua() { # with the binding, the tests and the page at hand
  LUA_PATH="$binding/?.lua;$tests/?.lua;$page/?.lua" LD_LIBRARY_PATH=${libraries-$LIBRARY_DIR} patiently 1200 luajit "$@"
}
gate() { lua -e "local gate = require 'gate'; print(gate.$1)"; }

lua "$tests/declarations.lua"
lua -joff "$tests/test.lua" | sed 's/^ok/interpreted: &/'
lua "$tests/test.lua"
for case in unreachable reload often reentrant states; do
  lua -joff "$tests/collector.lua" $case
  lua "$tests/collector.lua" $case
done
for case in fall_off_the_end exit_closing; do
  said=$(lua "$tests/collector.lua" $case 2>&1) # and ends well
  [ "$said" = finalised ] || { echo "no end: $case: $said"; exit 1; }
done
said=$(lua "$tests/collector.lua" exit 2>&1)
[ "$said" = "" ]

# Other libraries, by the loader's path and by their own.
for jit in -joff -jon; do libraries=$STUB_FAILING lua $jit "$tests/failing.lua"; done
old=$STUB_OLD/libdl_auth.so
libraries=$STUB_OLD lua "$tests/loading.lua" library_too_old libdl_auth.so.0 "$old" 0.0.9 "ABI 0"
DL_AUTH_LIBRARY=$old lua "$tests/loading.lua" library_too_old "$old" 0.0.9 "ABI 0"
DL_AUTH_LIBRARY=libm.so.6 lua "$tests/loading.lua" another_library libm.so.6 "not dl_auth"
DL_AUTH_LIBRARY=/nowhere/50%s lua "$tests/loading.lua" library_missing /nowhere/50%s DL_AUTH_LIBRARY
libraries=/nowhere lua "$tests/loading.lua" library_missing libdl_auth.so.0 'LD_LIBRARY_PATH ("/nowhere")'
libraries=/nowhere DL_AUTH_LIBRARY=$LIBRARY_DIR/libdl_auth.so lua -e 'require "dl_auth"'
# With another real user, as in a set-user-ID program, which the library of an unprivileged user must not get into.
LUA_PATH="$binding/?.lua" DL_AUTH_LIBRARY=$LIBRARY_DIR/libdl_auth.so patiently 1200 setpriv --ruid=65534 \
  luajit "$tests/loading.lua" set_user_id_program_loads_no_library_of_the_environment libdl_auth.so.0

# The page's programs and commands, as they stand there, each after a reset of the gate.
cd "$page"
told() { # what a command prints, by one login
  control POST /reset >/dev/null
  as_a_user env -u DL_AUTH_PASSWORD DL_AUTH_PASSWORD_FILE=password.txt bash -e -c "$1"
  logins_are "${2-1}"
}
[ -e block3.sh ]
[ ! -e block4.sh ]
said=$(told "bash -e block1.sh" 0)
[ "$said" = "" ]
said=$(told "bash -e block2.sh")
token=$(gate 'last_token():sub(1, 20)')
[ "$said" = "Authorization: Bearer $token..." ]
export LD_LIBRARY_PATH=$LIBRARY_DIR
said=$(told 'luajit frames.lua')
token=$(gate 'last_token():sub(1, 20)')
[ "$said" = "$token" ]
said=$(told 'luajit errors.lua' 0)
[ "$said" = "$(sed -n 's/.*--> //p' errors.lua)" ]
unset LD_LIBRARY_PATH
echo "ok readme" # with request.lua, which platform_401 uses
tells_the_story 5 bash -e block3.sh
echo "ok example"
