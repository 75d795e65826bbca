//! Toasts after a change, and the region that reads short messages out.
//!
//! A change ends in a redirect to an address with `saved=CODE`; the sentence comes from the table
//! here. So a toast works without script, survives a reload and cannot be forged into other words.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::icon::icon;

/// Reads short messages out to assistive technology.
#[derive(Clone, Copy)]
pub struct Announcer(RwSignal<&'static str>);

impl Announcer {
    /// Says `text`, also when it was said before.
    pub fn say(self, text: &'static str) {
        let _ = self.0.try_set("");
        let say = move || {
            let _ = self.0.try_set(text);
        };
        set_timeout(say, std::time::Duration::from_millis(50));
    }
}

/// The page's announcer.
pub fn announcer() -> Announcer {
    use_context().unwrap_or_else(|| Announcer(RwSignal::new("")))
}

/// Sets up the announcer for everything below.
pub fn provide_announcer() {
    provide_context(Announcer(RwSignal::new("")));
}

/// What the code in `saved=` says.
fn text_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "project" => "Project created",
        "settings" => "Settings saved",
        "signature" => "Signature saved",
        "version" => "Signature version added",
        "key" => "Key created",
        "key_revoked" => "Key revoked",
        "project_deleted" => "Project deleted",
        "endpoint" => "Endpoint saved",
        "endpoint_created" => "Endpoint created",
        "endpoint_paused" => "Endpoint paused",
        "endpoint_activated" => "Endpoint activated",
        "endpoint_deleted" => "Endpoint deleted",
        "secret" => "Secret rotated",
        "subscription" => "Subscription saved",
        "subscription_created" => "Subscription created",
        "subscription_enabled" => "Subscription enabled",
        "subscription_disabled" => "Subscription disabled",
        "subscription_deleted" => "Subscription deleted",
        "test_event" => "Test event sent",
        "replayed" => "Event replayed",
        "resent" => "Delivery resent",
        "resent_many" => "Deliveries resent",
        "job" => "Run started",
        "retention" => "Retention saved",
        "hold" => "Hold placed",
        "hold_released" => "Hold released",
        "deletion_on" => "Deletion turned on",
        "deletion_off" => "Deletion turned off",
        "storage" => "Storage policy saved",
        "storage_chosen" => "Storage chosen",
        "conversion_paused" => "Conversion pauses after its batch",
        "forecast" => "Forecast saved",
        "retry_started" => "Retry of all matches started",
        _ => return None,
    })
}

/// `search` without its `saved` and error parts, with a leading `?` when something is left.
fn dismissed(search: &str) -> String {
    let rest = search
        .trim_start_matches('?')
        .split('&')
        .filter(|pair| {
            !["saved=", "__path=", "__err="]
                .iter()
                .any(|name| pair.starts_with(name))
                && !pair.is_empty()
        })
        .collect::<Vec<_>>()
        .join("&");
    if rest.is_empty() {
        String::new()
    } else {
        format!("?{rest}")
    }
}

/// The toast of the current address, if it has one, and the announcer's region.
#[component]
pub fn Toasts() -> impl IntoView {
    let location = use_location();
    let announcer = announcer();
    let toast = move || {
        let search = location.search.get();
        let code = search
            .trim_start_matches('?')
            .split('&')
            .find_map(|pair| pair.strip_prefix("saved="))?;
        let text = text_of(code)?;
        let href = format!("{}{}", location.pathname.get(), dismissed(&search));
        Some(view! {
            <div class="toast" data-state="success">
                {icon("success")}
                <p>{text}</p>
                <a class="btn" data-icon="" href=href aria-label="Dismiss">{icon("x")}</a>
            </div>
        })
    };
    view! {
        <div class="toasts" role="status">{toast}</div>
        <div class="sr" role="status">{move || announcer.0.get()}</div>
    }
}

#[cfg(test)]
mod tests {
    use super::dismissed;

    #[test]
    fn dismissing_keeps_the_rest_of_the_address() {
        assert_eq!(dismissed("?state=failed&saved=resent&q=a"), "?state=failed&q=a");
        assert_eq!(dismissed("saved=resent"), "");
        assert_eq!(dismissed(""), "");
    }
}
