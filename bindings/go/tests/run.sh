#!/usr/bin/env bash
# Runs all tests of the Go binding: vet, the scenarios as they are and under the race detector, the static archive, the
# stub without cgo, the example, and the program and the commands of README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
. ../../tests/hosts/common.sh
mkdir -p "$SCRATCH"
export LD_LIBRARY_PATH=$LIBRARY_DIR GOFLAGS="-buildvcs=false -mod=readonly" GOTOOLCHAIN=local

echo "go: downloading the modules of bindings/go/go.mod, if they are not there yet"
go mod download
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { gofmt -d .; exit 1; }
go vet ./...
CGO_ENABLED=0 go vet .
CGO_ENABLED=0 go test -count=1 -run TestWithoutCgo .

# The race detector, with the collector at work all the time, and a check of each pointer that could get from Go into C.
checks=(GOEXPERIMENT=cgocheck2)
case $(go env GOVERSION) in go1.19* | go1.20*) checks=(GODEBUG=cgocheck=2) ;; esac
env "${checks[@]}" go test -race -c -o "$SCRATCH/race.test" .
patiently 1800 env "${checks[@]}" GOGC=1 "$SCRATCH/race.test" -test.timeout 0
patiently 1800 go test -count=1 -timeout 0 -v . >"$SCRATCH/told" || { cat "$SCRATCH/told"; exit 1; }
sed -n 's/^ *--- PASS: TestScenarios\/\([a-z0-9_]*\) .*/ok \1/p' "$SCRATCH/told"

go build -o "$SCRATCH/example" ./example
tells_the_story 6 "$SCRATCH/example" "$GATE_CONTROL_URL/counts"
go build -tags dlauth_static -o "$SCRATCH/example_static" ./example
LD_LIBRARY_PATH='' tells_the_story 6 "$SCRATCH/example_static" "$GATE_CONTROL_URL/counts"
if ldd "$SCRATCH/example_static" | grep dl_auth; then echo "the static example needs the shared library"; exit 1; fi
echo "ok example"

user=$SCRATCH/readme
beside_the_library "$user"
blocks go README.md >"$user/program.go"
blocks sh README.md >"$user/commands.sh"
control POST /reset >/dev/null
(cd "$user" && PLATFORM=$GATE_CONTROL_URL/counts as_a_user env -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH bash -e commands.sh) \
  >"$SCRATCH/told" 2>&1 || { cat "$SCRATCH/told"; exit 1; }
[ "$(grep -c '^Authorization: Bearer eyJ' "$SCRATCH/told")" = 2 ] && [ "$(grep -c '^200 OK' "$SCRATCH/told")" = 2 ] &&
  grep -q '^cached  ' "$SCRATCH/told" || { cat "$SCRATCH/told"; exit 1; }
logins_are 3
echo "ok readme"
