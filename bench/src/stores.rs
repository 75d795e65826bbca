//! The private PostgreSQL and Redis of the bench: a database of its own in each, looked at from
//! outside, stopped and started again.
//!
//! The addresses come from the folder of `scripts/dev-stores.sh` and from nowhere else, so that no
//! other server can be emptied by mistake.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use url::Url;

use crate::meter::process_tree;
use crate::resp::{Connection, Reply};
use crate::session::Session;

/// The bench's database in PostgreSQL.
const DATABASE: &str = "longhaul_bench";
/// The bench's database in Redis.
const REDIS_DATABASE: &str = "/9";
/// What holds the rows of events.
const HOT_TABLES: &str = "'events', 'events_search', 'event_deliveries', 'delivery_attempts'";
/// The streams of entries that wait or are under way.
const STREAMS: [&str; 2] = ["lh:{events}:stream", "lh:{deliveries}:stream"];
/// Entries that are due later.
const DELAYED: &str = "lh:{deliveries}:delayed";
/// The consumer group of every stream.
const GROUP: &str = "workers";
/// How long a store may take to stop.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// Both stores.
#[derive(Debug)]
pub(crate) struct Stores {
    folder: PathBuf,
    script: PathBuf,
    /// The address that the script gave, and the one of the bench's database.
    postgres: Url,
    database: Url,
    redis: Url,
}

impl Stores {
    /// The stores of `folder`, which `script` has started.
    pub(crate) fn of_folder(folder: &Path, script: &Path) -> anyhow::Result<Self> {
        let (postgres, redis) = addresses(&read_env(folder)?)?;
        let (mut database, mut own_redis) = (postgres.clone(), redis);
        database.set_path(DATABASE);
        own_redis.set_path(REDIS_DATABASE);
        Ok(Self {
            folder: folder.to_owned(),
            script: script.to_owned(),
            postgres,
            database,
            redis: own_redis,
        })
    }

    /// Address of the bench's database in PostgreSQL.
    pub(crate) fn database_url(&self) -> &str {
        self.database.as_str()
    }

    /// Address of the bench's database in Redis.
    pub(crate) fn redis_url(&self) -> &str {
        self.redis.as_str()
    }

    /// Where logs of the gateway go.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Empties both; what was there is gone.
    pub(crate) async fn empty(&self) -> anyhow::Result<()> {
        psql(
            &self.postgres,
            &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"),
        )
        .await?;
        psql(&self.postgres, &format!("CREATE DATABASE {DATABASE}")).await?;
        // Dirty pages of the database before this one are nobody's cost.
        psql(&self.postgres, "CHECKPOINT").await?;
        self.redis_call(&["FLUSHDB"]).await?;
        Ok(())
    }

    /// Runs SQL in the bench's database; rows as lines, columns parted by `|`.
    pub(crate) async fn sql(&self, sql: &str) -> anyhow::Result<String> {
        psql(&self.database, sql).await
    }

    /// A client on the bench's database that stays.
    pub(crate) fn session(&self) -> anyhow::Result<Session> {
        Session::start(client(&self.database))
    }

    /// Runs SQL that answers one whole number.
    pub(crate) async fn number(&self, sql: &str) -> anyhow::Result<u64> {
        let text = self.sql(sql).await?;
        text.trim()
            .parse()
            .with_context(|| format!("PostgreSQL answered {text:?}"))
    }

    /// Runs one command in the bench's database of Redis.
    pub(crate) async fn redis_call(&self, words: &[&str]) -> anyhow::Result<Reply> {
        Connection::open(&self.redis).await?.call(words).await
    }

    /// Bytes of all partitions of the hot tables with their indexes.
    pub(crate) async fn disk_bytes(&self) -> anyhow::Result<u64> {
        let sql = format!(
            "SELECT coalesce(sum(pg_total_relation_size(part.relid)), 0)::bigint \
             FROM unnest(ARRAY[{HOT_TABLES}]) name, pg_partition_tree(name::regclass) part WHERE part.isleaf"
        );
        self.number(&sql).await
    }

    /// Events and deliveries that are not in a final state.
    pub(crate) async fn unfinished(&self) -> anyhow::Result<u64> {
        let count = |table: &str| format!("(SELECT count(*) FROM {table} WHERE due_at IS NOT NULL)");
        self.number(&format!(
            "SELECT {} + {}",
            count("events"),
            count("event_deliveries")
        ))
        .await
    }

    /// Events that were written.
    pub(crate) async fn events(&self) -> anyhow::Result<u64> {
        self.number("SELECT count(*) FROM events").await
    }

    /// Entries in the queues, waiting or under way.
    pub(crate) async fn queued(&self) -> anyhow::Result<u64> {
        let mut connection = Connection::open(&self.redis).await?;
        let mut entries = 0;
        for stream in STREAMS {
            entries += connection.call(&["XLEN", stream]).await?.int();
        }
        Ok(u64::try_from(entries).unwrap_or(0))
    }

    /// Deliveries that wait for their time in the queue.
    pub(crate) async fn delayed(&self) -> anyhow::Result<u64> {
        Ok(u64::try_from(self.redis_call(&["ZCARD", DELAYED]).await?.int()).unwrap_or(0))
    }

    /// Consumers and how many entries each was given and has not acknowledged.
    pub(crate) async fn held_entries(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut connection = Connection::open(&self.redis).await?;
        let mut held = Vec::new();
        for stream in STREAMS {
            // Refused while there is no stream or no group: then nobody holds anything.
            let reply = connection
                .try_call(&["XINFO", "CONSUMERS", stream, GROUP])
                .await?;
            held.extend(reply.list().iter().map(|consumer| {
                let field = |name: &str| {
                    consumer
                        .list()
                        .chunks_exact(2)
                        .find(|pair| pair[0].text() == name)
                        .map(|pair| pair[1].clone())
                };
                let name = field("name")
                    .map(|name| name.text().to_owned())
                    .unwrap_or_default();
                (
                    format!("{stream} {name}"),
                    field("pending").map_or(0, |count| count.int() as u64),
                )
            }));
        }
        Ok(held)
    }

    /// The first process of a store's server.
    pub(crate) async fn process(&self, store: Store) -> anyhow::Result<u32> {
        let text = match store {
            Store::Postgres => {
                psql(
                    &self.postgres,
                    "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)",
                )
                .await?
            }
            Store::Redis => {
                let info = self.redis_call(&["INFO", "server"]).await?;
                info.text()
                    .lines()
                    .find_map(|line| line.strip_prefix("process_id:"))
                    .unwrap_or_default()
                    .to_owned()
            }
        };
        text.trim()
            .parse()
            .with_context(|| format!("{store:?} names its process {text:?}"))
    }

    /// What the servers call themselves.
    pub(crate) async fn versions(&self) -> anyhow::Result<(String, String)> {
        let postgres = psql(&self.postgres, "SHOW server_version")
            .await?
            .trim()
            .to_owned();
        let info = self.redis_call(&["INFO", "server"]).await?;
        let redis = info
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"))
            .unwrap_or_default();
        Ok((postgres, redis.trim().to_owned()))
    }

    /// Stops a store as an operator does and waits until it is gone.
    pub(crate) async fn stop(&self, store: Store) -> anyhow::Result<()> {
        let pid = self.process(store).await?;
        // PostgreSQL closes its connections at once with SIGINT; Redis writes its file with SIGTERM.
        let signal = if store == Store::Postgres {
            Signal::INT
        } else {
            Signal::TERM
        };
        send(pid, signal)?;
        let gone = async {
            while Path::new(&format!("/proc/{pid}")).exists() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(STOP_LIMIT, gone)
            .await
            .with_context(|| format!("{store:?} does not stop"))
    }

    /// Starts whatever does not run, on its old address.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        let before = read_env(&self.folder)?;
        let output = Command::new(&self.script)
            .arg("start")
            .env("LONGHAUL_DEV_DIR", &self.folder)
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.script.display()))?;
        if !output.status.success() {
            bail!(
                "the stores do not start: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        if read_env(&self.folder)? != before {
            bail!("a store came back on another port, because somebody took its own");
        }
        Ok(())
    }

    /// Holds a store still: it keeps its connections and answers nothing.
    pub(crate) async fn freeze(&self, store: Store) -> anyhow::Result<Frozen> {
        let mut frozen = Frozen { pids: Vec::new() };
        // Parents first, so that no child is made meanwhile.
        for pid in process_tree(self.process(store).await?) {
            send(pid, Signal::STOP)?;
            frozen.pids.push(pid);
        }
        Ok(frozen)
    }
}

/// Processes that stand still until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Frozen {
    pids: Vec<u32>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in self.pids.drain(..).rev() {
            // One that has ended needs nothing.
            let _ = send(pid, Signal::CONT);
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn send(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = Pid::from_raw(pid.cast_signed()).context("process 0 gets no signal")?;
    kill_process(pid, signal).with_context(|| format!("cannot signal process {pid:?}"))
}

fn read_env(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("env");
    std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} is missing; scripts/bench.sh starts the stores of the bench",
            path.display()
        )
    })
}

/// The two addresses of the lines `export NAME='value'`.
fn addresses(env: &str) -> anyhow::Result<(Url, Url)> {
    let address = |name: &str| {
        let value = env.lines().find_map(|line| {
            line.strip_prefix("export ")?
                .strip_prefix(name)?
                .strip_prefix("='")
        });
        let text = value
            .and_then(|value| value.strip_suffix('\''))
            .with_context(|| format!("no {name} in env"))?;
        let url = Url::parse(text).with_context(|| format!("{name} is no address"))?;
        if !matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")) {
            bail!("{name} is not on this machine");
        }
        Ok(url)
    };
    Ok((address("DATABASE_URL")?, address("REDIS_URL")?))
}

/// The client of PostgreSQL, which reads SQL from its standard input. The password goes by the
/// environment, which other users cannot read.
fn client(url: &Url) -> Command {
    let mut command = Command::new("psql");
    command
        .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--file=-"])
        .env("PGHOST", url.host_str().unwrap_or_default())
        .env("PGPORT", url.port().unwrap_or(5432).to_string())
        .env("PGUSER", url.username())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .env("PGDATABASE", url.path().trim_start_matches('/'))
        // Notes about what does not exist are no news.
        .env("PGOPTIONS", "-c client_min_messages=warning")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs SQL through the client of PostgreSQL.
async fn psql(url: &Url, sql: &str) -> anyhow::Result<String> {
    let mut child = client(url).spawn().context("psql is not installed")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(sql.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("PostgreSQL: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_folder_of_the_stores() {
        let env = "export DATABASE_URL='postgres://u:p@127.0.0.1:15432/longhaul'\nexport REDIS_URL='redis://:p@127.0.0.1:16379/0'\n";
        let (postgres, redis) = addresses(env).expect("are there");
        assert_eq!((postgres.port(), redis.port()), (Some(15432), Some(16379)));
    }

    #[test]
    fn a_store_of_another_machine_is_refused() {
        let env = "export DATABASE_URL='postgres://u:p@db.example.com/longhaul'\nexport REDIS_URL='redis://127.0.0.1/0'\n";
        let error = addresses(env).expect_err("is refused");
        assert_eq!(error.to_string(), "DATABASE_URL is not on this machine");
        assert!(addresses("").is_err());
    }
}
