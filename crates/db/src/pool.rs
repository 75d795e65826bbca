//! The connection pool, and the two ways to use it.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions, PgPool};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};

use crate::DbError;

/// How to reach PostgreSQL.
#[derive(Clone, Debug)]
pub struct DbOptions {
    /// `postgres://user:password@host:port/database?options`.
    pub url: String,
    /// Most connections of this process.
    pub max_connections: u32,
    /// Longest wait for a connection before a call fails as unavailable.
    pub acquire_timeout: Duration,
}

impl DbOptions {
    /// The given address with defaults for the rest.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 20,
            acquire_timeout: Duration::from_secs(3),
        }
    }
}

/// The database: cheap to clone, one pool.
#[derive(Clone, Debug)]
pub struct Db {
    orm: DatabaseConnection,
    pool: PgPool,
}

impl Db {
    /// Opens the pool. Connections are made on first use, so PostgreSQL may be away.
    ///
    /// # Errors
    /// [`DbError::Internal`] when the address cannot be read.
    pub fn connect_lazy(options: &DbOptions) -> Result<Self, DbError> {
        let connect: PgConnectOptions = options
            .url
            .parse()
            .map_err(|e: sqlx::Error| DbError::Internal(Box::new(e)))?;
        let connect = connect
            .application_name("longhaul")
            // Sorting of ids and names never depends on the machine, and times are UTC.
            .options([
                ("timezone", "UTC"),
                ("statement_timeout", "60s"),
                ("lock_timeout", "10s"),
                // Plans see the days that a statement touches and skip all other partitions.
                ("plan_cache_mode", "force_custom_plan"),
            ])
            .log_statements(tracing::log::LevelFilter::Trace)
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(5));
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .min_connections(0)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connect);
        Ok(Self {
            orm: SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
            pool,
        })
    }

    /// For entities.
    pub fn orm(&self) -> &DatabaseConnection {
        &self.orm
    }

    /// For set-based statements.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether PostgreSQL answers.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Version of the server: 150018 is 15.18.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it does not answer.
    pub async fn server_version(&self) -> Result<i32, DbError> {
        let version: String = sqlx::query_scalar("SELECT current_setting('server_version_num')")
            .fetch_one(&self.pool)
            .await?;
        Ok(version.parse().unwrap_or(0))
    }

    /// Closes every connection; waits for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
