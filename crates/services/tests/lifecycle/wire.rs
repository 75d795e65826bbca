//! A wire to PostgreSQL that breaks at the message that a test names.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

/// What happens at the named message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The connection ends before PostgreSQL hears of it.
    Before,
    /// PostgreSQL does it, and the connection ends before the answer comes.
    After,
    /// Every connection ends, and no new one comes about: the process is gone.
    Death,
    /// Nothing goes on until [`Wire::go_on`]: the process stands still.
    Pause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Open,
    Still,
    Dead,
}

#[derive(Debug, Default)]
struct Plan {
    seen: u64,
    at: Option<(u64, Break)>,
    is_hit: bool,
}

#[derive(Debug)]
struct Shared {
    plan: Mutex<Plan>,
    stand: watch::Sender<Stand>,
}

/// A wire on a free port; cut when dropped.
#[derive(Debug)]
pub(crate) struct Wire {
    /// Address of the database behind the wire.
    pub(crate) url: String,
    shared: Arc<Shared>,
    carrying: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Wire {
    /// A wire to the database at `url` that holds.
    pub(crate) async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("an address");
        let host = url.host_str().expect("a host");
        let server = format!("{host}:{}", url.port().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(address.port())).expect("a port");
        let shared = Arc::new(Shared {
            plan: Mutex::default(),
            stand: watch::Sender::new(Stand::Open),
        });
        let carrying = tokio::spawn(accept(listener, server, Arc::clone(&shared)));
        Self {
            url: url.into(),
            shared,
            carrying,
        }
    }

    /// Breaks at the `number`-th message from now on, counted from 1.
    pub(crate) fn break_at(&self, number: u64, kind: Break) {
        let mut plan = self.shared.plan();
        plan.at = Some((plan.seen + number, kind));
    }

    /// How many messages went to PostgreSQL.
    pub(crate) fn messages(&self) -> u64 {
        self.shared.plan().seen
    }

    /// Whether it has broken.
    pub(crate) fn is_hit(&self) -> bool {
        self.shared.plan().is_hit
    }

    /// Waits until the wire stands still or is dead.
    pub(crate) async fn broken(&self) {
        let mut stand = self.shared.stand.subscribe();
        stand
            .wait_for(|stand| *stand != Stand::Open)
            .await
            .expect("the wire is there");
    }

    /// Ends a pause.
    pub(crate) fn go_on(&self) {
        self.shared.stand.send_replace(Stand::Open);
    }
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message and says what breaks at it.
    fn take(&self) -> Option<Break> {
        let mut plan = self.plan();
        plan.seen += 1;
        let (_, kind) = plan.at.filter(|(number, _)| *number == plan.seen)?;
        plan.is_hit = true;
        Some(kind)
    }

    /// Waits for the end of a pause.
    async fn pass(&self) {
        let mut stand = self.stand.subscribe();
        // Without a sender there is no test any more.
        let _ = stand.wait_for(|stand| *stand != Stand::Still).await;
    }
}

async fn accept(listener: TcpListener, server: String, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, shared) = (server.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let mut stand = shared.stand.subscribe();
            tokio::select! {
                _ = carry(client, &server, &shared) => {}
                _ = stand.wait_for(|stand| *stand == Stand::Dead) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut client: TcpStream, server: &str, shared: &Shared) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                match shared.take() {
                    None => {}
                    Some(Break::Before) => return Ok(()),
                    Some(Break::After) => {
                        server.write_all(&up[..n]).await?;
                        // What PostgreSQL answers is nobody's any more.
                        let _ = server.read(&mut down).await?;
                        return Ok(());
                    }
                    Some(Break::Death) => {
                        shared.stand.send_replace(Stand::Dead);
                        return Ok(());
                    }
                    Some(Break::Pause) => {
                        shared.stand.send_replace(Stand::Still);
                    }
                }
                shared.pass().await;
                server.write_all(&up[..n]).await?;
            }
            read = server.read(&mut down) => {
                let n = read?;
                if n == 0 {
                    return Ok(());
                }
                client.write_all(&down[..n]).await?;
            }
        }
    }
}
