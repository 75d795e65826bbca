//! Projects.

use sea_orm::sea_query::{Expr, ExprTrait, Func, LockType};
use sea_orm::sqlx;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::entities::project::{Column, Entity, Model};
use crate::{Db, DbError, Txn, rows};

/// Which projects to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct ProjectScope {
    /// With one of these ids.
    pub ids: Option<Vec<Uuid>>,
    /// Of one of these organisations.
    pub organisations: Option<Vec<Uuid>>,
}

/// How much a project holds.
#[derive(Clone, Copy, Debug)]
pub struct ProjectCounts {
    /// The project.
    pub id: Uuid,
    /// Live endpoints.
    pub endpoints: i64,
    /// Live subscriptions.
    pub subscriptions: i64,
    /// Live sources.
    pub sources: i64,
    /// Whether an event was ever accepted.
    pub events_exist: bool,
}

fn live() -> Select<Entity> {
    Entity::find().filter(Column::DeletedAt.is_null())
}

/// Stores a new project.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Stores a changed project.
pub async fn update(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::update(txn.orm(), row).await
}

/// The live project with this id.
pub async fn find(conn: &impl ConnectionTrait, id: Uuid) -> Result<Option<Model>, DbError> {
    Ok(live().filter(Column::Id.eq(id)).one(conn).await?)
}

/// The live project with this id, kept from other changes until the transaction ends.
pub async fn lock(txn: &Txn, id: Uuid) -> Result<Option<Model>, DbError> {
    // The weaker lock lets others refer to the project meanwhile; the stronger one could deadlock
    // with the trigger that raises the version.
    Ok(live()
        .filter(Column::Id.eq(id))
        .lock(LockType::NoKeyUpdate)
        .one(txn.orm())
        .await?)
}

/// The live project of this name in an organisation, in any case of letters.
pub async fn find_by_name(
    conn: &impl ConnectionTrait,
    organisation: Uuid,
    name: &str,
) -> Result<Option<Model>, DbError> {
    let same = Expr::expr(Func::lower(Expr::col(Column::Name))).eq(Func::lower(Expr::val(name)));
    Ok(live()
        .filter(Column::OrganisationId.eq(organisation))
        .filter(same)
        .one(conn)
        .await?)
}

/// Live projects by name.
pub async fn list(conn: &impl ConnectionTrait, scope: &ProjectScope) -> Result<Vec<Model>, DbError> {
    let mut query = live();
    if let Some(ids) = &scope.ids {
        query = query.filter(Column::Id.is_in(ids.iter().copied()));
    }
    if let Some(organisations) = &scope.organisations {
        query = query.filter(Column::OrganisationId.is_in(organisations.iter().copied()));
    }
    Ok(query
        .order_by_asc(Column::Name)
        .order_by_asc(Column::Id)
        .all(conn)
        .await?)
}

/// What each of `ids` holds, in one statement.
pub async fn counts(db: &Db, ids: &[Uuid]) -> Result<Vec<ProjectCounts>, DbError> {
    // Whether events exist is read from the counters: events themselves may have left.
    let rows: Vec<(Uuid, i64, i64, i64, bool)> = sqlx::query_as(
        "SELECT p.id,
                (SELECT count(*) FROM endpoints e
                  WHERE e.project_id = p.id AND e.deleted_at IS NULL) AS endpoints,
                (SELECT count(*) FROM subscriptions s
                  WHERE s.project_id = p.id AND s.deleted_at IS NULL) AS subscriptions,
                (SELECT count(*) FROM sources o
                  WHERE o.project_id = p.id AND o.deleted_at IS NULL) AS sources,
                EXISTS (SELECT 1 FROM delivery_counts_hourly c WHERE c.project_id = p.id) AS events_exist
           FROM unnest($1::uuid[]) AS p (id)",
    )
    .bind(ids)
    .fetch_all(db.pool())
    .await?;
    let counts =
        rows.into_iter().map(
            |(id, endpoints, subscriptions, sources, events_exist)| ProjectCounts {
                id,
                endpoints,
                subscriptions,
                sources,
                events_exist,
            },
        );
    Ok(counts.collect())
}
