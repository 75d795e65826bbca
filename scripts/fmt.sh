#!/usr/bin/env bash
# Formats the code; with --check only tells what is not formatted.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$ROOT"
# The toolchain that builds may be one without rustfmt (docs/adr/0001-toolchain.md).
lint_cargo fmt --all -- "$@"
