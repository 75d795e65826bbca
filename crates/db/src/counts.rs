//! Reading the hourly counters.

use chrono::{DateTime, Utc};
use domain::counts::Metric;
use domain::id::{EndpointId, ProjectId};
use sea_orm::sqlx::{self, Row};

use crate::{Db, DbError};

/// One counter, summed over its writers.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// The hour.
    pub hour: DateTime<Utc>,
    /// The project.
    pub project: ProjectId,
    /// The endpoint; nil for the whole project.
    pub endpoint: EndpointId,
    /// What was counted.
    pub metric: Metric,
    /// How often.
    pub n: i64,
}

/// Counters of some projects for the hours from `from` (included) to `to` (excluded).
///
/// # Errors
/// As every statement.
pub async fn hourly(
    db: &Db,
    projects: &[ProjectId],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Count>, DbError> {
    let rows = sqlx::query(
        "SELECT hour, project_id, endpoint_id, metric, sum(n)::bigint AS n FROM delivery_counts_hourly \
         WHERE project_id = ANY($1) AND hour >= $2 AND hour < $3 GROUP BY hour, project_id, endpoint_id, metric",
    )
    .bind(projects.iter().map(|id| id.0).collect::<Vec<_>>())
    .bind(from)
    .bind(to)
    .fetch_all(db.pool())
    .await?;
    let mut counts = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(metric) = Metric::from_code(row.try_get("metric")?) else {
            continue;
        };
        counts.push(Count {
            hour: row.try_get("hour")?,
            project: ProjectId(row.try_get("project_id")?),
            endpoint: EndpointId(row.try_get("endpoint_id")?),
            metric,
            n: row.try_get("n")?,
        });
    }
    Ok(counts)
}

/// Accepted events of a project per UTC day.
///
/// # Errors
/// As every statement.
pub async fn accepted_daily(
    db: &Db,
    project: ProjectId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(chrono::NaiveDate, i64)>, DbError> {
    let rows = sqlx::query(
        "SELECT (hour AT TIME ZONE 'UTC')::date AS day, sum(n)::bigint AS n FROM delivery_counts_hourly \
         WHERE project_id = $1 AND endpoint_id = '00000000-0000-0000-0000-000000000000' AND metric = $4 \
         AND hour >= $2 AND hour < $3 GROUP BY 1 ORDER BY 1",
    )
    .bind(project.0)
    .bind(from)
    .bind(to)
    .bind(Metric::Accepted.code())
    .fetch_all(db.pool())
    .await?;
    Ok(rows
        .iter()
        .map(|r| Ok((r.try_get("day")?, r.try_get("n")?)))
        .collect::<Result<_, sqlx::Error>>()?)
}
