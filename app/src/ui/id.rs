//! Ids, cut in the middle and copied whole, and the copy button.

use leptos::prelude::*;

use super::{browser, icon::icon, toast};

/// The first 8 and the last 5 characters of an id; short ones stay whole.
pub fn short_id(id: &str) -> String {
    if id.len() <= 14 || !id.is_ascii() {
        return id.to_owned();
    }
    format!("{}…{}", &id[..8], &id[id.len() - 5..])
}

/// An id with its copy button. `what` names it to assistive technology: `delivery id`.
pub fn id(id: String, what: &str) -> AnyView {
    let short = short_id(&id);
    let label = format!("Copy {what} {short}");
    view! { <span class="id"><code title=id.clone()>{short}</code>{copy_button(id, label)}</span> }.into_any()
}

/// An id that is also a link.
pub fn id_link(id: String, what: &str, href: String) -> AnyView {
    let short = short_id(&id);
    let label = format!("Copy {what} {short}");
    view! {
        <span class="id">
            <code title=id.clone()><a href=href>{short}</a></code>
            {copy_button(id, label)}
        </span>
    }
    .into_any()
}

/// A button that puts `text` on the clipboard and says so. Hidden where there is no script.
pub fn copy_button(text: String, label: String) -> AnyView {
    let done = RwSignal::new(false);
    let announce = toast::announcer();
    let copy = move |_| {
        browser::copy(&text);
        announce.say("Copied");
        done.set(true);
        let reset = move || {
            let _ = done.try_set(false);
        };
        set_timeout(reset, std::time::Duration::from_secs(2));
    };
    view! {
        <button class="copy" type="button" aria-label=label data-done=move || done.get().then_some("") on:click=copy>
            {move || icon(if done.get() { "check" } else { "copy" })}
        </button>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::short_id;

    #[test]
    fn ids_show_their_first_eight_and_last_five_characters() {
        assert_eq!(short_id("01a1f7af-f8f6-7586-a2c6-893ff46a2a3f"), "01a1f7af…a2a3f");
        assert_eq!(short_id("short"), "short");
        assert_eq!(
            short_id("ключ-который-длиннее-чем-надо"),
            "ключ-который-длиннее-чем-надо"
        );
    }
}
