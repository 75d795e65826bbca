//! Accepting events.
//!
//! A 201 is sent only when a store has the event: Redis in the normal case, PostgreSQL when Redis
//! is away, full or did not replicate in time, or when `ingest.durability` asks for it. With both
//! away the caller is told to come back.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use chrono::TimeDelta;
use domain::clock::to_millis;
use domain::event::Target;
use domain::id::{EventId, ProjectId};
use domain::role::Role;
use domain::state::EventState;
use http::{HeaderName, HeaderValue};
use queue::QueueError;
use queue::codec::Payload as _;
use queue::payload::{AcceptedEvent, Facts};

use crate::Services;
use crate::access::Actor;
use crate::catalog::Project;
use crate::delivery::journal::{Journal, Rows};
use crate::delivery::rows::new_event;
use crate::error::{Error, FieldError, Result};
use crate::features;
use crate::options::Durability;

/// Longest event type, idempotency key and owner id in bytes.
const TEXT_LIMIT: usize = 512;
/// Most custom headers, and their bytes in all.
const HEADER_LIMITS: (usize, usize) = (64, 16 * 1024);
/// Headers that the gateway's own client sets or that are for one hop only; so are all `proxy-`.
const CONNECTION_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Longest wait to tell a caller that its key is known. A worker decides in any case.
const KNOWN_LIMIT: Duration = Duration::from_millis(250);
/// Keys forgotten in one statement.
const FORGET_BATCH: i64 = 10_000;
/// How long a worker has for a stored event before the sweeper looks for it.
const STORED_GRACE: TimeDelta = TimeDelta::seconds(20);

/// An event as a caller brings it.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Whom it is for.
    pub target: Target,
    /// Its type.
    pub event_type: &'a str,
    /// JSON text; kept, signed and sent byte for byte.
    pub data: ByteString,
    /// Custom headers for receivers.
    pub headers: Vec<(String, String)>,
    /// A second event with the same key is not delivered.
    pub idempotency_key: Option<&'a str>,
}

/// What became of an accepted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: EventId,
    /// An earlier event has its idempotency key. Told only when it was known at once; a worker
    /// decides in any case.
    pub duplicate: bool,
}

/// Accepts an event for a project.
///
/// # Errors
/// [`Error::Invalid`] names every refused field, [`Error::NotFound`] an endpoint that does not
/// exist, [`Error::Unavailable`] says that neither store could take the event.
pub async fn accept(
    services: &Services,
    actor: &Actor,
    project: ProjectId,
    new: NewEvent<'_>,
) -> Result<Accepted> {
    actor.require(project, Role::ProjectAdmin)?;
    let project = services
        .catalog
        .project(project)
        .ok_or(Error::NotFound("project"))?;
    validate(services, &project, &new)?;
    if let Target::Endpoint(id) = &new.target
        && !project.endpoints.contains_key(id)
    {
        return Err(Error::NotFound("endpoint"));
    }
    let duplicate = match (&new.target, new.idempotency_key) {
        // Callers of a fan-out are told about duplicates.
        (Target::Owner(_), Some(key)) => is_known(services, project.id, key).await,
        _ => false,
    };
    let id = EventId::at(to_millis(services.clock.now()));
    let facts = Facts {
        id,
        project: project.id,
        catalog_version: project.version,
        target: new.target,
        event_type: new.event_type.to_owned(),
        headers: new.headers,
        idempotency_key: new
            .idempotency_key
            .filter(|key| !key.is_empty())
            .map(ToOwned::to_owned),
        stored: services.options.ingest.durability == Durability::Postgres,
    };
    let event = AcceptedEvent {
        facts,
        payload: new.data,
    };
    store(services, &project, event).await?;
    services.meters.accepted.increment(1);
    Ok(Accepted { id, duplicate })
}

/// Whether an earlier event has the key, as far as PostgreSQL tells without delay.
async fn is_known(services: &Services, project: ProjectId, key: &str) -> bool {
    if services.intake.is_away() {
        return false;
    }
    let asked = db::idempotency::find(&services.db, project, key);
    let told = tokio::time::timeout(KNOWN_LIMIT, asked).await;
    matches!(told, Ok(Ok(Some(_))))
}

/// Forgets the idempotency keys whose events have left; returns how many. As long as nothing is
/// deleted on this instance, none is forgotten.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away.
pub async fn forget_idempotency_keys(services: &Services) -> Result<u64> {
    if !features::retention_policy(services).await?.on {
        return Ok(0);
    }
    let now = services.clock.now();
    let mut forgotten = 0;
    loop {
        let keys = db::idempotency::forget(&services.db, now, FORGET_BATCH).await?;
        forgotten += keys;
        if keys < FORGET_BATCH.unsigned_abs() {
            return Ok(forgotten);
        }
    }
}

async fn store(services: &Services, project: &Arc<Project>, event: AcceptedEvent) -> Result<()> {
    if event.facts.stored {
        write_row(&services.intake, services, project, &event, STORED_GRACE).await?;
        if let Err(error) = services.queues.events.push(event.encode()).await {
            tracing::debug!(%error, "a stored event is left to the sweeper");
        }
        return Ok(());
    }
    match services.queues.events.push(event.encode()).await {
        Ok(()) => Ok(()),
        // The entry is in the queue, but a failover could still lose it.
        Err(QueueError::NotReplicated { .. }) => {
            write_row(&services.intake, services, project, &event, STORED_GRACE).await
        }
        Err(error) => {
            services.meters.diverted.increment(1);
            tracing::debug!(%error, "an event goes the way of PostgreSQL");
            write_row(&services.intake, services, project, &event, TimeDelta::zero()).await
        }
    }
}

/// Writes the event as waiting to be matched; the sweeper may take it after `grace`.
async fn write_row(
    journal: &Journal,
    services: &Services,
    project: &Project,
    event: &AcceptedEvent,
    grace: TimeDelta,
) -> Result<()> {
    let facts = &event.facts;
    let texts = (ByteString::from(facts.event_type.as_str()), event.payload.clone());
    let mut rows = Rows::default();
    rows.events.push(db::hot::NewEvent {
        due_at: Some(services.clock.now() + grace),
        ..new_event(facts, texts, project.keep_days, EventState::Pending, None)
    });
    journal.write(rows).await
}

fn validate(services: &Services, project: &Project, new: &NewEvent<'_>) -> Result<()> {
    let mut wrong = Vec::new();
    let mut refuse = |field: &str, reason: String| {
        wrong.push(FieldError {
            field: field.to_owned(),
            reason,
        });
    };
    check_text("event_type", new.event_type, &mut refuse);
    if let Some(key) = new.idempotency_key.filter(|key| !key.is_empty()) {
        check_text("idempotency_key", key, &mut refuse);
    }
    if let Target::Owner(owner) = &new.target {
        check_text("owner_id", owner, &mut refuse);
    }
    let limit = match project.config.max_payload_read_size {
        0 => services.options.ingest.max_payload_bytes,
        own => own.min(services.options.ingest.max_payload_bytes),
    };
    if new.data.len() > limit as usize {
        refuse(
            "data",
            format!("has {} bytes, the limit is {limit}", new.data.len()),
        );
    }
    check_headers(&new.headers, &mut refuse);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(wrong))
    }
}

fn check_text(field: &str, text: &str, refuse: &mut impl FnMut(&str, String)) {
    if text.trim().is_empty() {
        refuse(field, "please provide a value".to_owned());
    } else if text.len() > TEXT_LIMIT {
        refuse(field, format!("must have at most {TEXT_LIMIT} bytes"));
    } else if text.chars().any(char::is_control) {
        refuse(field, "must not contain control characters".to_owned());
    }
}

fn check_headers(headers: &[(String, String)], refuse: &mut impl FnMut(&str, String)) {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADER_LIMITS.0 || bytes > HEADER_LIMITS.1 {
        let (most, bytes) = HEADER_LIMITS;
        refuse(
            "custom_headers",
            format!("must be at most {most} headers of {bytes} bytes together"),
        );
        return;
    }
    for (name, value) in headers {
        let reason = match name.parse::<HeaderName>() {
            Err(_) => "is not a header name",
            Ok(name) if is_of_the_connection(&name) => "belongs to the connection and cannot be set",
            Ok(_) if HeaderValue::from_str(value).is_err() => "is not a header value",
            Ok(_) => continue,
        };
        refuse(&format!("custom_headers.{name}"), reason.to_owned());
    }
}

/// Whether a header frames a request or speaks to the next hop: a sender who could set it could
/// smuggle a second request, or break every attempt.
fn is_of_the_connection(name: &HeaderName) -> bool {
    let name = name.as_str();
    CONNECTION_HEADERS.contains(&name) || name.starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(headers: &[(&str, &str)]) -> Vec<String> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut fields = Vec::new();
        check_headers(&headers, &mut |field: &str, _| fields.push(field.to_owned()));
        fields
    }

    #[test]
    fn headers_of_the_connection_are_refused_by_name() {
        for name in CONNECTION_HEADERS.into_iter().chain([
            "Content-Length",
            "Proxy-Authorization",
            "proxy-connection",
        ]) {
            assert_eq!(
                refused(&[(name, "1"), ("x-tenant", "a")]),
                [format!("custom_headers.{name}")]
            );
        }
    }

    #[test]
    fn names_and_values_that_are_no_headers_are_refused() {
        assert_eq!(
            refused(&[("no name", "1"), ("x-a", "line\nbreak")]),
            ["custom_headers.no name", "custom_headers.x-a"]
        );
        assert!(
            refused(&[
                ("X-Tenant", "a"),
                ("Authorization", "Bearer b"),
                ("content-type", "text/plain")
            ])
            .is_empty()
        );
    }
}
