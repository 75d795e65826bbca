//! A form that posts to a server function, with and without script.
//!
//! Without script the browser posts it and the server answers with a redirect; a failure then comes
//! back in the address. With script the same fields go to the same address by `fetch`, so that the
//! page stays. One concrete component serves every form: the browser half holds no code per action.

use leptos::{
    ev::SubmitEvent, prelude::*, server::ServerActionError, server_fn::ServerFn, task::spawn_local,
};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{browser, icon::icon, load::Refresh};
use crate::error::{FieldError, UiError};

/// The failed form of a page, if one failed.
#[derive(Clone, Copy)]
pub struct Failure(RwSignal<Option<(String, UiError)>>);

impl Failure {
    /// Sets up a page's place for a failure and fills it with the one in the address.
    pub fn provide() -> Self {
        let own = is_own_request();
        let from_url = use_context::<ServerActionError>()
            .map(|e| (e.path().to_owned(), UiError::from_url(e.err(), own)));
        let failure = Self(RwSignal::new(from_url));
        provide_context(failure);
        failure
    }

    /// The message under the page head.
    pub fn view(self) -> AnyView {
        (move || self.0.get().map(|(_, error)| message(&error))).into_any()
    }
}

/// Whether the address of this page was made by this server, so that its sentences can be shown.
#[cfg(feature = "ssr")]
fn is_own_request() -> bool {
    crate::context::is_own_request()
}

#[cfg(not(feature = "ssr"))]
fn is_own_request() -> bool {
    document()
        .document_element()
        .is_some_and(|root| root.has_attribute("data-own"))
}

fn message(error: &UiError) -> AnyView {
    view! {
        <div class="callout failure" data-state="failure" role="alert" tabindex="-1">
            {icon("failure")}
            <div class="callout-text"><b>{error.code.title()}</b><p>{error.text()}</p></div>
        </div>
    }
    .into_any()
}

/// A form on the page.
#[derive(Clone, Copy)]
pub struct Form {
    /// Address of its server function.
    pub action: &'static str,
    failure: Option<Failure>,
}

impl Form {
    /// The form of server function `S`.
    pub fn of<S: ServerFn>() -> Self {
        Self {
            action: S::PATH,
            failure: use_context(),
        }
    }

    /// What is wrong with the field called `name`.
    pub fn error_of(self, name: &str) -> Option<FieldError> {
        let failure = self.failure?.0.read();
        let (action, error) = failure.as_ref()?;
        (action == self.action).then(|| error.of(name).cloned())?
    }

    /// Id of the field called `name`, different from those of other forms on the page.
    pub fn field_id(self, name: &str) -> String {
        format!(
            "{}-{name}",
            self.action
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .replace('_', "-")
        )
    }

    /// The form around its fields and buttons.
    pub fn view(self, class: &'static str, body: AnyView) -> AnyView {
        let busy = RwSignal::new(false);
        let submit = self.submit(busy);
        view! {
            <form method="post" action=self.action class=class aria-busy=move || busy.get().then_some("true") on:submit=submit>
                {body}
            </form>
        }
        .into_any()
    }

    fn submit(self, busy: RwSignal<bool>) -> impl Fn(SubmitEvent) + 'static {
        let navigate = use_navigate();
        let refresh = use_context::<Refresh>();
        let here = use_location();
        move |event: SubmitEvent| {
            if event.default_prevented() {
                return;
            }
            event.prevent_default();
            let Some(body) = browser::form_query(&event) else {
                return;
            };
            if busy.get_untracked() {
                return;
            }
            busy.set(true);
            let navigate = navigate.clone();
            spawn_local(async move {
                let answer = browser::post(self.action, &body).await;
                let _ = busy.try_set(false);
                match answer {
                    Ok(location) => {
                        self.fail(None);
                        let current = address(here.pathname.get_untracked(), &here.search.get_untracked());
                        match location {
                            // Signing out leaves nothing of the session behind.
                            Some(location) if location == "/login" => browser::leave_for(&location),
                            Some(location) if location != current => {
                                navigate(&location, NavigateOptions::default());
                                if let Some(refresh) = refresh {
                                    refresh.frame();
                                }
                            }
                            _ => {
                                if let Some(refresh) = refresh {
                                    refresh.now();
                                }
                            }
                        }
                    }
                    Err(error) => self.fail(Some(error)),
                }
            });
        }
    }

    fn fail(self, error: Option<UiError>) {
        let Some(failure) = self.failure else { return };
        let failed = error.is_some();
        failure.0.try_set(error.map(|e| (self.action.to_owned(), e)));
        if failed {
            set_timeout(
                || browser::focus("[aria-invalid='true'], .failure"),
                std::time::Duration::ZERO,
            );
        }
    }
}

/// The address of a page as a redirect names it; the router keeps `search` without its mark.
fn address(path: String, search: &str) -> String {
    if search.is_empty() {
        path
    } else {
        format!("{path}?{search}")
    }
}

/// A value that a form carries along.
pub fn hidden(name: &'static str, value: String) -> AnyView {
    view! { <input type="hidden" name=name value=value /> }.into_any()
}

/// A form that is only a button.
pub fn button_form(form: Form, fields: Vec<(&'static str, String)>, button: AnyView) -> AnyView {
    let fields = fields
        .into_iter()
        .map(|(name, value)| hidden(name, value))
        .collect::<Vec<_>>();
    form.view("inline", view! { {fields}{button} }.into_any())
}

/// How loud a button is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// The one thing to do on the page.
    Primary,
    /// Something else to do.
    Plain,
    /// Something small in a row.
    Small,
    /// Removes something.
    Danger,
    /// Leads to removing something, in a row.
    DangerSmall,
}

/// The button that sends a form.
pub fn submit(tone: Tone, mark: &'static str, text: impl Into<String>) -> AnyView {
    let variant = match tone {
        Tone::Primary => Some("primary"),
        Tone::Danger => Some("danger"),
        Tone::DangerSmall => Some("danger-quiet"),
        Tone::Plain | Tone::Small => None,
    };
    let size = matches!(tone, Tone::Small | Tone::DangerSmall).then_some("s");
    view! {
        <button class="btn" data-variant=variant data-size=size type="submit">
            {(!mark.is_empty()).then(|| icon(mark))}
            {text.into()}
        </button>
    }
    .into_any()
}

/// A second button of a form, which sends `name=value` along.
pub fn submit_as(name: &'static str, value: &'static str, mark: &'static str, text: &'static str) -> AnyView {
    view! {
        <button class="btn" type="submit" name=name value=value>
            {(!mark.is_empty()).then(|| icon(mark))}
            {text}
        </button>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_has_a_question_mark_only_before_a_query() {
        assert_eq!(address("/login".to_owned(), ""), "/login");
        assert_eq!(
            address("/projects/1".to_owned(), "a=1&b=2"),
            "/projects/1?a=1&b=2"
        );
    }
}
