//! Rows of whole days, streamed out for the backup.
//!
//! `COPY ... TO STDOUT` in binary form: the cheapest way to read many rows, in one snapshot, with
//! memory bounded by the channel. It runs on a connection of its own, so that a long read never
//! takes one from live work.

mod decode;

use bytes::{Bytes, BytesMut};
use chrono::NaiveDate;
use domain::id::ProjectId;
use domain::lifecycle::{next_day, start_of};
use domain::segment::Kind;
use futures::StreamExt as _;
use sea_orm::sqlx::Pool;
use sea_orm::sqlx::postgres::PgPoolCopyExt as _;
use sea_orm::sqlx::postgres::{PgPoolOptions, Postgres};
use tokio::sync::mpsc;

pub(crate) use decode::digest_sql;
pub use decode::{AttemptRow, Decoder, DeliveryRow, EventRow, ExportRow, Fault};

use crate::{Db, DbError};

/// Rows travel in pieces of this size.
const PIECE: usize = 256 * 1024;
/// Pieces on the way: what one export holds in memory at most is this times [`PIECE`] plus one row.
const PIECES: usize = 8;
/// Memory of PostgreSQL for sorting one day before it goes to its disk.
const SORT_MEMORY: &str = "64MB";

/// Starts reading the rows of `kind` that `projects` accepted on `day`, sorted by project, topic
/// and id. Feed the pieces to a [`Decoder`].
///
/// Topics are event types, in the order of their bytes; deliveries and attempts have but one.
///
/// # Errors
/// As every statement, at first or as the last piece.
pub async fn open(
    db: &Db,
    kind: Kind,
    projects: &[ProjectId],
    day: NaiveDate,
) -> Result<mpsc::Receiver<Result<Bytes, DbError>>, DbError> {
    let pool = own_connection(db);
    let mut rows = pool.copy_out_raw(&statement(kind, projects, day)).await?;
    let (pieces, receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        while let Some(row) = rows.next().await {
            match row {
                Ok(row) => piece.extend_from_slice(&row),
                Err(error) => {
                    let _ = pieces.send(Err(error.into())).await;
                    return;
                }
            }
            if piece.len() >= PIECE && pieces.send(Ok(piece.split().freeze())).await.is_err() {
                // Nobody listens any more; the connection goes with the pool.
                return;
            }
        }
        if !piece.is_empty() {
            let _ = pieces.send(Ok(piece.freeze())).await;
        }
        drop(rows);
        pool.close().await;
    });
    Ok(receiver)
}

/// A pool of one connection without a time limit for statements.
fn own_connection(db: &Db) -> Pool<Postgres> {
    let connect = (*db.pool().connect_options())
        .clone()
        .application_name("longhaul backup")
        .options([("statement_timeout", "0"), ("work_mem", SORT_MEMORY)]);
    PgPoolOptions::new().max_connections(1).connect_lazy_with(connect)
}

/// The table that holds the rows of `kind`.
pub(crate) fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Events => "events",
        Kind::Deliveries => "event_deliveries",
        Kind::Attempts => "delivery_attempts",
    }
}

/// `COPY` takes no parameters; everything put into the text is a number, a date or an id.
fn statement(kind: Kind, projects: &[ProjectId], day: NaiveDate) -> String {
    let (columns, order) = match kind {
        Kind::Events => (decode::EVENT_COLUMNS, "project_id, event_type COLLATE \"C\", id"),
        Kind::Deliveries => (decode::DELIVERY_COLUMNS, "project_id, id"),
        Kind::Attempts => (decode::ATTEMPT_COLUMNS, "project_id, id"),
    };
    let table = table(kind);
    let ids: Vec<String> = projects.iter().map(|id| format!("'{id}'")).collect();
    format!(
        "COPY (SELECT {columns} FROM {table} WHERE accepted_at >= '{}' AND accepted_at < '{}' \
         AND project_id = ANY(ARRAY[{}]::uuid[]) ORDER BY {order}) TO STDOUT (FORMAT binary)",
        start_of(day).to_rfc3339(),
        start_of(next_day(day)).to_rfc3339(),
        ids.join(","),
    )
}
