#!/usr/bin/env bash
# Everything that a goal needs, installed where it is missing. Silent when nothing is.
#
# usage: scripts/setup.sh [run|test|lint]...   (default: run)
set -euo pipefail
HERE=$(dirname "$0")

for goal in "${@:-run}"; do
  case "$goal" in
  run)
    "$HERE/setup-system.sh" run
    "$HERE/setup-rust.sh"
    "$HERE/setup-tools.sh" build
    ;;
  test)
    "$HERE/setup-system.sh" test
    "$HERE/setup-rust.sh"
    "$HERE/setup-tools.sh" build test
    "$HERE/setup-node.sh"
    "$HERE/setup-python.sh"
    ;;
  lint)
    "$HERE/setup-rust.sh"
    "$HERE/setup-tools.sh" lint
    ;;
  *)
    echo "usage: scripts/setup.sh [run|test|lint]..." >&2
    exit 2
    ;;
  esac
done
