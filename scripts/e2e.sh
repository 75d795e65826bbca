#!/usr/bin/env bash
# The browser tests alone; arguments go to Playwright. `--ready`: stores, binary and pages exist already.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --ready ]; then
  shift
  . scripts/env.sh
else
  scripts/setup.sh test
  . scripts/env.sh
  scripts/dev-stores.sh start
  . "${LONGHAUL_DEV_DIR:-$ROOT/.dev}/env"
  cargo leptos build
fi

export LONGHAUL_BIN="$CARGO_TARGET_DIR/debug/longhaul"
export LEPTOS_SITE_ROOT="$ROOT/target/site"
cd end2end
exec npx --no-install playwright test --pass-with-no-tests "$@"
