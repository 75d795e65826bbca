//! Checking fields: every mistake of a request is told at once.

use serde_json::Value;
use url::Url;

use crate::error::{Error, FieldError, Result};

/// Longest name of anything, in characters.
pub(crate) const MAX_NAME: usize = 255;
/// Longest free text, in characters.
pub(crate) const MAX_TEXT: usize = 4_096;
/// Longest secret, in characters.
const MAX_SECRET: usize = 512;
/// Longest address, in bytes.
const MAX_URL: usize = 2_048;
/// Largest JSON value that is stored as a setting, in bytes.
const MAX_JSON: usize = 256 * 1024;

/// Collects refused fields.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    errors: Vec<FieldError>,
    /// Stands before every name: `[3].`.
    prefix: String,
}

impl Fields {
    /// Nothing refused yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The fields of one element of a list.
    pub(crate) fn of_element(index: usize) -> Self {
        Self {
            errors: Vec::new(),
            prefix: format!("[{index}]."),
        }
    }

    /// Takes over what `other` refused.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.errors.append(&mut other.errors);
    }

    /// How many were refused so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// Refuses a field.
    pub(crate) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.errors.push(FieldError {
            field: format!("{}{field}", self.prefix),
            reason: reason.into(),
        });
    }

    /// Refuses a field unless `good`.
    pub(crate) fn check(&mut self, good: bool, field: &str, reason: &str) {
        if !good {
            self.refuse(field, reason);
        }
    }

    /// A name without the space around it; must not be empty.
    pub(crate) fn name(&mut self, field: &str, text: &str) -> String {
        let name = text.trim();
        if name.is_empty() {
            self.refuse(field, "is required");
        }
        self.line(field, name, MAX_NAME)
    }

    /// One line of text, which may be empty.
    pub(crate) fn line(&mut self, field: &str, text: &str, longest: usize) -> String {
        let text = text.trim();
        if text.chars().count() > longest {
            self.refuse(field, format!("must be at most {longest} characters"));
        } else if text.chars().any(char::is_control) {
            self.refuse(field, "must not hold control characters");
        }
        text.to_owned()
    }

    /// Free text of several lines, which may be empty.
    pub(crate) fn text(&mut self, field: &str, text: &str) -> String {
        if text.chars().count() > MAX_TEXT {
            self.refuse(field, format!("must be at most {MAX_TEXT} characters"));
        } else if text.contains('\0') {
            self.refuse(field, "must not hold the character NUL");
        }
        text.to_owned()
    }

    /// A whole number within limits.
    pub(crate) fn number(&mut self, field: &str, number: u32, least: u32, most: u32) -> i32 {
        if !(least..=most).contains(&number) {
            self.refuse(field, format!("must be between {least} and {most}"));
        }
        i32::try_from(number).unwrap_or(i32::MAX)
    }

    /// One of some words.
    pub(crate) fn word(&mut self, field: &str, word: &str, words: &[&str]) -> String {
        if !words.contains(&word) {
            self.refuse(field, format!("must be one of {}", words.join(", ")));
        }
        word.to_owned()
    }

    /// An `http` or `https` address of a machine, without credentials. Comes back in the form in
    /// which it can be sent to.
    pub(crate) fn url(&mut self, field: &str, text: &str, secure_only: bool) -> String {
        let text = text.trim();
        match check_url(text, secure_only) {
            Ok(url) => url,
            Err(reason) => {
                self.refuse(field, reason);
                text.to_owned()
            }
        }
    }

    /// As [`Fields::url`], but may be empty.
    pub(crate) fn url_or_empty(&mut self, field: &str, text: &str) -> String {
        if text.trim().is_empty() {
            String::new()
        } else {
            self.url(field, text, false)
        }
    }

    /// An e-mail address, as far as that can be told without sending a mail.
    pub(crate) fn email(&mut self, field: &str, text: &str) -> String {
        let email = self.line(field, text, MAX_NAME);
        let sound = email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !email.contains(char::is_whitespace)
        });
        self.check(sound, field, "must be an e-mail address");
        email
    }

    /// The name of a header that settings may choose.
    pub(crate) fn header_name(&mut self, field: &str, text: &str) -> String {
        /// Set by the transport; a value of our own would break the request.
        const TAKEN: [&str; 7] = [
            "host",
            "content-length",
            "content-type",
            "transfer-encoding",
            "connection",
            "te",
            "upgrade",
        ];
        let name = text.trim();
        let lower = name.to_ascii_lowercase();
        if name.is_empty() {
            self.refuse(field, "is required");
        } else if name.len() > MAX_NAME || http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            self.refuse(
                field,
                "must be the name of an HTTP header: letters, digits and !#$%&'*+-.^_`|~",
            );
        } else if TAKEN.contains(&lower.as_str()) {
            self.refuse(field, "is set by the transport; choose another name");
        }
        name.to_owned()
    }

    /// The value of a header.
    pub(crate) fn header_value(&mut self, field: &str, text: &str) -> String {
        if text.is_empty() {
            self.refuse(field, "is required");
        } else if text.len() > MAX_TEXT || http::HeaderValue::from_str(text).is_err() {
            self.refuse(field, "must be printable and at most 4096 bytes");
        }
        text.to_owned()
    }

    /// JSON that can be stored.
    pub(crate) fn json(&mut self, field: &str, value: &Value) {
        if holds_nul(value) {
            self.refuse(field, "must not hold the character NUL");
        } else if serde_json::to_vec(value).map_or(usize::MAX, |text| text.len()) > MAX_JSON {
            self.refuse(field, "must be at most 256 KiB of JSON");
        }
    }

    /// A secret, kept exactly as it was given: every byte of it counts.
    pub(crate) fn secret(&mut self, field: &str, text: &str) -> String {
        if text.chars().count() > MAX_SECRET {
            self.refuse(field, format!("must be at most {MAX_SECRET} characters"));
        } else if text.chars().any(char::is_control) {
            self.refuse(field, "must not hold control characters");
        } else if text.trim() != text {
            self.refuse(field, "must not start or end with a space");
        }
        text.to_owned()
    }

    /// An id in text form.
    pub(crate) fn id<T: std::str::FromStr>(&mut self, field: &str, text: &str) -> Option<T> {
        let id = text.trim().parse().ok();
        if id.is_none() {
            self.refuse(
                field,
                if text.trim().is_empty() {
                    "is required"
                } else {
                    "must be an id"
                },
            );
        }
        id
    }

    /// Nothing was refused, or all that was.
    pub(crate) fn finish(self) -> Result<()> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(self.errors))
        }
    }
}

/// Text to search for: no table holds NUL, so nothing contains it.
pub(crate) fn search(field: &str, text: Option<String>) -> Result<Option<String>> {
    match text {
        Some(text) if text.contains('\0') => Err(Error::invalid(field, "must not hold the character NUL")),
        Some(text) if text.is_empty() => Ok(None),
        other => Ok(other),
    }
}

fn check_url(text: &str, secure_only: bool) -> std::result::Result<String, String> {
    if text.is_empty() {
        return Err("is required".to_owned());
    }
    if text.len() > MAX_URL {
        return Err(format!("must be at most {MAX_URL} bytes"));
    }
    // The parser would quietly drop these.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must not hold spaces or control characters".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not an address: {error}"))?;
    match url.scheme() {
        "http" if secure_only => {
            return Err("must start with https: this project takes secure endpoints only".to_owned());
        }
        "http" | "https" => {}
        other => return Err(format!("must start with http or https, not {other}")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("must name a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold credentials; use `authentication`".to_owned());
    }
    // Kept as written where it can be sent to as written; letters outside of ASCII cannot.
    let sendable = text.parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some());
    Ok(if sendable {
        text.to_owned()
    } else {
        url.to_string()
    })
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(entries) => entries
            .iter()
            .any(|(key, value)| key.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, secure_only: bool) -> Option<String> {
        check_url(text, secure_only).err()
    }

    #[test]
    fn an_endpoint_address_is_http_with_a_host_and_no_credentials() {
        assert_eq!(
            check_url("https://example.com/in?x=1", true).as_deref(),
            Ok("https://example.com/in?x=1")
        );
        assert_eq!(
            check_url("http://127.0.0.1:9000", false).as_deref(),
            Ok("http://127.0.0.1:9000")
        );
        for bad in [
            "",
            "example.com/in",
            "ftp://example.com",
            "https://",
            "https://user:secret@example.com",
            "https://user@example.com",
            "https://exam ple.com",
            "https://example.com/\tin",
        ] {
            assert!(refused(bad, false).is_some(), "{bad}");
        }
        assert!(refused("http://example.com", true).is_some_and(|reason| reason.contains("https")));
    }

    #[test]
    fn an_address_with_letters_outside_of_ascii_becomes_one_that_can_be_sent_to() {
        let url = check_url("https://exämple.com/ü", false).expect("accepted");
        assert!(url.parse::<http::Uri>().is_ok(), "{url}");
        assert!(url.starts_with("https://xn--"), "{url}");
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let mut fields = Fields::of_element(3);
        fields.name("name", "  ");
        fields.email("email", "nobody");
        fields.header_name("header", "Content-Length");
        fields.json("schema", &serde_json::json!({"a": ["\u{0}"]}));
        let Err(Error::Invalid(errors)) = fields.finish() else {
            panic!("must be refused")
        };
        let names: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(names, ["[3].name", "[3].email", "[3].header", "[3].schema"]);
    }
}
