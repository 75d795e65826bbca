//! What the forms about endpoints do.

use domain::{event::Target, id::EndpointId, state::EndpointState};
use services::{
    endpoints::{
        self, ApiKeyInput, AuthenticationInput, BasicAuthInput, Endpoint, EndpointSecret, EndpointUpdate,
        NewEndpoint, REDACTED, Rotation,
    },
    ingest::{self, NewEvent},
    patch::Patch,
};

use super::{
    dto::{EndpointForm, SecretForm},
    present::{get, secrets_key},
};
use crate::{
    context::{InProject, in_project, keep_for_next_page},
    error::{Code, Reason, UiError},
};

/// Type of the events that the button "Send test event" sends.
const TEST_EVENT: &str = "longhaul.test";
/// Fields of the use cases, as the form calls them.
const NAMES: &[(&str, &str)] = &[
    ("name", "name"),
    ("url", "url"),
    ("description", "description"),
    ("owner_id", "owner_id"),
    ("support_email", "support_email"),
    ("signature_format", "signature"),
    ("advanced_signatures", "signature"),
    ("secret", "secret"),
    ("content_type", "content_type"),
    ("http_timeout", "http_timeout"),
    ("rate_limit_duration", "rate_limit_duration"),
    ("rate_limit", "rate_limit"),
    ("authentication.api_key.header_name", "auth_header"),
    ("authentication.api_key.header_value", "auth_value"),
    ("authentication.basic_auth.username", "auth_username"),
    ("authentication.basic_auth.password", "auth_password"),
];

/// Creates an endpoint and goes to its page, which shows the secret once.
///
/// # Errors
/// Names the refused fields.
pub async fn create(project: String, form: EndpointForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let numbers = Numbers::read(&form)?;
    let new = NewEndpoint {
        name: form.name.clone(),
        url: form.url.clone(),
        secret: filled(&form.secret),
        owner_id: filled(&form.owner_id),
        description: form.description.clone(),
        advanced_signatures: Some(form.signature != "simple"),
        signature_format: Some(format_of(&form).to_owned()),
        support_email: form.support_email.clone(),
        http_timeout: Some(numbers.timeout),
        rate_limit: Some(numbers.rate),
        rate_limit_duration: Some(numbers.window),
        content_type: Some(form.content_type.clone()),
        authentication: authentication(&form)?,
        ..NewEndpoint::default()
    };
    let made = endpoints::create(&at.by.services, &at.by.actor, at.id, new)
        .await
        .map_err(named)?;
    show_once(made.id, &made.secrets).await?;
    Ok(saved(&at, made.id, "endpoint_created"))
}

/// Saves an endpoint that nobody has changed since the form was made.
///
/// # Errors
/// Names the refused fields, or a conflict.
pub async fn save(
    project: String,
    endpoint: String,
    version: i64,
    form: EndpointForm,
) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &endpoint).await?;
    if known.updated_at.timestamp_micros() != version {
        return Err(UiError::new(Code::Conflict));
    }
    let numbers = Numbers::read(&form)?;
    let update = EndpointUpdate {
        name: Some(form.name.clone()),
        url: Some(form.url.clone()),
        description: Some(form.description.clone()),
        owner_id: filled(&form.owner_id).map_or(Patch::Null, Patch::Value),
        advanced_signatures: Some(form.signature != "simple"),
        signature_format: Some(format_of(&form).to_owned()),
        support_email: Some(form.support_email.clone()),
        http_timeout: Some(numbers.timeout),
        rate_limit: Some(numbers.rate),
        rate_limit_duration: Some(numbers.window),
        content_type: Some(form.content_type.clone()),
        authentication: authentication(&form)?.map_or(Patch::Null, Patch::Value),
        ..EndpointUpdate::default()
    };
    endpoints::update(&at.by.services, &at.by.actor, at.id, known.id, update)
        .await
        .map_err(named)?;
    Ok(saved(&at, known.id, "endpoint"))
}

fn named(error: services::Error) -> UiError {
    UiError::from(error).with_names(NAMES)
}

/// `text`, unless it is empty.
fn filled(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn format_of(form: &EndpointForm) -> &'static str {
    if form.signature == "standard" {
        "standard"
    } else {
        "convoy"
    }
}

/// The numbers of the form.
struct Numbers {
    timeout: u32,
    rate: u32,
    window: u32,
}

impl Numbers {
    fn read(form: &EndpointForm) -> Result<Self, UiError> {
        let mut wrong = UiError::new(Code::Invalid);
        let mut number = |name: &str, text: &str| match text.trim() {
            "" => 0,
            text => text.parse().unwrap_or_else(|_| {
                wrong = wrong.clone().and(name, Reason::NotNumber, "");
                0
            }),
        };
        let numbers = Self {
            timeout: number("http_timeout", &form.http_timeout),
            rate: number("rate_limit", &form.rate_limit),
            window: number("rate_limit_duration", &form.rate_limit_duration),
        };
        if wrong.fields.is_empty() {
            Ok(numbers)
        } else {
            Err(wrong)
        }
    }
}

/// Authentication as the use cases read it; an empty value keeps the stored one.
fn authentication(form: &EndpointForm) -> Result<Option<AuthenticationInput>, UiError> {
    let keep = |text: &str| {
        if text.is_empty() {
            REDACTED.to_owned()
        } else {
            text.to_owned()
        }
    };
    let kind = form.auth.clone();
    match kind.as_str() {
        "none" | "" => Ok(None),
        "api_key" => {
            let header = ApiKeyInput {
                header_name: form.auth_header.clone(),
                header_value: keep(&form.auth_value),
            };
            Ok(Some(AuthenticationInput {
                kind,
                api_key: Some(header),
                ..AuthenticationInput::default()
            }))
        }
        "basic_auth" => {
            let account = BasicAuthInput {
                username: form.auth_username.clone(),
                password: keep(&form.auth_password),
            };
            Ok(Some(AuthenticationInput {
                kind,
                basic_auth: Some(account),
                ..AuthenticationInput::default()
            }))
        }
        _ => Err(UiError::field("auth", Reason::NotOffered)),
    }
}

/// Keeps secrets in clear for the next page of the endpoint.
async fn show_once(id: EndpointId, secrets: &[EndpointSecret]) -> Result<(), UiError> {
    let clear: Vec<_> = secrets
        .iter()
        .map(|s| (s.id.to_string(), s.value.clone()))
        .collect();
    keep_for_next_page(&secrets_key(id), &clear).await
}

fn saved(at: &InProject, id: EndpointId, code: &str) -> String {
    format!("{}?saved={code}", at.project.at(&format!("endpoints/{id}")))
}

/// Holds an endpoint, or lets it go: whichever `state` says.
///
/// # Errors
/// When the viewer may not, or the endpoint is inactive and should be held.
pub async fn set_state(project: String, endpoint: String, state: EndpointState) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known: Endpoint = get(&at, &endpoint).await?;
    let (services, actor) = (&at.by.services, &at.by.actor);
    if state == EndpointState::Active {
        endpoints::activate(services, actor, at.id, known.id).await?;
        return Ok(saved(&at, known.id, "endpoint_activated"));
    }
    // The use case turns the state round, so a second click must not undo the first.
    if known.state == EndpointState::Active {
        endpoints::toggle_pause(services, actor, at.id, known.id).await?;
    }
    Ok(saved(&at, known.id, "endpoint_paused"))
}

/// Sends an event to one endpoint and goes to its page.
///
/// # Errors
/// When the viewer may not, or no store can take the event.
pub async fn send_test_event(project: String, endpoint: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &endpoint).await?;
    let data = serde_json::json!({
        "test": true,
        "endpoint": known.name,
        "sent_by": at.by.viewer.user.email,
        "sent_at": at.by.now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    });
    let new = NewEvent {
        target: Target::Endpoint(known.id),
        event_type: TEST_EVENT,
        data: data.to_string().into(),
        headers: Vec::new(),
        idempotency_key: None,
    };
    let accepted = ingest::accept(&at.by.services, &at.by.actor, at.id, new).await?;
    Ok(format!(
        "{}?saved=test_event",
        at.project.at(&format!("events/{}", accepted.id))
    ))
}

/// Adds a secret, which the next page shows once.
///
/// # Errors
/// Names the refused fields.
pub async fn rotate_secret(project: String, endpoint: String, form: SecretForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &endpoint).await?;
    let hours: u32 = match form.hours.trim() {
        "" => 0,
        text => text
            .parse()
            .map_err(|_| UiError::field("hours", Reason::NotNumber))?,
    };
    let rotation = Rotation {
        secret: filled(&form.value),
        expiration: hours.saturating_mul(3600),
    };
    let rotated = endpoints::rotate_secret(&at.by.services, &at.by.actor, at.id, known.id, rotation)
        .await
        .map_err(|e| UiError::from(e).with_names(&[("secret", "value"), ("expiration", "hours")]))?;
    let newest = rotated
        .secrets
        .last()
        .map(std::slice::from_ref)
        .unwrap_or_default();
    show_once(known.id, newest).await?;
    Ok(saved(&at, known.id, "secret"))
}

/// Shows the secrets in clear on the next page; the use case writes down who asked.
///
/// # Errors
/// When the viewer may not.
pub async fn reveal_secrets(project: String, endpoint: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &endpoint).await?;
    let clear = endpoints::reveal_secrets(&at.by.services, &at.by.actor, at.id, known.id).await?;
    show_once(known.id, &clear).await?;
    Ok(at.project.at(&format!("endpoints/{}#secrets", known.id)))
}

/// Deletes an endpoint whose name was typed.
///
/// # Errors
/// When the typed name differs or the viewer may not.
pub async fn delete(project: String, endpoint: String, confirm: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let known = get(&at, &endpoint).await?;
    if confirm.trim() != known.name {
        return Err(UiError::new(Code::NotConfirmed));
    }
    endpoints::delete(&at.by.services, &at.by.actor, at.id, known.id).await?;
    Ok(format!("{}?saved=endpoint_deleted", at.project.at("endpoints")))
}
