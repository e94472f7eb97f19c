#!/usr/bin/env bash
# Runs all tests of the Go binding: vet, the scenarios as they are and under the race detector, the module of a release
# with this machine's archive, the stub without cgo, the example, and the program and the commands of README.md. It needs
# root, for chroot and setpriv.
set -euo pipefail
cd "$(dirname "$0")/.."
. ../../tests/hosts/common.sh
mkdir -p "$SCRATCH"
export LD_LIBRARY_PATH=$LIBRARY_DIR GOFLAGS="-buildvcs=false -mod=readonly" GOTOOLCHAIN=local

echo "go: downloading the modules of bindings/go/go.mod, if they are not there yet"
go mod download
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { gofmt -d .; exit 1; }
pkgconfig=(-tags dlauth_pkgconfig)
go vet "${pkgconfig[@]}" ./...
CGO_ENABLED=0 go vet .
CGO_ENABLED=0 go test -count=1 -run TestWithoutCgo .

# For 30 s, in parallel with the other tests.
go test "${pkgconfig[@]}" -c -o "$SCRATCH/plain.test" .
DLAUTH_TEST_SECONDS=30 patiently 900 "$SCRATCH/plain.test" -test.v -test.run TestHandlesAreMadeWhileTheEnvironmentChanges \
  >"$SCRATCH/environment" 2>&1 &
environment=$!

# The race detector, with the collector at work all the time, and a check of each pointer that could get from Go into C.
checks=(GOEXPERIMENT=cgocheck2)
case $(go env GOVERSION) in go1.19* | go1.20*) checks=(GODEBUG=cgocheck=2) ;; esac
env "${checks[@]}" go test "${pkgconfig[@]}" -race -c -o "$SCRATCH/race.test" .
patiently 1800 env "${checks[@]}" GOGC=1 "$SCRATCH/race.test" -test.timeout 0
patiently 1800 go test "${pkgconfig[@]}" -count=1 -timeout 0 -v . >"$SCRATCH/told" || { cat "$SCRATCH/told"; exit 1; }
sed -n 's/^ *--- PASS: TestScenarios\/\([a-z0-9_]*\) .*/ok \1/p' "$SCRATCH/told"

go build "${pkgconfig[@]}" -o "$SCRATCH/example" ./example
tells_the_story 6 "$SCRATCH/example" "$GATE_CONTROL_URL/counts"
# Without the tag, a build needs the module of a release, and says so.
! go build -o "$SCRATCH/none" ./example 2>"$SCRATCH/told" && grep -q 'no libdl_auth.a.*-tags dlauth_pkgconfig' "$SCRATCH/told" ||
  { cat "$SCRATCH/told"; exit 1; }
# In a new directory each time: Go's build cache has the path of an archive, not its contents.
rm -rf "$SCRATCH"/released.*
released=$(mktemp -d "$SCRATCH/released.XXXXXX")
pack_for_this_machine go "$released" >/dev/null
module=$(echo "$released"/dl_auth-go-*/)
build() { (cd "$module" && env -u PKG_CONFIG_PATH -u LD_LIBRARY_PATH PKG_CONFIG=/nowhere go build "$@" ./example); }
build -o "$SCRATCH/example_static"
LD_LIBRARY_PATH='' tells_the_story 6 "$SCRATCH/example_static" "$GATE_CONTROL_URL/counts"
if ldd "$SCRATCH/example_static" | grep -E 'dl_auth|libgcc'; then echo "the static example needs more than the C library"; exit 1; fi
build -ldflags '-linkmode external -extldflags "-static"' -o "$SCRATCH/example_alone" 2>"$SCRATCH/told" ||
  { cat "$SCRATCH/told"; exit 1; }
# In a directory as the root: with the C library alone, and with nothing. The login needs names and a certificate.
for example in static alone; do
  root=$(mktemp -d)
  mkdir "$root/etc"
  cp "$SCRATCH/example_$example" "$root/example"
  cp "$GATE_CA_FILE" "$root/etc/gate.pem"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  if [ $example = static ]; then
    ldd "$root/example" | grep -o '/[^ ]*' | while read -r file; do
      mkdir -p "$root${file%/*}"
      cp "$file" "$root$file"
    done
  fi
  GATE_CA_FILE=/etc/gate.pem LD_LIBRARY_PATH='' tells_the_story 6 chroot "$root" /example "$GATE_CONTROL_URL/counts"
  rm -rf "$root"
done
# With another real user, as in a set-user-ID program: the environment is ignored.
as_a_user "$SCRATCH/example_alone" >"$SCRATCH/told" && grep -q '^token ' "$SCRATCH/told" || { cat "$SCRATCH/told"; exit 1; }
! as_a_user setpriv --ruid=65534 "$SCRATCH/example_alone" >"$SCRATCH/told" 2>&1 && grep -q 'no credentials' "$SCRATCH/told" ||
  { cat "$SCRATCH/told"; exit 1; }
echo "ok example"

user=$SCRATCH/readme
beside_the_library "$user"
unpack "$PWD/README.md" "$user"
printf '%s\n' "$GATE_PASSWORD" >"$user/password.txt"
cp "$released"/*.tar.gz "$user"
follow() { # BLOCK LOGINS PATTERN...: the block causes this number of logins, and prints a line for each pattern
  control POST /reset >/dev/null
  (cd "$user" && PLATFORM=$GATE_CONTROL_URL/counts as_a_user env -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH \
    -u DL_AUTH_PASSWORD DL_AUTH_PASSWORD_FILE=password.txt bash -e "$1") >"$SCRATCH/told" 2>&1 || { cat "$SCRATCH/told"; exit 1; }
  logins_are "$2"
  for pattern in "${@:3}"; do grep -q "$pattern" "$SCRATCH/told" || { cat "$SCRATCH/told"; exit 1; }; done
}
follow block1.sh 0
follow block2.sh 1 '^eyJ[^ ]\{17\} <nil>$'
follow block3.sh 1 '^cached  '
follow block4.sh 1 '^eyJ[^ ]\{17\} <nil>$'
follow block5.sh 1 '^Authorization: Bearer eyJ' '^200 OK'
[ ! -e "$user/block6.sh" ]
echo "ok readme"

wait $environment && grep -q -- '^--- PASS: TestHandlesAreMade' "$SCRATCH/environment" || { cat "$SCRATCH/environment"; exit 1; }
sed -n 's/^.*true \([0-9]* handles beside .*\)/go: \1/p' "$SCRATCH/environment"
