//! A project's policy, a change of it, and what is refused.

use db::Txn;
use db::retention::RetentionRow;
use domain::lifecycle::KeepDays;
use serde::Serialize;

use super::retries;
use crate::error::Result;
use crate::fields::Fields;
use crate::{Services, storage_policies};

/// The longest period in days.
pub const MOST_DAYS: u16 = 3_650;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// How long a project keeps its events, and what happens before they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Whether events leave at all.
    pub on: bool,
    /// After how many days, counted from the end of the UTC day on which an event was accepted.
    /// Kept while events do not leave.
    pub days: u16,
    /// Whether a day is copied and verified before it leaves.
    pub backup: bool,
    /// Whether copies go to the project's own storage, not to the instance's.
    pub own_storage: bool,
}

/// A change of a policy; `None` leaves as is.
#[derive(Clone, Debug, Default)]
pub struct PolicyChange {
    /// Whether events leave at all.
    pub on: Option<bool>,
    /// After how long, as somebody wrote it: see [`parse_days`].
    pub days: Option<String>,
    /// Whether a day is copied before it leaves.
    pub backup: Option<bool>,
    /// Whether copies go to the project's own storage.
    pub own_storage: Option<bool>,
}

impl Policy {
    /// The policy that a project's row holds.
    pub(super) fn of(row: &RetentionRow) -> Self {
        Self {
            on: row.retention_on,
            days: row.retention_days.cast_unsigned(),
            backup: row.backup_on,
            own_storage: row.own_storage,
        }
    }

    /// The class of new rows.
    pub fn class(self) -> KeepDays {
        if self.on {
            KeepDays(self.days.cast_signed())
        } else {
            KeepDays::FOR_EVER
        }
    }

    /// Whether events leave earlier than under `before`.
    pub fn shortens(self, before: Self) -> bool {
        self.on && (!before.on || self.days < before.days)
    }
}

/// Reads a period: days as a plain number, or a length of time such as `30d` or `720h`. A part of a
/// day counts as one.
///
/// # Errors
/// What the text must be.
pub fn parse_days(text: &str) -> std::result::Result<u16, String> {
    let text = text.trim();
    let days = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().unwrap_or(u64::MAX)
    } else {
        let length = domain::duration::parse(text).map_err(|error| {
            format!("must be a number of days, or a length of time such as 720h: {error}")
        })?;
        length.as_secs().div_ceil(DAY)
    };
    u16::try_from(days)
        .ok()
        .filter(|days| (1..=MOST_DAYS).contains(days))
        .ok_or_else(|| {
            format!("must be from 1 to {MOST_DAYS} days; to keep events for ever, turn deleting off")
        })
}

/// The policy before and after `change`, or everything that is wrong with it. `confirm` is not
/// looked at when nothing leaves earlier.
pub(super) async fn judge(
    services: &Services,
    txn: &Txn,
    row: &RetentionRow,
    change: &PolicyChange,
    confirm: Option<&str>,
) -> Result<(Policy, Policy)> {
    let mut fields = Fields::new();
    let (before, after) = apply(&mut fields, row, change);
    if fields.count() == 0 {
        if after.own_storage && !storage_policies::has_own(txn, row.id).await? {
            fields.refuse(
                "own_storage",
                "needs a storage policy of this project; save one first, or use the instance's",
            );
        } else if after.backup && !storage_policies::is_set(txn, row.id, after.own_storage).await? {
            fields.refuse(
                "backup_enabled",
                "needs a place for copies; an instance admin sets the storage of the instance, or save one of this \
                 project's own",
            );
        }
        if let Some(reason) = retries::conflict(services, txn, row, after).await? {
            fields.refuse("days", reason);
        }
        let is_confirmed = confirm.is_some_and(|typed| typed.trim() == row.name);
        if after.shortens(before) && !is_confirmed {
            fields.refuse("confirm", confirmation(&row.name, after));
        }
    }
    fields.finish()?;
    Ok((before, after))
}

/// The policy before and after `change`, as far as the change can be read.
pub(super) fn apply(fields: &mut Fields, row: &RetentionRow, change: &PolicyChange) -> (Policy, Policy) {
    let before = Policy::of(row);
    let days = match change.days.as_deref().map(parse_days) {
        None => before.days,
        Some(Ok(days)) => days,
        Some(Err(reason)) => {
            fields.refuse("days", reason);
            before.days
        }
    };
    let after = Policy {
        on: change.on.unwrap_or(before.on),
        days,
        backup: change.backup.unwrap_or(before.backup),
        own_storage: change.own_storage.unwrap_or(before.own_storage),
    };
    (before, after)
}

fn confirmation(name: &str, after: Policy) -> String {
    format!(
        "must be the project's name, {name}: events older than {} will leave",
        KeepDays(after.days.cast_signed())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_days_or_a_length_of_time() {
        for (text, days) in [
            ("30", 30),
            (" 7 ", 7),
            ("720h", 30),
            ("30d", 30),
            ("24h30m", 2),
            ("1h", 1),
            ("3650", 3_650),
        ] {
            assert_eq!(parse_days(text), Ok(days), "{text}");
        }
        for text in [
            "",
            "0",
            "3651",
            "0h",
            "-1",
            "soon",
            "99999999999999999999",
            "200000h",
        ] {
            assert!(parse_days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn turning_on_and_fewer_days_shorten_and_nothing_else_does() {
        let policy = |on, days| Policy {
            on,
            days,
            backup: false,
            own_storage: false,
        };
        assert!(policy(true, 30).shortens(policy(false, 30)));
        assert!(policy(true, 7).shortens(policy(true, 30)));
        assert!(!policy(true, 30).shortens(policy(true, 7)));
        assert!(!policy(false, 7).shortens(policy(true, 30)));
        assert!(!policy(false, 7).shortens(policy(false, 30)));
    }
}
