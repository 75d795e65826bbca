//! A receiver of webhooks that checks every signature, books every delivery and behaves as its path says.
//!
//! | path | behaviour |
//! |---|---|
//! | `/ok` | 200 at once |
//! | `/delay/MS` | 200 after so many milliseconds |
//! | `/status/CODE` | that status at once |
//! | `/hang` | never answers |
//! | `/later/SECONDS` | 503 with that instant (seconds since 1970) in `Retry-After` until then, 200 from then on |
//!
//! It runs on a thread and runtime of its own, so that a busy driver does not delay its clock.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use chrono::DateTime;
use domain::clock::{Clock as _, SystemClock};
use domain::signature::{DEFAULT_HEADER, DEFAULT_TOLERANCE_SECONDS, DigestForm, verify_advanced};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::ledger::Ledger;
use crate::payload::{Stamp, now_ns};

/// A running receiver. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    secret: String,
    runs: RwLock<Vec<Arc<Ledger>>>,
    bad_signatures: AtomicU64,
    foreign: AtomicU64,
    hanging: AtomicU64,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Answer(StatusCode),
    Delay(Duration),
    Hang,
    Later(i64),
}

impl Receiver {
    /// Listens on a free port of the loopback address; `secret` is that of every endpoint.
    pub(crate) fn start(secret: &str) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("the receiver finds no port")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            secret: secret.to_owned(),
            runs: RwLock::default(),
            bad_signatures: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            hanging: AtomicU64::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let state = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, state) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            shared,
            _stop: stop,
        })
    }

    /// The address of an endpoint with the behaviour of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Books for a new run of at most `capacity` events.
    pub(crate) fn open_run(&self, capacity: u32) -> Arc<Ledger> {
        let mut runs = self.shared.runs.write().unwrap_or_else(PoisonError::into_inner);
        let ledger = Arc::new(Ledger::new(
            u16::try_from(runs.len()).unwrap_or(u16::MAX),
            capacity,
        ));
        runs.push(Arc::clone(&ledger));
        ledger
    }

    /// Deliveries whose signature was missing or wrong, in all runs. They are not booked.
    pub(crate) fn bad_signatures(&self) -> u64 {
        self.shared.bad_signatures.load(Ordering::Relaxed)
    }

    /// Deliveries whose bytes are not those that were sent, in all runs. They are not booked.
    pub(crate) fn foreign(&self) -> u64 {
        self.shared.foreign.load(Ordering::Relaxed)
    }

    /// Requests that were or are left without an answer.
    pub(crate) fn hung(&self) -> u64 {
        self.shared.hanging.load(Ordering::Relaxed)
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        // An error concerns one connection, or passes once others have closed.
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    // Answers are small and must not wait for more bytes.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| receive(request, Arc::clone(&shared)));
    // The gateway may close a connection whenever it likes.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn receive(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(answer(StatusCode::BAD_REQUEST));
    };
    let (body, now) = (body.to_bytes(), now_ns());
    let Some(behaviour) = Behaviour::of(head.uri.path()) else {
        return Ok(answer(StatusCode::NOT_FOUND));
    };
    if !shared.is_signed(&head.headers, &body) {
        shared.bad_signatures.fetch_add(1, Ordering::Relaxed);
        return Ok(answer(StatusCode::UNAUTHORIZED));
    }
    let stamp = Stamp::read(&body);
    let Some((stamp, ledger)) = stamp.and_then(|stamp| Some((stamp, shared.ledger(stamp.run)?))) else {
        shared.foreign.fetch_add(1, Ordering::Relaxed);
        return Ok(answer(StatusCode::OK));
    };
    Ok(behave(behaviour, &shared, &ledger, stamp, now).await)
}

async fn behave(
    behaviour: Behaviour,
    shared: &Shared,
    ledger: &Ledger,
    stamp: Stamp,
    now: u64,
) -> Response<Empty<Bytes>> {
    match behaviour {
        Behaviour::Answer(status) if status.is_success() => {
            ledger.deliver(stamp, now);
            answer(status)
        }
        Behaviour::Answer(status) => {
            ledger.put_off();
            answer(status)
        }
        Behaviour::Delay(pause) => {
            ledger.deliver(stamp, now);
            tokio::time::sleep(pause).await;
            answer(StatusCode::OK)
        }
        Behaviour::Hang => {
            shared.hanging.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
        Behaviour::Later(due) if SystemClock.now().timestamp() < due => {
            ledger.put_off();
            let mut response = answer(StatusCode::SERVICE_UNAVAILABLE);
            response
                .headers_mut()
                .extend(http_date(due).map(|date| (header::RETRY_AFTER, date)));
            response
        }
        Behaviour::Later(_) => {
            ledger.deliver(stamp, now);
            answer(StatusCode::OK)
        }
    }
}

impl Shared {
    fn is_signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let value = headers.get(DEFAULT_HEADER).and_then(|value| value.to_str().ok());
        let now = SystemClock.now().timestamp();
        value.is_some_and(|value| {
            verify_advanced(
                value,
                &self.secret,
                DigestForm::default(),
                body,
                now,
                DEFAULT_TOLERANCE_SECONDS,
            )
        })
    }

    fn ledger(&self, run: u16) -> Option<Arc<Ledger>> {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        runs.get(usize::from(run)).map(Arc::clone)
    }
}

impl Behaviour {
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let behaviour = match (parts.next()?, parts.next()) {
            ("ok", None) => Self::Answer(StatusCode::OK),
            ("hang", None) => Self::Hang,
            ("delay", Some(ms)) => Self::Delay(Duration::from_millis(ms.parse().ok()?)),
            ("status", Some(code)) => Self::Answer(code.parse().ok()?),
            ("later", Some(due)) => Self::Later(due.parse().ok()?),
            _ => return None,
        };
        parts.next().is_none().then_some(behaviour)
    }
}

fn answer(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

/// A date as HTTP writes it.
fn http_date(seconds: i64) -> Option<HeaderValue> {
    let date = DateTime::from_timestamp(seconds, 0)?
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    HeaderValue::from_str(&date).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_behaviour_and_unknown_ones_have_none() {
        assert_eq!(Behaviour::of("/ok"), Some(Behaviour::Answer(StatusCode::OK)));
        assert_eq!(
            Behaviour::of("/status/500"),
            Some(Behaviour::Answer(StatusCode::INTERNAL_SERVER_ERROR))
        );
        assert_eq!(
            Behaviour::of("/delay/25"),
            Some(Behaviour::Delay(Duration::from_millis(25)))
        );
        assert_eq!(
            Behaviour::of("/later/1763640000"),
            Some(Behaviour::Later(1_763_640_000))
        );
        assert_eq!(Behaviour::of("/hang"), Some(Behaviour::Hang));
        for path in [
            "",
            "/",
            "/ok/1",
            "/delay",
            "/delay/x",
            "/status/7",
            "/hang/1",
            "/delay/1/2",
        ] {
            assert_eq!(Behaviour::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_put_off_delivery_is_told_the_instant_in_http_form() {
        assert_eq!(
            http_date(1_763_640_000).expect("is a date"),
            "Thu, 20 Nov 2025 12:00:00 GMT"
        );
    }
}
