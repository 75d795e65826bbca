//! What a page or a form says when something did not work.
//!
//! A failure travels as codes. Without JavaScript it even travels in the address, which anybody can
//! forge, so every sentence that comes from there is taken from the tables below.

use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr, ServerFnUrlError},
};
use serde::{Deserialize, Serialize};

/// Why a request was not served. Each variant stands for one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Nobody is signed in, or the session ended (401).
    SignIn,
    /// Email and password do not match (401).
    WrongCredentials,
    /// Too many failed sign-ins (429).
    TooManyTries,
    /// The viewer's role does not allow it (403).
    Forbidden,
    /// There is no such thing, or not in this project (404).
    NotFound,
    /// Somebody else changed it meanwhile (409).
    Conflict,
    /// One or more fields are wrong (422).
    Invalid,
    /// The typed name does not match (422).
    NotConfirmed,
    /// A store is away (503).
    Unavailable,
    /// The query ran into its time limit (503).
    TooSlow,
    /// The browser got no answer at all.
    Offline,
    /// The page was loaded from an older version of Longhaul.
    Stale,
    /// A fault of ours (500).
    Internal,
}

impl Code {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::SignIn | Self::WrongCredentials => 401,
            Self::TooManyTries => 429,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::Stale => 409,
            Self::Invalid | Self::NotConfirmed => 422,
            Self::Unavailable | Self::TooSlow | Self::Offline => 503,
            Self::Internal => 500,
        }
    }

    /// What happened, as a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::SignIn => "Sign in to go on",
            Self::WrongCredentials => "Email and password do not match",
            Self::TooManyTries => "Too many tries",
            Self::Forbidden => "Your role does not allow this",
            Self::NotFound => "Not found",
            Self::Conflict => "Changed by somebody else",
            Self::Invalid => "Some fields need a change",
            Self::NotConfirmed => "The typed name does not match",
            Self::Unavailable => "A store does not answer",
            Self::TooSlow => "The query took too long",
            Self::Offline => "Longhaul did not answer",
            Self::Stale => "Longhaul was updated",
            Self::Internal => "Something went wrong on our side",
        }
    }

    /// What it means and what to do.
    pub fn help(self) -> &'static str {
        match self {
            Self::SignIn => "The session has ended. Nothing was changed.",
            Self::WrongCredentials => "Check both and try again.",
            Self::TooManyTries => "Wait a few minutes, then try again.",
            Self::Forbidden => "Ask a project admin or an instance admin.",
            Self::NotFound => "It may have been deleted, or its retention has ended.",
            Self::Conflict => "Load the page again and repeat your change. Nothing was overwritten.",
            Self::Invalid => "Nothing was saved.",
            Self::NotConfirmed => "Type it exactly as shown. Nothing was removed.",
            Self::Unavailable => "Accepted events are kept. Try again in a moment.",
            Self::TooSlow => "Choose a shorter range, or a more exact filter.",
            Self::Offline => "Check the connection and try again.",
            Self::Stale => "Load the page again.",
            Self::Internal => "The log names the reason. Try again, nothing was lost.",
        }
    }
}

/// Why one field was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is empty.
    Required,
    /// It is no whole number.
    NotNumber,
    /// It is no JSON object.
    NotJson,
    /// It is not one of the offered values.
    NotOffered,
    /// It breaks a rule that the detail tells.
    Refused,
}

impl Reason {
    /// What to do about it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Required => "Fill this in",
            Self::NotNumber => "Enter a whole number",
            Self::NotJson => "Enter a JSON object such as {\"order\": 42}",
            Self::NotOffered => "Choose one of the offered values",
            Self::Refused => "This value is not accepted; see below",
        }
    }
}

/// One refused field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Name of the field in the form, without the form's own prefix.
    pub name: String,
    /// Why.
    pub reason: Reason,
    /// More exactly why, such as the path inside a filter; empty when the reason says it all.
    #[serde(default)]
    pub detail: String,
}

/// A failure as the browser sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UiError {
    /// What kind of failure.
    pub code: Code,
    /// More exactly what, in words; empty when the code says it all.
    #[serde(default)]
    pub detail: String,
    /// The refused fields.
    #[serde(default)]
    pub fields: Vec<FieldError>,
}

impl UiError {
    /// A failure that its code describes fully.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: String::new(),
            fields: Vec::new(),
        }
    }

    /// A failure with a sentence that says more.
    pub fn with_detail(code: Code, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..Self::new(code)
        }
    }

    /// A form of which one field is wrong.
    pub fn field(name: &str, reason: Reason) -> Self {
        Self::new(Code::Invalid).and(name, reason, "")
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn and(mut self, name: &str, reason: Reason, detail: &str) -> Self {
        self.fields.push(FieldError {
            name: name.to_owned(),
            reason,
            detail: detail.to_owned(),
        });
        self
    }

    /// The refused field called `name`.
    pub fn of(&self, name: &str) -> Option<&FieldError> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// What it means, in words.
    pub fn text(&self) -> String {
        if self.detail.is_empty() {
            self.code.help().to_owned()
        } else {
            self.detail.clone()
        }
    }

    /// Calls refused fields as the form calls them: `(wire name, form name)`. A wire name stands
    /// for all that begin with it. What the form does not have is told in the detail.
    #[must_use]
    pub fn with_names(mut self, names: &[(&str, &'static str)]) -> Self {
        for field in &mut self.fields {
            let known = names.iter().find(|(wire, _)| {
                field
                    .name
                    .strip_prefix(wire)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            if let Some((wire, name)) = known {
                let path = field.name[wire.len()..].trim_start_matches('.');
                if !path.is_empty() {
                    field.detail = format!("{path}: {}", field.detail);
                }
                field.name = (*name).to_owned();
            } else {
                self.detail = format!("{}{}: {}. ", self.detail, field.name, field.detail);
            }
        }
        self
    }

    /// Reads a failure out of a page's address. Its sentences are dropped unless the address is
    /// `trusted`: anybody can write them.
    pub fn from_url(encoded: &str, trusted: bool) -> Self {
        let error = ServerFnUrlError::<Self>::decode_err(encoded);
        if trusted {
            return error;
        }
        let fields = error
            .fields
            .into_iter()
            .map(|f| FieldError {
                detail: String::new(),
                ..f
            })
            .collect();
        Self {
            code: error.code,
            detail: String::new(),
            fields,
        }
    }
}

impl std::fmt::Display for UiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.text())
    }
}

impl std::error::Error for UiError {}

impl FromServerFnError for UiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(value: ServerFnErrorErr) -> Self {
        let code = match value {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::UnsupportedRequestMethod(_) => Code::Offline,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => Code::Invalid,
            _ => Code::Internal,
        };
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_url(error: UiError) -> String {
        let url = ServerFnUrlError::new("/ui/save_endpoint", error)
            .to_url("http://localhost/endpoints/new")
            .expect("absolute base");
        url.query_pairs()
            .find(|(key, _)| key == "__err")
            .expect("present")
            .1
            .into_owned()
    }

    #[test]
    fn an_error_in_a_foreign_address_brings_its_codes_but_none_of_its_sentences() {
        let error =
            UiError::with_detail(Code::Invalid, "call this number").and("url", Reason::Refused, "call it");
        let encoded = in_url(error.clone());
        let read = UiError::from_url(&encoded, false);
        assert_eq!(read.code, Code::Invalid);
        assert_eq!(read.of("url").map(|f| f.reason), Some(Reason::Refused));
        assert!(read.detail.is_empty() && read.fields[0].detail.is_empty());
        assert_eq!(UiError::from_url(&encoded, true), error);
    }

    #[test]
    fn a_mangled_error_in_the_address_is_an_internal_one() {
        assert_eq!(UiError::from_url("%%%", true).code, Code::Internal);
        assert_eq!(UiError::from_url("bm90IGpzb24=", true).code, Code::Internal);
    }

    #[test]
    fn fields_get_the_names_of_the_form() {
        let error = UiError::new(Code::Invalid)
            .and(
                "config.strategy.retry_count",
                Reason::Refused,
                "Must be at least 1",
            )
            .and(
                "filter_config.filter.body.a.b",
                Reason::Refused,
                "Unknown operator",
            )
            .and("elsewhere", Reason::Refused, "Is wrong")
            .with_names(&[
                ("config.strategy.retry_count", "retry_count"),
                ("filter_config.filter.body", "body"),
            ]);
        assert_eq!(
            error.of("retry_count").map(|f| f.detail.as_str()),
            Some("Must be at least 1")
        );
        assert_eq!(
            error.of("body").map(|f| f.detail.as_str()),
            Some("a.b: Unknown operator")
        );
        assert_eq!(error.detail, "elsewhere: Is wrong. ");
    }
}
