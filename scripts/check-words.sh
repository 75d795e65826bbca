#!/usr/bin/env bash
# The project speaks of itself alone: no path of one machine and no registry host may be committed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

# Written so that this file does not find itself.
WORDS='/(work|root|home)/[a-z]|registry[.]npmjs|static[.]crates[.]io|files[.]pythonhosted'

# Tracked files and those about to be; lock files of cargo name the index that every crate comes from.
FOUND=$(git ls-files -z --cached --others --exclude-standard -- . ':!Cargo.lock' ':!LICENSE' ':!scripts/check-words.sh' |
  xargs -0 grep -nIE "$WORDS" -- 2>/dev/null || true)
if [ -n "$FOUND" ]; then
  printf '%s\n' "$FOUND" >&2
  echo "the lines above name one machine or one registry" >&2
  exit 1
fi
echo "words are clean"
