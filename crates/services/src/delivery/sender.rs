//! The HTTP client that deliveries go out with.
//!
//! Addresses are judged where the connection is made: the resolver drops every address that the
//! policy refuses, and the connection goes to one of those it let through. A name that changes
//! between a check and the connection therefore gains nothing, and no redirect is followed.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use domain::ssrf::{AddressPolicy, Reason};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::{HttpConnector, HttpInfo};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use crate::error::{Error, Result};
use crate::options::DeliveryOptions;

/// Longest time to make a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long an idle connection to a receiver is kept.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// Sends requests to receivers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    policy: Arc<AddressPolicy>,
    max_response_bytes: usize,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, cut at the limit.
    pub body: Bytes,
    /// Network address that answered.
    pub address: Option<IpAddr>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The address must not be sent to.
    #[error("the address {address} is refused: {reason}")]
    Refused {
        /// The address.
        address: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// No answer within the limit.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The connection could not be made or broke.
    #[error("{0}")]
    Connection(String),
}

impl Sender {
    /// A sender that obeys `options`.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a network of the allow or deny list cannot be read.
    pub fn new(options: &DeliveryOptions) -> Result<Self> {
        Self::with_names(options, Arc::new(look_up))
    }

    fn with_names(options: &DeliveryOptions, names: Names) -> Result<Self> {
        let policy = Arc::new(address_policy(options)?);
        let mut http = HttpConnector::new_with_resolver(GuardedResolver {
            policy: Arc::clone(&policy),
            names,
        });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_LIMIT));
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(Error::internal)?
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(options.endpoint_concurrency as usize)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(https);
        Ok(Self {
            client,
            policy,
            max_response_bytes: options.max_response_bytes as usize,
        })
    }

    /// Sends a request and reads its answer within `limit`.
    ///
    /// # Errors
    /// [`SendError`] when no status line came in time.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> std::result::Result<Answer, SendError> {
        self.check_literal(request.uri())?;
        let deadline = Instant::now() + limit;
        let sent = tokio::time::timeout_at(deadline.into(), self.client.request(request)).await;
        let response = sent
            .map_err(|_| SendError::Timeout(limit))?
            .map_err(|e| explain(&e))?;
        let address = response
            .extensions()
            .get::<HttpInfo>()
            .map(|info| info.remote_addr().ip());
        let (head, body) = response.into_parts();
        // A body that is late or cut off does not take back the status that came.
        let body = read_body(body, self.max_response_bytes, deadline).await;
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            address,
        })
    }

    /// The resolver never sees addresses that are written out, so they are judged here.
    fn check_literal(&self, uri: &Uri) -> std::result::Result<(), SendError> {
        let host = uri.host().unwrap_or_default();
        match host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
        {
            Ok(address) => self
                .policy
                .is_refused(address)
                .map_or(Ok(()), |reason| Err(SendError::Refused { address, reason })),
            Err(_) => Ok(()),
        }
    }
}

/// Which addresses deliveries may be sent to.
///
/// # Errors
/// [`Error::Invalid`] when a network of the allow or deny list cannot be read.
pub(crate) fn address_policy(options: &DeliveryOptions) -> Result<AddressPolicy> {
    Ok(AddressPolicy {
        allow: networks("delivery.allow_addresses", &options.allow_addresses)?,
        deny: networks("delivery.deny_addresses", &options.deny_addresses)?,
    })
}

fn networks(field: &str, texts: &[String]) -> Result<Vec<ipnet::IpNet>> {
    texts
        .iter()
        .map(|text| {
            let network = text
                .parse()
                .or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
            network.map_err(|_| Error::invalid(field, format!("{text} is not a network such as 10.0.0.0/8")))
        })
        .collect()
}

/// Reads up to `limit` bytes; the rest of the body is given up with its connection.
async fn read_body(mut body: Incoming, limit: usize, deadline: Instant) -> Bytes {
    let mut read = BytesMut::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                let room = limit - read.len();
                read.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() >= room {
                    break;
                }
            }
        }
    };
    let _ = tokio::time::timeout_at(deadline.into(), reading).await;
    read.freeze()
}

/// The innermost cause, which is the one that tells a person something.
fn explain(error: &hyper_util::client::legacy::Error) -> SendError {
    let mut cause: &dyn std::error::Error = error;
    loop {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return SendError::Refused {
                address: refused.address,
                reason: refused.reason,
            };
        }
        // An io error carries its own cause inside, not as its source.
        let inner = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        let next = inner
            .map(|e| e as &(dyn std::error::Error + 'static))
            .or_else(|| cause.source());
        match next {
            Some(next) => cause = next,
            None => break,
        }
    }
    let io = cause.downcast_ref::<std::io::Error>();
    if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
        return SendError::Timeout(CONNECT_LIMIT);
    }
    SendError::Connection(cause.to_string())
}

/// Every address of the name is refused.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the address {address} is refused: {reason}")]
struct Refused {
    address: IpAddr,
    reason: Reason,
}

/// Tells the addresses of a name.
type Names = Arc<dyn Fn(Name) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Asks the machine's resolver.
fn look_up(name: Name) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

/// Resolves names and drops what must not be sent to.
#[derive(Clone)]
struct GuardedResolver {
    policy: Arc<AddressPolicy>,
    names: Names,
}

impl std::fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedResolver")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (policy, addresses) = (Arc::clone(&self.policy), (self.names)(name));
        Box::pin(async move {
            let mut allowed = Vec::new();
            let mut refused = None;
            for address in addresses.await? {
                match policy.is_refused(address.ip()) {
                    None => allowed.push(address),
                    Some(reason) => {
                        refused = Some(Refused {
                            address: address.ip(),
                            reason,
                        });
                    }
                }
            }
            match refused {
                Some(refused) if allowed.is_empty() => Err(std::io::Error::other(refused)),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use testkit::Receiver;

    use super::*;

    /// Stands for a public address: the tests' machine owns it, and the policy lets it through.
    const PUBLIC: &str = "127.0.0.2";

    /// A sender for which every name has the next of `answers`, and the last one for ever.
    fn sender(answers: &[&[&str]]) -> Sender {
        let answers: Vec<Vec<SocketAddr>> = answers
            .iter()
            .map(|answer| {
                answer
                    .iter()
                    .map(|ip| SocketAddr::new(ip.parse().expect("an address"), 0))
            })
            .map(Iterator::collect)
            .collect();
        let left = Mutex::new(answers);
        let names: Names = Arc::new(move |_| {
            let mut left = left.lock().expect("not poisoned");
            let answer = if left.len() > 1 {
                left.remove(0)
            } else {
                left[0].clone()
            };
            Box::pin(async move { Ok(answer) })
        });
        let options = DeliveryOptions {
            allow_addresses: vec![PUBLIC.to_owned()],
            ..crate::Options::default().delivery
        };
        Sender::with_names(&options, names).expect("a sender")
    }

    /// A public and a private receiver on the same port.
    async fn receivers() -> (Receiver, Receiver) {
        loop {
            let private = Receiver::start().await;
            let at = SocketAddr::new(PUBLIC.parse().expect("an address"), private.address.port());
            // Somebody else may have the port there.
            if let Some(public) = Receiver::start_at(at).await {
                return (public, private);
            }
        }
    }

    async fn send(sender: &Sender, port: u16) -> std::result::Result<Answer, SendError> {
        let request = Request::post(format!("http://receiver.test:{port}/"))
            // A connection that is kept would be used again without a look-up.
            .header("connection", "close")
            .body(Full::default())
            .expect("a request");
        sender.send(request, Duration::from_secs(30)).await
    }

    #[tokio::test]
    async fn a_name_that_changes_to_a_private_address_is_refused_where_the_connection_is_made() {
        let (public, private) = receivers().await;
        let port = public.address.port();
        let sender = sender(&[&[PUBLIC], &["127.0.0.1"]]);
        let answer = send(&sender, port).await.expect("an answer");
        assert_eq!(answer.address, Some(PUBLIC.parse().expect("an address")));
        let refused = send(&sender, port).await;
        assert!(
            matches!(&refused, Err(SendError::Refused { address, .. }) if address.is_loopback()),
            "{refused:?}"
        );
        assert_eq!((public.received().len(), private.received().len()), (1, 0));
    }

    #[tokio::test]
    async fn of_several_addresses_only_the_public_ones_are_connected_to() {
        let (public, private) = receivers().await;
        let port = public.address.port();
        let sender = sender(&[&["127.0.0.1", PUBLIC, "::1"]]);
        for _ in 0..5 {
            let answer = send(&sender, port).await.expect("an answer");
            assert_eq!(answer.address, Some(PUBLIC.parse().expect("an address")));
        }
        assert_eq!((public.received().len(), private.received().len()), (5, 0));
        drop(public);
        // The public one is gone: the private one is no way out.
        let failed = send(&sender, port).await;
        assert!(matches!(failed, Err(SendError::Connection(_))), "{failed:?}");
        assert!(private.received().is_empty());
    }
}
