//! Checking what callers say about an endpoint, and turning it into a row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::entities::endpoint;
use domain::id::{EndpointId, ProjectId};
use domain::project::ProjectConfig;
use domain::signature::is_standard_secret;
use domain::ssrf::{AddressPolicy, Reason};
use domain::state::EndpointState;
use url::{Host, Url};

use super::EndpointUpdate;
use super::model::{Authentication, AuthenticationInput, NewEndpoint, REDACTED, SignatureFormat};
use super::read::open_authentication;
use crate::api_keys::random_text;
use crate::error::Result;
use crate::fields::{Fields, MAX_NAME};
use crate::patch::Patch;
use crate::vault::Vault;

/// Characters of a generated secret.
const SECRET_LENGTH: usize = 25;
/// Random bytes of a generated Standard Webhooks secret.
const STANDARD_SECRET_BYTES: usize = 32;
/// Longest limit for one attempt, in seconds.
const MAX_TIMEOUT: u32 = 300;
/// Most deliveries in one window.
const MAX_RATE: u32 = 1_000_000;
/// Longest window, in seconds.
const MAX_WINDOW: u32 = 86_400;
/// Window of a limit that names none, in seconds.
const DEFAULT_WINDOW: i32 = 60;
/// Forms of request bodies.
const CONTENT_TYPES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

/// What the fields of an endpoint are judged by.
pub(super) struct Rules<'a> {
    /// Settings of the project.
    pub(super) config: &'a ProjectConfig,
    /// Which addresses this instance may send to.
    pub(super) addresses: &'a AddressPolicy,
    /// Seals secrets.
    pub(super) vault: &'a Vault,
    /// The time.
    pub(super) at: DateTime<Utc>,
}

/// The row of a new endpoint.
pub(super) fn new_row(
    fields: &mut Fields,
    rules: &Rules<'_>,
    project: ProjectId,
    new: NewEndpoint,
) -> Result<endpoint::Model> {
    let at = rules.at;
    let mut row = endpoint::Model {
        id: EndpointId::at(at).0,
        project_id: project.0,
        name: String::new(),
        url: String::new(),
        description: String::new(),
        owner_id: None,
        state: EndpointState::Active.code(),
        content_type: CONTENT_TYPES[0].to_owned(),
        http_timeout: 0,
        rate_limit: 0,
        rate_limit_duration: 0,
        advanced_signatures: true,
        signature_format: SignatureFormat::Convoy.as_str().to_owned(),
        support_email: String::new(),
        slack_webhook_url: String::new(),
        teams_webhook_url: String::new(),
        authentication: None,
        state_reason: None,
        state_changed_at: None,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    };
    // To make one is to change an empty one: the same checks in one place.
    let update = EndpointUpdate {
        name: Some(new.name),
        url: Some(new.url),
        description: Some(new.description),
        owner_id: new.owner_id.map_or(Patch::Absent, Patch::Value),
        advanced_signatures: new.advanced_signatures,
        signature_format: new.signature_format.filter(|format| !format.is_empty()),
        support_email: Some(new.support_email),
        slack_webhook_url: Some(new.slack_webhook_url),
        teams_webhook_url: Some(new.teams_webhook_url),
        http_timeout: new.http_timeout,
        rate_limit: new.rate_limit,
        rate_limit_duration: new.rate_limit_duration,
        content_type: new.content_type.filter(|form| !form.is_empty()),
        authentication: new.authentication.map_or(Patch::Absent, Patch::Value),
        mtls_client_cert: new.mtls_client_cert.map_or(Patch::Absent, Patch::Value),
        is_disabled: None,
    };
    apply(fields, rules, &mut row, update)?;
    Ok(row)
}

/// Changes a row.
pub(super) fn apply(
    fields: &mut Fields,
    rules: &Rules<'_>,
    row: &mut endpoint::Model,
    update: EndpointUpdate,
) -> Result<()> {
    let (vault, at) = (rules.vault, rules.at);
    if let Some(name) = update.name {
        row.name = fields.name("name", &name);
    }
    if let Some(url) = update.url {
        row.url = check_url(fields, rules, &url);
    }
    if let Some(text) = update.description {
        row.description = fields.text("description", &text);
    }
    match update.owner_id {
        Patch::Absent => {}
        Patch::Null => row.owner_id = None,
        Patch::Value(owner) => {
            let owner = fields.line("owner_id", &owner, MAX_NAME);
            row.owner_id = Some(owner).filter(|owner| !owner.is_empty());
        }
    }
    if let Some(email) = update.support_email {
        row.support_email = if email.trim().is_empty() {
            String::new()
        } else {
            fields.email("support_email", &email)
        };
    }
    if let Some(url) = update.slack_webhook_url {
        row.slack_webhook_url = fields.url_or_empty("slack_webhook_url", &url);
    }
    if let Some(url) = update.teams_webhook_url {
        row.teams_webhook_url = fields.url_or_empty("teams_webhook_url", &url);
    }
    apply_sending(
        fields,
        row,
        update.http_timeout,
        update.rate_limit,
        update.rate_limit_duration,
        update.content_type.as_deref(),
    );
    if let Some(advanced) = update.advanced_signatures {
        row.advanced_signatures = advanced;
    }
    if let Some(format) = update.signature_format {
        row.signature_format = fields.word("signature_format", &format, &["convoy", "standard"]);
    }
    if matches!(update.mtls_client_cert, Patch::Value(_)) {
        fields.refuse("mtls_client_cert", "client certificates are not supported");
    }
    match update.authentication {
        Patch::Absent => {}
        Patch::Null => row.authentication = None,
        Patch::Value(input) => {
            let stored = open_authentication(vault, row.authentication.as_deref())?;
            if let Some(authentication) = check_authentication(fields, input, stored) {
                let clear = serde_json::to_vec(&authentication).map_err(crate::Error::internal)?;
                row.authentication = Some(vault.seal(&clear)?);
            }
        }
    }
    match update.is_disabled {
        Some(true) => set_state(row, EndpointState::Inactive, Some("switched off"), at),
        Some(false) if row.state == EndpointState::Inactive.code() => {
            set_state(row, EndpointState::Active, None, at);
        }
        Some(false) | None => {}
    }
    row.updated_at = at;
    Ok(())
}

fn check_url(fields: &mut Fields, rules: &Rules<'_>, url: &str) -> String {
    let url = fields.url("url", url, rules.config.ssl.enforce_secure_endpoints);
    if let Some(reason) = refused_address(&url, rules.addresses) {
        fields.refuse("url", reason);
    }
    url
}

/// Why an address that is written out may not be sent to, and what to do; `None` for names, which
/// are judged by what they lead to when a delivery is sent.
fn refused_address(url: &str, addresses: &AddressPolicy) -> Option<String> {
    // The parser reads every spelling of an address: decimal, hexadecimal, octal, shortened.
    let address = match Url::parse(url).ok()?.host()? {
        Host::Domain(_) => return None,
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => std::net::IpAddr::V6(address),
    };
    let reason = addresses.is_refused(address)?;
    Some(if reason == Reason::Denied {
        format!("must not be sent to: {address} is {reason} of this instance, `delivery.deny_addresses`")
    } else {
        format!(
            "must be a public address: {address} is {reason}; to send there all the same, \
             the operator adds it to `delivery.allow_addresses`"
        )
    })
}

fn apply_sending(
    fields: &mut Fields,
    row: &mut endpoint::Model,
    http_timeout: Option<u32>,
    rate_limit: Option<u32>,
    rate_limit_duration: Option<u32>,
    content_type: Option<&str>,
) {
    if let Some(seconds) = http_timeout {
        row.http_timeout = fields.number("http_timeout", seconds, 0, MAX_TIMEOUT);
    }
    if let Some(count) = rate_limit {
        row.rate_limit = fields.number("rate_limit", count, 0, MAX_RATE);
    }
    if let Some(seconds) = rate_limit_duration {
        row.rate_limit_duration = fields.number("rate_limit_duration", seconds, 0, MAX_WINDOW);
    }
    if row.rate_limit > 0 && row.rate_limit_duration == 0 {
        row.rate_limit_duration = DEFAULT_WINDOW;
    }
    if let Some(form) = content_type {
        row.content_type = fields.word("content_type", form, &CONTENT_TYPES);
    }
}

/// Puts an endpoint into a state; the same state again changes nothing.
pub(super) fn set_state(
    row: &mut endpoint::Model,
    state: EndpointState,
    reason: Option<&str>,
    at: DateTime<Utc>,
) {
    if row.state != state.code() {
        row.state = state.code();
        row.state_reason = reason.map(str::to_owned);
        row.state_changed_at = Some(at);
        row.updated_at = at;
    }
}

/// The signing secret: the given one, or a fresh one when none is given.
pub(super) fn secret(fields: &mut Fields, given: Option<&str>, format: SignatureFormat) -> String {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return match format {
            SignatureFormat::Convoy => random_text(SECRET_LENGTH),
            SignatureFormat::Standard => {
                let key: [u8; STANDARD_SECRET_BYTES] = rand::random();
                format!("whsec_{}", STANDARD.encode(key))
            }
        };
    }
    let secret = fields.secret("secret", given);
    if format == SignatureFormat::Standard && secret.starts_with("whsec_") {
        fields.check(
            is_standard_secret(&secret),
            "secret",
            "must be base64 after whsec_",
        );
    }
    secret
}

fn check_authentication(
    fields: &mut Fields,
    input: AuthenticationInput,
    stored: Option<Authentication>,
) -> Option<Authentication> {
    let refused = fields.count();
    if input.oauth2.is_some() || input.kind == "oauth2" {
        fields.refuse(
            "authentication.oauth2",
            "is not supported; use api_key or basic_auth",
        );
        return None;
    }
    let checked = match input.kind.as_str() {
        "api_key" => {
            let given = input.api_key.unwrap_or_default();
            let kept = match stored {
                Some(Authentication::ApiKey { header_value, .. }) => Some(header_value),
                _ => None,
            };
            let field = "authentication.api_key.header_value";
            let header_value = keep(fields, field, given.header_value, kept);
            Authentication::ApiKey {
                header_name: fields.header_name("authentication.api_key.header_name", &given.header_name),
                header_value: fields.header_value(field, &header_value),
            }
        }
        "basic_auth" => {
            let given = input.basic_auth.unwrap_or_default();
            let kept = match stored {
                Some(Authentication::BasicAuth { password, .. }) => Some(password),
                _ => None,
            };
            let username = fields.name("authentication.basic_auth.username", &given.username);
            fields.check(
                !username.contains(':'),
                "authentication.basic_auth.username",
                "must not hold a colon",
            );
            let field = "authentication.basic_auth.password";
            let password = keep(fields, field, given.password, kept);
            Authentication::BasicAuth {
                username,
                password: fields.secret(field, &password),
            }
        }
        "" => {
            fields.refuse("authentication.type", "is required: api_key or basic_auth");
            return None;
        }
        _ => {
            fields.refuse("authentication.type", "must be one of api_key, basic_auth");
            return None;
        }
    };
    (fields.count() == refused).then_some(checked)
}

/// The given secret, or the stored one for which the caller sent its mask back.
fn keep(fields: &mut Fields, field: &str, given: String, stored: Option<String>) -> String {
    if given != REDACTED {
        return given;
    }
    stored.unwrap_or_else(|| {
        fields.refuse(field, "has no stored value to keep");
        given
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_known_in_every_spelling() {
        let strict = AddressPolicy::default();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://10.0.0.8:8080/in",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[fd00:ec2::254]/",
        ] {
            let reason = refused_address(url, &strict).unwrap_or_default();
            assert!(reason.contains("delivery.allow_addresses"), "{url}: {reason}");
        }
        for url in [
            "https://example.com/",
            "http://localhost/",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(refused_address(url, &strict), None, "{url}");
        }
    }

    #[test]
    fn the_lists_of_the_instance_count_as_they_do_for_deliveries() {
        let own = AddressPolicy {
            allow: vec!["10.0.0.0/8".parse().expect("a network")],
            deny: vec!["10.0.0.5/32".parse().expect("a network")],
        };
        assert_eq!(refused_address("http://10.0.0.4/", &own), None);
        let denied = refused_address("http://10.0.0.5/", &own).unwrap_or_default();
        assert!(denied.contains("delivery.deny_addresses"), "{denied}");
    }
}
