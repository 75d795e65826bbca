#!/usr/bin/env bash
# Every test: units and integration on real stores, documentation, browser, size of the browser half.
# Installs what is missing. Last line: N passed, N failed[, N skipped].
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh test
. scripts/env.sh
. scripts/tally.sh

LOG="$CACHE/log"
mkdir -p "$LOG"

# Stores of their own, so that a running `make run` is left alone; a store given from outside is used.
export LONGHAUL_DEV_DIR="${LONGHAUL_DEV_DIR:-$ROOT/.dev/test}"
# A database per test is made and dropped in a moment when the disk is not waited for. A killed process
# loses nothing by it, only a machine that loses power would.
export LONGHAUL_DEV_FSYNC=off
start_stores() {
  if scripts/dev-stores.sh status >/dev/null 2>&1; then
    scripts/dev-stores.sh start
  else
    # Silent, because the last line belongs to the counts.
    trap 'scripts/dev-stores.sh stop >/dev/null' EXIT
    scripts/dev-stores.sh start
  fi
  . "$LONGHAUL_DEV_DIR/env"
}

# logged FILE COMMAND...: shows and keeps the output; the code is the command's.
logged() {
  local file=$1 code=0
  shift
  "$@" </dev/null 2>&1 | tee "$file" || code=${PIPESTATUS[0]}
  return "$code"
}

rust_tests() {
  local code=0 summary="$LOG/nextest.summary"
  printf '\n### tests\n'
  # All crates but the browser half: see scripts/lint.sh.
  logged "$LOG/nextest.log" shared_cargo nextest run --profile ci --no-tests=pass \
    --workspace --exclude longhaul-frontend || code=$?
  sed 's/\x1b\[[0-9;]*m//g' "$LOG/nextest.log" | grep -E '^ *Summary ' | tail -1 >"$summary" || true
  tally "tests" "$code" "$(sum passed "$summary")" "$(sum 'failed|timed out|exec failed' "$summary")" "$(sum skipped "$summary")"
}

doc_tests() {
  local code=0 summary="$LOG/doctest.summary"
  printf '\n### examples in the documentation\n'
  logged "$LOG/doctest.log" shared_cargo test --doc --no-fail-fast --workspace --exclude longhaul-frontend || code=$?
  grep -E '^test result: ' "$LOG/doctest.log" >"$summary" || true
  tally "examples" "$code" "$(sum passed "$summary")" "$(sum failed "$summary")" "$(sum ignored "$summary")"
}

# Binary and pages as `make run` serves them; the browser tests start what they need from them.
browser_tests() {
  local code=0 stats
  check "build of server and pages" logged "$LOG/leptos-build.log" cargo leptos build || return 0
  if ! ls end2end/playwright.config.* >/dev/null 2>&1; then
    warn "there are no browser tests yet"
    return
  fi
  printf '\n### browser\n'
  stats="$LOG/playwright.json"
  rm -f "$stats"
  logged "$LOG/playwright.log" env PLAYWRIGHT_JSON_OUTPUT_NAME="$stats" scripts/e2e.sh --ready --reporter=list,json || code=$?
  # shellcheck disable=SC2046 # three numbers
  tally "browser" "$code" $(node -p '
    let s = {}; try { s = JSON.parse(require("fs").readFileSync(process.argv[1])).stats } catch {}
    // A test that passes only at its second try did not pass.
    [s.expected | 0, (s.unexpected | 0) + (s.flaky | 0), s.skipped | 0].join(" ")' "$stats")
}

start_stores
rust_tests
doc_tests
browser_tests
check "size of the browser half" scripts/check-wasm-size.sh || true
echo
tally_line
