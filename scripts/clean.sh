#!/usr/bin/env bash
# Removes what this checkout made: stores with their data, pages, test output. The shared cache stays.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/stop.sh
for link in .dev/postgres .dev/redis .dev/*/postgres .dev/*/redis; do
  # Data that lies elsewhere because the checkout is closed to the store's account.
  if [ -L "$link" ]; then rm -rf "$(readlink -f "$link")"; fi
done
rm -rf .dev target end2end/node_modules end2end/test-results end2end/artefacts
say "clean; tools and compiled crates stay in $CACHE"
