//! A PostgreSQL database per test: a copy of a migrated template, dropped when the test ends.
//!
//! The server is the one of `DATABASE_URL`, whose user must be allowed to make databases. Without
//! the variable it is the private one that `scripts/dev-stores.sh start` runs. The template is
//! made once per schema; its name holds the schema's fingerprint, so nobody meets a stale one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use db::Db;
use db::databases;
use db::pool::DbOptions;
use migration::{Migrator, MigratorTrait};

/// Databases of tests start so; the second of their making follows.
const TEST_PREFIX: &str = "longhaul_test_";
/// Templates start so; the fingerprint of the schema follows.
const TEMPLATE_PREFIX: &str = "longhaul_template_";
/// Whoever makes the template holds this lock.
const TEMPLATE_LOCK: i64 = 0x6c68_7465_7374; // "lhtest"
/// How long a test waits for its database to be dropped.
const DROP_LIMIT: Duration = Duration::from_secs(2);
/// A database this old was left behind by a test that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(2);

/// A database of its own.
#[derive(Debug)]
pub struct TestDb {
    /// Where it is.
    pub url: String,
    /// A pool on it.
    pub db: Db,
    name: String,
    server: String,
}

/// Makes an empty database with the current schema.
///
/// # Panics
/// When the server cannot be reached: no test can run then.
pub async fn database() -> TestDb {
    match make().await {
        Ok(database) => database,
        Err(error) => panic!("no database for the test: {error:#}"),
    }
}

async fn make() -> Result<TestDb> {
    let server = server_url()?;
    let admin = connect(&server, 1)?;
    let template = ensure_template(&admin, &server).await?;
    sweep(&admin).await?;
    let name = format!(
        "{TEST_PREFIX}{}_{}",
        seconds_now(),
        uuid::Uuid::from_u128(random()).simple()
    );
    databases::create(&admin, &name, Some(&template))
        .await
        .context("copying the template")?;
    admin.close().await;
    let url = with_database(&server, &name)?;
    // Few connections: many tests run at once.
    Ok(TestDb {
        db: connect(&url, 8)?,
        url,
        name,
        server,
    })
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread with a runtime of its own, because this may run inside of one; waited for,
        // because the process may end right after the test.
        let dropping = std::thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let dropping = async {
                let admin = connect(&server, 1)?;
                databases::drop_if_exists(&admin, &name).await?;
                admin.close().await;
                Ok(())
            };
            // PostgreSQL drops a database only after every session has heard of it, and a session of
            // this test that is still signing in hears nothing while the test's runtime stands still.
            // PostgreSQL goes on with the drop when this process ends.
            runtime.block_on(async { tokio::time::timeout(DROP_LIMIT, dropping).await })?
        });
        // What could not be dropped is swept up by a later test.
        if let Ok(Err(error)) = dropping.join() {
            tracing::warn!(%error, "a test's database stays behind");
        }
    }
}

/// The name of the template for the current schema, which is there afterwards.
async fn ensure_template(admin: &Db, server: &str) -> Result<String> {
    let template = format!("{TEMPLATE_PREFIX}{:016x}", migration::fingerprint());
    if is_there(admin, &template).await? {
        return Ok(template);
    }
    // The lock is held by a transaction on a connection of its own.
    let guard = connect(server, 1)?;
    let turn = guard.begin().await?;
    turn.lock(TEMPLATE_LOCK).await?;
    if !is_there(admin, &template).await? {
        // Renamed when it is complete, so that half a template is never copied.
        let building = format!("{template}_building");
        databases::drop_if_exists(admin, &building).await?;
        databases::create(admin, &building, None).await?;
        let fresh = connect(&with_database(server, &building)?, 1)?;
        Migrator::up(fresh.orm(), None)
            .await
            .context("migrating the template")?;
        fresh.close().await;
        databases::rename(admin, &building, &template).await?;
    }
    turn.commit().await?;
    guard.close().await;
    Ok(template)
}

async fn is_there(admin: &Db, name: &str) -> Result<bool> {
    Ok(databases::names(admin, name)
        .await?
        .iter()
        .any(|found| found == name))
}

/// Drops what killed tests left behind.
async fn sweep(admin: &Db) -> Result<()> {
    for name in databases::names(admin, TEST_PREFIX).await? {
        let made: Option<u64> = name
            .strip_prefix(TEST_PREFIX)
            .and_then(|rest| rest.split('_').next()?.parse().ok());
        if made.is_some_and(|made| made + LEFT_BEHIND.as_secs() < seconds_now()) {
            databases::drop_if_exists(admin, &name).await?;
        }
    }
    Ok(())
}

fn connect(url: &str, connections: u32) -> Result<Db> {
    let options = DbOptions {
        max_connections: connections,
        acquire_timeout: Duration::from_mins(1),
        ..DbOptions::new(url)
    };
    Ok(Db::connect_lazy(&options)?)
}

/// `url` with another database.
fn with_database(url: &str, name: &str) -> Result<String> {
    let (scheme, rest) = url
        .split_once("://")
        .context("the address of PostgreSQL has no scheme")?;
    let (rest, options) = rest
        .split_once('?')
        .map_or((rest, None), |(rest, options)| (rest, Some(options)));
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}/{name}{options}"))
}

fn server_url() -> Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are configured by the environment alone"
    )]
    let given = std::env::var("DATABASE_URL");
    if let Ok(url) = given {
        return Ok(url);
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.dev/env");
    let lines = std::fs::read_to_string(file).unwrap_or_default();
    let url = lines.lines().find_map(|line| {
        line.trim()
            .trim_start_matches("export ")
            .strip_prefix("DATABASE_URL=")
            .map(|v| v.trim_matches('\''))
    });
    match url {
        Some(url) => Ok(url.to_owned()),
        None => bail!("set DATABASE_URL, or run scripts/dev-stores.sh start"),
    }
}

fn seconds_now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "databases of killed tests age by the machine's clock"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn random() -> u128 {
    domain::id::uuid_at(chrono::DateTime::UNIX_EPOCH).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_an_address_can_be_exchanged() {
        for (url, expected) in [
            ("postgres://u:p@h:5/a", "postgres://u:p@h:5/b"),
            ("postgres://u:p@h:5", "postgres://u:p@h:5/b"),
            (
                "postgres://u@h/a?sslmode=disable",
                "postgres://u@h/b?sslmode=disable",
            ),
        ] {
            assert_eq!(with_database(url, "b").expect("reads"), expected);
        }
    }

    #[tokio::test]
    async fn two_tests_never_share_rows_and_a_database_goes_with_its_test() {
        let (one, two) = (database().await, database().await);
        assert_ne!(one.url, two.url);
        databases::names(&one.db, TEST_PREFIX).await.expect("answers");
        let name = one.name.clone();
        drop(one);
        let left = databases::names(&two.db, &name).await.expect("answers");
        assert!(left.is_empty(), "{left:?}");
    }
}
