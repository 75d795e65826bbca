//! A database with today's leaves, and rows to write into it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use db::Db;
use db::hot::{DeliveryOutcome, EventOutcome, Existing, Group, NewAttempt, NewDelivery, NewEvent, Standing};
use domain::counts::Metric;
use domain::event::EventKind;
use domain::id::{AttemptId, DeliveryId, EndpointId, EventId, ProjectId};
use domain::lifecycle::KeepDays;
use domain::state::{DeliveryState, EventState};
use sea_orm::sqlx;
use testkit::TestDb;

pub(crate) const CLASS: KeepDays = KeepDays(0);
/// The class that rows are moved to.
pub(crate) const OTHER: KeepDays = KeepDays(30);
pub(crate) const HEADERS: &str = "content-type: application/json";

pub(crate) struct World {
    pub(crate) test: TestDb,
    pub(crate) project: ProjectId,
    pub(crate) endpoint: EndpointId,
    pub(crate) now: DateTime<Utc>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let test = testkit::database().await;
        let now = DateTime::from_timestamp_millis(1_793_620_800_123).expect("an instant");
        let day = now.date_naive();
        db::partitions::ensure(&test.db, day, day, &[CLASS, OTHER])
            .await
            .expect("leaves");
        Self {
            test,
            project: ProjectId::at(now),
            endpoint: EndpointId::at(now),
            now,
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.test.db
    }

    pub(crate) async fn write(&self, group: &Group<String>, existing: Existing) {
        db::hot::write(self.db(), group, 7, existing)
            .await
            .expect("written");
    }

    pub(crate) fn event(&self) -> NewEvent<String> {
        NewEvent {
            id: EventId::at(self.now),
            keep_days: CLASS,
            project_id: self.project,
            kind: EventKind::Single,
            state: EventState::Success,
            due_at: None,
            duplicate: false,
            endpoint_id: Some(self.endpoint),
            source_id: None,
            event_type: "order.created".to_owned(),
            payload: "{\"n\":1}".to_owned(),
            headers: None,
            owner_id: None,
            idempotency_key: None,
            failure_reason: None,
        }
    }

    pub(crate) fn delivery(&self, event: EventId, standing: Standing) -> NewDelivery<String> {
        NewDelivery {
            id: DeliveryId::at(self.now),
            keep_days: CLASS,
            project_id: self.project,
            event_id: event,
            endpoint_id: self.endpoint,
            subscription_id: None,
            event_type: "order.created".to_owned(),
            standing,
        }
    }

    pub(crate) fn attempt(&self, delivery: DeliveryId) -> NewAttempt {
        NewAttempt {
            id: AttemptId::at(self.now),
            keep_days: CLASS,
            project_id: self.project,
            delivery_id: delivery,
            number: 1,
            requested_at: self.now,
            duration_us: 1_000,
            http_status: Some(200),
            url: "https://example.com/".to_owned(),
            request_headers: HEADERS.to_owned(),
            response_headers: None,
            response_body: None,
            address: None,
            error: None,
        }
    }

    pub(crate) fn outcome(
        &self,
        id: DeliveryId,
        lease: Option<DateTime<Utc>>,
        standing: Standing,
    ) -> DeliveryOutcome {
        DeliveryOutcome {
            id,
            project_id: self.project,
            endpoint_id: self.endpoint,
            lease,
            attempts_before: 0,
            standing,
        }
    }

    pub(crate) fn event_outcome(&self, event: &NewEvent<String>) -> EventOutcome {
        EventOutcome {
            id: event.id,
            project_id: self.project,
            payload_bytes: event.payload.len(),
            state: EventState::Success,
            duplicate: false,
            failure_reason: None,
        }
    }

    /// An event that waits to be matched.
    pub(crate) fn waiting_event(&self) -> NewEvent<String> {
        NewEvent {
            state: EventState::Pending,
            due_at: Some(self.now),
            ..self.event()
        }
    }

    /// An event whose only delivery is due, both stored.
    pub(crate) async fn due_delivery(&self) -> DeliveryId {
        let event = self.event();
        let delivery = self.delivery(event.id, self.due());
        let id = delivery.id;
        let group = Group {
            events: vec![event],
            deliveries: vec![delivery],
            ..Group::default()
        };
        self.write(&group, Existing::Refuse).await;
        id
    }

    pub(crate) fn due(&self) -> Standing {
        Standing {
            due_at: Some(self.now),
            ..standing(DeliveryState::Scheduled)
        }
    }

    pub(crate) fn retry(&self, seconds: i64) -> Standing {
        Standing {
            due_at: Some(self.now + TimeDelta::seconds(seconds)),
            attempts: 1,
            ..standing(DeliveryState::Retry)
        }
    }

    /// Takes a lease at `seconds` for two minutes; its end, when it was there to be taken.
    pub(crate) async fn lease(&self, id: DeliveryId, seconds: i64) -> Option<DateTime<Utc>> {
        let now = self.now + TimeDelta::seconds(seconds);
        let until = now + TimeDelta::seconds(120);
        let leased = db::deliveries::lease(self.db(), &[id], now, until)
            .await
            .expect("asked");
        leased
            .into_iter()
            .next()
            .and_then(|leased| leased.delivery.due_at)
    }

    pub(crate) async fn find(&self, id: DeliveryId) -> db::deliveries::Delivery {
        db::deliveries::find(self.db(), id)
            .await
            .expect("asked")
            .expect("found")
    }

    /// All counters of the project by the number of their metric.
    pub(crate) async fn counts(&self) -> BTreeMap<i16, i64> {
        let (from, to) = (self.now - TimeDelta::days(1), self.now + TimeDelta::days(1));
        let counts = db::counts::hourly(self.db(), &[self.project], from, to)
            .await
            .expect("counts");
        counts
            .into_iter()
            .map(|count| (count.metric.code(), count.n))
            .collect()
    }

    pub(crate) async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE project_id = $1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(self.project.0)
            .fetch_one(self.db().pool())
            .await
            .expect("counted")
    }

    /// Moves all rows of a table to the other class.
    pub(crate) async fn move_rows(&self, table: &str) {
        let moved = sqlx::query(sqlx::AssertSqlSafe(moving(table)))
            .bind(OTHER.0)
            .execute(self.db().pool())
            .await
            .expect("moved");
        assert!(moved.rows_affected() > 0, "{table} has rows to move");
    }

    pub(crate) async fn class_of(&self, table: &str) -> Vec<i16> {
        let sql = format!("SELECT keep_days FROM {table} WHERE project_id = $1 ORDER BY 1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(self.project.0)
            .fetch_all(self.db().pool())
            .await
            .expect("read")
    }
}

/// What moves the rows of a table to another class.
pub(crate) fn moving(table: &str) -> String {
    format!("UPDATE {table} SET keep_days = $1")
}

pub(crate) fn standing(state: DeliveryState) -> Standing {
    Standing {
        state,
        due_at: None,
        ended_at: None,
        latency_ms: None,
        attempts: 0,
        last_status: None,
        description: None,
        retry: None,
    }
}

/// A delivery that ended well after `latency_ms`.
pub(crate) fn delivered(latency_ms: i32) -> Standing {
    Standing {
        latency_ms: Some(latency_ms),
        attempts: 1,
        ..standing(DeliveryState::Success)
    }
}

/// What is expected of [`World::counts`].
pub(crate) fn expected<const N: usize>(counts: [(Metric, i64); N]) -> BTreeMap<i16, i64> {
    counts.into_iter().map(|(metric, n)| (metric.code(), n)).collect()
}
