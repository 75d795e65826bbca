//! One attempt: build the request, sign exactly the bytes that are sent, send, and judge.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use chrono::{DateTime, TimeDelta, Utc};
use db::hot::{NewAttempt, Standing};
use domain::id::{AttemptId, DeliveryId, EventId};
use domain::lifecycle::KeepDays;
use domain::retry::{RetryPolicy, parse_retry_after};
use domain::signature::Message;
use domain::state::DeliveryState;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;

use super::sender::{Answer, SendError, Sender};
use crate::catalog::{BodyForm, Endpoint, Project};

/// Most bytes of the answer's headers that are kept.
const KEPT_HEADER_BYTES: usize = 4096;

/// What is sent, and on whose behalf.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The project.
    pub project: &'a Project,
    /// Where to.
    pub endpoint: &'a Endpoint,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its event.
    pub event: EventId,
    /// JSON text as received.
    pub payload: &'a ByteString,
    /// Custom headers of the event.
    pub headers: &'a [(String, String)],
    /// The caller's key, passed on to the receiver.
    pub idempotency_key: Option<&'a str>,
}

/// An attempt that was made, or that could not even be started.
#[derive(Debug)]
pub struct Attempted {
    /// When it was started.
    pub requested_at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
    /// What was sent, as lines `name: value`.
    pub request_headers: String,
    /// What came back.
    pub outcome: Result<Answer, Trouble>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The request was sent, or tried to be.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The endpoint's settings do not allow a request.
    #[error("{0}")]
    Settings(&'static str),
}

/// Makes one attempt.
pub async fn make(
    sender: &Sender,
    user_agent: &HeaderValue,
    now: DateTime<Utc>,
    out: &Outgoing<'_>,
) -> Attempted {
    let started = Instant::now();
    let (request, request_headers) = match build(user_agent, now, out) {
        Ok(built) => built,
        Err(trouble) => {
            return Attempted {
                requested_at: now,
                duration: Duration::ZERO,
                request_headers: String::new(),
                outcome: Err(trouble),
            };
        }
    };
    let outcome = sender
        .send(request, out.endpoint.timeout)
        .await
        .map_err(Trouble::Send);
    Attempted {
        requested_at: now,
        duration: started.elapsed(),
        request_headers,
        outcome,
    }
}

fn build(
    user_agent: &HeaderValue,
    now: DateTime<Utc>,
    out: &Outgoing<'_>,
) -> Result<(Request<Full<Bytes>>, String), Trouble> {
    let uri: Uri = out
        .endpoint
        .uri
        .clone()
        .ok_or(Trouble::Settings("the endpoint's address cannot be read"))?;
    let signer = out
        .endpoint
        .signer
        .as_ref()
        .ok_or(Trouble::Settings("the endpoint has no secret to sign with"))?;
    let (body, content_type) = match out.endpoint.body {
        BodyForm::Json => (
            out.payload.as_bytes().clone(),
            HeaderValue::from_static("application/json"),
        ),
        BodyForm::Form => (
            form_body(out.payload),
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        ),
    };
    let mut headers = HeaderMap::with_capacity(8 + out.headers.len());
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(USER_AGENT, user_agent.clone());
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    let message = Message {
        id: out.delivery.0.hyphenated().encode_lower(&mut id),
        timestamp: now.timestamp(),
        body: &body,
    };
    for (name, value) in signer.sign(&message) {
        put(&mut headers, name, &value);
    }
    if let Some(key) = out.idempotency_key
        && let Ok(value) = HeaderValue::from_str(key)
    {
        headers.insert(out.project.request_id_header.clone(), value);
    }
    if out.project.config.add_event_id_trace_headers {
        put(&mut headers, "x-convoy-event-id", &out.event.to_string());
        put(
            &mut headers,
            "x-convoy-eventdelivery-id",
            &out.delivery.to_string(),
        );
    }
    if let Some((name, value)) = &out.endpoint.authentication {
        headers.insert(name.clone(), value.clone());
    }
    for (name, value) in out.headers {
        // What the gateway set itself, it keeps.
        if let Ok(name) = name.parse::<HeaderName>()
            && !headers.contains_key(&name)
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(name, value);
        }
    }
    let lines = header_lines(&headers);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok((request, lines))
}

fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Headers as lines `name: value`; what is marked as secret is masked.
fn header_lines(headers: &HeaderMap) -> String {
    let mut lines = String::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        if lines.len() >= KEPT_HEADER_BYTES {
            break;
        }
        let value = if value.is_sensitive() {
            "***".into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        let separator = if lines.is_empty() { "" } else { "\n" };
        let _ = write!(lines, "{separator}{name}: {value}");
    }
    lines
}

/// Top-level keys as form fields: text as it is, everything else as its JSON text.
fn form_body(payload: &str) -> Bytes {
    let mut form = url::form_urlencoded::Serializer::new(String::with_capacity(payload.len()));
    let fields: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
        serde_json::from_str(payload).unwrap_or_default();
    for (name, value) in fields {
        let text = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
        form.append_pair(&name, &text);
    }
    Bytes::from(form.finish())
}

/// What an attempt is judged by.
#[derive(Debug)]
pub struct Rules<'a> {
    /// When and how often to try again.
    pub retry: &'a RetryPolicy,
    /// An answer ends the delivery, whatever it is.
    pub at_most_once: bool,
    /// Longest wait that a receiver may ask for with `Retry-After`.
    pub longest_wait: Duration,
}

/// What an attempt led to.
#[derive(Debug)]
pub struct Verdict {
    /// Where the delivery stands now.
    pub standing: Standing,
    /// The receiver said that it wants no more (410), or several attempts are used up.
    pub gave_up: bool,
}

/// Judges attempt number `number` of a delivery.
pub fn judge(attempted: &Attempted, number: i16, accepted_at: DateTime<Utc>, rules: &Rules<'_>) -> Verdict {
    let ended = attempted.requested_at + TimeDelta::from_std(attempted.duration).unwrap_or_default();
    let status = attempted.outcome.as_ref().ok().map(|answer| answer.status);
    let mut standing = Standing {
        state: DeliveryState::Success,
        due_at: None,
        ended_at: Some(ended),
        latency_ms: None,
        attempts: number,
        last_status: status.map(|s| s as i16),
        description: None,
        retry: None,
    };
    if let Some(200..300) = status {
        standing.latency_ms = Some(
            (ended - accepted_at)
                .num_milliseconds()
                .clamp(0, i64::from(i32::MAX)) as i32,
        );
        return Verdict {
            standing,
            gave_up: false,
        };
    }
    let reason = match &attempted.outcome {
        Ok(answer) => format!("Endpoint returned status code {}", answer.status),
        Err(trouble) => trouble.to_string(),
    };
    let wait = match (&attempted.outcome, status) {
        (_, Some(410)) => None,
        (Ok(_), _) if rules.at_most_once => None,
        _ => rules.retry.next_delay(number.max(0) as u32, rand::random()),
    };
    standing.description = Some(reason);
    if let Some(wait) = wait {
        let wait = wait.max(asked_wait(&attempted.outcome, ended, rules.longest_wait));
        standing.state = DeliveryState::Retry;
        standing.due_at = Some(ended + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(30)));
        standing.ended_at = None;
        standing.retry = serde_json::to_string(rules.retry).ok();
        return Verdict {
            standing,
            gave_up: false,
        };
    }
    standing.state = DeliveryState::Failure;
    if status == Some(410) {
        standing.description = Some("Endpoint is gone (410)".to_owned());
    } else if !rules.at_most_once {
        standing.description = standing
            .description
            .map(|reason| format!("Retry limit exceeded: {reason}"));
    }
    Verdict {
        standing,
        gave_up: status == Some(410) || !rules.at_most_once,
    }
}

/// How long a receiver that is busy asked to be left alone.
fn asked_wait(outcome: &Result<Answer, Trouble>, now: DateTime<Utc>, longest: Duration) -> Duration {
    let Ok(answer) = outcome else {
        return Duration::ZERO;
    };
    if !matches!(answer.status, 429 | 503) {
        return Duration::ZERO;
    }
    let asked = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    asked
        .and_then(|text| parse_retry_after(text, now, longest))
        .unwrap_or_default()
}

/// The row of an attempt.
pub fn row(attempted: Attempted, out: &Outgoing<'_>, keep_days: KeepDays, number: i16) -> NewAttempt {
    let (answer, error) = match attempted.outcome {
        Ok(answer) => (Some(answer), None),
        Err(trouble) => (None, Some(trouble.to_string())),
    };
    NewAttempt {
        id: AttemptId::at(out.delivery.instant()),
        keep_days,
        project_id: out.project.id,
        delivery_id: out.delivery,
        number,
        requested_at: attempted.requested_at,
        duration_us: i32::try_from(attempted.duration.as_micros()).unwrap_or(i32::MAX),
        http_status: answer.as_ref().map(|a| a.status as i16),
        url: out.endpoint.url.clone(),
        request_headers: attempted.request_headers,
        response_headers: answer.as_ref().map(|a| header_lines(&a.headers)),
        address: answer.as_ref().and_then(|a| a.address).map(|ip| ip.to_string()),
        response_body: answer.map(|a| a.body.to_vec()).filter(|body| !body.is_empty()),
        error,
    }
}
