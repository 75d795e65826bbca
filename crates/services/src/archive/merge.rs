//! Lists across the border: what PostgreSQL has and what only the archive has, in one order.

use std::collections::HashSet;
use std::sync::Arc;

use db::segment_reads::existing;
use uuid::Uuid;

use super::cold::Cold;
use super::fault::Fault;
use super::scan::{End, Rows, Scan};
use crate::Services;
use crate::error::Result;

/// A list that both tiers have rows of.
pub(super) trait List: Rows {
    /// Most rows of an answer.
    fn limit(&self) -> usize;

    /// Its first rows in PostgreSQL, up to the limit, in its order.
    fn hot(&self, services: &Services) -> impl Future<Output = Result<Vec<Self::Row>>> + Send;

    /// The row as PostgreSQL has it; `None` when it has none or the list does not show it.
    fn find_hot(
        &self,
        services: &Services,
        id: Uuid,
    ) -> impl Future<Output = Result<Option<Self::Row>>> + Send;

    /// Of rows that are wanted by what stands in them, those that the list shows.
    fn sift(
        &self,
        cold: &Cold<'_>,
        rows: Vec<Self::Row>,
    ) -> impl Future<Output = std::result::Result<Vec<Self::Row>, Fault>> + Send;
}

/// Part of a list.
pub(super) struct Merged<R> {
    /// The rows in order, each with whether it came from the archive.
    pub(super) rows: Vec<(R, bool)>,
    /// Set when not all was looked at: rows from this id on.
    pub(super) stopped: Option<Uuid>,
}

/// Reads the first rows of a list.
pub(super) async fn merge<L: List>(
    cold: &Cold<'_>,
    list: &Arc<L>,
) -> std::result::Result<Merged<L::Row>, Fault> {
    let (span, wanted) = (list.span(), list.limit());
    let hot = list.hot(cold.services).await?;
    let known: HashSet<Uuid> = hot.iter().map(L::id).collect();
    let mut rows: Vec<(L::Row, bool)> = hot.into_iter().map(|row| (row, false)).collect();
    let mut scan = Scan::new(cold, list);
    loop {
        // A full answer may still have to make room for rows before its last one.
        let until = rows.get(wanted - 1).map(|(row, _)| L::id(row));
        let most = if until.is_some() {
            wanted
        } else {
            wanted - rows.len()
        };
        let (mut found, end) = scan.take(most, until).await?;
        found.retain(|row| !known.contains(&L::id(row)));
        rows.extend(settle(cold, list, found).await?);
        rows.sort_by(|(a, _), (b, _)| {
            let order = L::id(a).cmp(&L::id(b));
            if span.down { order.reverse() } else { order }
        });
        if let End::Spent(at) = end {
            rows.retain(|(row, _)| span.is_before(L::id(row), at));
        }
        rows.truncate(wanted);
        match end {
            End::Full => {}
            End::Over => return Ok(Merged { rows, stopped: None }),
            End::Spent(_) if rows.len() == wanted => return Ok(Merged { rows, stopped: None }),
            End::Spent(at) => {
                return Ok(Merged {
                    rows,
                    stopped: Some(at),
                });
            }
        }
    }
}

/// Rows from the archive, unless PostgreSQL has them: then its version counts. It was not among its
/// first rows when the list does not show it, or shows it only for what stands in the archive.
async fn settle<L: List>(
    cold: &Cold<'_>,
    list: &Arc<L>,
    found: Vec<L::Row>,
) -> std::result::Result<Vec<(L::Row, bool)>, Fault> {
    let ids: Vec<Uuid> = found.iter().map(L::id).collect();
    let there: HashSet<Uuid> = existing(&cold.services.db, L::KIND, &ids)
        .await?
        .into_iter()
        .collect();
    let (mut archived, mut hot) = (Vec::new(), Vec::new());
    for row in found {
        if !there.contains(&L::id(&row)) {
            archived.push(row);
        } else if let Some(row) = list.find_hot(cold.services, L::id(&row)).await? {
            hot.push(row);
        }
    }
    let archived = list
        .sift(cold, archived)
        .await?
        .into_iter()
        .map(|row| (row, true));
    let hot = list.sift(cold, hot).await?.into_iter().map(|row| (row, false));
    Ok(archived.chain(hot).collect())
}

/// Shows every row that the archive alone has to `each`, until it has seen enough.
pub(super) async fn count_archived<L: List>(
    cold: &Cold<'_>,
    list: &Arc<L>,
    mut each: impl FnMut(&L::Row) -> Counting,
) -> std::result::Result<(), Fault> {
    /// Rows that are looked at together.
    const GROUP: usize = 1_000;
    let mut scan = Scan::new(cold, list);
    loop {
        let (found, end) = scan.take(GROUP, None).await?;
        if let End::Spent(_) = end {
            return Err(Fault::Spent);
        }
        let ids: Vec<Uuid> = found.iter().map(L::id).collect();
        let there: HashSet<Uuid> = existing(&cold.services.db, L::KIND, &ids)
            .await?
            .into_iter()
            .collect();
        let archived = found
            .into_iter()
            .filter(|row| !there.contains(&L::id(row)))
            .collect();
        for row in list.sift(cold, archived).await? {
            if each(&row) == Counting::Enough {
                return Ok(());
            }
        }
        if end == End::Over {
            return Ok(());
        }
    }
}

/// Whether counting goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    GoesOn,
    Enough,
}
