#!/usr/bin/env bash
# Writes what a release says about its dependencies into target/dist: LICENSES-THIRD-PARTY.toml, the texts of their
# licences, and dl_auth.cdx.json, the bill of materials (CycloneDX). Two programs of crates.io do the work. They are
# compiled into target/tools, which takes minutes the first time.
set -euo pipefail
cd "$(dirname "$0")/.."
built=$(mkdir -p "${CARGO_TARGET_DIR:-target}/dist" && cd "${CARGO_TARGET_DIR:-target}" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
for tool in cargo-cyclonedx@0.5.9 cargo-bundle-licenses@5.0.0; do
  [ -x "$built/tools/bin/${tool%@*}" ] || {
    echo "notices: compiling $tool from crates.io in $built/tools" >&2
    cargo install --quiet --locked --root "$built/tools" "$tool"
  }
done
export PATH=$built/tools/bin:$PATH

# cargo-cyclonedx writes a file beside each Cargo.toml of the workspace, so it gets a copy.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git archive HEAD | tar -x -C "$work"
(cd "$work" && cargo cyclonedx --quiet --format json --spec-version 1.5 --target all)
sed "s|path+file://$work|path+file:///dl_auth|g" "$work/dl_auth.cdx.json" >"$built/dist/dl_auth.cdx.json"
(cd packaging/shared && cargo bundle-licenses --format toml --output "$built/dist/LICENSES-THIRD-PARTY.toml") 2>"$work/log" ||
  { cat "$work/log" >&2; exit 1; }
! grep -n 'text = "NOT FOUND"' "$built/dist/LICENSES-THIRD-PARTY.toml" || { echo 'notices: a licence has no text' >&2; exit 1; }
