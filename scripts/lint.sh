#!/usr/bin/env bash
# Everything that judges the code without running it. Last line: N passed, N failed.
set -euo pipefail
. "$(dirname "$0")/env.sh"
. "$(dirname "$0")/tally.sh"
cd "$ROOT"

# `frontend` would turn on `hydrate` in `app` for everybody, so it is never built with the others.
clippy_server() { lint_cargo clippy --workspace --exclude longhaul-frontend --all-targets -- -D warnings; }

# On the real target when clippy's toolchain has its library, else the same code on the host's.
clippy_browser() {
  if lint_has_wasm_std; then
    lint_cargo clippy -p longhaul-frontend -p longhaul-app --target wasm32-unknown-unknown -- -D warnings
  else
    warn "clippy's toolchain has no wasm32 library: judging the browser half on the host's target"
    lint_cargo clippy -p longhaul-app --features hydrate -- -D warnings
  fi
}

# An allowed wrapper that is not there yet is no fault.
deny() { cargo deny --all-features --log-level warn check --hide-inclusion-graph -A unused-wrapper bans licenses sources; }

# The database of advisories needs the network; without it the stage says so and is left out.
advisories() {
  if timeout 60 cargo deny --log-level off fetch db >/dev/null 2>&1 </dev/null; then
    check "cargo deny: advisories" cargo deny --log-level error check --disable-fetch advisories || true
  else
    warn "the advisory database cannot be reached: advisories are not checked"
  fi
}

"$ROOT/scripts/setup.sh" lint
. "$(dirname "$0")/env.sh" # the set-up may have changed the toolchain
check "format" "$ROOT/scripts/fmt.sh" --check || true
check "clippy: server side" clippy_server || true
check "clippy: browser side" clippy_browser || true
check "cargo deny: bans, licences, sources" deny || true
advisories
check "arrows" "$ROOT/scripts/check-arrows.sh" || true
check "words" "$ROOT/scripts/check-words.sh" || true
echo
tally_line
