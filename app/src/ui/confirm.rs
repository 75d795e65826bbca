//! Confirm by typing: for whatever removes.

use leptos::prelude::*;

use super::{
    field::Field,
    form::{Form, Tone, submit},
    panel::nothing,
};

/// The typed name, the button that says what goes, and the link that says what stays.
pub fn confirm(form: Form, name: &str, button: String, keep: (impl Into<String>, String)) -> AnyView {
    let (keep_text, keep_href) = (keep.0.into(), keep.1);
    let keep = if keep_href.is_empty() {
        nothing()
    } else {
        view! { <a class="btn" href=keep_href>{keep_text}</a> }.into_any()
    };
    let typed = Field::text(form, "confirm", format!("Type “{name}” to confirm"))
        .flat()
        .mono()
        .width("w-m")
        .required()
        .pattern(pattern_of(name))
        .view();
    view! {
        <div class="confirm">
            {typed}
            <div class="row">{submit(Tone::Danger, "trash", button)}{keep}</div>
        </div>
    }
    .into_any()
}

/// A regular expression that only `text` matches.
fn pattern_of(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if "^$\\.*+?()[]{}|/".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::pattern_of;

    #[test]
    fn a_name_with_signs_is_matched_literally() {
        assert_eq!(pattern_of("a.b (c)/d-e"), "a\\.b \\(c\\)\\/d-e");
    }
}
