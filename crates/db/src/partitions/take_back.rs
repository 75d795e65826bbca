//! A leaf that was detached to be dropped, and is wanted again before it was.

use domain::lifecycle::KeepDays;
use sea_orm::sqlx::{self, PgConnection};

use super::run;

/// What bears the name of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A partition, possibly one that is being detached.
    Partition,
    /// A table by itself, with a row that says it is being dropped.
    OnItsWayOut,
    /// A table by itself that nobody meant to drop.
    Stranger,
}

pub(super) async fn find(connection: &mut PgConnection, leaf: &str) -> Result<Found, sqlx::Error> {
    let row: Option<(bool, bool)> = sqlx::query_as(
        "SELECT c.relispartition, EXISTS (SELECT 1 FROM leaf_drops d WHERE d.leaf = $1 AND d.state = 'dropping') \
             AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid) \
         FROM pg_class c WHERE c.oid = to_regclass($1)",
    )
    .bind(leaf)
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        None => Found::Nothing,
        Some((true, _)) => Found::Partition,
        Some((false, true)) => Found::OnItsWayOut,
        Some((false, false)) => Found::Stranger,
    })
}

/// Attaches a leaf again. Detaching left it a constraint that says which rows it holds, so that
/// PostgreSQL need not look at them; the constraint goes when it has served.
pub(super) async fn take_back(
    connection: &mut PgConnection,
    day: &str,
    leaf: &str,
    class: KeepDays,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE leaf_drops SET state = 'refused', reason = $2 WHERE leaf = $1")
        .bind(leaf)
        .bind(reason)
        .execute(&mut *connection)
        .await?;
    run(
        connection,
        format!(
            "ALTER TABLE {day} ATTACH PARTITION {leaf} FOR VALUES IN ({})",
            class.0
        ),
    )
    .await?;
    let spent: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'c' \
         AND coninhcount = 0",
    )
    .bind(leaf)
    .fetch_all(&mut *connection)
    .await?;
    for constraint in spent {
        run(
            connection,
            format!("ALTER TABLE {leaf} DROP CONSTRAINT {constraint}"),
        )
        .await?;
    }
    Ok(())
}
