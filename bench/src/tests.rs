//! Driver and receiver against each other, with a stand-in for the gateway between them.
//!
//! The stand-in answers 201 and delivers at once, unless a fault says otherwise. What the books say
//! then must be exactly the fault.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use domain::clock::{Clock as _, SystemClock};
use domain::signature::{Message, SignatureScheme, Signer, SigningSecret};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::{TcpListener, TcpStream};

use crate::driver::{Load, Pace, Refusals, Target, Until, drive};
use crate::ledger::Ledger;
use crate::receiver::Receiver;

const SECRET: &str = "a secret";
const EVENTS: u32 = 200;

/// What the stand-in does wrong with every tenth event.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Drops,
    DeliversTwice,
    SignsWrong,
    ChangesTheBody,
    Refuses,
    RefusesWithoutRetryAfter,
    BreaksTheConnection,
}

#[derive(Deserialize)]
struct Event<'a> {
    endpoint_id: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

struct StandIn {
    url: String,
    fault: Fault,
    count: AtomicU64,
}

impl StandIn {
    async fn serve(url: String, fault: Fault) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
        let address = listener.local_addr().expect("is bound");
        let shared = Arc::new(Self {
            url,
            fault,
            count: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let service = service_fn(|request| handle(request, &shared));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        address
    }

    async fn deliver(&self, body: Bytes, secret: &str) -> Option<StatusCode> {
        let address = self.url.strip_prefix("http://").expect("is http");
        let (address, path) = address.split_once('/').expect("has a path");
        let signer = Signer::new(&SignatureScheme::default(), &[SigningSecret::lasting(secret)])
            .expect("has a secret");
        let signed = signer.sign(&Message {
            id: "",
            timestamp: SystemClock.now().timestamp(),
            body: &body,
        });
        let stream = TcpStream::connect(address).await.expect("connects");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("shakes hands");
        tokio::spawn(connection);
        let mut request = Request::post(format!("/{path}")).header(header::HOST, address);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).expect("is a request");
        sender
            .send_request(request)
            .await
            .ok()
            .map(|response| response.status())
    }
}

/// An error makes the connection break.
async fn handle(
    request: Request<Incoming>,
    shared: &StandIn,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    assert_eq!(request.uri().path(), "/api/v1/projects/p1/events");
    assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer k1");
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    let event: Event<'_> = serde_json::from_slice(&body).expect("is an event");
    assert_eq!(event.endpoint_id, "e1");
    let payload = body.slice_ref(event.data.get().as_bytes());
    let is_tenth = shared.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(10);
    match if is_tenth { shared.fault } else { Fault::None } {
        Fault::None => {
            shared.deliver(payload, SECRET).await;
        }
        Fault::Drops => {}
        Fault::DeliversTwice => {
            shared.deliver(payload.clone(), SECRET).await;
            shared.deliver(payload, SECRET).await;
        }
        Fault::SignsWrong => {
            assert_eq!(
                shared.deliver(payload, "another secret").await,
                Some(StatusCode::UNAUTHORIZED)
            );
        }
        Fault::ChangesTheBody => {
            shared
                .deliver(
                    Bytes::from(format!(" {}", String::from_utf8_lossy(&payload))),
                    SECRET,
                )
                .await;
        }
        Fault::Refuses => return Ok(answer(503, Some("1"))),
        Fault::RefusesWithoutRetryAfter => return Ok(answer(503, None)),
        Fault::BreaksTheConnection => return Err(std::io::Error::other("as asked")),
    }
    Ok(answer(201, None))
}

fn answer(status: u16, retry_after: Option<&str>) -> Response<Full<Bytes>> {
    let mut response = Response::builder().status(status);
    if let Some(value) = retry_after {
        response = response.header(header::RETRY_AFTER, value);
    }
    response
        .body(Full::from("{\"data\":{\"uid\":\"1\"}}"))
        .expect("is a response")
}

/// Sends [`EVENTS`] events through a stand-in with `fault` to the receiver's `path`.
async fn run(path: &str, fault: Fault) -> (Receiver, Arc<Ledger>, Refusals) {
    let receiver = Receiver::start(SECRET).expect("starts");
    let address = StandIn::serve(receiver.url(path), fault).await;
    let target = Target {
        address,
        project: "p1".to_owned(),
        key: "k1".to_owned(),
        endpoint: "e1".to_owned(),
    };
    let load = Load {
        connections: 4,
        size: 1024,
        pace: Pace::Burst,
        until: Until::Sent(EVENTS),
    };
    // A first run that nobody looks at: books of different runs must stay apart.
    receiver.open_run(1);
    let ledger = receiver.open_run(load.capacity());
    let refusals = drive(&target, load, &ledger).await.expect("sends");
    (receiver, ledger, refusals)
}

#[tokio::test]
async fn every_event_is_booked_once_when_nothing_goes_wrong() {
    let (receiver, ledger, refusals) = run("/ok", Fault::None).await;
    let events = u64::from(EVENTS);
    assert_eq!(
        (ledger.sent(), ledger.accepted(), ledger.delivered()),
        (events, events, events)
    );
    assert_eq!(
        (ledger.lost(), ledger.duplicates(), ledger.delivered_unanswered()),
        (0, 0, 0)
    );
    assert_eq!((receiver.bad_signatures(), receiver.foreign()), (0, 0));
    assert_eq!(refusals, Refusals::default());
    assert!(ledger.accepted_per_second() > 0.0 && ledger.delivered_per_second() > 0.0);
    let latencies = ledger.latencies();
    assert!(latencies.percentile_ms(50.0) > 0.0);
    assert!(latencies.percentile_ms(50.0) <= latencies.percentile_ms(99.0));
}

#[tokio::test]
async fn an_event_that_is_accepted_and_dropped_is_lost() {
    let (_receiver, ledger, _) = run("/ok", Fault::Drops).await;
    assert_eq!(
        (ledger.accepted(), ledger.lost(), ledger.duplicates()),
        (200, 20, 0)
    );
}

#[tokio::test]
async fn an_event_that_is_delivered_twice_is_a_duplicate() {
    let (_receiver, ledger, _) = run("/ok", Fault::DeliversTwice).await;
    assert_eq!(
        (ledger.delivered(), ledger.lost(), ledger.duplicates()),
        (200, 0, 20)
    );
}

#[tokio::test]
async fn a_delivery_with_a_wrong_signature_does_not_count() {
    let (receiver, ledger, _) = run("/ok", Fault::SignsWrong).await;
    assert_eq!(
        (ledger.delivered(), ledger.lost(), receiver.bad_signatures()),
        (180, 20, 20)
    );
}

#[tokio::test]
async fn a_delivery_with_other_bytes_does_not_count() {
    let (receiver, ledger, _) = run("/ok", Fault::ChangesTheBody).await;
    assert_eq!(
        (ledger.delivered(), ledger.lost(), receiver.foreign()),
        (180, 20, 20)
    );
}

#[tokio::test]
async fn refusals_are_told_apart_and_are_not_lost() {
    let (_receiver, ledger, refusals) = run("/ok", Fault::Refuses).await;
    assert_eq!((ledger.accepted(), ledger.lost()), (180, 0));
    assert_eq!(
        refusals,
        Refusals {
            retry_later: 20,
            ..Refusals::default()
        }
    );
    assert_eq!(refusals.wrong(), 0);
    let (_receiver, _, refusals) = run("/ok", Fault::RefusesWithoutRetryAfter).await;
    assert_eq!((refusals.bare_503, refusals.wrong()), (20, 20));
}

#[tokio::test]
async fn a_broken_connection_is_opened_again_and_its_event_is_unanswered() {
    let (_receiver, ledger, refusals) = run("/ok", Fault::BreaksTheConnection).await;
    assert_eq!(
        (ledger.accepted(), ledger.delivered(), refusals.unanswered),
        (180, 180, 20)
    );
}

#[tokio::test]
async fn a_refusing_receiver_delivers_nothing() {
    let (_receiver, ledger, _) = run("/status/500", Fault::None).await;
    assert_eq!((ledger.delivered(), ledger.refused_attempts()), (0, 200));
    let tomorrow = SystemClock.now().timestamp() + 86_400;
    let (_receiver, ledger, _) = run(&format!("/later/{tomorrow}"), Fault::None).await;
    assert_eq!((ledger.delivered(), ledger.refused_attempts()), (0, 200));
    let (_receiver, ledger, _) = run("/later/1", Fault::None).await;
    assert_eq!((ledger.delivered(), ledger.refused_attempts()), (200, 0));
}

#[tokio::test]
async fn a_hanging_receiver_keeps_the_request_and_books_no_delivery() {
    let receiver = Receiver::start(SECRET).expect("starts");
    let stand_in = StandIn {
        url: receiver.url("/hang"),
        fault: Fault::None,
        count: AtomicU64::new(0),
    };
    let ledger = receiver.open_run(1);
    let stamp = ledger.next(0).expect("has room");
    let body = crate::payload::Template::new("e1", 100).stamped(stamp);
    let event: Event<'_> = serde_json::from_slice(&body).expect("is an event");
    let payload = body.slice_ref(event.data.get().as_bytes());
    let seen = async {
        while receiver.hung() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        status = stand_in.deliver(payload, SECRET) => panic!("answered {status:?}"),
        () = seen => {}
    }
    assert_eq!(ledger.delivered(), 0);
}

#[tokio::test]
async fn sending_at_a_rate_ends_after_the_count() {
    let receiver = Receiver::start(SECRET).expect("starts");
    let address = StandIn::serve(receiver.url("/ok"), Fault::None).await;
    let target = Target {
        address,
        project: "p1".to_owned(),
        key: "k1".to_owned(),
        endpoint: "e1".to_owned(),
    };
    let load = Load {
        connections: 3,
        size: 200,
        pace: Pace::Rate(1000.0),
        until: Until::Sent(50),
    };
    let ledger = receiver.open_run(load.capacity());
    drive(&target, load, &ledger).await.expect("sends");
    assert_eq!((ledger.accepted(), ledger.lost()), (50, 0));
}
