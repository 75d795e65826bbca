#!/usr/bin/env bash
# Stops the private stores of this checkout: those of `make run`, of tests and of benchmarks.
set -euo pipefail
cd "$(dirname "$0")/.."

unset DATABASE_URL REDIS_URL # a store given from outside is not ours to stop
# A folder that was named is the only one that is meant.
if [ -n "${LONGHAUL_DEV_DIR:-}" ]; then
  exec scripts/dev-stores.sh stop
fi
for folder in .dev .dev/test .dev/bench; do
  LONGHAUL_DEV_DIR="$PWD/$folder" scripts/dev-stores.sh stop
done
