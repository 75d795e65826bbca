#!/usr/bin/env bash
# Node packages of the browser tests. The browser is the one of the machine; Playwright downloads none.
set -euo pipefail
. "$(dirname "$0")/env.sh"

cd "$ROOT/end2end"
STAMP=node_modules/.installed-for
if cmp -s package-lock.json "$STAMP"; then exit 0; fi

have npm || die "npm is not installed" "Run scripts/setup-system.sh test."
MAJOR=$(node -p 'process.versions.node.split(".")[0]')
[ "$MAJOR" -ge 18 ] || die "Node 18 or newer is needed, this is $(node --version)"

say "installing the node packages of the browser tests"
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 quietly npm-ci npm ci --prefer-offline --no-audit --no-fund ||
  die "npm ci failed in end2end" "See whether the npm registry answers."
cp package-lock.json "$STAMP"
