//! Opened stores, kept because opening one reads certificates and makes connections.

use std::sync::{Arc, Mutex, PoisonError};

use domain::id::StoragePolicyId;
use storage::ObjectStore;

use super::open;
use crate::Services;
use crate::error::{Error, Result};

/// Most stores that a process keeps open.
const MOST: usize = 16;

/// Opened stores by the version of their policy, the one used last at the end. A version never
/// changes, so what is here is never stale.
#[derive(Default)]
pub struct Stores(Mutex<Vec<(StoragePolicyId, Arc<dyn ObjectStore>)>>);

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

impl Stores {
    fn get(&self, id: StoragePolicyId) -> Option<Arc<dyn ObjectStore>> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = opened.iter().position(|(known, _)| *known == id)?;
        let used = opened.remove(index);
        let store = Arc::clone(&used.1);
        opened.push(used);
        Some(store)
    }

    fn put(&self, id: StoragePolicyId, store: &Arc<dyn ObjectStore>) {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|(known, _)| *known != id);
        if opened.len() == MOST {
            opened.remove(0);
        }
        opened.push((id, Arc::clone(store)));
    }
}

/// The store of a version of a policy. For jobs and readers: no actor.
///
/// # Errors
/// [`Error::NotFound`] for a version that does not exist; [`Error::Internal`] when its secrets do
/// not open with the instance's key. Whether the store answers shows with the first call.
pub async fn store_for(services: &Services, id: StoragePolicyId) -> Result<Arc<dyn ObjectStore>> {
    if let Some(store) = services.stores.get(id) {
        return Ok(store);
    }
    let row = db::storage_policies::find(services.db.orm(), id.0)
        .await?
        .ok_or(Error::NotFound("storage policy"))?;
    let store = storage::open(&open(services, row)?.policy);
    services.stores.put(id, &store);
    Ok(store)
}
