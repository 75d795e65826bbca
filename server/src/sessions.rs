//! The session store behind the cookie: rows in PostgreSQL, so that a restart signs nobody out.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::id::UserId;
use serde_json::Value;
use services::Services;
use services::sessions::{self, Session};
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// Key under which a session says who signed in. The row repeats it, so that all sessions of a
/// person can be found.
pub const USER_KEY: &str = "user";

/// Sessions of `services`.
#[derive(Clone, Debug)]
pub struct Sessions(pub Arc<Services>);

#[async_trait::async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let session = encode(record)?;
            if sessions::create(&self.0, &record.id.to_string(), &session).await.map_err(backend)? {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        sessions::save(&self.0, &record.id.to_string(), &encode(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let session = sessions::load(&self.0, &id.to_string()).await.map_err(backend)?;
        session.map(|session| decode(*id, session)).transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sessions::delete(&self.0, &id.to_string()).await.map_err(backend)
    }
}

fn encode(record: &Record) -> Result<Session> {
    let user = record.data.get(USER_KEY).and_then(Value::as_str).and_then(|text| text.parse::<UserId>().ok());
    let nanos = i64::try_from(record.expiry_date.unix_timestamp_nanos()).unwrap_or(i64::MAX);
    Ok(Session {
        user,
        data: serde_json::to_value(&record.data).map_err(|e| Error::Encode(e.to_string()))?,
        expires_at: DateTime::<Utc>::from_timestamp_nanos(nanos),
    })
}

fn decode(id: Id, session: Session) -> Result<Record> {
    let expiry_date = OffsetDateTime::from_unix_timestamp(session.expires_at.timestamp())
        .map_err(|e| Error::Decode(e.to_string()))?;
    let data = serde_json::from_value(session.data).map_err(|e| Error::Decode(e.to_string()))?;
    Ok(Record { id, data, expiry_date })
}

fn backend(error: services::Error) -> Error {
    Error::Backend(error.to_string())
}
