#!/usr/bin/env bash
# The gateway on this machine: stores, schema, a demo project, server and pages; prints where and how.
# Stops with Ctrl-C; the stores stay up until `make stop`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run
. scripts/env.sh

DEV="${LONGHAUL_DEV_DIR:-$ROOT/.dev}"
BIN="$CARGO_TARGET_DIR/debug/longhaul"
EMAIL=admin@example.com

# secret NAME BYTES: a random value that survives restarts of this checkout.
secret() {
  if [ ! -s "$DEV/$1" ]; then
    (umask 077 && od -An -v -N"$2" -tx1 /dev/urandom | tr -d ' \n' >"$DEV/$1")
  fi
  cat "$DEV/$1"
}

# The first free port: another program may sit on the usual one.
free_port() {
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

configure() {
  . "$DEV/env"
  LEPTOS_SITE_ADDR="${LEPTOS_SITE_ADDR:-127.0.0.1:$(free_port 5005)}"
  LEPTOS_RELOAD_PORT="${LEPTOS_RELOAD_PORT:-$(free_port 5055)}"
  LONGHAUL_SECRET_KEY="${LONGHAUL_SECRET_KEY:-$(secret instance.key 32)}"
  # Receivers on this machine are refused by default; here they are the ones to try things with.
  LONGHAUL_DELIVERY_ALLOW_ADDRESSES="${LONGHAUL_DELIVERY_ALLOW_ADDRESSES:-127.0.0.0/8,::1/128}"
  export LEPTOS_SITE_ADDR LEPTOS_RELOAD_PORT LONGHAUL_SECRET_KEY LONGHAUL_DELIVERY_ALLOW_ADDRESSES
  # Deleting is off by default; here it is on, so that the demo project shows the life of its data.
  export CONVOY_ENABLE_FEATURE_FLAG="${CONVOY_ENABLE_FEATURE_FLAG:-retention-policy}"
  export LONGHAUL_RETENTION_ENABLED="${LONGHAUL_RETENTION_ENABLED:-true}"
  if [ -z "${CONVOY_STORAGE_POLICY_TYPE:-}" ]; then
    export CONVOY_STORAGE_POLICY_TYPE=on_prem CONVOY_STORAGE_PREM_PATH="$DEV/archive"
  fi
}

# First user, organisation, project and API key. The key is shown once, so the answer is kept; where it was
# lost, or belongs to a database that is gone, another key is made.
bootstrap() {
  local answer kept=''
  answer=$(bootstrap_with)
  if [ -s "$DEV/bootstrap.json" ]; then kept=$(json project.uid <"$DEV/bootstrap.json"); fi
  if [ -z "$(json api_key <<<"$answer")" ]; then
    if [ "$kept" = "$(json project.uid <<<"$answer")" ]; then return; fi
    answer=$(bootstrap_with --new-key)
  fi
  (umask 077 && printf '%s\n' "$answer" >"$DEV/bootstrap.json")
}

bootstrap_with() {
  LONGHAUL_BOOTSTRAP_PASSWORD=$(secret password 6) "$BIN" bootstrap --email "$EMAIL" --project demo --format json "$@"
}

# json PATH: a value of the JSON document on stdin, empty when it is not there.
json() {
  node -e 'let v = JSON.parse(require("fs").readFileSync(0)); for (const k of process.argv[1].split(".")) v = v?.[k]; console.log(v ?? "")' "$1"
}

# Receivers on this machine with endpoints, subscriptions and some traffic.
demo() {
  DEMO_PORT=$(free_port 5010)
  "$BIN" demo --port "$DEMO_PORT" >"$DEV/demo.log" 2>&1 </dev/null &
  DEMO=$!
}

welcome() {
  local key project
  key=$(json api_key <"$DEV/bootstrap.json")
  project=$(json project.uid <"$DEV/bootstrap.json")
  until curl -fsS -o /dev/null "http://$LEPTOS_SITE_ADDR/readyz" 2>/dev/null; do sleep 0.5; done
  cat <<TEXT

  Dashboard   http://$LEPTOS_SITE_ADDR
  Sign in     $EMAIL / $(secret password 6)
  Receivers   on this machine are allowed here ($LONGHAUL_DELIVERY_ALLOW_ADDRESSES); the default refuses them.
              Two run on http://127.0.0.1:$DEMO_PORT, /ok and /shaky, and get an event now and then
  API         http://$LEPTOS_SITE_ADDR/api/docs
  Send        curl -X POST http://$LEPTOS_SITE_ADDR/api/v1/projects/$project/events/broadcast \\
                -H 'Authorization: Bearer $key' -H 'Content-Type: application/json' \\
                -d '{"event_type": "invoice.paid", "data": {"amount": 1200}}'

  Ctrl-C stops the gateway, \`make stop\` the stores.

TEXT
}

DEMO='' WELCOME=''
# Ends only what was started here.
end() {
  for pid in $DEMO $WELCOME; do kill "$pid" 2>/dev/null || true; done
}
trap end EXIT

scripts/dev-stores.sh start
configure
say "building (the first time takes some minutes)"
cargo leptos build
"$BIN" migrate up
bootstrap
demo
welcome &
WELCOME=$!
cargo leptos serve -- all
