#!/usr/bin/env bash
# Finds or makes the toolchain for a target: `toolchain.sh [--test] TARGET [-- COMMAND...]`. With a COMMAND, it runs the
# command with the toolchain. Otherwise it prints the environment of the toolchain, for `eval`. With --test, it also
# installs what the tests need. The table `targets` says what each target needs.
#
# The parts of a toolchain, and their sources:
#   tools    Debian packages; installed in the system
#   zig      cargo-zigbuild and zig from PyPI (requirements.txt); in target/toolchains/zig
#   rustc    the current one, if it has the standard library of the target
#   std      `rustup target add`. If rustup cannot get it: the next line.
#   unwinder for musl: rustup's; otherwise zig compiles it
#   debian   Debian's rustc-web and cargo-web, unpacked in target/toolchains/rust-VERSION and not installed, because they
#            would displace rustup. The standard library is Debian's for arm64 and armhf. For other targets, cargo
#            builds it from Debian's rust-web-src.
# The script says what it installs. Messages go to the standard error.
#
# DL_AUTH_RUST=debian skips rustup. DL_AUTH_RUST_VERSION selects the version of Debian's rustc-web, such as 1.85.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${CARGO_TARGET_DIR:-$here/../target}/toolchains"
cache=$(cd "${CARGO_TARGET_DIR:-$here/../target}/toolchains" && pwd)

say() { echo "toolchain: $*" >&2; }
fail() { say "$@"; exit 1; }

with_tests=
if [ "${1:-}" = --test ]; then
  with_tests=yes
  shift
fi
[ $# = 1 ] || { [ $# -gt 2 ] && [ "$2" = -- ]; } || {
  echo "usage: toolchain.sh [--test] TARGET [-- COMMAND...]" >&2
  exit 2
}
target=$1
shift
linker=$("$here/column.sh" "$target" linker)
environment=() # NAME=VALUE
path=          # directories before PATH

# One script at a time changes the cache. The lock ends with this script.
exec 9>"$cache/lock"
flock --nonblock 9 || {
  say "waiting for another toolchain.sh"
  flock 9
}

# Installs the Debian packages of missing files. Each argument is FILE=PACKAGE.
tools() {
  local entry file missing=() files=()
  for entry in "$@"; do
    file=${entry%=*}
    case $file in
      /*) [ -e "$file" ] && continue ;;
      *) command -v "$file" >/dev/null && continue ;;
    esac
    files+=("$file")
    missing+=("${entry#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "$target needs ${files[*]}; install them with the package manager of this system"
  [ "$(id -u)" = 0 ] || fail "$target needs ${files[*]}; run: sudo apt-get install ${missing[*]}"
  say "installing ${missing[*]} (Debian packages)"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$cache/apt.log" 2>&1 9>&- ||
    fail "cannot install ${missing[*]}; see $cache/apt.log"
}

# zig in a separate Python environment. It is made again if requirements.txt has changed.
zig() {
  local directory=$cache/zig
  if ! cmp -s "$here/requirements.txt" "$directory/requirements.txt"; then
    say "installing $(grep -v '^#' "$here/requirements.txt" | xargs) from PyPI in $directory"
    rm -rf "$directory"
    python3 -m venv "$directory" >"$cache/pip.log" 2>&1 ||
      fail "cannot make a Python environment; install python3 and python3-venv, or see $cache/pip.log"
    "$directory/bin/pip" install --quiet -r "$here/requirements.txt" >"$cache/pip.log" 2>&1 ||
      fail "cannot install zig from PyPI; see $cache/pip.log"
    cp "$here/requirements.txt" "$directory/"
  fi
  path=$directory/bin:$path
  environment+=("CARGO_ZIGBUILD_CACHE_DIR=$cache/zig-$target")
}

# The unwinder for a static program with musl: rustup's, otherwise zig's. Debian's libgcc_eh.a needs glibc.
unwinder() {
  local directory=$cache/unwinder-musl file
  file=$(cd "$here/.." && rustc --print target-libdir --target "$target")/self-contained/libunwind.a
  if [ ! -e "$file" ]; then
    file=$directory/libunwind.a
    if [ ! -e "$file" ]; then
      # zig compiles it when a program needs it. An empty cache contains only this one.
      say "compiling the unwinder of zig in $directory"
      rm -rf "$directory"
      mkdir -p "$directory"
      echo 'int main(void) { return 0; }' >"$directory/main.c"
      ZIG_GLOBAL_CACHE_DIR=$directory/cache "$cache/zig/bin/python" -m ziglang cc -target x86_64-linux-musl -O2 -static -lunwind \
        "$directory/main.c" -o "$directory/main" >"$cache/unwinder.log" 2>&1 9>&- || fail "zig cannot link for musl; see $cache/unwinder.log"
      cp "$directory"/cache/o/*/libunwind.a "$file" || fail "zig has made no libunwind.a in $directory/cache"
      rm -rf "$directory/cache"
    fi
  fi
  environment+=("UNWINDER=$file")
}

# Whether the current rustc has the standard library of the target.
has_std() {
  local directory
  directory=$(cd "$here/.." && rustc --print target-libdir --target "$target" 2>/dev/null) && compgen -G "$directory/libstd-*.rlib" >/dev/null
}

# Gets the standard library of the target by rustup. rustup tries once, so that this is fast on a machine without access.
by_rustup() {
  command -v rustup >/dev/null || return 1
  say "installing the standard library for $target with rustup ($(cd "$here/.." && rustc --version))"
  (cd "$here/.." && RUSTUP_MAX_RETRIES=0 RUSTUP_DOWNLOAD_TIMEOUT=20 rustup target add "$target") >"$cache/rustup.log" 2>&1 9>&- && has_std && return
  say "rustup cannot get it here (see $cache/rustup.log); trying Debian's packages"
  return 1
}

# Selects a private state of apt, with the sources of this machine and with a foreign architecture ($1, optional).
# The system has neither this architecture nor these lists afterwards.
apt_of() {
  local directory=$cache/apt${1:+-$1} codename
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mkdir -p "$directory"/{state/lists/partial,cache/archives/partial,sources}
  unset APT_CONFIG
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="$codename" 'index($2, release) == 1 {print "deb", $0}' | sort -u >"$directory/sources.list"
  [ -s "$directory/sources.list" ] || fail "apt has no source for ${codename:-this system}; add it in /etc/apt"
  cat >"$directory/apt.conf" <<END
Dir::State "$directory/state";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$directory/cache";
Dir::Etc::sourcelist "$directory/sources.list";
Dir::Etc::sourceparts "$directory/sources";
APT::Architectures {"$(dpkg --print-architecture)"; ${1:+"\"$1\";"}};
APT::Sandbox::User "";
Acquire::Languages "none";
END
  export APT_CONFIG=$directory/apt.conf
  apt-get update -qq --error-on=any >"$directory/update.log" 2>&1 9>&-
}

# Unpacks Debian packages (`NAME=VERSION`) into the directory $1.
unpack() {
  local into=$1 downloads
  shift
  say "unpacking $* (Debian packages) in $into"
  downloads=$(mktemp -d "$cache/download.XXXXXX")
  (cd "$downloads" && apt-get download -qq "$@") >"$cache/apt.log" 2>&1 9>&- || fail "cannot download $*; see $cache/apt.log"
  mkdir -p "$into"
  for file in "$downloads"/*.deb; do dpkg -x "$file" "$into"; done
  rm -r "$downloads"
}

# Debian's Rust.
by_debian() {
  local help="install Rust with rustup on a machine with access, and run: rustup target add $target"
  local version architecture rust packages libraries
  command -v apt-get >/dev/null || fail "there is no standard library for $target; $help"
  apt_of || fail "cannot update apt's lists (see $cache/apt/update.log); $help"
  version=$(apt-cache madison rustc-web | awk -F ' *[|] *' -v wanted="${DL_AUTH_RUST_VERSION:-}" 'index($2, wanted) == 1 {print $2; exit}')
  [ -n "$version" ] || fail "this Debian has no package rustc-web ${DL_AUTH_RUST_VERSION:-}; $help"
  rust=$cache/rust-${version%%+*}

  if [ ! -e "$rust/complete" ]; then
    rm -rf "$rust"
    packages=$(apt-get -s install --reinstall --no-install-recommends {rustc-web,cargo-web,libstd-rust-web-dev}="$version" |
      sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1=\3/p')
    unpack "$rust/root" $packages
    libraries=$(find "$rust/root" -name '*.so*' -printf '%h\n' | grep -v rustlib | sort -u | paste -sd :)
    mkdir "$rust/bin"
    for name in rustc cargo; do
      printf '#!/bin/sh\nLD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec %s "$@"\n' "$libraries" "$rust/root/usr/bin/$name" >"$rust/bin/$name"
      chmod +x "$rust/bin/$name"
    done
    touch "$rust/complete"
  fi
  path=$rust/bin:$path
  environment+=("RUSTC=$rust/bin/rustc" "CARGO=$rust/bin/cargo")
  export PATH=$rust/bin:$PATH
  has_std && return

  case $target in
    aarch64-unknown-linux-gnu) architecture=arm64 ;;
    armv7-unknown-linux-gnueabihf) architecture=armhf ;;
    *) architecture= ;;
  esac
  if [ -n "$architecture" ] && apt_of "$architecture" && [ -n "$(apt-cache madison "libstd-rust-web-dev:$architecture" | grep -F "$version")" ]; then
    unpack "$rust/root" "libstd-rust-web-dev:$architecture=$version"
    has_std && return
    say "Debian's standard library for $architecture is not complete; building it"
  fi
  if [ ! -e "$rust/root/usr/src/complete" ]; then
    apt_of || fail "cannot update apt's lists (see $cache/apt/update.log); $help"
    unpack "$rust/root" "rust-web-src=$version"
    touch "$rust/root/usr/src/complete"
  fi
  say "cargo builds the standard library for $target from source"
  environment+=(RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind)
}

command -v rustc >/dev/null || [ "${DL_AUTH_RUST:-}" = debian ] || fail "rustc is missing; install Rust with rustup"
tools $("$here/column.sh" "$target" build)
[ -z "$with_tests" ] || tools $("$here/column.sh" "$target" test)
[ "$linker" != zig ] || zig
if [ "${DL_AUTH_RUST:-}" = debian ]; then by_debian; else has_std || by_rustup || by_debian; fi
case $target in
  *-musl) unwinder ;;
  *-apple-darwin)
    # zig's default is a newer system than the table's, and cargo-zigbuild does not pass a version. It runs
    # `python -m ziglang ARGUMENTS`; this `python` adds the version.
    system=$("$here/column.sh" "$target" system)
    mkdir -p "$cache/zig-$target/bin"
    printf '#!/usr/bin/env bash\nexec %q "${@/#%s-macos-none/%s-macos.%s-none}"\n' \
      "$cache/zig/bin/python" "${target%%-*}" "${target%%-*}" "${system#macOS }" >"$cache/zig-$target/bin/python"
    chmod +x "$cache/zig-$target/bin/python"
    environment+=("CARGO_ZIGBUILD_PYTHON_PATH=$cache/zig-$target/bin/python")
    # Without a Mac's SDK, stubs of it are enough to link.
    if [ -z "${SDKROOT:-}" ] && ! command -v xcrun >/dev/null; then
      "$here/frameworks.sh" "$cache/macos"
      environment+=("SDKROOT=$cache/macos")
    fi
    ;;
esac

environment+=("PATH=$path$PATH")
if [ $# = 0 ]; then
  for entry in "${environment[@]}"; do printf 'export %s=%q\n' "${entry%%=*}" "${entry#*=}"; done
else
  shift
  exec 9>&- env "${environment[@]}" "$@"
fi
