//! Browser sessions: the store behind the cookie.
//!
//! Ids are the clear texts of cookies. They are stored hashed, so that a leaked table opens no door.

use chrono::{DateTime, Utc};
use db::sessions::SessionRow;
use domain::id::UserId;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Services;
use crate::access::Actor;
use crate::error::{Error, Result};

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The person, once signed in.
    pub user: Option<UserId>,
    /// What the session holds.
    pub data: Value,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// Stores a new session; `false` when the id is taken and the caller must draw another.
///
/// # Errors
/// As every statement.
pub async fn create(services: &Services, id: &str, session: &Session) -> Result<bool> {
    Ok(db::sessions::insert(&services.db, &hash(id), &row(session)).await?)
}

/// Stores what a session holds now. A session that was revoked meanwhile stays away.
///
/// # Errors
/// As every statement.
pub async fn save(services: &Services, id: &str, session: &Session) -> Result<()> {
    db::sessions::update(&services.db, &hash(id), &row(session)).await?;
    Ok(())
}

/// The session, unless it has expired or was revoked.
///
/// # Errors
/// As every statement.
pub async fn load(services: &Services, id: &str) -> Result<Option<Session>> {
    let row = db::sessions::find(&services.db, &hash(id), services.clock.now()).await?;
    Ok(row.map(|row| Session {
        user: row.user_id.map(UserId),
        data: row.data,
        expires_at: row.expires_at,
    }))
}

/// Ends a session.
///
/// # Errors
/// As every statement.
pub async fn delete(services: &Services, id: &str) -> Result<()> {
    Ok(db::sessions::delete(&services.db, &hash(id)).await?)
}

/// Ends every session of a person but `except`; how many. For that person and for instance admins.
///
/// # Errors
/// [`Error::Forbidden`] for anybody else.
pub async fn revoke_all(
    services: &Services,
    actor: &Actor,
    user: UserId,
    except: Option<&str>,
) -> Result<u64> {
    if actor.user() != Some(user) && actor.require_instance().is_err() {
        return Err(Error::Forbidden(
            "only an instance admin may end other people's sessions",
        ));
    }
    let except = except.map(hash);
    Ok(db::sessions::delete_of_user(&services.db, user.0, except.as_ref().map(<[u8; 32]>::as_slice)).await?)
}

/// Removes expired sessions; how many.
///
/// # Errors
/// As every statement.
pub async fn delete_expired(services: &Services) -> Result<u64> {
    Ok(db::sessions::delete_expired(&services.db, services.clock.now()).await?)
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}

fn row(session: &Session) -> SessionRow {
    SessionRow {
        user_id: session.user.map(|id| id.0),
        data: session.data.clone(),
        expires_at: session.expires_at,
    }
}
