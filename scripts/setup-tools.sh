#!/usr/bin/env bash
# Build tools, each installed once into the tools folder of the cache; nothing happens when the version fits.
#
# usage: scripts/setup-tools.sh [build|test|lint]...   (default: build)
set -euo pipefail
. "$(dirname "$0")/env.sh"

LEPTOS=0.3.11
NEXTEST=0.9.151
DENY=0.20.2
BINARYEN=132.0.0
GARAGE=2.5.0

# Compiles a tool from the crate registry. The tools' own release profiles ask for fat LTO, which takes
# longer than everything that they will ever do here.
compile_crate() {
  quietly "install-$1" env CARGO_TARGET_DIR="$CACHE/tools-build" CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    RUSTFLAGS='' nice cargo install "$1" --version "$2" --root "$TOOLS" --force "${@:3}"
}

# Some releases carry a lock file whose crates ask for a newer compiler than they need, or are unknown to
# the registry. Both show within seconds; then the crates are taken all the same, or newer ones.
install_crate() {
  say "installing $1 $2 (once; some minutes)"
  compile_crate "$@" --locked 2>/dev/null ||
    compile_crate "$@" --locked --ignore-rust-version 2>/dev/null ||
    compile_crate "$@" --ignore-rust-version ||
    die "$1 $2 did not install" "Install it by hand into a folder on PATH, or see whether the crate registry answers."
}

# The command-line half must equal the crate that the pages are compiled with.
wasm_bindgen() {
  local version
  version=$(locked_version wasm-bindgen)
  version_is "$version" wasm-bindgen --version && return
  install_crate wasm-bindgen-cli "$version"
}

leptos() {
  version_is "$LEPTOS" cargo-leptos --version && return
  install_crate cargo-leptos "$LEPTOS" --no-default-features --features no_downloads
}

nextest() {
  version_is "$NEXTEST" cargo-nextest nextest --version && return
  install_crate cargo-nextest "$NEXTEST" --no-default-features --features default-no-update
}

deny() {
  version_is "$DENY" cargo-deny --version && return
  install_crate cargo-deny "$DENY"
}

binaryen() {
  version_is "$BINARYEN" node -p "require('$TOOLS/node_modules/binaryen/package.json').version" && return
  have npm || die "npm is not installed" "Run scripts/setup-system.sh."
  say "installing binaryen $BINARYEN (wasm-opt)"
  mkdir -p "$TOOLS"
  quietly install-binaryen npm install --prefix "$TOOLS" --no-audit --no-fund --ignore-scripts "binaryen@$BINARYEN" ||
    die "binaryen did not install" "See whether the npm registry answers."
}

# A real S3 server for the tests of the archive. The database of its metadata is the one built with it.
garage_server() {
  garage --version 2>/dev/null | grep -Fq "cargo:$GARAGE " && return
  install_crate garage "$GARAGE" --no-default-features --features bundled-libs,lmdb
}

main() {
  mkdir -p "$CACHE"
  # Two checkouts at once wait for each other instead of building the same tool twice.
  exec 9>"$CACHE/tools.lock"
  flock 9
  local group
  for group in "${@:-build}"; do
    case "$group" in
    build)
      binaryen
      wasm_bindgen
      leptos
      ;;
    test)
      nextest
      garage_server
      ;;
    lint) deny ;;
    *) die "usage: scripts/setup-tools.sh [build|test|lint]..." ;;
    esac
  done
  rm -rf "$CACHE/tools-build"
}
main "$@"
