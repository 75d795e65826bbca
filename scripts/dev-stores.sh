#!/usr/bin/env bash
# Private PostgreSQL and Redis of this checkout: start | stop | status.
#
# Data, ports and passwords live under `.dev/` (or LONGHAUL_DEV_DIR), and `.dev/env` holds the two addresses.
# A store whose address is given from outside (DATABASE_URL, REDIS_URL) is used as it is and never started here.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

DEV="${LONGHAUL_DEV_DIR:-$ROOT/.dev}"
PG_MIN=15

# PostgreSQL refuses to run as root; root lends both stores an ordinary account.
store_user() {
  if [ "$(id -u)" -ne 0 ]; then
    id -un
  elif getent passwd postgres >/dev/null; then
    echo postgres
  else
    echo nobody
  fi
}
STORE_USER=$(store_user)

as_store_user() {
  if [ "$(id -u)" -ne 0 ]; then
    (cd / && "$@" 9>&-)
  else
    (cd / && runuser -u "$STORE_USER" -- "$@" 9>&-)
  fi
}

# A folder that the store's account owns and reaches. Under a root-only home it cannot live inside the
# checkout: then the data lies under /var/tmp and `.dev` holds a link to it.
store_folder() {
  local name=$1 here="$DEV/$1" away
  if [ -e "$here" ]; then return; fi
  if as_store_user test -x "$DEV" 2>/dev/null; then
    mkdir "$here"
  else
    away=$(mktemp -d "/var/tmp/longhaul-$name-XXXXXX")
    ln -s "$away" "$here"
    say "user $STORE_USER cannot enter $DEV: the data of $name lies in $away"
  fi
  chmod 700 "$here/"
  if [ "$(id -u)" -eq 0 ]; then chown "$STORE_USER:" "$here/"; fi
}

# Where the data of a store really lies: the store's account may be unable to follow the link.
folder_of() { readlink -f "$DEV/$1"; }

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first free port from $1 on. The ranges lie below the ports that the kernel hands out by itself.
free_port() {
  local port=$1 last=$(($1 + 500))
  while [ "$port" -lt "$last" ]; do
    if is_free "$port"; then
      echo "$port"
      return
    fi
    port=$((port + 1))
  done
  die "no free port between $1 and $last"
}

# `.dev/ports` remembers ports and password, so that a restart keeps every address.
load_ports() {
  PG_PORT='' REDIS_PORT='' STORE_PASSWORD=''
  # shellcheck source=/dev/null
  if [ -f "$DEV/ports" ]; then . "$DEV/ports"; fi
}
save_ports() {
  (umask 077 && printf 'PG_PORT=%s\nREDIS_PORT=%s\nSTORE_PASSWORD=%s\n' "$PG_PORT" "$REDIS_PORT" "$STORE_PASSWORD" >"$DEV/ports")
}
new_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# The newest installed PostgreSQL, wherever the distribution keeps it.
pg_bin() {
  local folder version
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn) "$(dirname "$(command -v pg_ctl || echo /none/x)")"; do
    [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] || continue
    version=$("$folder/pg_ctl" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    if [ "$version" -ge "$PG_MIN" ]; then
      echo "$folder"
      return
    fi
  done
  return 1
}

pg_running() { [ -n "$PG_DIR" ] && as_store_user "$1/pg_ctl" -D "$PG_DIR/data" status >/dev/null 2>&1; }

pg_create() {
  say "creating the PostgreSQL data folder"
  printf '%s\n' "$STORE_PASSWORD" | as_store_user sh -c 'umask 077; cat >"$1"' - "$PG_DIR/password"
  as_store_user "$1/initdb" -D "$PG_DIR/data" -U longhaul --pwfile="$PG_DIR/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null ||
    die "initdb failed" "See the lines above; remove $PG_DIR and try again."
  as_store_user sh -c 'cat >>"$1"' - "$PG_DIR/data/postgresql.conf" <<'CONF'
# Longhaul's private instance.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
max_locks_per_transaction = 256
fsync = on
timezone = 'UTC'
log_timezone = 'UTC'
CONF
}

pg_start() {
  local bin
  bin=$(pg_bin) || die "PostgreSQL $PG_MIN or newer is not installed" \
    "Run scripts/setup-system.sh, or give the address of a server in DATABASE_URL."
  store_folder postgres
  PG_DIR=$(folder_of postgres)
  as_store_user test -f "$PG_DIR/data/PG_VERSION" || pg_create "$bin"
  pg_running "$bin" && return
  if [ -z "$PG_PORT" ] || ! is_free "$PG_PORT"; then PG_PORT=$(free_port 15432); fi
  save_ports
  as_store_user "$bin/pg_ctl" -D "$PG_DIR/data" -l "$PG_DIR/server.log" -o "-p $PG_PORT -c fsync=${LONGHAUL_DEV_FSYNC:-on}" -w -t 60 start >/dev/null ||
    die "PostgreSQL did not start" "$(as_store_user tail -n 5 "$PG_DIR/server.log" 2>/dev/null)"
  export PGPASSWORD=$STORE_PASSWORD PGHOST=127.0.0.1 PGPORT=$PG_PORT PGUSER=longhaul
  "$bin/psql" -d longhaul -c '' >/dev/null 2>&1 || "$bin/createdb" longhaul
  say "PostgreSQL is up on 127.0.0.1:$PG_PORT"
}

redis_cli() { REDISCLI_AUTH=$STORE_PASSWORD redis-cli -h 127.0.0.1 -p "$REDIS_PORT" "$@" 2>/dev/null; }
# Only our own instance knows the password, so a stranger on the same port does not count.
redis_running() { [ -n "$REDIS_PORT" ] && have redis-cli && [ "$(redis_cli ping)" = PONG ]; }

redis_start() {
  have redis-server || die "Redis is not installed" \
    "Run scripts/setup-system.sh, or give the address of a server in REDIS_URL."
  redis_running && return
  store_folder redis
  REDIS_DIR=$(folder_of redis)
  if [ -z "$REDIS_PORT" ] || ! is_free "$REDIS_PORT"; then REDIS_PORT=$(free_port 16379); fi
  save_ports
  as_store_user sh -c 'umask 077; cat >"$1"' - "$REDIS_DIR/redis.conf" <<CONF
# Longhaul's private instance: everything in the append-only file, nothing evicted.
bind 127.0.0.1
port $REDIS_PORT
requirepass $STORE_PASSWORD
dir "$REDIS_DIR"
daemonize yes
pidfile "$REDIS_DIR/redis.pid"
logfile "$REDIS_DIR/server.log"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
CONF
  as_store_user redis-server "$REDIS_DIR/redis.conf"
  # `daemonize` returns before the port is open, and an append-only file takes time to load.
  local left=600
  until redis_running; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      die "Redis did not start" "$(as_store_user tail -n 5 "$REDIS_DIR/server.log" 2>/dev/null)"
    fi
    sleep 0.1
  done
  say "Redis is up on 127.0.0.1:$REDIS_PORT"
}

write_env() {
  local database=${DATABASE_URL:-postgres://longhaul:$STORE_PASSWORD@127.0.0.1:$PG_PORT/longhaul}
  local redis=${REDIS_URL:-redis://:$STORE_PASSWORD@127.0.0.1:$REDIS_PORT/0}
  (umask 077 && printf "export DATABASE_URL='%s'\nexport REDIS_URL='%s'\n" "$database" "$redis" >"$DEV/env")
}

start() {
  if [ -z "${DATABASE_URL:-}" ]; then pg_start; fi
  if [ -z "${REDIS_URL:-}" ]; then redis_start; fi
  write_env
}

stop() {
  local bin pid
  if bin=$(pg_bin) && pg_running "$bin"; then
    as_store_user "$bin/pg_ctl" -D "$PG_DIR/data" -m fast -w -t 120 stop >/dev/null
    say "PostgreSQL is stopped"
  fi
  if redis_running; then
    pid=$(as_store_user cat "$REDIS_DIR/redis.pid")
    redis_cli shutdown || true
    while [ -e "/proc/$pid" ]; do sleep 0.1; done
    say "Redis is stopped"
  fi
}

# Exit code 0 when both stores of this folder run (or are given from outside).
status() {
  local bin all=0
  if [ -n "${DATABASE_URL:-}" ]; then
    echo "PostgreSQL: given in DATABASE_URL"
  elif bin=$(pg_bin) && pg_running "$bin"; then
    echo "PostgreSQL: up on 127.0.0.1:$PG_PORT"
  else
    echo "PostgreSQL: down"
    all=1
  fi
  if [ -n "${REDIS_URL:-}" ]; then
    echo "Redis: given in REDIS_URL"
  elif redis_running; then
    echo "Redis: up on 127.0.0.1:$REDIS_PORT"
  else
    echo "Redis: down"
    all=1
  fi
  return "$all"
}

main() {
  case "${1:-}" in
  start | stop | status) ;;
  *) die "usage: scripts/dev-stores.sh start|stop|status" ;;
  esac
  if [ "$1" != start ] && [ ! -d "$DEV" ]; then
    if [ "$1" = status ]; then echo "nothing was started here" && exit 1; fi
    exit 0
  fi
  mkdir -p "$DEV"
  DEV=$(cd "$DEV" && pwd -P)
  # Two commands at once must not create the same data folder; servers do not inherit the lock.
  exec 9>"$DEV/lock"
  flock 9
  load_ports
  PG_DIR=$(folder_of postgres) REDIS_DIR=$(folder_of redis)
  if [ -z "$STORE_PASSWORD" ]; then STORE_PASSWORD=$(new_password); fi
  "$1"
}
main "$@"
