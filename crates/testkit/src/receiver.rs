//! An HTTP receiver that remembers what it got and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path of the request.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Received {
    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status.
    Status(u16),
    /// With this status and a header.
    Header(u16, &'static str, String),
    /// With 200, when [`Receiver::release`] is called.
    Held,
    /// Never.
    Never,
}

#[derive(Debug, Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    replies: Mutex<VecDeque<Reply>>,
    always: Mutex<Option<Reply>>,
    came: Notify,
    release: Notify,
}

/// A receiver on a free port; gone when dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    /// A receiver that answers 200.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_at(any).await.expect("a free port")
    }

    /// A receiver at an address of one's choice that answers 200; `None` when somebody else is there.
    ///
    /// # Panics
    /// When the socket does not know its address.
    pub async fn start_at(address: SocketAddr) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let address = listener.local_addr().expect("an address");
        let inner = Arc::new(Inner::default());
        let router = Router::new().fallback(receive).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Some(Self {
            address,
            inner,
            serving,
        })
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests so, one after the other; after that as before.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.inner.replies).extend(replies);
    }

    /// Answers every request so from now on.
    pub fn always(&self, reply: Reply) {
        *lock(&self.inner.always) = Some(reply);
    }

    /// Answers what is held.
    pub fn release(&self) {
        self.inner.release.notify_waiters();
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.inner.received).clone()
    }

    /// Waits until `count` requests came and returns them.
    ///
    /// # Panics
    /// When they do not come within half a minute.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let waiting = async {
            loop {
                let came = self.inner.came.notified();
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                came.await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), waiting).await {
            Ok(received) => received,
            Err(tokio::time::error::Elapsed { .. }) => {
                panic!("only {} of {count} requests came", self.received().len())
            }
        }
    }
}

async fn receive(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let reply = lock(&inner.replies)
        .pop_front()
        .or_else(|| lock(&inner.always).clone());
    let released = inner.release.notified();
    lock(&inner.received).push(Received {
        path: uri.path().to_owned(),
        headers,
        body,
    });
    inner.came.notify_waiters();
    match reply.unwrap_or(Reply::Status(200)) {
        Reply::Status(code) => status(code).into_response(),
        Reply::Header(code, name, value) => (status(code), [(name, value)]).into_response(),
        Reply::Held => {
            released.await;
            StatusCode::OK.into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
