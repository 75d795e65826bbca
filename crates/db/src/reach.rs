//! Whether PostgreSQL can be reached at all.

use std::io::ErrorKind;

use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};

use crate::Db;

/// What a look at PostgreSQL found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answers, if only that it is busy.
    Answers,
    /// Nobody is there, or it is starting or stopping.
    Away,
    /// The look itself went wrong, which proves nothing.
    Unknown,
}

/// Makes a connection beside the pool, whose own tells nothing while all are in use. Takes as long
/// as the network lets it: callers bring their own limit.
pub async fn look(db: &Db) -> Reach {
    match db.pool().connect_options().connect().await {
        Ok(connection) => {
            // It was only a look; an error now changes nothing.
            let _ = connection.close().await;
            Reach::Answers
        }
        // Class 57: it says itself that it does not take anybody now.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|c| c.starts_with("57P")) => {
            Reach::Away
        }
        Err(sqlx::Error::Database(_)) => Reach::Answers,
        Err(sqlx::Error::Io(error)) if is_away(error.kind()) => Reach::Away,
        Err(_) => Reach::Unknown,
    }
}

fn is_away(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::UnexpectedEof
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            // The file of a Unix socket.
            | ErrorKind::NotFound
    )
}
