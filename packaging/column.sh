#!/usr/bin/env bash
# Prints a column of the table `targets`: `column.sh TARGET COLUMN`, `column.sh --all COLUMN` for each target, or
# `column.sh` for the names of all targets.
set -euo pipefail
cd "$(dirname "$0")"
[ "${1:-}" != --all ] || set -- "" "$2"
awk -F ' *[|] *' -v target="${1:-}" -v column="${2:-target}" '
  BEGIN { split("target system libs linker build test runner tested missing", names, " "); for (n in names) if (names[n] == column) number = n }
  /^#/ { next }
  target == "" || $1 == target { print $number; found = 1 }
  END { if (!found) { print "packaging/targets has no target " target > "/dev/stderr"; exit 1 } }
' targets
