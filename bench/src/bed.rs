//! The test bed: stores, receiver and program, and a fresh site on them for each measurement.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::driver::Target;
use crate::gateway::{Gateway, Process, Project, Role, create_endpoint};
use crate::receiver::Receiver;
use crate::stores::Stores;

/// Secret of every endpoint.
const SECRET: &str = "bench-secret";

/// What lasts from the first scenario to the last.
#[derive(Debug)]
pub(crate) struct Bed {
    /// PostgreSQL and Redis.
    pub(crate) stores: Stores,
    /// Where endpoints point.
    pub(crate) receiver: Receiver,
    binary: PathBuf,
}

impl Bed {
    /// A bed for the program `binary`.
    pub(crate) fn new(stores: Stores, binary: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            stores,
            receiver: Receiver::start(SECRET)?,
            binary: binary.canonicalize()?,
        })
    }

    /// Empties the stores and makes a project in them; `settings` are environment variables.
    pub(crate) async fn fresh_site(&self, settings: &[(&str, &str)]) -> anyhow::Result<Site<'_>> {
        self.stores.empty().await?;
        let gateway = Gateway::new(&self.binary, &self.stores, settings);
        let project = gateway.set_up().await?;
        Ok(Site {
            bed: self,
            gateway,
            project,
        })
    }

    /// What the figures were measured on.
    pub(crate) async fn machine(&self) -> anyhow::Result<Value> {
        let (postgres, redis) = self.stores.versions().await?;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Ok(json!({ "cores": cores, "postgresql": postgres, "redis": redis }))
    }
}

/// A gateway with one project on stores that were empty.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// What it stands on.
    pub(crate) bed: &'a Bed,
    /// Its project.
    pub(crate) project: Project,
    gateway: Gateway,
}

impl Site<'_> {
    /// Starts a process of the gateway.
    pub(crate) async fn start(&self, role: Role) -> anyhow::Result<Process> {
        self.gateway.start(role).await
    }

    /// Starts a command of the gateway; see [`Gateway::begin`].
    pub(crate) fn begin(&self, arguments: &[&str]) -> anyhow::Result<tokio::process::Child> {
        self.gateway.begin(arguments)
    }

    /// Runs a command of the gateway to its end; see [`Gateway::run_measured`].
    pub(crate) async fn run_measured(&self, arguments: &[&str]) -> anyhow::Result<(String, f64)> {
        self.gateway.run_measured(arguments).await
    }

    /// Makes an endpoint at the receiver's `path` through the API of `process`.
    pub(crate) async fn endpoint(&self, process: &Process, path: &str) -> anyhow::Result<Target> {
        create_endpoint(
            process.address(),
            &self.project,
            &self.bed.receiver.url(path),
            SECRET,
        )
        .await
    }
}
