//! Who the client is, when proxies stand between it and this process.
//!
//! Anybody can write `X-Forwarded-For`, so it is believed from the right, as far as proxies of
//! `server.trusted_proxies` wrote it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use api::auth::ClientAddress;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies that are believed.
#[derive(Clone, Debug)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Believes `networks`.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The nearest address that is no proxy of ours.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        while self.trust(client) {
            // Behind an entry that nobody can read, nothing is sure.
            let Some(hop) = hops.next().and_then(address_of) else {
                break;
            };
            client = hop;
        }
        client
    }
}

/// The address of an entry; some proxies write a port behind it.
fn address_of(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    let address = bare
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// Tells everything behind it who the client is: the API by its own type, and the dashboard, which
/// knows nothing of the API, by the address of the connection.
pub async fn find(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let client = proxies.client(peer.ip(), request.headers());
        let extensions = request.extensions_mut();
        extensions.insert(ClientAddress(client));
        extensions.insert(ConnectInfo(SocketAddr::new(client, peer.port())));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[track_caller]
    fn client(peer: &str, forwarded: &[&str]) -> String {
        let networks = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, line.parse().expect("a value"));
        }
        Proxies::new(&networks)
            .client(peer.parse().expect("an address"), &headers)
            .to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &[]), "203.0.113.9");
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client("10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(
            client("10.0.0.1", &["192.0.2.66", "198.51.100.1,10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client("10.0.0.1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1, ::ffff:10.0.0.2"]),
            "198.51.100.1"
        );
    }

    #[test]
    fn without_a_readable_entry_the_last_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[tokio::test]
    async fn api_and_dashboard_are_told_the_same_client() {
        let tell = |request: Request| async move {
            let api = request.extensions().get::<ClientAddress>().map(|client| client.0);
            let dashboard = request
                .extensions()
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0.ip());
            format!("{api:?} {dashboard:?}")
        };
        let proxies = Proxies::new(&["10.0.0.0/8".parse().expect("a network")]);
        let router = Router::new()
            .route("/", get(tell))
            .layer(axum::middleware::from_fn_with_state(proxies, find));
        let mut request = Request::builder().uri("/").header(FORWARDED_FOR, "198.51.100.1");
        let peer: SocketAddr = "10.0.0.1:4711".parse().expect("an address");
        request
            .extensions_mut()
            .expect("a request")
            .insert(ConnectInfo(peer));
        let answer = router
            .oneshot(request.body(Body::empty()).expect("a request"))
            .await
            .expect("an answer");
        let body = to_bytes(answer.into_body(), 1024).await.expect("a body");
        assert_eq!(body, "Some(198.51.100.1) Some(198.51.100.1)");
    }
}
