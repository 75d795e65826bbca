//! The program under test: its commands, its processes, and its API as a stranger uses it.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::driver::Target;
use crate::stores::{Stores, send};

/// Any 32 bytes do: nothing here is secret.
const ENCRYPTION_KEY: &str = "YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNoYmU=";
/// How long a process may take to serve, and to stop.
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// The binary and how it is set up.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    binary: PathBuf,
    logs: PathBuf,
    environment: Vec<(String, String)>,
}

/// Which part of the gateway a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything.
    All,
    /// API and pages.
    Server,
    /// Queues.
    Worker,
}

impl Role {
    fn command(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Server => "server",
            Self::Worker => "worker",
        }
    }
}

/// A project that `bootstrap` made.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// Its id.
    pub(crate) id: String,
    /// Its API key.
    pub(crate) key: String,
}

impl Gateway {
    /// The program `binary` on `stores`, with `settings` on top of what every bench needs.
    pub(crate) fn new(binary: &Path, stores: &Stores, settings: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", stores.database_url()),
            ("REDIS_URL", stores.redis_url()),
            ("LONGHAUL_SERVER_BIND", "127.0.0.1"),
            ("LONGHAUL_DELIVERY_ALLOW_ADDRESSES", "127.0.0.0/8"),
            ("LONGHAUL_SECURITY_ENCRYPTION_KEY", ENCRYPTION_KEY),
            ("LONGHAUL_QUEUE_MAX_LEN", "5000000"),
        ];
        let environment = common
            .iter()
            .chain(settings)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            binary: binary.to_owned(),
            logs: stores.folder().to_owned(),
            environment: environment.collect(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        // Settings of whoever runs the bench must not change what is measured.
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        // A configuration file in the current folder would.
        command
            .current_dir(&self.logs)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end and answers what it printed.
    async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command().args(arguments).output().await;
        let output = output.with_context(|| format!("cannot run {}", self.binary.display()))?;
        if !output.status.success() {
            bail!(
                "longhaul {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a command to its end; what it printed, and the most memory that it held, in MiB.
    pub(crate) async fn run_measured(&self, arguments: &[&str]) -> anyhow::Result<(String, f64)> {
        let child = self
            .command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let pid = child.id().unwrap_or_default();
        let mut peak = 0.0_f64;
        let mut ended = Box::pin(child.wait_with_output());
        let output = loop {
            tokio::select! {
                output = &mut ended => break output?,
                () = tokio::time::sleep(POLL) => peak = peak.max(crate::meter::peak_mib(pid)),
            }
        };
        if !output.status.success() {
            bail!(
                "longhaul {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), peak))
    }

    /// Starts a command whose progress, on its standard error, is for the caller to read.
    pub(crate) fn begin(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        self.command()
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))
    }

    /// Brings the tables up to date and makes the bench's project.
    pub(crate) async fn set_up(&self) -> anyhow::Result<Project> {
        self.run(&["migrate", "up"]).await?;
        let arguments = [
            "--email",
            "bench@longhaul.test",
            "--password",
            "a long road for a bench",
            "--project",
            "bench",
        ];
        let printed = self
            .run(&[&["bootstrap"], arguments.as_slice(), &["--format", "json"]].concat())
            .await?;
        let made: Value = serde_json::from_str(&printed).context("bootstrap printed no JSON")?;
        let text = |pointer: &str| {
            made.pointer(pointer)
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        let (Some(id), Some(key)) = (text("/project/uid"), text("/api_key")) else {
            bail!("bootstrap names no project.uid or no api_key");
        };
        Ok(Project { id, key })
    }

    /// Starts one process and waits until it says that it lives; a worker has a port for that, too.
    pub(crate) async fn start(&self, role: Role) -> anyhow::Result<Process> {
        let address = free_address()?;
        let log = File::create(self.logs.join(format!(
            "longhaul-{}-{}.log",
            role.command(),
            address.port()
        )))?;
        let child = self
            .command()
            .arg(role.command())
            .env("LONGHAUL_SERVER_PORT", address.port().to_string())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        let mut process = Process { child, role, address };
        process.wait_until_it_serves().await?;
        Ok(process)
    }
}

/// A process of the gateway. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    role: Role,
    address: SocketAddr,
}

impl Process {
    /// Its id.
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child
            .id()
            .with_context(|| format!("longhaul {} has ended", self.role.command()))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn wait_until_it_serves(&mut self) -> anyhow::Result<()> {
        let limit = Instant::now() + START_LIMIT;
        while call(self.address, "GET", "/healthz", "", None).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "longhaul {} ended with {status}; see its log in the folder of the stores",
                    self.role.command()
                );
            }
            if Instant::now() >= limit {
                bail!("longhaul {} does not serve", self.role.command());
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Stops it as an operator does.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        send(self.pid()?, Signal::TERM)?;
        let ended = tokio::time::timeout(STOP_LIMIT, self.child.wait()).await;
        ended.with_context(|| format!("longhaul {} does not stop", self.role.command()))??;
        Ok(())
    }

    /// Stops it without a warning.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .await
            .with_context(|| format!("longhaul {} cannot be killed", self.role.command()))
    }
}

/// Makes an endpoint at `url` with one subscription for everything. Failed deliveries are tried
/// again every second, so often that no scenario runs out of attempts.
pub(crate) async fn create_endpoint(
    address: SocketAddr,
    project: &Project,
    url: &str,
    secret: &str,
) -> anyhow::Result<Target> {
    let root = format!("/api/v1/projects/{}", project.id);
    let endpoint = json!({ "name": url, "url": url, "secret": secret });
    let made = call(
        address,
        "POST",
        &format!("{root}/endpoints"),
        &project.key,
        Some(&endpoint),
    )
    .await?;
    let id = made
        .pointer("/data/uid")
        .and_then(Value::as_str)
        .context("the new endpoint has no uid")?
        .to_owned();
    let subscription = json!({
        "name": url,
        "endpoint_id": id,
        "filter_config": { "event_types": ["*"] },
        "retry_config": { "type": "linear", "duration": "1s", "retry_count": 100 },
    });
    call(
        address,
        "POST",
        &format!("{root}/subscriptions"),
        &project.key,
        Some(&subscription),
    )
    .await?;
    Ok(Target {
        address,
        project: project.id.clone(),
        key: project.key.clone(),
        endpoint: id,
    })
}

/// A connection that stays open, for requests one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
    address: SocketAddr,
    key: String,
}

impl Reader {
    /// Connects to a process, as the project.
    pub(crate) async fn connect(process: &Process, project: &Project) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(process.address()).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            address: process.address(),
            key: project.key.clone(),
        })
    }

    /// Reads a path; the headers and the body of a successful answer.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<(http::HeaderMap, Bytes)> {
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key))
            .body(Full::default())?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        if !head.status.is_success() {
            bail!("GET {path}: {} {}", head.status, String::from_utf8_lossy(&body));
        }
        Ok((head.headers, body))
    }
}

/// One request on a connection of its own; the answer's JSON, or null when it has none.
async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(
            body.map(|json| Bytes::from(json.to_string())).unwrap_or_default(),
        ))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let text = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&text));
    }
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

/// An address that nobody listens at right now.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}
