//! Connections, faults and the checks of every request.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use futures::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::faults::{Fault, Faults};
use super::wire::{Answer, Asked, in_header};
use super::{Call, Settings, State, lock};

/// The clocks of client and store may differ by this much.
const CLOCK_LEEWAY: TimeDelta = TimeDelta::minutes(15);

pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, faults: Arc<Faults>) {
    // Connections end with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (state, faults) = (Arc::clone(&state), Arc::clone(&faults));
        let service = service_fn(move |request| answer(Arc::clone(&state), Arc::clone(&faults), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}

/// An error ends the connection without an answer.
async fn answer(
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let asked = Asked::new(head.method, &head.uri, head.headers, body);
    let fault = faults.take();
    match &fault {
        Some(Fault::CutBefore) => {
            record(&state, &asked, None);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let answer = match &fault {
        Some(Fault::Refuse(status, code)) => Answer::refusal(*status, code, "told to"),
        _ => handle(&state, &asked),
    };
    let is_head = asked.method == "HEAD";
    record(
        &state,
        &asked,
        (fault != Some(Fault::CutAfter)).then_some(&answer),
    );
    let now = now(&lock(&state).settings);
    match fault {
        Some(Fault::CutAfter) => Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::CutBody(at)) => response(&answer, is_head, now, |body| cut(&body, at)),
        Some(Fault::Damage) => response(&answer, is_head, now, |body| Body::from(damaged(&body))),
        _ => response(&answer, is_head, now, Body::from),
    }
}

fn handle(state: &Mutex<State>, asked: &Asked) -> Answer {
    let mut state = lock(state);
    let done = admit(&state.settings, asked).and_then(|()| state.operate(asked));
    done.unwrap_or_else(|refusal| refusal)
}

fn record(state: &Mutex<State>, asked: &Asked, answer: Option<&Answer>) {
    lock(state).calls.push(Call {
        operation: asked.operation(),
        key: asked.key.clone(),
        range: asked.header("range").map(str::to_owned),
        bytes_in: asked.body.len() as u64,
        bytes_out: answer.map_or(0, |answer| answer.body.len() as u64),
        status: answer.map_or(0, |answer| answer.status),
    });
}

/// The store's clock.
pub(super) fn now(settings: &Settings) -> DateTime<Utc> {
    #[expect(
        clippy::disallowed_methods,
        reason = "requests are signed with the machine's time"
    )]
    let now = SystemTime::now();
    DateTime::<Utc>::from(now) + settings.clock_ahead
}

/// Who asks, for which region, when, and whether the body came whole.
fn admit(settings: &Settings, asked: &Asked) -> Result<(), Answer> {
    let credential = asked
        .header("authorization")
        .and_then(|header| header.split("Credential=").nth(1)?.split(',').next())
        .ok_or_else(|| Answer::refusal(403, "AccessDenied", "Anonymous access is forbidden"))?;
    let mut parts = credential.split('/');
    let (access_key, region) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    if access_key != settings.access_key {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Err(Answer::refusal(403, "InvalidAccessKeyId", message));
    }
    if region != settings.region {
        let ours = &settings.region;
        let message = format!(
            "The authorization header is malformed; the region '{region}' is wrong; expecting '{ours}'"
        );
        let refusal = Answer::refusal(400, "AuthorizationHeaderMalformed", &message);
        return Err(refusal.header("x-amz-bucket-region", ours));
    }
    let signed_at = asked
        .header("x-amz-date")
        .and_then(|date| NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok())
        .map(|date| date.and_utc());
    if signed_at.is_none_or(|at| (now(settings) - at).abs() >= CLOCK_LEEWAY) {
        let message = "The difference between the request time and the current time is too large.";
        return Err(Answer::refusal(403, "RequestTimeTooSkewed", message));
    }
    if settings.refuses_signatures {
        let message = "The request signature we calculated does not match the signature you provided.";
        return Err(Answer::refusal(403, "SignatureDoesNotMatch", message));
    }
    if settings.denied.contains(&asked.operation()) {
        return Err(Answer::refusal(403, "AccessDenied", "Access Denied"));
    }
    match asked.header("x-amz-content-sha256") {
        Some(digest) if digest.len() == 64 && digest != hex::encode(Sha256::digest(&asked.body)) => {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(Answer::refusal(400, "XAmzContentSHA256Mismatch", message))
        }
        _ => Ok(()),
    }
}

fn response(
    answer: &Answer,
    is_head: bool,
    now: DateTime<Utc>,
    body: impl FnOnce(Bytes) -> Body,
) -> Result<Response<Body>, io::Error> {
    let length = answer.length.unwrap_or(answer.body.len());
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-length", length)
        .header("date", in_header(now));
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = if is_head {
        Body::empty()
    } else {
        body(answer.body.clone())
    };
    response.body(body).map_err(io::Error::other)
}

/// A body that ends with an error, which ends the connection.
fn cut(body: &Bytes, at: usize) -> Body {
    let start = body.slice(..at.min(body.len()));
    let end: Result<Bytes, io::Error> = Err(io::ErrorKind::ConnectionReset.into());
    Body::from_stream(stream::iter([Ok(start), end]))
}

fn damaged(body: &Bytes) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    bytes.into()
}
