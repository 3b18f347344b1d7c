#!/bin/sh
# Runs the bridge's tests on a real Python 3.9, the oldest that a host brings, in an environment of its own.
# Where no Python 3.9 is found it says so and succeeds; STYLEBRIDGE_PYTHON39 names one.
set -eu
cd "$(dirname "$0")/.."

python=
for candidate in "${STYLEBRIDGE_PYTHON39:-}" python3.9 "$HOME"/.pyenv/versions/3.9.*/bin/python3.9; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 9))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.9 was found: the bridge's tests did not run on it. STYLEBRIDGE_PYTHON39 may name one."
    exit 0
fi

environment=.venv/python39
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check -e . pytest pytest-timeout hypothesis
exec "$environment/bin/python" -m pytest -q -m "not long" tests/bridge "$@"
