//! What every change of settings shares: its time, and what follows its commit.

use chrono::{DateTime, Utc};
use domain::id::ProjectId;

use crate::Services;

/// The current time as tables keep it, so that what a change returns equals what is read later.
pub(crate) fn now(services: &Services) -> DateTime<Utc> {
    domain::clock::to_millis(services.clock.now())
}

/// To be called after a change of `project` was committed: the next event of this process sees it.
///
/// Other processes hear of the change from the tables' triggers.
pub(crate) async fn changed(services: &Services, project: ProjectId) {
    if let Err(error) = services.catalog.refresh(project).await {
        tracing::warn!(%project, %error, "the change is saved and takes effect a little later");
    }
}
