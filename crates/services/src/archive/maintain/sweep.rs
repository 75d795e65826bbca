//! Objects that nobody reads any more are removed; never the last copy of a row.
//!
//! A segment that was given up or superseded goes once no reader can be at it any more, and only when
//! PostgreSQL or segments that count hold every one of its rows: its object is read to find out. So
//! does an object that the index does not know, a day after it was made. What holds a row that nothing
//! else holds is quarantined, for a person to look at.

use chrono::{DateTime, Utc};
use db::segment_care;
use db::segments::Segment;
use domain::state::SegmentState;
use metrics::counter;
use serde::Serialize;
use storage::ErrorKind;
use uuid::Uuid;

use super::contents::{self, NowhereError};
use super::unknown::{self, ListError, Unknown};
use super::{GRACE, PAGE, Place, UNKNOWN_FOR, places, reconcile, tell};
use crate::Services;
use crate::backup::copy::CopyError;
use crate::error::{Error, Result};
use crate::jobs::JobContext;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Segments whose writers are gone.
    pub abandoned: u64,
    /// Segments that were found damaged and stand elsewhere by now.
    pub superseded: u64,
    /// Objects that were removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Segments that the index did not know and that count now.
    pub adopted: u64,
    /// Objects that hold rows which nothing else holds.
    pub quarantined: u64,
    /// Objects that the index does not know and that are still young.
    pub young: u64,
    /// Objects in the stores that are not ours. They are left alone.
    pub foreign: u64,
    /// Uploads that were cut off.
    pub unfinished: u64,
    /// What was left as it is, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// What could not be looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// What is to become of an object.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It may go.
    Remove,
    /// It is not there.
    Gone,
    /// It holds so many rows that nothing else holds.
    Last(usize),
    /// Readers may be at it, or those that hold its rows are new.
    Later,
    /// It cannot be read; says why.
    Damaged(String),
}

/// Removes what may go.
///
/// # Errors
/// [`Error::Unavailable`] while PostgreSQL is away. A store that is away is told in the counts and is no
/// other's trouble.
pub async fn run(context: &JobContext) -> Result<Counts> {
    let mut sweep = Sweep {
        services: &context.services,
        dry_run: context.input.dry_run,
        now: context.at,
        counts: Counts::default(),
    };
    sweep.settle_states().await?;
    sweep.leftovers(context).await?;
    let adopted = reconcile::run(context).await?;
    sweep.counts.adopted = adopted.adopted;
    sweep.counts.failed.extend(adopted.failed);
    sweep.counts.left.extend(adopted.left);
    sweep.stores().await?;
    counter!("longhaul_archive_swept_total").increment(sweep.counts.removed);
    Ok(sweep.counts)
}

struct Sweep<'a> {
    services: &'a Services,
    dry_run: bool,
    now: DateTime<Utc>,
    counts: Counts,
}

impl Sweep<'_> {
    /// Rows whose state says something that is not so any more.
    async fn settle_states(&mut self) -> Result<()> {
        if !self.dry_run {
            let db = &self.services.db;
            self.counts.abandoned = segment_care::abandon_ownerless(db, self.now - GRACE).await?;
            self.counts.superseded = segment_care::supersede(db).await?;
        }
        Ok(())
    }

    /// Segments that were given up or superseded.
    async fn leftovers(&mut self, context: &JobContext) -> Result<()> {
        let (mut after, mut done) = (Uuid::nil(), 0);
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        loop {
            let db = &self.services.db;
            let page = segment_care::leftovers(db, self.now - GRACE, after, limit).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            for segment in page {
                done += 1;
                context.progress.tell(done, done, &segment.object_key).await;
                match self.leftover(&segment).await {
                    Err(NowhereError::Service(error @ Error::Unavailable { .. })) => return Err(error),
                    Err(error) => self.fail(&segment.object_key, error),
                    Ok(()) => {}
                }
            }
        }
    }

    async fn leftover(&mut self, segment: &Segment) -> std::result::Result<(), NowhereError> {
        let store = crate::storage_policies::store_for(self.services, segment.policy_id.into()).await?;
        let place = Place {
            policy: segment.policy_id,
            is_used: true,
            store,
        };
        match self.fate(&place, &segment.object_key).await? {
            Fate::Later => {}
            Fate::Gone => {
                if !self.dry_run {
                    segment_care::removed(&self.services.db, segment.id)
                        .await
                        .map_err(Error::from)?;
                }
            }
            Fate::Remove => self.remove(&place, segment).await?,
            Fate::Last(rows) => self.hold_back(segment, rows).await?,
            // A damaged object is no copy. Whether its rows are elsewhere is known of those that never
            // counted, and of those whose places were taken.
            Fate::Damaged(_) if self.stands_elsewhere(segment).await? => self.remove(&place, segment).await?,
            Fate::Damaged(why) => tell(&mut self.counts.left, format!("{}: {why}", segment.object_key)),
        }
        Ok(())
    }

    /// What is to become of an object: read and compared with who holds its rows.
    async fn fate(&self, place: &Place, key: &str) -> std::result::Result<Fate, NowhereError> {
        let segment = match contents::describe(place.store.as_ref(), place.policy, key).await {
            Ok(segment) => segment,
            Err(CopyError::Store(error)) if error.kind() == ErrorKind::NotFound => return Ok(Fate::Gone),
            Err(error) if error.is_damage() => return Ok(Fate::Damaged(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let ids = match contents::read(place.store.as_ref(), &segment).await {
            Ok(contents) => contents.ids,
            Err(error) if error.is_damage() => return Ok(Fate::Damaged(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let before = Some(self.now - GRACE);
        Ok(
            match contents::nowhere_else(self.services, &segment, ids, before).await? {
                None => Fate::Later,
                Some(rest) if rest.is_empty() => Fate::Remove,
                Some(rest) => Fate::Last(rest.len()),
            },
        )
    }

    /// Whether segments that count have as many rows where a damaged one lay, or it never counted.
    async fn stands_elsewhere(&self, segment: &Segment) -> Result<bool> {
        if segment.state == SegmentState::Abandoned {
            return Ok(true);
        }
        let Some((first, last)) = segment.ids else {
            return Ok(false);
        };
        let group = segment_care::Group::of(segment);
        let counting = segment_care::counting(&self.services.db, &group).await?;
        let reach = counting
            .first()
            .zip(counting.last())
            .and_then(|(low, high)| Some((low.ids?.0, high.ids?.1)));
        let rows: i64 = counting.iter().map(|one| i64::from(one.row_count)).sum();
        Ok(reach.is_some_and(|(low, high)| low <= first && last <= high)
            && rows >= i64::from(segment.row_count))
    }

    async fn remove(&mut self, place: &Place, segment: &Segment) -> std::result::Result<(), NowhereError> {
        if !self.dry_run {
            match unknown::remove(place.store.as_ref(), &segment.object_key).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Denied => {
                    tell(
                        &mut self.counts.left,
                        format!("{}: the store protects it", segment.object_key),
                    );
                    return Ok(());
                }
                Err(error) => return Err(CopyError::from(error).into()),
            }
            segment_care::removed(&self.services.db, segment.id)
                .await
                .map_err(Error::from)?;
            self.services.archive.forget(segment.id);
        }
        self.counts.removed += 1;
        self.counts.removed_bytes += u64::try_from(segment.size_bytes).unwrap_or(0);
        Ok(())
    }

    async fn hold_back(&mut self, segment: &Segment, rows: usize) -> Result<()> {
        let why = format!("it holds {rows} rows that nothing else holds");
        tracing::error!(segment = %segment.id, key = segment.object_key, why, "an object is kept as the last copy");
        self.counts.quarantined += 1;
        if self.dry_run {
            return Ok(());
        }
        let known = segment_care::known(&self.services.db, &[segment.id]).await?;
        if known.is_empty() {
            segment_care::quarantine_unknown(&self.services.db, segment, &why, self.now).await?;
        } else {
            segment_care::hold_back(&self.services.db, segment.id, &why).await?;
        }
        Ok(())
    }

    /// What the stores hold beside the index.
    async fn stores(&mut self) -> Result<()> {
        let places = places(self.services, &mut self.counts.failed).await?;
        for place in &places {
            match self.store(place).await {
                Ok(()) => {}
                Err(NowhereError::Service(error @ Error::Unavailable { .. })) => return Err(error),
                Err(error) if place.is_used => self.fail(&format!("storage policy {}", place.policy), error),
                Err(error) => {
                    tracing::debug!(?error, policy = %place.policy, "a place without segments is away");
                }
            }
        }
        Ok(())
    }

    async fn store(&mut self, place: &Place) -> std::result::Result<(), NowhereError> {
        let found = match unknown::list(self.services, place).await {
            Ok(found) => found,
            Err(ListError::Service(error)) => return Err(error.into()),
            Err(ListError::Store(error)) => return Err(CopyError::from(error).into()),
        };
        self.counts.foreign += found.foreign;
        for unknown in &found.unknown {
            if self.now - unknown.made_at() < UNKNOWN_FOR {
                self.counts.young += 1;
                continue;
            }
            if let Err(error) = self.unknown(place, unknown).await {
                if let NowhereError::Service(error) = error {
                    return Err(error.into());
                }
                self.fail(&unknown.meta.key, error);
            }
        }
        if self.dry_run {
            return Ok(());
        }
        for probe in found
            .probes
            .iter()
            .filter(|probe| self.now - probe.modified >= UNKNOWN_FOR)
        {
            unknown::remove(place.store.as_ref(), &probe.key)
                .await
                .map_err(CopyError::from)?;
            self.counts.removed += 1;
            self.counts.removed_bytes += probe.size;
        }
        match place.store.clear_unfinished(self.now - UNKNOWN_FOR).await {
            Ok(n) => self.counts.unfinished += n,
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::NoBucket) => {}
            Err(error) => return Err(CopyError::from(error).into()),
        }
        Ok(())
    }

    async fn unknown(&mut self, place: &Place, unknown: &Unknown) -> std::result::Result<(), NowhereError> {
        let key = &unknown.meta.key;
        let row = match contents::describe(place.store.as_ref(), place.policy, key).await {
            Ok(segment) => Some(segment),
            Err(error) if error.is_damage() => contents::describe_key(place.policy, &unknown.meta),
            Err(error) => return Err(error.into()),
        };
        let Some(row) = row else {
            tell(&mut self.counts.left, format!("{key}: nobody knows whose it is"));
            return Ok(());
        };
        let project = db::projects::find(self.services.db.orm(), row.project_id.0)
            .await
            .map_err(Error::from)?;
        if project.is_none() {
            // Of another instance, or of a project that was removed by hand.
            self.counts.foreign += 1;
            return Ok(());
        }
        match self.fate(place, key).await? {
            Fate::Gone | Fate::Later => {}
            Fate::Remove => self.remove(place, &row).await?,
            Fate::Last(rows) => self.hold_back(&row, rows).await?,
            Fate::Damaged(why) => {
                self.counts.quarantined += 1;
                if !self.dry_run {
                    let why = format!("the index does not know it, and it cannot be read: {why}");
                    let db = &self.services.db;
                    segment_care::quarantine_unknown(db, &row, &why, self.now)
                        .await
                        .map_err(Error::from)?;
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, what: &str, error: NowhereError) {
        let why = match error {
            NowhereError::Copy(error) => error.to_string(),
            NowhereError::Service(error) => error.to_string(),
        };
        tell(&mut self.counts.failed, format!("{what}: {why}"));
    }
}
