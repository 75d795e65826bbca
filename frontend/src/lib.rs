//! The browser half: brings the page that the server rendered to life.
//!
//! May import: `app`.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the script in the page once it is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(app::App);
}
