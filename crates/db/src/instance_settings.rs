//! Switches of the instance.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};
use serde_json::Value;

use crate::{DbError, Txn};

/// A switch as somebody set it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Setting {
    /// Its value.
    pub value: Value,
    /// When it was set.
    pub updated_at: DateTime<Utc>,
    /// Who set it.
    pub updated_by: String,
}

/// The switch called `name`; `None` when nobody ever set it.
///
/// # Errors
/// As every statement.
pub async fn find(conn: &impl ConnectionTrait, name: &str) -> Result<Option<Setting>, DbError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "SELECT value, updated_at, updated_by FROM instance_settings WHERE name = $1",
        [name.into()],
    );
    Ok(Setting::find_by_statement(statement).one(conn).await?)
}

/// Sets the switch called `name`.
///
/// # Errors
/// As every statement.
pub async fn set(txn: &Txn, name: &str, setting: &Setting) -> Result<(), DbError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        "INSERT INTO instance_settings (name, value, updated_at, updated_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET value = $2, updated_at = $3, updated_by = $4",
        [
            name.into(),
            setting.value.clone().into(),
            setting.updated_at.into(),
            setting.updated_by.as_str().into(),
        ],
    );
    txn.orm().execute_raw(statement).await?;
    Ok(())
}
