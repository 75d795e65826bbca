//! Everything that routing depends on, read whole: for the in-memory table of the delivery path.

use chrono::{DateTime, Utc};
use domain::id::{ApiKeyId, EndpointId, FilterId, OrganisationId, ProjectId, SubscriptionId};
use domain::lifecycle::KeepDays;
use domain::state::EndpointState;
use sea_orm::sqlx::postgres::{PgListener, PgRow};
use sea_orm::sqlx::{self, Row};
use serde_json::Value;
use uuid::Uuid;

use crate::{Db, DbError};

/// The channel on which the tables tell which project changed.
const CHANNEL: &str = "catalog";

/// A live project.
#[derive(Clone, Debug)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Its organisation.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub config: Value,
    /// Keep class of new rows.
    pub keep_days: KeepDays,
    /// Grows with every change.
    pub version: i64,
}

/// A live endpoint with its secrets.
#[derive(Clone, Debug)]
pub struct EndpointRow {
    /// Its id.
    pub id: EndpointId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whose it is.
    pub owner_id: Option<String>,
    /// Whether it takes deliveries.
    pub state: EndpointState,
    /// Content type of deliveries.
    pub content_type: String,
    /// Seconds; 0 = the instance's default.
    pub http_timeout: i32,
    /// Deliveries per window; 0 = the project's.
    pub rate_limit: i32,
    /// Window in seconds.
    pub rate_limit_duration: i32,
    /// Convoy's advanced form.
    pub advanced_signatures: bool,
    /// `convoy` or `standard`.
    pub signature_format: String,
    /// Encrypted JSON.
    pub authentication: Option<Vec<u8>>,
    /// Encrypted secrets with the instant until which each signs, oldest first.
    pub secrets: Vec<(Vec<u8>, Option<DateTime<Utc>>)>,
}

/// A live subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionRow {
    /// Its id.
    pub id: SubscriptionId,
    /// Its project.
    pub project_id: ProjectId,
    /// Where it sends.
    pub endpoint_id: EndpointId,
    /// Whether it takes part.
    pub enabled: bool,
    /// `at_least_once` or `at_most_once`.
    pub delivery_mode: String,
    /// Its own retry strategy.
    pub retry: Option<Value>,
    /// Its own rate limit.
    pub rate_limit: Option<Value>,
}

/// A live filter of a subscription.
#[derive(Clone, Debug)]
pub struct FilterRow {
    /// Its id.
    pub id: FilterId,
    /// Its subscription.
    pub subscription_id: SubscriptionId,
    /// The type it takes; `*` for every type.
    pub event_type: String,
    /// Conditions per scope.
    pub headers: Option<Value>,
    /// Conditions per scope.
    pub body: Option<Value>,
    /// Conditions per scope.
    pub query: Option<Value>,
    /// Conditions per scope.
    pub path: Option<Value>,
}

/// A live API key.
#[derive(Clone, Debug)]
pub struct KeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// The part that finds it.
    pub mask: String,
    /// SHA-256 of the secret part.
    pub hash: Vec<u8>,
    /// What it may do.
    pub role: String,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What [`load`] read, in one snapshot.
#[derive(Debug, Default)]
pub struct Rows {
    /// Projects.
    pub projects: Vec<ProjectRow>,
    /// Their endpoints.
    pub endpoints: Vec<EndpointRow>,
    /// Their subscriptions.
    pub subscriptions: Vec<SubscriptionRow>,
    /// Enabled filters of those.
    pub filters: Vec<FilterRow>,
    /// Their keys.
    pub keys: Vec<KeyRow>,
}

/// Reads `projects`, or everything when none are named.
///
/// # Errors
/// As every statement.
pub async fn load(db: &Db, projects: Option<&[ProjectId]>) -> Result<Rows, DbError> {
    let only: Option<Vec<Uuid>> = projects.map(|ids| ids.iter().map(|id| id.0).collect());
    let mut txn = db.pool().begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *txn)
        .await?;
    let mut read = async |sql: &'static str| sqlx::query(sql).bind(only.clone()).fetch_all(&mut *txn).await;
    let projects = read(
        "SELECT id, organisation_id, name, config, keep_days, catalog_version FROM projects \
         WHERE deleted_at IS NULL AND ($1::uuid[] IS NULL OR id = ANY($1))",
    )
    .await?;
    let endpoints = read(
        "SELECT e.*, s.values, s.expiries FROM endpoints e CROSS JOIN LATERAL \
         (SELECT coalesce(array_agg(value ORDER BY id), '{}') AS values, \
                 coalesce(array_agg(expires_at ORDER BY id), '{}') AS expiries \
          FROM endpoint_secrets WHERE endpoint_id = e.id) s \
         WHERE e.deleted_at IS NULL AND ($1::uuid[] IS NULL OR e.project_id = ANY($1))",
    )
    .await?;
    let subscriptions = read(
        "SELECT id, project_id, endpoint_id, enabled, delivery_mode, retry, rate_limit FROM subscriptions \
         WHERE deleted_at IS NULL AND ($1::uuid[] IS NULL OR project_id = ANY($1)) ORDER BY id",
    )
    .await?;
    let filters = read(
        "SELECT f.* FROM filters f JOIN subscriptions s ON s.id = f.subscription_id AND s.deleted_at IS NULL \
         WHERE f.enabled_at IS NOT NULL AND ($1::uuid[] IS NULL OR f.project_id = ANY($1))",
    )
    .await?;
    let keys = read(
        "SELECT id, project_id, name, mask, hash, role, expires_at FROM api_keys \
         WHERE revoked_at IS NULL AND ($1::uuid[] IS NULL OR project_id = ANY($1))",
    )
    .await?;
    txn.commit().await?;
    Ok(Rows {
        projects: rows(&projects, project)?,
        endpoints: rows(&endpoints, endpoint)?,
        subscriptions: rows(&subscriptions, subscription)?,
        filters: rows(&filters, filter)?,
        keys: rows(&keys, key)?,
    })
}

/// Version of every live project, or of those of `projects`: what has to be read again is found
/// without reading it.
///
/// # Errors
/// As every statement.
pub async fn versions(db: &Db, projects: Option<&[ProjectId]>) -> Result<Vec<(ProjectId, i64)>, DbError> {
    let rows = sqlx::query(
        "SELECT id, catalog_version FROM projects WHERE deleted_at IS NULL AND ($1::uuid[] IS NULL OR id = ANY($1))",
    )
    .bind(projects.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>()))
    .fetch_all(db.pool())
    .await?;
    Ok(rows
        .iter()
        .map(|r| Ok((ProjectId(r.try_get(0)?), r.try_get(1)?)))
        .collect::<Result<_, sqlx::Error>>()?)
}

/// Hears which projects change.
#[derive(Debug)]
pub struct Changes(PgListener);

impl Changes {
    /// Starts to listen.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] while PostgreSQL is away.
    pub async fn listen(db: &Db) -> Result<Self, DbError> {
        let mut listener = PgListener::connect_with(db.pool()).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Waits for a change. `None` says that the connection was lost and made again: anything may
    /// have changed meanwhile.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the connection cannot be made again now.
    pub async fn next(&mut self) -> Result<Option<ProjectId>, DbError> {
        let told = self.0.try_recv().await?;
        Ok(told.and_then(|n| n.payload().parse().ok()))
    }
}

fn rows<T>(rows: &[PgRow], read: fn(&PgRow) -> Result<T, sqlx::Error>) -> Result<Vec<T>, DbError> {
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn project(row: &PgRow) -> Result<ProjectRow, sqlx::Error> {
    Ok(ProjectRow {
        id: ProjectId(row.try_get("id")?),
        organisation_id: OrganisationId(row.try_get("organisation_id")?),
        name: row.try_get("name")?,
        config: row.try_get("config")?,
        keep_days: KeepDays(row.try_get("keep_days")?),
        version: row.try_get("catalog_version")?,
    })
}

fn endpoint(row: &PgRow) -> Result<EndpointRow, sqlx::Error> {
    let values: Vec<Vec<u8>> = row.try_get("values")?;
    let expiries: Vec<Option<DateTime<Utc>>> = row.try_get("expiries")?;
    Ok(EndpointRow {
        id: EndpointId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        name: row.try_get("name")?,
        url: row.try_get("url")?,
        owner_id: row.try_get("owner_id")?,
        state: EndpointState::from_code(row.try_get("state")?).unwrap_or(EndpointState::Inactive),
        content_type: row.try_get("content_type")?,
        http_timeout: row.try_get("http_timeout")?,
        rate_limit: row.try_get("rate_limit")?,
        rate_limit_duration: row.try_get("rate_limit_duration")?,
        advanced_signatures: row.try_get("advanced_signatures")?,
        signature_format: row.try_get("signature_format")?,
        authentication: row.try_get("authentication")?,
        secrets: values.into_iter().zip(expiries).collect(),
    })
}

fn subscription(row: &PgRow) -> Result<SubscriptionRow, sqlx::Error> {
    Ok(SubscriptionRow {
        id: SubscriptionId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        endpoint_id: EndpointId(row.try_get("endpoint_id")?),
        enabled: row.try_get("enabled")?,
        delivery_mode: row.try_get("delivery_mode")?,
        retry: row.try_get("retry")?,
        rate_limit: row.try_get("rate_limit")?,
    })
}

fn filter(row: &PgRow) -> Result<FilterRow, sqlx::Error> {
    Ok(FilterRow {
        id: FilterId(row.try_get("id")?),
        subscription_id: SubscriptionId(row.try_get("subscription_id")?),
        event_type: row.try_get("event_type")?,
        headers: row.try_get("headers")?,
        body: row.try_get("body")?,
        query: row.try_get("query")?,
        path: row.try_get("path")?,
    })
}

fn key(row: &PgRow) -> Result<KeyRow, sqlx::Error> {
    Ok(KeyRow {
        id: ApiKeyId(row.try_get("id")?),
        project_id: ProjectId(row.try_get("project_id")?),
        name: row.try_get("name")?,
        mask: row.try_get("mask")?,
        hash: row.try_get("hash")?,
        role: row.try_get("role")?,
        expires_at: row.try_get("expires_at")?,
    })
}
