#!/usr/bin/env bash
# Goes through the scenarios of tests/hosts/scenarios.md, and what else Python is to show, with the package installed
# from a wheel that is made now. The environment says where the gate and the library are. Writes into SCRATCH only.
set -euo pipefail
cd "$(dirname "$0")/.."
. ../../tests/hosts/common.sh
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH DL_AUTH_LIBRARY
environment=$SCRATCH/environment python=$SCRATCH/environment/bin/python
tree() { find . -not -path '*/__pycache__*' | sort; } # which other tests that install the package may leave
before=$(tree)

# An environment is valid for one interpreter and one list of packages.
wanted=$(python3 -c 'import sys; print(sys.version, sys.base_prefix)'; cat tests/requirements.txt)
if [ "$(cat "$SCRATCH/environment.is" 2>/dev/null)" != "$wanted" ]; then
  echo "installing from PyPI, into $environment: $(grep -o '^[^#]*' tests/requirements.txt | xargs)"
  rm -rf "$environment" "$SCRATCH/environment.is"
  python3 -m venv "$environment"
  patiently 1200 "$python" -m pip install --quiet --no-deps -r tests/requirements.txt
  printf '%s\n' "$wanted" >"$SCRATCH/environment.is"
fi

rm -rf "$SCRATCH/wheel"
patiently 1200 "$python" -m pip wheel --quiet --no-deps --wheel-dir "$SCRATCH/wheel" .
export WHEEL=$(echo "$SCRATCH"/wheel/*.whl)
echo "installing $WHEEL"
patiently 1200 "$python" -m pip install --quiet --no-deps --no-index --force-reinstall "$WHEEL"

patiently 900 "$python" tests/race.py >"$SCRATCH/race" 2>&1 & # for 30 s, in parallel with the other tests
race=$!
patiently 1200 "$python" -m mypy --cache-dir "$SCRATCH/mypy" src/dl_auth backend.py example/login.py tests
patiently 1800 "$python" tests/run.py
wait $race || { cat "$SCRATCH/race"; exit 1; }
cat "$SCRATCH/race"
diff <(echo "$before") <(tree) || { echo "that was left in the source tree" >&2; exit 1; }
