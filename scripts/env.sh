# Where tools are found and build output goes. Sourced by every script; source it in a shell to work by hand.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export PATH="$TOOLS/bin:$TOOLS/node_modules/.bin:$PATH"
# Outside the checkout, so that a fresh clone on the same machine does not start cold.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"

# True when a toolchain ("" = the active one) holds the standard library of the browser half. One that
# setup-rust.sh built carries a note for which compiler: it is useless to any other.
has_wasm_std() {
  local RUSTUP_TOOLCHAIN=${1:-${RUSTUP_TOOLCHAIN:-}} root
  export RUSTUP_TOOLCHAIN
  root=$(rustc --print sysroot 2>/dev/null) || return 1
  ls "$root"/lib/rustlib/wasm32-unknown-unknown/lib/libstd-*.rlib >/dev/null 2>&1 || return 1
  if [ -f "$root/lib/rustlib/wasm32-unknown-unknown/built-by" ]; then
    [ "$(cat "$root/lib/rustlib/wasm32-unknown-unknown/built-by")" = "$(rustc --version)" ]
  fi
}

# One toolchain builds and tests everything, so that artefacts are shared: the active one if it can build
# for the browser, else `web` (docs/adr/0001-toolchain.md). A value from outside wins.
choose_toolchain() {
  if [ -n "${RUSTUP_TOOLCHAIN:-}" ] || ! have rustup; then return; fi
  if ! has_wasm_std && has_wasm_std web; then export RUSTUP_TOOLCHAIN=web; fi
}
choose_toolchain

# fmt and clippy come from the toolchain that was active before: rustc-web brings neither.
lint_cargo() { env -u RUSTUP_TOOLCHAIN cargo "$@"; }
lint_has_wasm_std() { (unset RUSTUP_TOOLCHAIN && has_wasm_std); }

# cargo-leptos sets exactly this flag in debug builds. Tests use it too, so that both share every artefact
# and pages are tested as they are served.
shared_cargo() { RUSTFLAGS="${RUSTFLAGS:---cfg erase_components}" cargo "$@"; }

# What tests find the machine's parts by.
LONGHAUL_CHROMIUM="${LONGHAUL_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
export LONGHAUL_CHROMIUM
export LONGHAUL_PYTHON="${LONGHAUL_PYTHON:-$CACHE/python/bin/python}"
