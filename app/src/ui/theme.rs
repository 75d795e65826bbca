//! System, light or dark: a form before hydration, a click afterwards.

use leptos::prelude::*;

use super::{browser, icon::icon};

/// The themes a person can choose.
const THEMES: [(&str, &str, &str); 3] = [
    ("system", "System theme", "screen"),
    ("light", "Light theme", "sun"),
    ("dark", "Dark theme", "moon"),
];

/// The theme of this request: `light`, `dark`, or `system` when nobody chose.
pub fn current() -> &'static str {
    let chosen = stored().unwrap_or_default();
    THEMES
        .iter()
        .map(|(value, ..)| *value)
        .find(|value| *value == chosen)
        .unwrap_or("system")
}

#[cfg(feature = "ssr")]
fn stored() -> Option<String> {
    let parts = use_context::<http::request::Parts>()?;
    let cookies = parts.headers.get(http::header::COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .find_map(|pair| pair.trim().strip_prefix("theme="))
        .map(str::to_owned)
}

#[cfg(not(feature = "ssr"))]
fn stored() -> Option<String> {
    document().document_element()?.get_attribute("data-theme")
}

/// The switch.
pub fn theme_switch(action: &'static str) -> AnyView {
    let now = current();
    let radios = THEMES
        .iter()
        .map(|&(value, label, mark)| {
            view! {
                <label>
                    <input type="radio" name="theme" value=value aria-label=label checked=value == now on:change=move |_| browser::set_theme(value) />
                    {icon(mark)}
                </label>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    view! {
        <form method="post" action=action>
            <fieldset class="theme">
                <legend class="sr">"Theme"</legend>
                {radios}
                <button class="theme-apply" type="submit">"Apply theme"</button>
            </fieldset>
        </form>
    }
    .into_any()
}
