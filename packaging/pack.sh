#!/usr/bin/env bash
# Packs the built libraries for the languages: `pack.sh KIND OUT [TARGET...]`. packaging/pack/__main__.py describes it.
set -euo pipefail
exec python3 -B "$(dirname "$0")/pack" "$@" # -B: Python writes nothing into the source tree
