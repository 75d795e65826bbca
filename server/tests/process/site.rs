//! One installation: its stores, its key, and the processes that were started in it.

use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use testkit::TestDb;
use tokio::process::Command;

use crate::api::Api;
use crate::child::{Process, eventually, free_port};
use crate::stores::{OwnPostgres, OwnRedis};

/// What the first user signs in with.
pub(crate) const EMAIL: &str = "operator@harbour.example";
/// Its password.
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// The key that secrets are encrypted with.
pub(crate) const SECRET_KEY: &str = "6b1d8f4d5a0e2c93b7a61f0c8e5d4b3a29187f6e5d4c3b2a1908f7e6d5c4b3a2";

/// A PostgreSQL to work on.
#[derive(Debug)]
enum Database {
    /// A database on the server that all tests share.
    Shared(TestDb),
    /// A server that may be stopped.
    Own(OwnPostgres),
}

/// An installation.
#[derive(Debug)]
pub(crate) struct Site {
    database: Database,
    /// Its Redis.
    pub(crate) redis: OwnRedis,
    folder: TempDir,
    settings: Vec<(&'static str, &'static str)>,
}

impl Site {
    /// An installation with an empty, migrated database.
    pub(crate) async fn new() -> Self {
        Self::of(Database::Shared(testkit::database().await)).await
    }

    /// An installation whose PostgreSQL can be stopped; its schema is made by the binary.
    pub(crate) async fn with_own_postgres() -> Self {
        let site = Self::of(Database::Own(OwnPostgres::start().await)).await;
        let output = site.run(&["migrate", "up"]).await;
        assert!(output.status.success(), "{output:?}");
        site
    }

    async fn of(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            database,
            redis: OwnRedis::start().await,
            folder,
            settings: Vec::new(),
        }
    }

    /// Every process started from now on gets this variable.
    pub(crate) fn set(&mut self, name: &'static str, value: &'static str) {
        self.settings.push((name, value));
    }

    /// The PostgreSQL that can be stopped.
    pub(crate) fn postgres(&mut self) -> &mut OwnPostgres {
        match &mut self.database {
            Database::Own(postgres) => postgres,
            Database::Shared(_) => panic!("this installation has no PostgreSQL of its own"),
        }
    }

    /// Rows as lines, columns parted by `|`.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        crate::stores::sql(&self.database_url(), statement).await
    }

    fn database_url(&self) -> String {
        match &self.database {
            Database::Shared(shared) => shared.url.clone(),
            Database::Own(postgres) => postgres.url(),
        }
    }

    /// The binary with the settings of this installation and nothing else of the environment.
    fn binary(&self) -> Command {
        let mut command = bare_binary();
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database_url())
            .env("REDIS_URL", self.redis.url())
            .env("LONGHAUL_SECRET_KEY", SECRET_KEY)
            .env("LONGHAUL_SERVER_BIND", "127.0.0.1")
            .env("LONGHAUL_DELIVERY_ALLOW_ADDRESSES", "127.0.0.0/8")
            .env("LONGHAUL_PARTITIONS_DAYS_AHEAD", "1")
            .envs(self.settings.iter().copied());
        command
    }

    /// Runs a command of the binary to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.binary()
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("the binary starts")
    }

    /// Makes user, organisation, project and key.
    pub(crate) async fn bootstrap(&self) -> Value {
        let arguments = [
            "bootstrap",
            "--email",
            EMAIL,
            "--password",
            PASSWORD,
            "--project",
            "Checkout",
        ];
        let output = self.run(&[&arguments[..], &["--format", "json"]].concat()).await;
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// Starts a process of the given role and waits until it is ready.
    pub(crate) async fn start(&self, role: &str) -> Gateway {
        let port = free_port();
        let mut command = self.binary();
        command.args([role, "--port", &port.to_string()]);
        let log = self.folder.path().join(format!("{role}-{port}.log"));
        let process = Process::spawn(role, command, &log);
        let mut gateway = Gateway {
            process,
            port,
            http: client(),
        };
        let (http, ready) = (gateway.http.clone(), gateway.url("/readyz"));
        eventually("the process is ready", async || {
            gateway.process.assert_runs();
            http.get(&ready)
                .send()
                .await
                .ok()
                .filter(|answer| answer.status().is_success())
        })
        .await;
        gateway
    }

    /// Starts everything in one process, with a project to work in.
    pub(crate) async fn start_all(&self) -> (Gateway, Api) {
        let made = self.bootstrap().await;
        let gateway = self.start("all").await;
        let api = Api::new(&gateway, &made);
        (gateway, api)
    }
}

/// The binary without any environment.
pub(crate) fn bare_binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longhaul"));
    command.env_clear();
    command
}

/// A process of the binary that listens.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    port: u16,
    /// A client for it.
    pub(crate) http: Client,
}

impl Gateway {
    /// An address on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        self.process.output()
    }

    /// Kills it: nothing is finished, nothing handed back.
    pub(crate) async fn kill(self) {
        self.process.stop(Signal::KILL).await;
    }

    /// Asks it to stop; it goes on with what is under way.
    pub(crate) fn ask_to_stop(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> ExitStatus {
        self.process.ended().await
    }

    /// Stops it in order.
    pub(crate) async fn stop(self) {
        let log = self.log();
        let status = self.process.stop(Signal::TERM).await;
        assert!(status.success(), "{status}:\n{log}");
    }

    /// Status and JSON of an answer.
    pub(crate) async fn json(&self, path: &str) -> (u16, Value) {
        let answer = self.http.get(self.url(path)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// Moves the clock of a process that was started with a development clock.
    pub(crate) async fn advance_clock(&self, by: chrono::TimeDelta) {
        let (_, clock) = self.json("/dev/clock").await;
        let now: chrono::DateTime<chrono::Utc> = clock["now"]
            .as_str()
            .and_then(|now| now.parse().ok())
            .expect("a time");
        let wanted = serde_json::json!({ "now": now + by });
        let answer = self
            .http
            .put(self.url("/dev/clock"))
            .json(&wanted)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

/// A client that follows no redirects.
fn client() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client")
}
