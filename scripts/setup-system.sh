#!/usr/bin/env bash
# Debian packages that a goal needs and the machine does not have yet.
#
# usage: scripts/setup-system.sh [run|test]   (default: run)
set -euo pipefail
. "$(dirname "$0")/env.sh"

MISSING=''

# need TEST PACKAGE: asks for the package when the test command fails.
need() {
  eval "$1" >/dev/null 2>&1 || MISSING="$MISSING $2"
}
has_postgres() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || have initdb; }

what_to_run() {
  need 'have cc' build-essential
  need 'have pkg-config' pkg-config
  need 'have curl' curl
  need 'ls /etc/ssl/certs/ca-certificates.crt' ca-certificates
  need 'have node' nodejs
  need 'have npm' npm
  # An address given from outside replaces the private store.
  if [ -z "${DATABASE_URL:-}" ]; then need has_postgres postgresql; fi
  if [ -z "${REDIS_URL:-}" ]; then need 'have redis-server' redis-server; fi
}

# Tests start stores of their own (failover, outages), and a browser.
what_to_test() {
  what_to_run
  need has_postgres postgresql
  need 'have redis-server && have redis-cli' redis-server
  need 'have python3' python3
  need 'python3 -c "import ensurepip"' python3-venv
  need 'have chromium || have chromium-browser || have google-chrome' chromium
}

install() {
  # shellcheck disable=SC2086 # a list of words
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $MISSING
}

main() {
  "what_to_${1:-run}"
  MISSING=$(printf '%s\n' $MISSING | sort -u | tr '\n' ' ' | sed 's/ *$//; s/^ *//')
  if [ -z "$MISSING" ]; then return; fi
  have apt-get || die "missing on this machine: $MISSING" "Install what your system calls them, then run this again."
  as_root true || die "missing on this machine: $MISSING" "Run this as root, or first: sudo apt-get install $MISSING"
  say "installing Debian packages: $MISSING"
  quietly apt install 2>/dev/null || {
    quietly apt-update as_root apt-get update
    quietly apt install || die "apt-get could not install: $MISSING"
  }
  case " $MISSING " in
  *" postgresql "* | *" redis-server "*)
    warn "Debian may have started stores of its own on 5432 and 6379; they are not used here"
    ;;
  esac
}
main "$@"
