//! Transactions over entities.

use sea_orm::{DatabaseTransaction, TransactionTrait};

use crate::{Db, DbError};

/// A transaction. Rolled back unless [`Txn::commit`] is called.
#[derive(Debug)]
pub struct Txn(DatabaseTransaction);

impl Txn {
    /// For entities.
    pub fn orm(&self) -> &DatabaseTransaction {
        &self.0
    }

    /// Makes everything that was written visible, or nothing.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when PostgreSQL went away: the outcome is then unknown.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.0.commit().await?)
    }

    /// Waits until no other transaction holds the lock `key`, and holds it until the end.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the wait was too long.
    pub async fn lock(&self, key: i64) -> Result<(), DbError> {
        use sea_orm::ConnectionTrait;
        let statement = sea_orm::Statement::from_sql_and_values(
            sea_orm::DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock($1)",
            [key.into()],
        );
        self.0.execute_raw(statement).await?;
        Ok(())
    }
}

impl Db {
    /// Starts a transaction.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when PostgreSQL cannot be reached.
    pub async fn begin(&self) -> Result<Txn, DbError> {
        Ok(Txn(self.orm().begin().await?))
    }
}
