#!/usr/bin/env bash
# Packs the library of this machine for one language, installs the package into an empty place, and runs the example there
# against the gate: `run.sh wheel|go|unity|lua`. tests/pack.rs describes the environment.
set -euo pipefail
shopt -s inherit_errexit
trap 'echo "run.sh: line $LINENO failed" >&2' ERR
. "$(dirname "$0")/../hosts/common.sh"
kind=$1
unset PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH LUA_INIT LUA_CPATH
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH/empty"
cd "$SCRATCH/empty"
stop() { echo "run.sh: $1" >&2; exit 1; }
packed() { pack_for_this_machine "$kind" "$SCRATCH/packages"; }
machine=$(uname -m)

case $kind in
  wheel)
    # `make lib` may build for a later glibc than the packages. auditwheel checks the tag in the tests of the binding.
    glibc=$(readelf -V "$LIBRARY_DIR/libdl_auth.so" | grep -o 'GLIBC_2\.[0-9]*' | sort -Vu | tail -n 1)
    older=manylinux_2_$((${glibc#GLIBC_2.} - 1))_$machine
    if told=$(PACK_WHEEL_TAG=$older packed 2>&1); then stop "a wheel was made with the tag $older"; fi
    grep -q "needs glibc ${glibc#GLIBC_}, but WHEEL_TAG is $older" <<<"$told" || stop "$told"
    wheel=$(PACK_WHEEL_TAG=manylinux_2_${glibc#GLIBC_2.}_$machine packed)
    python3 -m venv environment
    environment/bin/pip install --quiet --no-index --disable-pip-version-check "$wheel"
    cp "$repository/bindings/python/example/login.py" .
    tells_the_story 5 environment/bin/python login.py
    ;;
  go)
    export GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
    (cd "$repository/bindings/go" && go mod download) # from the network, if they are not there yet
    export GOPROXY=off PKG_CONFIG=/nowhere
    mapfile -t made < <(packed)
    path=$(sed -n 's/^module //p' "$repository/bindings/go/go.mod")
    [[ $path == *.*/*/* ]] || stop "the import path is not a real one: $path"
    module=${made[0]}
    (cd "$module" && go vet ./... && [ "$(go list ./... | head -n 1)" = "$path" ] && go list -m >/dev/null)
    cp "$module"/example/*.go .
    go mod init example 2>/dev/null
    go mod edit -replace "$path=$module" -require "$path@v0.0.0"
    sed -n 's/^require \(.*\) \(.*\)/\1@\2/p' "$module/go.mod" | xargs -n 1 go mod edit -require
    cp "$module/go.sum" .
    go mod vendor
    rm -rf "$module" # everything is in vendor/
    [ -e "vendor/$path/dl_auth.h" ] || stop "go mod vendor has not copied the header"
    go build -mod=vendor -o example .
    tells_the_story 5 ./example
    ! ldd example | grep -E 'dl_auth|libgcc' || stop "the program needs more than the C library"
    ;;
  unity)
    tar -xf "$(packed)"
    mcs -r:System.Net.Http.dll -out:token.exe package/Runtime/*.cs package/Samples~/Token/Token.cs
    export LD_LIBRARY_PATH
    LD_LIBRARY_PATH=$(dirname package/Plugins/Linux/*/libdl_auth.so) # where Unity puts it for its runtime
    tells_the_story 5 mono token.exe
    ;;
  lua)
    tar -xf "$(packed)" --strip-components 1
    rm -rf "$SCRATCH/prefix" && mkdir -p "$SCRATCH/prefix/lib"
    make=(luarocks --lua-version=5.1 --tree "$SCRATCH/tree" make)
    if told=$("${make[@]}" "DL_AUTH_DIR=$SCRATCH/prefix" 2>&1); then stop "luarocks has found a library that is not there"; fi
    grep -q 'DL_AUTH_DIR' <<<"$told" || stop "$told"
    cp "$LIBRARY_DIR/libdl_auth.so" "$SCRATCH/prefix/lib/libdl_auth.so.0"
    "${make[@]}" "DL_AUTH_DIR=$SCRATCH/prefix" >"$SCRATCH/told" 2>&1 || { cat "$SCRATCH/told"; exit 1; }
    rm -f dl_auth.lua
    export LUA_PATH="$SCRATCH/tree/share/lua/5.1/?.lua" LD_LIBRARY_PATH=$SCRATCH/prefix/lib
    tells_the_story 5 luajit example/token.lua
    ;;
  *) stop "usage: run.sh wheel|go|unity|lua" ;;
esac
echo "ok $kind"
