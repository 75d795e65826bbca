#!/usr/bin/env bash
# The benchmarks on private stores: figures and ratios as a table and JSON. Arguments go to the driver.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run
. scripts/env.sh

export LONGHAUL_DEV_DIR="${LONGHAUL_DEV_DIR:-$ROOT/.dev/bench}"
scripts/dev-stores.sh status >/dev/null 2>&1 || trap 'scripts/dev-stores.sh stop' EXIT
scripts/dev-stores.sh start
. "$LONGHAUL_DEV_DIR/env"

say "building for release"
cargo build --release -p longhaul-server -p longhaul-bench
export LONGHAUL_BIN="$CARGO_TARGET_DIR/release/longhaul"
"$CARGO_TARGET_DIR/release/longhaul-bench" "$@"
