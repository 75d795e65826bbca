//! The load driver: keep-alive connections that post events as cheaply as HTTP allows.
//!
//! A connection has one request under way at a time. In a burst it sends the next one as soon as the
//! answer is there; at a fixed rate each connection has its own evenly spaced instants, and one that
//! is late sends at once until it has caught up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::payload::{Template, now_ns};

/// A request without an answer for so long has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Pause before a connection that failed, or was refused in a burst, tries again.
const BREATH: Duration = Duration::from_millis(20);

/// Where events go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The gateway.
    pub(crate) address: SocketAddr,
    /// Id of the project.
    pub(crate) project: String,
    /// API key of the project.
    pub(crate) key: String,
    /// Id of the endpoint.
    pub(crate) endpoint: String,
}

/// How fast events are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as answers come.
    Burst,
    /// So many per second, whether answers come or not.
    Rate(f64),
}

/// When sending ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After so many events; refused ones count.
    Sent(u32),
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Keep-alive connections.
    pub(crate) connections: u32,
    /// Bytes of payload.
    pub(crate) size: usize,
    /// How fast.
    pub(crate) pace: Pace,
    /// For how long.
    pub(crate) until: Until,
}

impl Load {
    /// More events than this load can send: the size of its books.
    pub(crate) fn capacity(&self) -> u32 {
        match (self.until, self.pace) {
            (Until::Sent(count), _) => count,
            (Until::Elapsed(time), Pace::Rate(rate)) => {
                ((time.as_secs_f64() + 1.0) * rate).ceil() as u32 + self.connections
            }
            // No gateway on this machine takes so many.
            (Until::Elapsed(time), Pace::Burst) => (time.as_secs() as u32 + 1).saturating_mul(50_000),
        }
    }

    fn deadline(&self, start: Instant) -> Option<Instant> {
        match self.until {
            Until::Elapsed(time) => Some(start + time),
            Until::Sent(_) => None,
        }
    }
}

/// How requests ended that are not in the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// 503 with `Retry-After`.
    pub(crate) retry_later: u64,
    /// 503 without it.
    pub(crate) bare_503: u64,
    /// Other answers, by status.
    pub(crate) others: BTreeMap<u16, u64>,
    /// Requests without an answer.
    pub(crate) unanswered: u64,
}

impl Refusals {
    fn book(&mut self, response: &Response<Incoming>) {
        if response.status() != StatusCode::SERVICE_UNAVAILABLE {
            *self.others.entry(response.status().as_u16()).or_default() += 1;
        } else if response.headers().contains_key(header::RETRY_AFTER) {
            self.retry_later += 1;
        } else {
            self.bare_503 += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.retry_later += other.retry_later;
        self.bare_503 += other.bare_503;
        self.unanswered += other.unanswered;
        for (status, count) in other.others {
            *self.others.entry(status).or_default() += count;
        }
    }

    /// Requests that were answered with anything but 201 and 503 with `Retry-After`.
    pub(crate) fn wrong(&self) -> u64 {
        self.bare_503 + self.others.values().sum::<u64>()
    }
}

/// Sends `load` to `target` and books it; returns when every connection has ended.
pub(crate) async fn drive(target: &Target, load: Load, ledger: &Arc<Ledger>) -> anyhow::Result<Refusals> {
    let start = Instant::now();
    let mut connections = JoinSet::new();
    for number in 0..load.connections {
        let link = Link::open(target).await?;
        let lane = Lane {
            load,
            number,
            start,
            ledger: Arc::clone(ledger),
            refusals: Refusals::default(),
        };
        connections.spawn(lane.run(link, Template::new(&target.endpoint, load.size)));
    }
    let mut refusals = Refusals::default();
    while let Some(ended) = connections.join_next().await {
        refusals.add(ended?);
    }
    Ok(refusals)
}

/// The work of one connection.
struct Lane {
    load: Load,
    number: u32,
    start: Instant,
    ledger: Arc<Ledger>,
    refusals: Refusals,
}

impl Lane {
    async fn run(mut self, mut link: Link, template: Template) -> Refusals {
        let deadline = self.load.deadline(self.start);
        for turn in 0.. {
            if let Pace::Rate(rate) = self.load.pace {
                tokio::time::sleep_until(self.start + slot(self.number, self.load.connections, turn, rate))
                    .await;
            }
            if deadline.is_some_and(|end| Instant::now() >= end) {
                break;
            }
            let Some(stamp) = self.ledger.next(now_ns()) else {
                break;
            };
            let sent = tokio::time::timeout(ANSWER_LIMIT, link.post(template.stamped(stamp))).await;
            if self.book(stamp.seq, sent.ok().and_then(Result::ok)).await {
                continue;
            }
            if self.load.pace == Pace::Burst {
                tokio::time::sleep(BREATH).await;
            }
        }
        self.refusals
    }

    /// Books the answer; whether it was a 201.
    async fn book(&mut self, seq: u32, response: Option<Response<Incoming>>) -> bool {
        let Some(response) = response else {
            self.refusals.unanswered += 1;
            return false;
        };
        let is_accepted = response.status() == StatusCode::CREATED;
        if is_accepted {
            self.ledger.accept(seq, now_ns());
        } else {
            self.refusals.book(&response);
        }
        // The connection is free only once the body was read; a broken one shows at the next request.
        let _ = response.into_body().collect().await;
        is_accepted
    }
}

/// When connection `number` of `connections` sends for the `turn`th time, so that all together send
/// `rate` events per second, evenly spaced.
fn slot(number: u32, connections: u32, turn: u32, rate: f64) -> Duration {
    let place = u64::from(number) + u64::from(turn) * u64::from(connections);
    Duration::from_secs_f64(place as f64 / rate)
}

/// One connection that is opened again when it breaks.
struct Link {
    address: SocketAddr,
    uri: Uri,
    host: HeaderValue,
    authorization: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Link {
    async fn open(target: &Target) -> anyhow::Result<Self> {
        let mut link = Self {
            address: target.address,
            uri: format!("/api/v1/projects/{}/events", target.project).parse()?,
            host: HeaderValue::from_str(&target.address.to_string())?,
            authorization: HeaderValue::from_str(&format!("Bearer {}", target.key))?,
            sender: None,
        };
        link.connect().await.context("the gateway takes no connection")?;
        Ok(link)
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows at the sender.
        tokio::spawn(connection);
        self.sender = Some(sender);
        Ok(())
    }

    async fn post(&mut self, body: Bytes) -> anyhow::Result<Response<Incoming>> {
        // Taken out, so that a request given up half-way leaves no connection in an unknown state.
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                tokio::time::sleep(BREATH).await;
                self.connect().await?;
                let Some(sender) = self.sender.take() else {
                    bail!("no connection")
                };
                sender
            }
        };
        sender.ready().await?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = sender.send_request(request).await?;
        self.sender = Some(sender);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_together_send_evenly_at_the_rate() {
        let mut slots: Vec<_> = (0..4)
            .flat_map(|number| (0..25).map(move |turn| slot(number, 4, turn, 50.0)))
            .collect();
        slots.sort_unstable();
        let expected: Vec<_> = (0..100).map(|place| Duration::from_millis(20 * place)).collect();
        assert_eq!(slots, expected);
    }

    #[test]
    fn the_books_hold_everything_a_load_can_send() {
        let load = Load {
            connections: 4,
            size: 1024,
            pace: Pace::Rate(50.0),
            until: Until::Elapsed(Duration::from_secs(20)),
        };
        assert!(load.capacity() > 1000);
        assert_eq!(
            Load {
                until: Until::Sent(7),
                ..load
            }
            .capacity(),
            7
        );
    }
}
