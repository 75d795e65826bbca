//! Statements that met another session at the same rows.
//!
//! A row that is moved to another keep class, or a circle of waits, makes PostgreSQL end one of the
//! two statements. It did nothing, and what it met is over by then: the same statement succeeds
//! when it is run again.

use crate::DbError;

/// How often a statement is run before its caller hears of it.
const TRIES: u32 = 5;

/// Runs a statement, again when it collides. Only for statements that are a transaction of their own.
///
/// # Errors
/// As the statement; [`DbError::Moved`] when it keeps colliding.
pub(crate) async fn again<T, S>(statement: impl Fn() -> S) -> Result<T, DbError>
where
    S: Future<Output = Result<T, DbError>>,
{
    for _ in 1..TRIES {
        match statement().await {
            Err(DbError::Moved) => tracing::debug!("rows moved meanwhile, a statement is run again"),
            done => return done,
        }
    }
    statement().await
}
