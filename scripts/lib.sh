# Words and paths that every script shares. Sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/longhaul"
TOOLS="$CACHE/tools"
export ROOT CACHE TOOLS

# One line for one step that is really taken. Silence means there was nothing to do.
say() { printf '==> %s\n' "$*"; }

# Something worth knowing that does not stop the work.
warn() { printf 'note: %s\n' "$*" >&2; }

# What is missing, and after it what to do about it.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or with sudo; 127 when neither is possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 127
  fi
}

# Runs a long, noisy command with its output in a file; shows the end of it only on failure.
quietly() {
  local log="$CACHE/log/$1.log"
  shift
  mkdir -p "$CACHE/log"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 25 "$log" >&2
    warn "the whole output is in $log"
    return 1
  fi
}

# True when the version that a command prints contains the wanted one as a whole word.
version_is() {
  local wanted=$1
  shift
  local words
  words=$("$@" 2>/dev/null) || return 1
  printf '%s\n' "$words" | tr ' ' '\n' | sed 's/^v//' | grep -Fxq "$wanted"
}

# The version of a crate in Cargo.lock, so that a tool can be made to fit it.
locked_version() {
  awk -v name="\"$1\"" '$1 == "name" && $3 == name { getline; gsub(/"/, "", $3); print $3; exit }' "$ROOT/Cargo.lock"
}
