//! Features that are off until somebody turns them on: by the configuration, or on a page.
//!
//! The configuration wins: what it turns on, no page turns off.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;

use crate::Services;
use crate::access::Actor;
use crate::audit::{self, Change};
use crate::changed::now;
use crate::error::{Error, Result};

/// Name of the feature without which nothing is deleted.
pub const RETENTION_POLICY: &str = "retention-policy";

/// The row that a page writes.
const SETTING: &str = "retention_policy";

/// Who turned a feature on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration: a file, the environment, a flag.
    Configuration,
    /// An instance admin, on the page or the command line.
    Page,
    /// Nobody.
    Off,
}

/// Whether a feature is on, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flag {
    /// Whether it is on.
    pub on: bool,
    /// Who turned it on.
    pub origin: Origin,
    /// When it was last turned on or off on a page, and by whom.
    pub changed: Option<(DateTime<Utc>, String)>,
}

impl Flag {
    /// What it means that the feature is off, and how to turn it on; `None` when it is on.
    pub fn advice(&self) -> Option<&'static str> {
        (!self.on).then_some(
            "Nothing is deleted: the feature retention-policy is off. An instance admin turns it on on the page of \
             the instance's storage, with CONVOY_ENABLE_FEATURE_FLAG=retention-policy, or with \
             --enable-feature-flag=retention-policy",
        )
    }
}

/// Whether rows that are over may leave.
///
/// # Errors
/// As every statement.
pub async fn retention_policy(services: &Services) -> Result<Flag> {
    let setting = db::instance_settings::find(services.db.orm(), SETTING).await?;
    let on_page = setting
        .as_ref()
        .is_some_and(|setting| setting.value == json!(true));
    let origin = if services.options.lifecycle.retention_policy {
        Origin::Configuration
    } else if on_page {
        Origin::Page
    } else {
        Origin::Off
    };
    Ok(Flag {
        on: origin != Origin::Off,
        origin,
        changed: setting.map(|setting| (setting.updated_at, setting.updated_by)),
    })
}

/// Turns the feature on or off for the whole instance.
///
/// # Errors
/// [`Error::Forbidden`] unless the actor rules the instance; [`Error::Conflict`] when it is to go
/// off although the configuration turns it on.
pub async fn set_retention_policy(services: &Services, actor: &Actor, on: bool) -> Result<Flag> {
    actor.require_instance()?;
    if services.options.lifecycle.retention_policy && !on {
        return Err(Error::Conflict(
            "the configuration turns retention-policy on; take it out of `features` (CONVOY_ENABLE_FEATURE_FLAG) \
             and start again"
                .to_owned(),
        ));
    }
    let at = now(services);
    let txn = services.db.begin().await?;
    let setting = db::instance_settings::Setting {
        value: json!(on),
        updated_at: at,
        updated_by: actor.label.clone(),
    };
    db::instance_settings::set(&txn, SETTING, &setting).await?;
    let change = Change {
        action: if on {
            "feature.turned_on"
        } else {
            "feature.turned_off"
        },
        project: None,
        subject: RETENTION_POLICY,
        subject_id: None,
        detail: json!({}),
    };
    audit::record(&txn, actor, at, change).await?;
    txn.commit().await?;
    retention_policy(services).await
}
