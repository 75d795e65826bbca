//! A Redis for a test, queues that clean up after themselves, and workers that write down what they saw.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use domain::clock::{Clock, DevClock, SystemClock};
use queue::{Entry, Queue, QueueName, QueueOptions, Redis, RedisOptions, WorkerOptions, run_worker};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a condition may take to come true before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A Redis process of one test; killed when dropped.
pub(crate) struct PrivateRedis {
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl PrivateRedis {
    /// A running server with further `arguments`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::stopped(arguments);
        server.resume();
        server
    }

    /// A server that is not running yet, but has its port.
    pub(crate) fn stopped(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self {
            port,
            folder,
            arguments,
            child: None,
        }
    }

    /// Starts it, on the same port and data as before, and waits until it answers.
    pub(crate) fn resume(&mut self) {
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(self.folder.path()).args(&self.arguments);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        self.child = Some(child);
        let client = redis::Client::open(self.url()).expect("a client");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = client
                .get_connection()
                .and_then(|mut open| redis::cmd("PING").exec(&mut open));
            if answer.is_ok() {
                return;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing else runs in a test that waits for its server"
            )]
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal, for example `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A queue with names of its own; its keys are deleted when dropped.
pub(crate) struct Fixture {
    pub(crate) redis: Redis,
    pub(crate) queue: Queue,
    pub(crate) prefix: String,
    url: String,
    /// Last, so that it outlives the clean-up.
    _server: Option<PrivateRedis>,
}

impl Fixture {
    /// A queue on the Redis of `REDIS_URL` or a private one.
    pub(crate) fn new() -> Self {
        Self::with(|_| {}, Arc::new(SystemClock))
    }

    pub(crate) fn with_clock(clock: &Arc<DevClock>) -> Self {
        Self::with(|_| {}, Arc::clone(clock) as Arc<dyn Clock>)
    }

    pub(crate) fn with(change: impl FnOnce(&mut QueueOptions), clock: Arc<dyn Clock>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests have no configuration but this address"
        )]
        let url = std::env::var("REDIS_URL");
        match url {
            Ok(url) if !url.is_empty() => Self::at(url, None, change, clock),
            _ => {
                let server = PrivateRedis::start(&[]);
                Self::at(server.url(), Some(server), change, clock)
            }
        }
    }

    /// A queue on a server that the test starts and stops itself.
    pub(crate) fn on(server: &PrivateRedis, change: impl FnOnce(&mut QueueOptions)) -> Self {
        Self::at(server.url(), None, change, Arc::new(SystemClock))
    }

    fn at(
        url: String,
        server: Option<PrivateRedis>,
        change: impl FnOnce(&mut QueueOptions),
        clock: Arc<dyn Clock>,
    ) -> Self {
        let prefix = format!("lhtest-{:016x}", rand::random::<u64>());
        let redis = Redis::new(RedisOptions::new(url.clone())).expect("an address");
        let mut options = QueueOptions::new(QueueName::new("work").expect("a name"));
        options.prefix.clone_from(&prefix);
        change(&mut options);
        let queue = Queue::new(redis.clone(), options, clock);
        Self {
            redis,
            queue,
            prefix,
            url,
            _server: server,
        }
    }

    /// The key of the queue that ends with `part`.
    pub(crate) fn key(&self, part: &str) -> String {
        format!("{}:{{work}}:{part}", self.prefix)
    }

    /// Reads `count` entries as the consumer `name` with plain Redis commands, as if it were stuck.
    pub(crate) async fn read_as(&self, name: &str, count: usize) -> usize {
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg("workers")
            .arg(name)
            .arg("COUNT")
            .arg(count);
        command.arg("STREAMS").arg(self.key("stream")).arg(">");
        match self.redis.query(&command).await.expect("the group is there") {
            redis::Value::Array(mut streams) => match streams.pop() {
                Some(redis::Value::Array(mut pair)) => match pair.pop() {
                    Some(redis::Value::Array(entries)) => entries.len(),
                    _ => 0,
                },
                _ => 0,
            },
            _ => 0,
        }
    }

    /// Full name of the first member of the group.
    pub(crate) async fn consumer(&self) -> String {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(self.key("stream")).arg("workers");
        let rows: Vec<Vec<redis::Value>> = self.redis.query(&command).await.expect("consumers");
        let redis::Value::BulkString(name) = &rows[0][1] else {
            panic!("{rows:?}")
        };
        String::from_utf8_lossy(name).into_owned()
    }

    /// Writes a heartbeat for the consumer `name` that lasts longer than any test.
    pub(crate) async fn beat_for(&self, name: &str) {
        let key = self.key(&format!("alive:{name}"));
        self.redis
            .query::<()>(redis::cmd("SET").arg(key).arg(1).arg("EX").arg(600))
            .await
            .expect("written");
    }

    /// Creates the consumer group before any worker does.
    pub(crate) async fn create_group(&self) {
        let mut command = redis::cmd("XGROUP");
        command
            .arg("CREATE")
            .arg(self.key("stream"))
            .arg("workers")
            .arg("0")
            .arg("MKSTREAM");
        self.redis.query::<()>(&command).await.expect("created");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let Ok(mut connection) =
            redis::Client::open(self.url.as_str()).and_then(|client| client.get_connection())
        else {
            return;
        };
        let pattern = format!("{}:*", self.prefix);
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg(pattern)
            .query(&mut connection)
            .unwrap_or_default();
        if !keys.is_empty() {
            let _ = redis::cmd("DEL").arg(keys).exec(&mut connection);
        }
    }
}

/// Options with which takeovers happen within a test's patience.
pub(crate) fn quick(name: &str) -> WorkerOptions {
    let mut options = WorkerOptions::new(name);
    options.block = Duration::from_millis(200);
    options.claim_interval = Duration::from_millis(50);
    options.heartbeat_interval = Duration::from_millis(100);
    options.heartbeat_ttl = Duration::from_secs(2);
    options.backoff = queue::Backoff::new(Duration::from_millis(5), Duration::from_millis(20));
    options
}

/// What handlers saw.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Entry<Bytes>>>>);

impl Seen {
    pub(crate) fn note(&self, entry: &Entry<Bytes>) {
        self.0.lock().expect("not poisoned").push(entry.clone());
    }

    pub(crate) fn entries(&self) -> Vec<Entry<Bytes>> {
        self.0.lock().expect("not poisoned").clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("not poisoned").len()
    }

    /// Payloads as text, in the order in which they were handled.
    pub(crate) fn texts(&self) -> Vec<String> {
        let entries = self.entries();
        entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.payload).into_owned())
            .collect()
    }
}

/// A worker in the background.
pub(crate) struct Running {
    pub(crate) seen: Seen,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Every entry is noted and done.
    pub(crate) fn start(queue: &Queue, options: WorkerOptions) -> Self {
        Self::with(queue, options, |_| async { Ok::<(), queue::Failure>(()) })
    }

    /// Every entry is noted and given to `handler`.
    pub(crate) fn with<H, F>(queue: &Queue, options: WorkerOptions, handler: H) -> Self
    where
        H: Fn(Entry<Bytes>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), queue::Failure>> + Send + 'static,
    {
        let seen = Seen::default();
        let stop = CancellationToken::new();
        let queue = queue.clone();
        let (note, token) = (seen.clone(), stop.clone());
        let task = tokio::spawn(async move {
            let handle = move |entry: Entry<Bytes>| {
                note.note(&entry);
                handler(entry)
            };
            run_worker(&queue, options, handle, token).await;
        });
        Self { seen, stop, task }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) -> Seen {
        self.stop.cancel();
        self.task.await.expect("the worker ends without a panic");
        self.seen
    }

    /// Drops it without any farewell.
    pub(crate) async fn crash(self) -> Seen {
        self.task.abort();
        let _ = self.task.await;
        self.seen
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a worker has seen `count` entries.
pub(crate) async fn saw(seen: &Seen, count: usize) {
    eventually(&format!("{count} entries seen"), || async { seen.len() >= count }).await;
}

/// Waits until nothing is left but dead entries.
pub(crate) async fn drained(queue: &Queue) {
    eventually("the queue is drained", || async {
        let stats = queue.stats().await.unwrap_or_else(|_| panic!("Redis answers"));
        stats.waiting + stats.in_flight + stats.delayed == 0
    })
    .await;
}

pub(crate) fn text(number: usize) -> Bytes {
    Bytes::from(number.to_string())
}
