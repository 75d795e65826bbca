#!/usr/bin/env bash
# A Rust toolchain that builds for the browser: the active one, else Debian's `rustc-web` as toolchain `web`.
set -euo pipefail
. "$(dirname "$0")/env.sh"

WASM=wasm32-unknown-unknown
WEB_PACKAGES="rustc-web cargo-web rust-web-src rust-web-llvm"

no_rust() {
  die "no Rust toolchain" \
    "Install rustup from https://rustup.rs (or Debian's package rustup), or on a closed network Debian's own compiler:" \
    "apt-get install $WEB_PACKAGES lld"
}

# Debian's compiler carries the library's source: enough to build for the browser without any download.
install_web() {
  local package missing=''
  for package in $WEB_PACKAGES; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    have apt-get || no_rust
    say "installing Debian's Rust compiler:$missing"
    # shellcheck disable=SC2086 # a list of words
    quietly apt-rust as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing || no_rust
  fi
  if have rustup && ! RUSTUP_TOOLCHAIN=web rustc --version >/dev/null 2>&1; then
    say "linking Debian's Rust compiler as toolchain web"
    rustup toolchain link web /usr
  fi
}

# Building any crate with -Zbuild-std leaves the library's parts behind; copied into the compiler's folder
# they make the browser a target like any other, with no unstable flag from then on.
build_wasm_std() {
  local work="$CACHE/wasm-std" target
  target="$(rustc --print sysroot)/lib/rustlib/$WASM"
  say "building the standard library for the browser (half a minute)"
  rm -rf "$work"
  mkdir -p "$work/src"
  printf '[package]\nname = "wasm-std"\nversion = "0.0.0"\nedition = "2021"\n[lib]\n[workspace]\n' >"$work/Cargo.toml"
  printf '#![no_std]\n' >"$work/src/lib.rs"
  (cd "$work" && quietly wasm-std env RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target" \
    cargo build --release -Zbuild-std=std,panic_abort --target "$WASM") ||
    die "the standard library for the browser did not build"
  rm -f "$work/target/$WASM/release/deps/libwasm_std"*
  rustc --version >"$work/built-by"
  as_root sh -c 'rm -rf "$2" && mkdir -p "$2/lib" && cp "$1"/target/*/release/deps/*.rlib "$2/lib/" && cp "$1/built-by" "$2/"' - "$work" "$target" ||
    die "cannot write $target" "Run scripts/setup-rust.sh once as root or with sudo."
  rm -rf "$work"
}

main() {
  if have cargo && has_wasm_std; then return; fi
  if ! have cargo && ! have rustup; then
    install_web
  elif [ "${RUSTUP_TOOLCHAIN:-}" = web ] || ! have rustup; then
    install_web
  elif quietly rustup-target rustup target add "$WASM" 2>/dev/null; then
    say "added $WASM to the active Rust toolchain"
  else
    warn "rustup cannot add $WASM here: taking Debian's compiler instead"
    install_web
    export RUSTUP_TOOLCHAIN=web
  fi
  has_wasm_std || build_wasm_std
  has_wasm_std || die "the Rust toolchain still cannot build for the browser" \
    "$(rustc --version 2>&1 | head -1): no $WASM library under $(rustc --print sysroot 2>/dev/null)."
}
main "$@"
