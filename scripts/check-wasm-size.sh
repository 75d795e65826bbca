#!/usr/bin/env bash
# Size of the browser half as it is sent: fails above 400 kB brotli (docs: first load of the dashboard).
# A release is built with `--precompress`, and the server sends the brotli file to every browser that takes
# it; gzip, for the others, is shown beside it.
#
# usage: scripts/check-wasm-size.sh [FILE.wasm]   (default: a release build made for this check)
set -euo pipefail
. "$(dirname "$0")/env.sh"
cd "$ROOT"

LIMIT=400000
FILE=${1:-}

if [ -z "$FILE" ]; then
  # In a folder of its own: a server built for debugging must not meet the release pages.
  export LEPTOS_SITE_ROOT="$ROOT/target/site-release"
  quietly wasm-release cargo leptos build --release --frontend-only || die "the release build of the browser half failed"
  FILE=$(find "$LEPTOS_SITE_ROOT" -name '*.wasm' | head -1)
  [ -n "$FILE" ] || die "the release build left no .wasm below $LEPTOS_SITE_ROOT"
fi

# Node has both compressors built in: the same figure on every machine.
node -e '
  const [file, limit] = process.argv.slice(1);
  const zlib = require("zlib"), bytes = require("fs").readFileSync(file);
  const kb = (n) => (n / 1000).toFixed(1) + " kB";
  const gzip = zlib.gzipSync(bytes, { level: 9 }).length;
  const brotli = zlib.brotliCompressSync(bytes).length;
  console.log(`wasm: ${kb(bytes.length)} plain, ${kb(gzip)} gzip, ${kb(brotli)} brotli; limit ${kb(+limit)} brotli`);
  process.exit(brotli > +limit ? 1 : 0);
' "$FILE" "$LIMIT"
