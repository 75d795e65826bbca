//! The session store behind the cookie: rows in PostgreSQL, so that a restart signs nobody out.
//!
//! Cookies live by the clock of the machine and its browsers, rows by the clock of the process, so
//! that one that was moved neither keeps people from signing in nor shortens or prolongs a session
//! by itself. The store translates between the two.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::clock::{Clock as _, SystemClock};
use domain::id::UserId;
use serde_json::{Value, json};
use services::Services;
use services::sessions::{self, Session};
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// Key under which a session says who signed in. The row repeats it, so that all sessions of a
/// person can be found.
pub const USER_KEY: &str = "user";

/// Key under which a loaded session says what its row holds. It never gets into a row.
const LOADED_KEY: &str = "loaded";

/// A row whose content is unchanged is written again only after this time of use. Every request
/// prolongs its session; without the pause each one would write, and requests side by side would
/// undo what another one just stored.
const PROLONG_AFTER: TimeDelta = TimeDelta::minutes(1);

type Data = HashMap<String, Value>;

/// Sessions of `services`.
#[derive(Clone, Debug)]
pub struct Sessions(pub Arc<Services>);

#[async_trait::async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // Somebody came with a cookie of a session that is gone. Strangers must not fill the table.
        if record.data.is_empty() {
            return Ok(());
        }
        loop {
            let session = self.times().encode(record)?;
            if sessions::create(&self.0, &record.id.to_string(), &session)
                .await
                .map_err(backend)?
            {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let session = self.times().encode(record)?;
        if record
            .data
            .get(LOADED_KEY)
            .is_some_and(|loaded| is_fresh(loaded, &session))
        {
            return Ok(());
        }
        sessions::save(&self.0, &record.id.to_string(), &session)
            .await
            .map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let session = sessions::load(&self.0, &id.to_string()).await.map_err(backend)?;
        session
            .map(|session| self.times().decode(*id, &session))
            .transpose()
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sessions::delete(&self.0, &id.to_string()).await.map_err(backend)
    }
}

impl Sessions {
    fn times(&self) -> Times {
        Times {
            machine: SystemClock.now(),
            process: self.0.clock.now(),
        }
    }
}

/// One instant on both clocks.
#[derive(Clone, Copy, Debug)]
struct Times {
    machine: DateTime<Utc>,
    process: DateTime<Utc>,
}

impl Times {
    fn encode(self, record: &Record) -> Result<Session> {
        let user = record
            .data
            .get(USER_KEY)
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<UserId>().ok());
        let data: HashMap<_, _> = record.data.iter().filter(|(key, _)| *key != LOADED_KEY).collect();
        let expiry = DateTime::from_timestamp(
            record.expiry_date.unix_timestamp(),
            record.expiry_date.nanosecond(),
        );
        let expires_at = expiry.and_then(|expiry| self.process.checked_add_signed(expiry - self.machine));
        Ok(Session {
            user,
            data: serde_json::to_value(data).map_err(|e| Error::Encode(e.to_string()))?,
            expires_at: expires_at
                .ok_or_else(|| Error::Encode("expires in no year that exists".to_owned()))?,
        })
    }

    fn decode(self, id: Id, session: &Session) -> Result<Record> {
        let out_of_range = || Error::Decode("expires in no year that exists".to_owned());
        let expiry = self
            .machine
            .checked_add_signed(session.expires_at - self.process)
            .ok_or_else(out_of_range)?;
        let expiry_date =
            OffsetDateTime::from_unix_timestamp(expiry.timestamp()).map_err(|_| out_of_range())?;
        let mut data: Data =
            serde_json::from_value(session.data.clone()).map_err(|e| Error::Decode(e.to_string()))?;
        data.insert(
            LOADED_KEY.to_owned(),
            json!({ "data": session.data, "expires_at": session.expires_at }),
        );
        Ok(Record {
            id,
            data,
            expiry_date,
        })
    }
}

/// Whether a row that was `loaded` holds what `session` holds and was prolonged just before.
fn is_fresh(loaded: &Value, session: &Session) -> bool {
    let until = loaded["expires_at"]
        .as_str()
        .and_then(|text| text.parse::<DateTime<Utc>>().ok());
    loaded["data"] == session.data && until.is_some_and(|until| session.expires_at - until < PROLONG_AFTER)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn backend(error: services::Error) -> Error {
    Error::Backend(error.to_string())
}

#[cfg(test)]
mod tests {
    use testkit::{Gateway, Setup};
    use tower_sessions::Expiry;
    use tower_sessions::Session as Cookie;
    use tower_sessions::cookie::time::Duration;

    use super::*;

    const LIFETIME: Expiry = Expiry::OnInactivity(Duration::hours(1));

    async fn gateway() -> Gateway {
        Gateway::with(Setup {
            workers: false,
            ..Setup::default()
        })
        .await
    }

    fn advance(gateway: &Gateway, by: TimeDelta) {
        assert!(gateway.clock.set(gateway.clock.now() + by));
    }

    fn store(gateway: &Gateway) -> Arc<Sessions> {
        Arc::new(Sessions(Arc::clone(&gateway.services)))
    }

    /// What a browser with the cookie `id` finds.
    async fn find(gateway: &Gateway, id: Id) -> Option<String> {
        Cookie::new(Some(id), store(gateway), Some(LIFETIME))
            .get("note")
            .await
            .expect("loaded")
    }

    /// A request that does nothing but use its session.
    async fn touch(gateway: &Gateway, id: Id) {
        Cookie::new(Some(id), store(gateway), Some(LIFETIME))
            .save()
            .await
            .expect("saved");
    }

    async fn begin(gateway: &Gateway) -> Id {
        let cookie = Cookie::new(None, store(gateway), Some(LIFETIME));
        cookie.insert("note", "kept").await.expect("taken");
        cookie.save().await.expect("saved");
        cookie.id().expect("an id")
    }

    #[tokio::test]
    async fn a_session_begun_on_a_moved_clock_is_found() {
        let gateway = gateway().await;
        for days in [400, -800] {
            advance(&gateway, TimeDelta::days(days));
            let id = begin(&gateway).await;
            assert_eq!(find(&gateway, id).await.as_deref(), Some("kept"), "{days} days");
        }
    }

    #[tokio::test]
    async fn a_session_ends_for_lack_of_use_and_use_prolongs_it() {
        let gateway = gateway().await;
        let (used, unused) = (begin(&gateway).await, begin(&gateway).await);
        advance(&gateway, TimeDelta::minutes(40));
        touch(&gateway, used).await;
        advance(&gateway, TimeDelta::minutes(40));
        assert_eq!(find(&gateway, used).await.as_deref(), Some("kept"));
        assert_eq!(find(&gateway, unused).await, None);
    }

    #[tokio::test]
    async fn a_request_that_changes_nothing_undoes_no_change_of_another_one() {
        let gateway = gateway().await;
        let id = begin(&gateway).await;
        let slow = Cookie::new(Some(id), store(&gateway), Some(LIFETIME));
        slow.load().await.expect("loaded");
        let quick = Cookie::new(Some(id), store(&gateway), Some(LIFETIME));
        quick.insert("note", "changed").await.expect("taken");
        quick.save().await.expect("saved");
        slow.save().await.expect("saved");
        assert_eq!(find(&gateway, id).await.as_deref(), Some("changed"));
    }

    #[tokio::test]
    async fn a_cookie_of_no_session_makes_no_row() {
        let gateway = gateway().await;
        let cookie = Cookie::new(Some(Id::default()), store(&gateway), Some(LIFETIME));
        cookie.save().await.expect("saved");
        let id = cookie.id().expect("an id").to_string();
        assert_eq!(
            sessions::load(&gateway.services, &id).await.expect("loaded"),
            None
        );
    }

    #[tokio::test]
    async fn what_was_loaded_does_not_get_into_the_row() {
        let gateway = gateway().await;
        let id = begin(&gateway).await;
        let cookie = Cookie::new(Some(id), store(&gateway), Some(LIFETIME));
        cookie.insert("more", 1).await.expect("taken");
        cookie.save().await.expect("saved");
        let row = sessions::load(&gateway.services, &id.to_string())
            .await
            .expect("loaded")
            .expect("a row");
        assert_eq!(row.data, json!({ "note": "kept", "more": 1 }));
    }
}
