//! What can go wrong below the repositories.

use sea_orm::sqlx;

/// A failed statement, sorted by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// PostgreSQL cannot be reached or is starting, or the pool is exhausted. Worth trying again.
    #[error("PostgreSQL is away")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A unique constraint refused the row.
    #[error("already exists ({constraint})")]
    Duplicate {
        /// Name of the constraint or unique index.
        constraint: String,
    },
    /// A row's day exists, but has no leaf for the row's keep class.
    #[error("no leaf for the row")]
    NoLeaf,
    /// A row, or its place, moved to another partition while the statement ran, or two statements
    /// waited for each other. Nothing was written, and the same call works at once.
    #[error("the row moved meanwhile")]
    Moved,
    /// The statement ran into its time limit.
    #[error("the statement took too long")]
    Timeout,
    /// Anything else: a bug or a broken schema.
    #[error("statement failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl DbError {
    /// Whether the same call may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Moved | Self::Timeout)
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unavailable(Box::new(error)),
            sqlx::Error::Database(e) => match e.code().as_deref() {
                Some("23505") => Self::Duplicate {
                    constraint: e.constraint().unwrap_or_default().to_owned(),
                },
                Some("57014") => Self::Timeout,
                Some("23514") if e.constraint().is_none() && e.message().contains("no partition") => {
                    Self::NoLeaf
                }
                // What waited for the default leaf while a day was attached beside it.
                Some("23514") if e.constraint().is_none() && e.message().contains("partition constraint") => {
                    Self::Moved
                }
                // At the isolation in use only said of rows that went to another partition; and deadlocks.
                Some("40001" | "40P01") => Self::Moved,
                // Connection trouble, resources, shutdown and start-up, lock timeouts.
                Some(code)
                    if code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57P")
                        || matches!(code, "55P03" | "25006") =>
                {
                    Self::Unavailable(Box::new(error))
                }
                _ => Self::Internal(Box::new(error)),
            },
            _ => Self::Internal(Box::new(error)),
        }
    }
}

impl From<sea_orm::DbErr> for DbError {
    fn from(error: sea_orm::DbErr) -> Self {
        use sea_orm::{DbErr, RuntimeErr};
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(e))
            | DbErr::Exec(RuntimeErr::SqlxError(e))
            | DbErr::Query(RuntimeErr::SqlxError(e)) => match std::sync::Arc::try_unwrap(e) {
                Ok(e) => e.into(),
                Err(shared) => Self::Internal(Box::new(sqlx::Error::Protocol(shared.to_string()))),
            },
            DbErr::ConnectionAcquire(_) => Self::Unavailable(Box::new(error)),
            _ => Self::Internal(Box::new(error)),
        }
    }
}
