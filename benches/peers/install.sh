#!/usr/bin/env bash
# Installs the implementations that are not Debian packages: the Go modules, in Go's module cache, and the vendor's SDK,
# in a separate environment in the given directory, where dl_auth_bench looks for it.
set -euo pipefail
environment=$(realpath -m "${1:?usage: install.sh DIRECTORY}")/dtlpy
cd "$(dirname "$0")"
for module in benches/peers/go benches/hosts/go; do
  echo "bench-peers: downloading the Go modules of $module/go.mod"
  (cd "../../$module" && go mod download)
done
echo "bench-peers: installing $(cat requirements.txt), and its dependencies, into $environment (with pip)"
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.txt
