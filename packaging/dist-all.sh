#!/usr/bin/env bash
# Builds, tries and packs the library for all targets, and tries the packages. Writes into target/packages.
set -euo pipefail
cd "$(dirname "$0")/.."
built=${CARGO_TARGET_DIR:-target}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
step() { printf 'dist-all: %s\n' "$*"; }

rm -rf "$built/packages"
step 'licences and bill of materials'
packaging/notices.sh
for target in $(packaging/column.sh); do
  step "$target"
  packaging/dist.sh "$target"
done
step 'Debian packages'
for machine in amd64=x86_64 arm64=aarch64; do
  packaging/deb.sh "$built/dist/${machine#*=}-unknown-linux-gnu" "$built/packages" "${machine%=*}"
done
packaging/try-deb.sh "$built/packages"
step 'packages of the languages'
packaging/pack.sh all "$built/packages"
(cd "$built/packages" && find . -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
packaging/pack.sh sizes "$built/packages" docs/packages.md
cargo test --workspace --locked --test pack -- --ignored
step 'two builds in different places'
packaging/reproduce.sh x86_64-unknown-linux-gnu
step 'Rust 1.85'
DL_AUTH_RUST=debian DL_AUTH_RUST_VERSION=1.85 packaging/toolchain.sh x86_64-unknown-linux-gnu -- \
  env CARGO_TARGET_DIR="$built/rust-1.85" cargo build --locked --package dl_auth_shared --package dl_auth_static
step "all packages are in $built/packages"
