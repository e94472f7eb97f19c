#!/usr/bin/env bash
# Compiles the binding and its tests, runs them by Mono and by .NET Core, and writes "ok NAME" for each that has passed by
# Mono. tests/hosts.rs starts the gate and says where it is; everything that is made goes into $SCRATCH.
set -euo pipefail

package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=$package/tests/Programs~
made=$SCRATCH/made
rm -rf "$made"
mkdir -p "$made/mono" "$made/core" "$made/empty"
export PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=$LIBRARY_DIR
stop() { echo "FAILED $1" >&2; exit 1; }

python3 "$package/tests/package.py"
echo "ok the_package_is_as_unity_reads_it"

# -doc has each public member documented.
compile() { mcs -warnaserror+ -optimize "$@"; }
net=-r:System.Net.Http.dll
binding=-r:$made/mono/Dataloop.DlAuth.dll
tests=("$programs"/{Gate,Tokens,Platform,Errors,Main}.cs)
compile -target:library "-doc:$made/Dataloop.DlAuth.xml" $net "-out:$made/mono/Dataloop.DlAuth.dll" "$package"/Runtime/*.cs
compile $net "$binding" "-out:$made/mono/tests.exe" "${tests[@]}"
compile $net "$binding" "-out:$made/mono/domains.exe" "$programs"/{Gate,Errors,Domains}.cs
compile $net "$binding" "-out:$made/mono/token.exe" "$package/Samples~/Token/Token.cs"

timeout 120 mono "$made/mono/tests.exe"
timeout 120 mono "$made/mono/domains.exe"
LD_LIBRARY_PATH=$STUB_FAILING timeout 30 mono "$made/mono/tests.exe" every_status
LD_LIBRARY_PATH=$STUB_OLD timeout 30 mono "$made/mono/tests.exe" library_too_old
LD_LIBRARY_PATH=$made/empty timeout 30 mono "$made/mono/tests.exe" library_missing

# What the pages say, against a platform that wants a token, and which ends with its standard input.
mkfifo "$made/input"
timeout 120 mono "$made/mono/tests.exe" serve <"$made/input" >"$made/url" &
exec 3>"$made/input"
for _ in $(seq 200); do [ -s "$made/url" ] && break; sleep 0.05; done
platform=$(cat "$made/url")
as_the_pages_say() {
  DL_AUTH_URL=$GATE_URL DL_AUTH_CA_FILE=$GATE_CA_FILE DL_AUTH_USERNAME=$GATE_USERNAME DL_AUTH_PASSWORD=$GATE_PASSWORD \
    DL_AUTH_PROXY=none PLATFORM_URL=$platform timeout 60 "$@"
}
gate() { timeout 30 mono "$made/mono/tests.exe" "$1"; }

gate reset
as_the_pages_say mono "$made/mono/token.exe" "$platform" | tee "$made/story"
for line in '^token   [^ ]{20}\.\.\. \([0-9]+ bytes\)$' '^claims  \{.*\}$' '^expiry  [0-9]+ \(Unix seconds\)$' \
  '^first   [0-9.]+ ms \(login over TLS\)$' '^cached  [0-9.]+ ms \(mean of 1000 calls\)$' '^answer  200$'; do
  grep -Eq "$line" "$made/story" || stop "example: no line $line"
done
[ "$(wc -l <"$made/story")" = 6 ] && [ "$(gate logins)" = 1 ] || stop "example: six lines and one login"
echo "ok example"

# block LANGUAGE N: the n-th block of that language on the binding's page
block() {
  awk -v want="$1" -v nth="$2" '/^```/ { inside = !inside && $0 == "```" want && ++count == nth; next } inside' \
    "$package/README.md"
}
count() { grep -c "^\`\`\`$1$" "$package/README.md"; }
[ "$(count csharp) $(count sh) $(grep -c '^```[a-z]' "$package/README.md")" = "3 1 4" ] || stop "readme: other blocks"
expected=('^[A-Za-z0-9._-]{20}$' '^[0-9]+ bytes, OK$' '^frame [0-9]+: [0-9]+ characters$')
for n in 1 2 3; do
  mkdir -p "$made/readme$n/bindings" "$made/readme$n/target"
  ln -s "$package" "$made/readme$n/bindings/csharp"
  ln -s "$LIBRARY_DIR" "$made/readme$n/target/release"
  block csharp $n >"$made/readme$n/token.cs"
  gate reset
  (cd "$made/readme$n" && unset LD_LIBRARY_PATH && as_the_pages_say bash -e -c "$(block sh 1)") >"$made/told"
  grep -Eq "${expected[n - 1]}" "$made/told" && [ "$(wc -l <"$made/told")" = 1 ] || stop "readme: program $n"
  [ "$(gate logins)" = 1 ] || stop "readme: program $n makes one login"
done
exec 3>&-
echo "ok readme"

# .NET Core 3.1 has netstandard2.1 and little more. It comes from PyPI, which has it for x86-64 alone; Debian has none.
if [ "$(uname -m)" != x86_64 ]; then
  [ "${CI:-}" != true ] || stop "there is no .NET Core for this machine, and CI leaves nothing out"
  echo "left out: .NET Core, which there is for x86-64 only"
  exit
fi
requirements=$package/tests/requirements.txt
dotnet=$SCRATCH/dotnet
if ! cmp --quiet "$requirements" "$dotnet/installed"; then
  echo "csharp: installing $(cat "$requirements") into $dotnet (with pip)"
  rm -rf "$dotnet"
  python3 -m venv "$dotnet"
  timeout 300 "$dotnet/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  cp "$requirements" "$dotnet/installed"
fi
home=$(echo "$dotnet"/lib/python3*/site-packages/dotnetcore2/bin)
framework=$(echo "$home"/shared/Microsoft.NETCore.App/*)
core() { timeout 120 "$home/dotnet" exec --runtimeconfig "$made/core/config.json" "$@"; }
chmod +x "$home/dotnet"
cat >"$made/core/config.json" <<'END'
{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
  "configProperties": {"System.Globalization.Invariant": true}}}
END
references=(-noconfig -nostdlib -nowarn:1701,1702)
for file in "$framework"/System.*.dll "$framework/Microsoft.Win32.Primitives.dll"; do references+=("-r:$file"); done
compile -target:library "${references[@]}" "-out:$made/core/Dataloop.DlAuth.dll" "$package"/Runtime/*.cs
compile "${references[@]}" "-r:$made/core/Dataloop.DlAuth.dll" "-out:$made/core/tests.exe" "${tests[@]}"
compile "${references[@]}" "-out:$made/core/standard.exe" "$programs/Standard.cs"
core "$made/core/standard.exe" "$framework/netstandard.dll" "$made/core/Dataloop.DlAuth.dll"
echo "ok the_types_of_netstandard_suffice"
{
  core "$made/core/tests.exe"
  LD_LIBRARY_PATH=$STUB_FAILING core "$made/core/tests.exe" every_status
  LD_LIBRARY_PATH=$STUB_OLD core "$made/core/tests.exe" library_too_old
  LD_LIBRARY_PATH=$made/empty core "$made/core/tests.exe" library_missing
} | sed 's/^/.NET Core: /'
