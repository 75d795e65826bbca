//! What a project was promised, compared with what is there.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::id::{EventId, ProjectId};
use domain::lifecycle::{KeepDays, expires_at, next_day, start_of};
use services::Services;
use services::access::Actor;
use services::archive::Tier;
use services::events::{self, EventFilter};
use services::page::{MAX_PER_PAGE, PageRequest, Sort};

use super::Failure;

/// A project, and everything that it accepted.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: &'static str,
    pub(super) id: ProjectId,
    /// For how long PostgreSQL was to keep events.
    pub(super) class: KeepDays,
    /// Payloads by event.
    pub(super) accepted: BTreeMap<EventId, String>,
}

/// What was found of a project.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Days whose events are in PostgreSQL.
    hot: Vec<NaiveDate>,
    /// Days whose events are in the archive alone.
    archived: Vec<NaiveDate>,
    accepted: usize,
    /// Accepted events that can be read, byte for byte.
    readable: usize,
    /// Promises that were broken.
    pub(super) broken: Vec<String>,
}

impl Kept {
    /// Reads every event as a customer does, day by day.
    pub(super) async fn look(&self, services: &Services, now: DateTime<Utc>) -> Result<Found, Failure> {
        let mut found = Found {
            accepted: self.accepted.len(),
            ..Found::default()
        };
        let mut days: BTreeMap<NaiveDate, BTreeMap<EventId, &str>> = BTreeMap::new();
        for (id, data) in &self.accepted {
            days.entry(id.day()).or_default().insert(*id, data);
        }
        for (day, accepted) in days {
            let (events, tier) = self.read_day(services, day).await?;
            let same = accepted
                .iter()
                .filter(|(id, data)| events.get(id).is_some_and(|read| read == *data));
            let readable = same.count();
            found.readable += readable;
            if readable < accepted.len() || events.len() > accepted.len() {
                let (all, read) = (accepted.len(), events.len());
                let text = format!("{day}: {all} accepted, {read} found, {readable} as they were sent");
                found.broken.push(text);
            }
            let is_hot = expires_at(day, self.class).is_none_or(|end| end > now);
            match (tier, is_hot) {
                (Tier::Hot, true) => found.hot.push(day),
                (Tier::Archive, false) => found.archived.push(day),
                (Tier::Hot | Tier::Mixed, false) => {
                    found.hot.push(day);
                    found.broken.push(format!("{day} is still in PostgreSQL"));
                }
                (Tier::Archive | Tier::Mixed, true) => {
                    found.archived.push(day);
                    found.broken.push(format!("{day} has left PostgreSQL too early"));
                }
            }
        }
        Ok(found)
    }

    async fn read_day(
        &self,
        services: &Services,
        day: NaiveDate,
    ) -> Result<(BTreeMap<EventId, String>, Tier), Failure> {
        let filter = EventFilter {
            from: Some(start_of(day)),
            to: Some(start_of(next_day(day)) - TimeDelta::milliseconds(1)),
            ..EventFilter::default()
        };
        let mut request = PageRequest {
            sort: Sort::Asc,
            ..PageRequest::first(MAX_PER_PAGE)
        };
        let (mut found, mut tiers) = (BTreeMap::new(), Vec::new());
        loop {
            let read = events::read_list(services, &Actor::system(), self.id, &filter, request, true).await?;
            tiers.push(read.tier());
            let page = read.data;
            found.extend(page.items.into_iter().map(|event| (event.id, event.payload)));
            request.cursor = page.next_cursor.filter(|_| page.has_next);
            if request.cursor.is_none() {
                break;
            }
        }
        let first = tiers[0];
        let all_same = tiers.iter().all(|tier| *tier == first);
        Ok((found, if all_same { first } else { Tier::Mixed }))
    }
}

/// Prints one line per project.
pub(super) fn print(projects: &[(&Kept, Found)]) {
    println!(
        "{:<14} {:<9} {:>9} {:>9}  {:<30} left PostgreSQL",
        "project", "kept", "accepted", "readable", "in PostgreSQL"
    );
    for (kept, found) in projects {
        println!(
            "{:<14} {:<9} {:>9} {:>9}  {:<30} {}",
            kept.name,
            kept.class.to_string(),
            found.accepted,
            found.readable,
            span(&found.hot),
            span(&found.archived)
        );
    }
}

/// `7 days, 2026-11-13 to 2026-11-19`, shortened.
fn span(days: &[NaiveDate]) -> String {
    match days {
        [] => "-".to_owned(),
        [day] => format!("1 ({day})"),
        [first, .., last] => format!("{} ({first} to {last})", days.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_by_their_number_and_their_ends() {
        let day = |n| NaiveDate::from_ymd_opt(2026, 11, n).expect("a day");
        assert_eq!(span(&[]), "-");
        assert_eq!(span(&[day(3)]), "1 (2026-11-03)");
        assert_eq!(span(&[day(3), day(4), day(5)]), "3 (2026-11-03 to 2026-11-05)");
    }
}
