//! Stores of a test: a Redis of its own, and a PostgreSQL of its own where it is stopped.

use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::child::{Process, eventually, free_port, printed};

/// A Redis that can be stopped and started again.
#[derive(Debug)]
pub(crate) struct OwnRedis {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl OwnRedis {
    /// Starts one, empty.
    pub(crate) async fn start() -> Self {
        let mut redis = Self {
            folder: folder(),
            port: free_port(),
            process: None,
        };
        redis.resume().await;
        redis
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Stops it in order: what it confirmed is on disk.
    pub(crate) async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(Signal::TERM).await;
        }
    }

    /// Starts it with what it held when it was stopped.
    pub(crate) async fn resume(&mut self) {
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
            "--save",
            "",
            "--appendonly",
            "yes",
        ]);
        command.arg("--dir").arg(self.folder.path());
        let process = Process::spawn("redis-server", command, &self.folder.path().join("log"));
        let process = self.process.insert(process);
        let port = self.port;
        eventually("Redis answers", async || {
            process.assert_runs();
            listens(port).then_some(())
        })
        .await;
    }

    /// What `redis-cli` prints for a command.
    pub(crate) async fn call(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).args(words);
        printed(command).await
    }
}

/// A PostgreSQL that can be stopped and started again.
#[derive(Debug)]
pub(crate) struct OwnPostgres {
    folder: TempDir,
    programs: PathBuf,
    account: Account,
    port: u16,
    process: Option<Process>,
}

impl OwnPostgres {
    /// Starts one, empty.
    pub(crate) async fn start() -> Self {
        let (programs, account) = (programs(), Account::of_stores().await);
        let mut postgres = Self {
            folder: folder(),
            programs,
            account,
            port: free_port(),
            process: None,
        };
        account.own(postgres.folder.path());
        let mut command = postgres.program("initdb");
        // Losing power in the middle of a test is not tested; losing the process is.
        command.args([
            "-U",
            "longhaul",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ]);
        command.arg(postgres.data());
        printed(command).await;
        postgres.resume().await;
        postgres
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://longhaul@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it: connections are cut, what was committed is kept.
    pub(crate) async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(Signal::INT).await;
        }
    }

    /// Starts it again.
    pub(crate) async fn resume(&mut self) {
        let mut command = self.program("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1"]);
        for setting in [
            "unix_socket_directories=",
            "max_locks_per_transaction=256",
            "timezone=UTC",
        ] {
            command.args(["-c", setting]);
        }
        let process = self.process.insert(Process::spawn(
            "postgres",
            command,
            &self.folder.path().join("log"),
        ));
        let (ready, port) = (self.programs.join("pg_isready"), self.port.to_string());
        eventually("PostgreSQL answers", async || {
            process.assert_runs();
            let status = Command::new(&ready)
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .await;
            status.is_ok_and(|status| status.success()).then_some(())
        })
        .await;
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        self.account.lend(&mut command);
        command
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // Killed outright it would leave its shared memory behind.
        if let Some(process) = &self.process {
            process.signal(Signal::QUIT);
            while listens(self.port) {
                std::thread::yield_now();
            }
        }
    }
}

/// The account that PostgreSQL runs as: it refuses to be root.
#[derive(Clone, Copy, Debug)]
struct Account(Option<(u32, u32)>);

impl Account {
    async fn of_stores() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let number = async |flag: &str| -> u32 {
            let mut command = Command::new("id");
            command.args([flag, "postgres"]);
            printed(command).await.trim().parse().expect("a number")
        };
        Self(Some((number("-u").await, number("-g").await)))
    }

    fn own(self, folder: &Path) {
        if let Self(Some((user, group))) = self {
            std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("root may give folders away");
        }
    }

    fn lend(self, command: &mut Command) {
        if let Self(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
    }
}

/// Rows as lines, columns parted by `|`.
pub(crate) async fn sql(url: &str, statement: &str) -> String {
    let mut command = Command::new("psql");
    command.args(["-XAtq", "-d", url, "-c", statement]);
    printed(command).await
}

/// Where the newest PostgreSQL keeps its programs.
fn programs() -> PathBuf {
    let version = |path: &Path| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = installed
        .map(|entry| entry.path())
        .filter(|path| version(path).is_some())
        .max_by_key(|path| version(path));
    newest
        .expect("PostgreSQL under /usr/lib/postgresql; run scripts/setup-system.sh")
        .join("bin")
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Under /tmp whatever the environment says: another account has to reach it.
fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("longhaul-test-")
        .tempdir_in("/tmp")
        .expect("a folder")
}
