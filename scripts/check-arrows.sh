#!/usr/bin/env bash
# The arrows between the crates that deny.toml cannot see: what reaches the browser, and what `domain` stands on.
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$ROOT"

FAULTS=0

# without CRATE TARGET WORD...: the crate's graph for a target holds none of the named packages.
without() {
  local crate=$1 target=$2 graph word hit
  shift 2
  graph=$(cargo tree -p "$crate" --target "$target" -e normal --prefix none --format '{p}' | cut -d' ' -f1 | sort -u)
  for word in "$@"; do
    for hit in $(printf '%s\n' "$graph" | grep -Ex "$word"); do
      echo "arrow broken: $crate reaches $hit; see: cargo tree -p $crate --target $target -i $hit" >&2
      FAULTS=$((FAULTS + 1))
    done
  done
}

# The browser downloads what is in here.
without longhaul-frontend wasm32-unknown-unknown \
  tokio mio hyper axum 'sqlx(-.*)?' 'sea-(orm|query|schema).*' redis 'apalis.*' leptos_axum tower-sessions \
  longhaul-services longhaul-db longhaul-queue longhaul-storage longhaul-api longhaul-worker longhaul-server longhaul-migration 'aws-.*'

# `domain` does no IO and knows none of its users.
without longhaul-domain x86_64-unknown-linux-gnu \
  tokio mio hyper axum reqwest 'sqlx(-.*)?' 'sea-(orm|query|schema).*' redis 'apalis.*' 'leptos.*' \
  longhaul-services longhaul-db longhaul-queue longhaul-storage longhaul-api longhaul-worker longhaul-app

if [ "$FAULTS" -gt 0 ]; then exit 1; fi
echo "arrows hold"
