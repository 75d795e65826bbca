//! Keeping the archive true over years.
//!
//! - [`reconcile`]: segments in a store that the index does not know are adopted, be it one or all
//! - [`sweep`]: objects that nobody reads any more are removed, never the last copy of a row
//! - [`scrub`]: objects are looked at, and in turns read back; damage is told and made good
//! - [`gauges`]: all of it in figures
//!
//! Every step may be repeated at any time and dropped at any await: what it found out stands in the
//! index or follows from the store.

mod choose;
mod contents;
pub mod gauges;
pub mod reconcile;
pub mod scrub;
pub mod sweep;
mod unknown;

use std::sync::Arc;

use chrono::TimeDelta;
use domain::id::StoragePolicyId;
use storage::ObjectStore;
use uuid::Uuid;

use crate::Services;
use crate::error::{Error, Result};
use crate::storage_policies;

/// How long an object stays that is read no more: readers may still be at it.
const GRACE: TimeDelta = TimeDelta::hours(1);
/// How long an object that the index does not know is left alone, as well as what a write that was
/// cut off left behind.
const UNKNOWN_FOR: TimeDelta = TimeDelta::hours(24);
/// Objects or rows of one page.
const PAGE: usize = 500;
/// Texts of one sort in a run.
const TOLD: usize = 20;

/// A version of a storage policy with its store.
#[derive(Debug)]
struct Place {
    policy: Uuid,
    /// Whether segments that count lie there. Others may be gone for good.
    is_used: bool,
    store: Arc<dyn ObjectStore>,
}

/// Every place where segments may lie. Those that cannot be opened are told in `failed`.
async fn places(services: &Services, failed: &mut Vec<String>) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for (policy, is_used) in db::segment_care::places(&services.db).await? {
        match storage_policies::store_for(services, StoragePolicyId(policy)).await {
            Ok(store) => places.push(Place {
                policy,
                is_used,
                store,
            }),
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => tell(failed, format!("storage policy {policy}: {error}")),
        }
    }
    Ok(places)
}

/// Adds a text, unless there are many already.
fn tell(texts: &mut Vec<String>, text: String) {
    tracing::warn!(text, "care of the archive");
    if texts.len() < TOLD {
        texts.push(text);
    }
}
