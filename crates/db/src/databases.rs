//! Whole databases: made from a template and dropped again, for tests.

use sea_orm::sqlx::{self, Row as _};

use crate::{Db, DbError};

/// Makes the database `name` as a copy of `template`; empty without one.
///
/// # Errors
/// [`DbError::Internal`] when the name is taken, or when somebody is connected to the template.
pub async fn create(db: &Db, name: &str, template: Option<&str>) -> Result<(), DbError> {
    let template = template
        .map(|template| format!(" TEMPLATE {}", quoted(template)))
        .unwrap_or_default();
    run(db, format!("CREATE DATABASE {}{template}", quoted(name))).await
}

/// Gives a database another name.
///
/// # Errors
/// [`DbError::Internal`] when the new name is taken, or when somebody is connected.
pub async fn rename(db: &Db, from: &str, to: &str) -> Result<(), DbError> {
    run(
        db,
        format!("ALTER DATABASE {} RENAME TO {}", quoted(from), quoted(to)),
    )
    .await
}

/// Drops a database, and the connections to it. One that is not there is fine.
///
/// # Errors
/// As every statement.
pub async fn drop_if_exists(db: &Db, name: &str) -> Result<(), DbError> {
    run(
        db,
        format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name)),
    )
    .await
}

/// Names of the databases that start with `prefix`.
///
/// # Errors
/// As every statement.
pub async fn names(db: &Db, prefix: &str) -> Result<Vec<String>, DbError> {
    Ok(
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)")
            .bind(prefix)
            .fetch_all(db.pool())
            .await?,
    )
}

/// Runs SQL of a test's own, several statements in one transaction. Returns the first column, which
/// must be text, of every row.
///
/// # Errors
/// As every statement.
pub async fn answers(db: &Db, sql: &str) -> Result<Vec<String>, DbError> {
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_all(db.pool())
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn run(db: &Db, sql: String) -> Result<(), DbError> {
    // Names cannot be arguments of these statements; they are quoted.
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(db.pool()).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
