//! A stretch of network in front of PostgreSQL that a test can cut.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) struct Proxy {
    address: SocketAddr,
    upstream: String,
    running: JoinSet<()>,
}

impl Proxy {
    /// A proxy to the server of `url`, and the same address through it.
    pub(crate) async fn to(url: &str) -> (Self, String) {
        let (_, rest) = url.split_once('@').expect("a user");
        let (upstream, _) = rest.split_once('/').expect("a database");
        let mut proxy = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            upstream: upstream.to_owned(),
            running: JoinSet::new(),
        };
        proxy.open().await;
        let through = url.replacen(upstream, &proxy.address.to_string(), 1);
        (proxy, through)
    }

    /// Lets connections through, at the same address as before.
    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port");
        self.address = listener.local_addr().expect("an address");
        let upstream = self.upstream.clone();
        self.running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let upstream = upstream.clone();
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(upstream).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
    }

    /// Breaks every connection and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        self.running.shutdown().await;
    }
}
