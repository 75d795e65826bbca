//! Who changed what.

use domain::page::{Page, PageRequest};
use sea_orm::sea_query::Expr;
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::entities::audit::{Column, Entity, Model};
use crate::{DbError, Txn, paging, rows};

/// Which rows to list; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// What happened in this project.
    pub project: Option<Uuid>,
    /// Part of the actor's name, in any case of letters.
    pub actor: Option<String>,
    /// The action, or its first part: `endpoint` finds `endpoint.created`.
    pub action: Option<String>,
}

/// Stores a row.
pub async fn insert(txn: &Txn, row: Model) -> Result<(), DbError> {
    rows::insert(txn.orm(), row).await
}

/// Rows that fit `filter`.
pub async fn page(
    conn: &impl ConnectionTrait,
    filter: &AuditFilter,
    request: PageRequest,
) -> Result<Page<Model>, DbError> {
    let mut query = Entity::find();
    if let Some(project) = filter.project {
        query = query.filter(Column::ProjectId.eq(project));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(Expr::col((Entity, Column::Actor)).ilike(paging::containing(actor)));
    }
    if let Some(action) = &filter.action {
        let below = paging::starting(&format!("{action}."));
        query = query.filter(
            Condition::any()
                .add(Column::Action.eq(action))
                .add(Column::Action.like(below)),
        );
    }
    paging::page(conn, query, Column::Id, request, |row| row.id).await
}
