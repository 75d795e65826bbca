//! What server functions take from the request: the services, the viewer, the session, the time.

mod response;

use std::{future::Future, net::SocketAddr, sync::Arc};

use axum::extract::ConnectInfo;
use chrono::{DateTime, Utc};
use domain::{
    id::{ProjectId, UserId},
    role::Role,
};
use http::request::Parts;
use leptos::prelude::use_context;
use serde::{Serialize, de::DeserializeOwned};
use services::{
    Services,
    access::Actor,
    users::{self, Viewer},
};
use tower_sessions::Session;

use crate::{
    error::{Code, FieldError, Reason, UiError},
    features::common::ProjectRef,
    ui::packed::Packed,
};

pub use response::{
    go, header_of, is_own_request, local_path, set_security_headers, set_status, set_theme_cookie,
};

/// Key under which a session says who signed in. The session store repeats it in its rows.
const USER_KEY: &str = "user";

/// Who looks, with what is needed to serve them.
pub struct Viewing {
    /// The use cases.
    pub services: Arc<Services>,
    /// The person and what it may see.
    pub viewer: Viewer,
    /// The person as use cases take it.
    pub actor: Actor,
    /// The time of this request.
    pub now: DateTime<Utc>,
}

/// A project that the viewer may see.
pub struct InProject {
    /// Who looks.
    pub by: Viewing,
    /// The project's id.
    pub id: ProjectId,
    /// Name, id and rights, as pages take it.
    pub project: ProjectRef,
}

/// The services of this process.
///
/// # Errors
/// [`Code::Internal`] when the server did not provide them, which is a mistake in its wiring.
pub fn services() -> Result<Arc<Services>, UiError> {
    use_context::<Arc<Services>>().ok_or_else(|| UiError::new(Code::Internal))
}

/// The session of this request.
///
/// # Errors
/// [`Code::Internal`] when there is no session layer, which is a mistake in the wiring.
pub async fn session() -> Result<Session, UiError> {
    leptos_axum::extract::<Session>()
        .await
        .map_err(|_| UiError::new(Code::Internal))
}

/// Who looks.
///
/// # Errors
/// [`Code::SignIn`] when nobody is signed in.
pub async fn viewing() -> Result<Viewing, UiError> {
    let services = services()?;
    let user: UserId = session()
        .await?
        .get(USER_KEY)
        .await
        .map_err(store_away)?
        .ok_or_else(|| UiError::new(Code::SignIn))?;
    let viewer = users::viewer(&services, user).await?;
    let actor = viewer.actor(client_address());
    let now = services.clock.now();
    Ok(Viewing {
        services,
        viewer,
        actor,
        now,
    })
}

/// The project with the id in `text`, for a viewer who has a role in it.
///
/// # Errors
/// [`Code::NotFound`] also for projects that the viewer may not see.
pub async fn in_project(text: &str) -> Result<InProject, UiError> {
    let by = viewing().await?;
    let id: ProjectId = parse_id(text)?;
    let found = by
        .viewer
        .projects
        .iter()
        .find(|p| p.id == id)
        .ok_or_else(|| UiError::new(Code::NotFound))?;
    let project = ProjectRef {
        id: id.to_string(),
        name: found.name.clone(),
        can_edit: found.role >= Role::ProjectAdmin,
    };
    Ok(InProject { by, id, project })
}

/// Reads an id out of an address or a form.
///
/// # Errors
/// [`Code::NotFound`]: what is no id names nothing.
pub fn parse_id<T: std::str::FromStr>(text: &str) -> Result<T, UiError> {
    text.parse().map_err(|_| UiError::new(Code::NotFound))
}

/// Remembers who signed in, under a fresh session id.
///
/// # Errors
/// [`Code::Unavailable`] while the session store is away.
pub async fn sign_in(user: UserId) -> Result<(), UiError> {
    let session = session().await?;
    session.cycle_id().await.map_err(store_away)?;
    session.insert(USER_KEY, user).await.map_err(store_away)
}

/// Forgets the session.
///
/// # Errors
/// [`Code::Unavailable`] while the session store is away.
pub async fn sign_out() -> Result<(), UiError> {
    session().await?.flush().await.map_err(store_away)
}

/// Keeps `value` for the next page only: a fresh secret, or what a tester found.
///
/// # Errors
/// [`Code::Unavailable`] while the session store is away.
pub async fn keep_for_next_page(key: &str, value: &impl Serialize) -> Result<(), UiError> {
    session()
        .await?
        .insert(&flash_key(key), value)
        .await
        .map_err(store_away)
}

/// Takes what was kept for this page.
///
/// # Errors
/// [`Code::Unavailable`] while the session store is away.
pub async fn take_kept<T: DeserializeOwned>(key: &str) -> Result<Option<T>, UiError> {
    session().await?.remove(&flash_key(key)).await.map_err(store_away)
}

fn flash_key(key: &str) -> String {
    format!("next:{key}")
}

/// The network address of the client.
pub fn client_address() -> Option<String> {
    let parts = use_context::<Parts>()?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.0.ip().to_string())
}

/// Ends a page's server function: packs the data, or answers with the status of the failure.
///
/// # Errors
/// Whatever `work` failed with.
pub async fn page<T: Serialize>(
    work: impl Future<Output = Result<T, UiError>>,
) -> Result<Packed<T>, UiError> {
    answer(async { Packed::pack(&work.await?) }).await
}

/// Ends a server function: answers with the status of the failure, and asks strangers to sign in.
///
/// # Errors
/// Whatever `work` failed with.
pub async fn answer<T>(work: impl Future<Output = Result<T, UiError>>) -> Result<T, UiError> {
    let done = work.await;
    if let Err(error) = &done {
        set_status(error.code.status());
        if error.code == Code::SignIn {
            response::go_to_sign_in();
        }
    }
    done
}

/// Ends a form's server function: goes on to the address that `work` names.
///
/// # Errors
/// Whatever `work` failed with.
pub async fn then_go(work: impl Future<Output = Result<String, UiError>>) -> Result<(), UiError> {
    let path = answer(work).await?;
    go(&path);
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn store_away(error: tower_sessions::session::Error) -> UiError {
    tracing::warn!(%error, "session store failed");
    UiError::new(Code::Unavailable)
}

impl From<services::Error> for UiError {
    fn from(error: services::Error) -> Self {
        use services::Error as E;
        match error {
            E::NotFound(_) => Self::new(Code::NotFound),
            E::Invalid(fields) => Self {
                fields: fields.into_iter().map(refused).collect(),
                ..Self::new(Code::Invalid)
            },
            E::Conflict(text) => Self::with_detail(Code::Conflict, sentence(&text)),
            E::Forbidden(text) => Self::with_detail(Code::Forbidden, sentence(text)),
            E::Unauthenticated(_) => Self::new(Code::SignIn),
            E::RateLimited { retry_after } => {
                let wait = crate::format::span(retry_after);
                Self::with_detail(Code::TooManyTries, format!("Wait {wait}, then try again."))
            }
            E::Unavailable { what, .. } => Self::with_detail(
                Code::Unavailable,
                format!("{what} is away. Accepted events are kept. Try again in a moment."),
            ),
            E::TooSlow => Self::new(Code::TooSlow),
            E::Internal(cause) => {
                tracing::error!(%cause, "a page failed");
                Self::new(Code::Internal)
            }
        }
    }
}

fn refused(field: services::error::FieldError) -> FieldError {
    let reason = if field.reason == "is required" {
        Reason::Required
    } else {
        Reason::Refused
    };
    FieldError {
        name: field.field,
        reason,
        detail: sentence(&field.reason),
    }
}

/// A sentence part with a capital at its start: `must be a word` becomes `Must be a word`.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
