//! Child processes: on ports of their own, ended by their id, gone with the test.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks at something that is awaited.
const POLL: Duration = Duration::from_millis(20);
/// Below the ports that the kernel hands out by itself, so that no connection takes one meanwhile.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A process with its output in a file.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output in `log`. It is killed when this is dropped.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a file for the output");
        let errors = output.try_clone().expect("the same file again");
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            child,
            name: name.to_owned(),
            log: log.to_owned(),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Everything that it wrote.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Fails the test when it has ended.
    pub(crate) fn assert_runs(&mut self) {
        if let Some(status) = self.child.try_wait().expect("its state") {
            panic!("{} ended with {status}:\n{}", self.name, self.output());
        }
    }

    /// Sends a signal to it.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("an id");
        kill_process(pid, signal).expect("the signal is sent");
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let Ok(status) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            panic!(
                "{} does not end:
{}",
                self.name,
                self.output()
            );
        };
        status.expect("its exit code")
    }

    /// Tells it to stop and waits for its end.
    pub(crate) async fn stop(self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended().await
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    std::iter::repeat_with(|| rand::random_range(PORTS))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

/// Waits until `look` finds something.
///
/// # Panics
/// When it finds nothing within [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let Ok(found) = tokio::time::timeout(PATIENCE, waiting).await else {
        panic!("{what}: not within {PATIENCE:?}");
    };
    found
}

/// Runs `command` to its end and returns what it printed.
///
/// # Panics
/// When it fails.
pub(crate) async fn printed(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().await.expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        text(&output.stderr),
        text(&output.stdout)
    );
    text(&output.stdout)
}
