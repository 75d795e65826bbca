#!/usr/bin/env bash
# Python packages that play a customer in the tests: the official Convoy SDK and an independent verifier.
set -euo pipefail
. "$(dirname "$0")/env.sh"

WANTED="$ROOT/scripts/python-packages.txt"
VENV="$CACHE/python"
if cmp -s "$WANTED" "$VENV/installed-for" && "$VENV/bin/python" -c '' 2>/dev/null; then exit 0; fi

have python3 || die "python3 is not installed" "Run scripts/setup-system.sh test."
say "installing the python packages of the tests"
rm -rf "$VENV"
quietly python-venv python3 -m venv "$VENV" || die "python3 cannot create a virtual environment" "Install Debian's package python3-venv."
quietly python-pip "$VENV/bin/python" -m pip install --requirement "$WANTED" ||
  die "pip could not install the packages of $WANTED" "See whether the Python package index answers."
cp "$WANTED" "$VENV/installed-for"
