//! From the use cases to the retention page.

use chrono::{DateTime, Utc};
use domain::lifecycle::KeepDays;
use services::{
    features::{Flag, Origin},
    holds::{self, Hold},
    jobs::{self, RunQuery},
    page::PageRequest,
    retention::{self, Policy, Retention},
    storage_policies::{self, Scope},
};
use url::form_urlencoded;

use super::{
    act::preview_address,
    dto::{FeatureDto, HoldRow, PolicyForm, RetentionDto, UndoDto},
    present_preview,
};
use crate::{
    context::{InProject, Viewing, in_project},
    error::UiError,
    features::{
        jobs::{
            dto::RunRow,
            present::{Names, row},
        },
        query::value_of,
    },
    format::{self, Stamp},
    ui::{load::Place, tabs::Tab},
};

/// Periods that one click chooses.
const PRESETS: [u16; 4] = [7, 30, 90, 365];
/// Jobs whose runs are shown, and how many of each.
const JOBS: [&str; 2] = ["backup", "deletion"];
const RUNS: u32 = 3;
/// Released holds that are still shown.
const RELEASED: usize = 5;

/// What the retention page shows.
///
/// # Errors
/// When the project does not exist for the viewer or a store is away.
pub async fn retention(place: Place) -> Result<RetentionDto, UiError> {
    let at = in_project(&place.project).await?;
    let now = at.by.now;
    let known = retention::get(&at.by.services, &at.by.actor, at.id).await?;
    let saved = form_of(known.policy);
    let asked = asked(&place.query, &saved);
    let form = asked.clone().unwrap_or_else(|| saved.clone());
    let days_error = match retention::parse_days(&form.days) {
        Ok(_) => String::new(),
        Err(_) => "Enter 1 to 3650 days, or turn deleting off".to_owned(),
    };
    let (preview, preview_error) = if asked.is_some() && days_error.is_empty() {
        present_preview::preview(&at, &form).await?
    } else {
        (None, String::new())
    };
    let options = &at.by.services.options.lifecycle;
    let clock = "%H:%M";
    Ok(RetentionDto {
        feature: feature(&known.flag, &at.by),
        changed: changed(&known, now),
        moving: known
            .reclass_since
            .map_or_else(Stamp::default, |since| Stamp::ago(since, now)),
        presets: presets(&at, &form),
        was: was(&form, &saved),
        days_error,
        storages: storages(&at, &known).await?,
        preview,
        preview_error,
        undo: undo(&place.query, &at, &saved, &known),
        holds: hold_rows(&at).await?,
        schedule: format!(
            "Backup at {}, deletion at {} UTC. They never share a run.",
            options.backup_at.format(clock),
            options.deletion_at.format(clock)
        ),
        runs: last_runs(&at).await?,
        all_runs: at.by.actor.require_instance().is_ok(),
        form,
        project: at.project,
    })
}

fn form_of(policy: Policy) -> PolicyForm {
    PolicyForm {
        on: policy.on,
        days: policy.days.to_string(),
        backup: policy.backup,
        storage: if policy.own_storage { "own" } else { "instance" }.to_owned(),
    }
}

/// What the address asks about. With `form` it is the whole form, in which a box that is not there
/// is not checked; without, values that are not there are those in effect.
fn asked(query: &str, saved: &PolicyForm) -> Option<PolicyForm> {
    let is_whole = value_of(query, "form").is_some();
    if !is_whole && value_of(query, "days").is_none() {
        return None;
    }
    let mut form = saved.clone();
    if is_whole {
        (form.on, form.backup) = (false, false);
    } else {
        form.on = true;
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "on" => form.on = value == "true",
            "backup" => form.backup = value == "true",
            "days" => value.trim().clone_into(&mut form.days),
            "storage" if value == "own" || value == "instance" => form.storage = value.into_owned(),
            _ => {}
        }
    }
    Some(form)
}

/// How long a form keeps events, in words.
pub(super) fn kept(form: &PolicyForm) -> String {
    if !form.on {
        return "for ever".to_owned();
    }
    match retention::parse_days(&form.days) {
        Ok(days) => KeepDays(days.cast_signed()).to_string(),
        Err(_) => form.days.clone(),
    }
}

fn was(form: &PolicyForm, saved: &PolicyForm) -> String {
    if form == saved {
        return String::new();
    }
    let (before, after) = (kept(saved), kept(form));
    if before == after {
        "Not saved yet.".to_owned()
    } else {
        format!("Was {before}.")
    }
}

fn presets(at: &InProject, form: &PolicyForm) -> Vec<Tab> {
    let preset = |days: u16| {
        let chosen = PolicyForm {
            on: true,
            days: days.to_string(),
            ..form.clone()
        };
        let is_chosen = form.on && form.days == chosen.days;
        Tab::new(&chosen.days, preview_address(&at.project, &chosen), is_chosen)
    };
    PRESETS.into_iter().map(preset).collect()
}

/// Whether anything is deleted on this instance, and who may change that.
pub fn feature(flag: &Flag, by: &Viewing) -> FeatureDto {
    let by_whom = flag.changed.as_ref().map_or_else(String::new, |(at, who)| {
        format!(" by {who} on {}", format::day(at.date_naive(), by.now))
    });
    let note = match flag.origin {
        Origin::Configuration => {
            "Feature retention-policy is on for this instance, from the configuration (features, CONVOY_ENABLE_FEATURE_FLAG)."
                .to_owned()
        }
        Origin::Page => format!("Feature retention-policy was turned on for this instance{by_whom}."),
        Origin::Off => flag.advice().unwrap_or_default().to_owned(),
    };
    FeatureDto {
        on: flag.on,
        note,
        can_turn: flag.origin != Origin::Configuration && by.actor.require_instance().is_ok(),
    }
}

fn changed(known: &Retention, now: DateTime<Utc>) -> String {
    let word = if known.policy.on { "On" } else { "Off" };
    match &known.changed {
        Some((at, who)) => format!(
            "{word}, last changed {} by {who}",
            format::day(at.date_naive(), now)
        ),
        None => word.to_owned(),
    }
}

/// Storages that the project may use. Its own is there once it has been saved.
async fn storages(at: &InProject, known: &Retention) -> Result<Vec<(String, String)>, UiError> {
    let storage = storage_policies::get(&at.by.services, &at.by.actor, Scope::Project(at.id)).await?;
    let place = |scope: Scope| {
        let place = known.storage.as_ref().filter(|place| place.scope == scope);
        place.map(|place| place.place.clone())
    };
    let instance = place(Scope::Instance).unwrap_or_else(|| {
        if known.policy.own_storage {
            "where the instance's copies lie".to_owned()
        } else {
            "not set yet".to_owned()
        }
    });
    let mut list = vec![("instance".to_owned(), format!("Instance default: {instance}"))];
    if let Some(version) = storage.versions.first() {
        list.push((
            "own".to_owned(),
            format!("Own policy of this project: {}", version.place),
        ));
    }
    Ok(list)
}

/// The change that was just saved. The address gives nothing but a number or one word.
fn undo(query: &str, at: &InProject, saved: &PolicyForm, known: &Retention) -> Option<UndoDto> {
    let before = value_of(query, "undo")?;
    let mut form = saved.clone();
    if before == "off" {
        form.on = false;
    } else {
        form.days = before.parse::<u16>().ok()?.to_string();
    }
    Some(UndoDto {
        until: format!("{} UTC", format::day_time(known.next_deletion_at, at.by.now)),
        before: kept(&form),
        href: preview_address(&at.project, &form),
    })
}

async fn hold_rows(at: &InProject) -> Result<Vec<HoldRow>, UiError> {
    let all = holds::list(&at.by.services, &at.by.actor, at.id).await?;
    let (in_force, released): (Vec<Hold>, Vec<Hold>) = all.into_iter().partition(Hold::is_in_force);
    let shown = in_force.into_iter().chain(released.into_iter().take(RELEASED));
    Ok(shown.map(|hold| hold_row(&hold, at.by.now)).collect())
}

fn hold_row(hold: &Hold, now: DateTime<Utc>) -> HoldRow {
    let day = |at: DateTime<Utc>| format::day(at.date_naive(), now);
    let moment = |at: DateTime<Utc>| format::day_time(at, now);
    let mut note = format!(
        "{} to {} UTC, placed by {} on {}",
        moment(hold.from),
        moment(hold.to),
        hold.placed_by,
        day(hold.placed_at)
    );
    if let (Some(at), Some(who)) = (hold.released_at, &hold.released_by) {
        note = format!("{note}, released by {who} on {}", day(at));
    }
    HoldRow {
        id: hold.id.to_string(),
        name: hold.name.clone(),
        note,
        in_force: hold.is_in_force(),
    }
}

/// The last runs that the viewer may see: those of the instance, or those for this project alone.
async fn last_runs(at: &InProject) -> Result<Vec<RunRow>, UiError> {
    let rules_all = at.by.actor.require_instance().is_ok();
    if !rules_all && !at.project.can_edit {
        return Ok(Vec::new());
    }
    let mut runs = Vec::new();
    for job in JOBS {
        let query = RunQuery {
            job: Some(job.to_owned()),
            state: None,
            project: (!rules_all).then_some(at.id),
            page: PageRequest::first(RUNS),
        };
        runs.extend(jobs::runs(&at.by.services, &at.by.actor, query).await?.items);
    }
    // A run for another project alone says nothing about this one.
    runs.retain(|run| run.input.project.is_none_or(|project| project == at.id));
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    let names = Names::of(&at.by);
    Ok(runs.iter().map(|run| row(run, &names, at.by.now)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> PolicyForm {
        PolicyForm {
            on: true,
            days: "30".to_owned(),
            backup: true,
            storage: "instance".to_owned(),
        }
    }

    #[test]
    fn an_address_with_days_alone_leaves_the_rest_as_it_is() {
        let form = asked("days=7", &saved()).expect("asked");
        assert_eq!((form.days.as_str(), form.on, form.backup), ("7", true, true));
        assert_eq!(kept(&form), "7 days");
        assert_eq!(was(&form, &saved()), "Was 30 days.");
    }

    #[test]
    fn a_whole_form_says_no_by_leaving_a_box_out() {
        let form = asked("form=1&days=30&storage=elsewhere", &saved()).expect("asked");
        assert_eq!(
            (form.on, form.backup, form.storage.as_str()),
            (false, false, "instance")
        );
        assert_eq!(kept(&form), "for ever");
        assert_eq!(asked("saved=retention", &saved()), None);
        assert_eq!(was(&saved(), &saved()), "");
    }
}
