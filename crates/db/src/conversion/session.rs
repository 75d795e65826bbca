//! The connection that converts: one in the whole instance, with transactions that lock briefly.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnection, PgRow};
use sea_orm::sqlx::{self, Row};

use crate::{Db, DbError};

/// Held by the one session that converts, in the session's connection: it ends with the process.
const CONVERSION_LOCK: i64 = 0x4c48_434f_4e56;
/// SQLSTATE of our own: what a locked transaction found is not what its statements were made for.
pub(super) const CHANGED: &str = "LH001";

/// What came of a transaction that takes a lock.
#[derive(Clone, Debug, PartialEq)]
pub enum Tried<T> {
    /// Committed.
    Done(T),
    /// Rolled back, worth another try: the lock could not be had in time, or something changed.
    Busy,
}

/// A committed transaction that kept writers out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Locked<T> {
    /// What it did.
    pub what: T,
    /// How long it held its lock.
    pub held: Duration,
}

/// How long a locked transaction may wait and work; writers wait for both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Longest wait for the lock, in milliseconds.
    pub(super) lock_ms: u32,
    /// Longest statement under the lock, in milliseconds.
    pub(super) statement_ms: u32,
}

/// A connection of its own that converts one table.
#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    table: &'static str,
}

impl Session {
    /// Opens one for `table`; `None` while another conversion goes on.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when PostgreSQL cannot be reached.
    pub async fn open(db: &Db, table: &'static str) -> Result<Option<Self>, DbError> {
        // Taken out of the pool: the lock and the settings end with the connection.
        let connection = db.pool().acquire().await?.detach();
        let mut session = Self { connection, table };
        // The work of hours must not be cut, and it must end soon after the process that wanted it.
        session
            .run(
                "SET statement_timeout = 0; SET lock_timeout = 0; SET enable_seqscan = off; \
                 SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = warning; \
                 SET application_name = 'longhaul conversion'",
            )
            .await?;
        // Not to be had on every system; without it a statement without a client runs to its end.
        let watched = session.run("SET client_connection_check_interval = '1s'").await;
        if let Err(error) = watched {
            tracing::debug!(%error, "PostgreSQL does not watch its clients");
        }
        let free = session
            .flag(&format!("SELECT pg_try_advisory_lock({CONVERSION_LOCK})"))
            .await?;
        Ok(free.then_some(session))
    }

    /// Ends the connection, and with it the lock, before it returns.
    pub async fn close(self) {
        use sea_orm::sqlx::Connection as _;
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "the connection of a conversion ended by itself");
        }
    }

    /// The table that is converted.
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// Runs statements: one by itself, several in one transaction. Only for what keeps nobody out,
    /// as it waits for its locks.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), DbError> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut self.connection)
            .await
    }

    /// The first column of every row.
    pub(super) async fn strings(&mut self, sql: &str) -> Result<Vec<String>, DbError> {
        let rows = self.rows(sql).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The one truth value that a query answers.
    pub(super) async fn flag(&mut self, sql: &str) -> Result<bool, DbError> {
        let rows = self.rows(sql).await?;
        let first = rows.first().map(|row| row.try_get(0)).transpose()?;
        Ok(first.unwrap_or(false))
    }

    /// Runs `work` in a transaction that took `lock` first, sent in one message: no pause of this
    /// process can make the lock last. Returns the rows that the work answered.
    pub(super) async fn locked(
        &mut self,
        lock: &str,
        work: &str,
        limits: Limits,
    ) -> Result<Tried<Locked<Vec<PgRow>>>, DbError> {
        let Limits {
            lock_ms,
            statement_ms,
        } = limits;
        // LOCK waits for table after table; its statement timeout bounds the sum.
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = {lock_ms}; SET LOCAL statement_timeout = {lock_ms}; {lock}; \
             SET LOCAL statement_timeout = {statement_ms}; \
             SELECT set_config('longhaul.locked_at', extract(epoch FROM clock_timestamp())::text, true); \
             {work}; \
             SELECT ((extract(epoch FROM clock_timestamp()) \
                - current_setting('longhaul.locked_at')::numeric) * 1000)::float8 AS held_ms; \
             COMMIT"
        );
        match self.rows(&sql).await {
            Ok(mut rows) => {
                let held_ms: f64 = rows.pop().map(|row| row.try_get(0)).transpose()?.unwrap_or(0.0);
                // The answer of set_config.
                rows.remove(0);
                Ok(Tried::Done(Locked {
                    what: rows,
                    held: Duration::from_secs_f64(held_ms.max(0.0) / 1000.0),
                }))
            }
            Err(error) if is_worth_another_try(&error) => {
                tracing::debug!(table = self.table, %error, "a locked step gave up");
                self.run("ROLLBACK").await?;
                Ok(Tried::Busy)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a statement that takes its lock itself, and waits for it no longer than `lock_ms`.
    pub(super) async fn brief(&mut self, sql: &str, lock_ms: u32) -> Result<Tried<()>, DbError> {
        match self
            .rows(&format!("SET LOCAL lock_timeout = {lock_ms}; {sql}"))
            .await
        {
            Ok(_) => Ok(Tried::Done(())),
            Err(error) if is_worth_another_try(&error) => Ok(Tried::Busy),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_worth_another_try(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    match error.code().as_deref() {
        // Lock not available, statement timeout, deadlock, and our own.
        Some("55P03" | "57014" | "40P01" | CHANGED) => true,
        // A row of a class that came into use since its leaves were looked at.
        Some("23514") => error.message().contains("no partition"),
        _ => false,
    }
}
