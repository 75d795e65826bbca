#!/usr/bin/env bash
# The benchmarks: figures and ratios as a table or JSON. Arguments go to the driver; --help lists them.
#
# Always on stores of their own: figures of a server that others use mean nothing, and the bench empties its stores.
set -euo pipefail
cd "$(dirname "$0")/.."
unset DATABASE_URL REDIS_URL
scripts/setup.sh run >&2
. scripts/env.sh

export LONGHAUL_DEV_DIR="${LONGHAUL_DEV_DIR:-$ROOT/.dev/bench}"
scripts/dev-stores.sh status >/dev/null 2>&1 || trap 'scripts/dev-stores.sh stop >&2' EXIT
# Standard output is for the results alone.
scripts/dev-stores.sh start >&2

say "building for release" >&2
cargo build --release -p longhaul-server -p longhaul-bench
export LONGHAUL_BIN="$CARGO_TARGET_DIR/release/longhaul"
"$CARGO_TARGET_DIR/release/longhaul-bench" "$@"
