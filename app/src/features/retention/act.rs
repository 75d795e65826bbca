//! What the forms of the retention page do.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    lifecycle::{next_day, start_of},
    run::parse_moment,
};
use services::{
    features,
    holds::{self, NewHold},
    retention::{self, PolicyChange},
};
use url::form_urlencoded::Serializer;

use super::dto::{HoldForm, PolicyForm};
use crate::{
    context::{InProject, in_project, parse_id, viewing},
    error::{Code, Reason, UiError},
    features::common::ProjectRef,
};

/// Fields of the use cases, as the form calls them.
const NAMES: &[(&str, &str)] = &[
    ("days", "days"),
    ("backup_enabled", "backup"),
    ("own_storage", "storage"),
    ("confirm", "confirm"),
];

/// The change that a form asks for.
pub fn change_of(form: &PolicyForm) -> PolicyChange {
    PolicyChange {
        on: Some(form.on),
        days: Some(form.days.clone()),
        backup: Some(form.backup),
        own_storage: (!form.storage.is_empty()).then(|| form.storage == "own"),
    }
}

/// The address of the form with these values and what they would do.
pub fn preview_address(project: &ProjectRef, form: &PolicyForm) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("form", "1").append_pair("days", &form.days);
    if form.on {
        query.append_pair("on", "true");
    }
    if form.backup {
        query.append_pair("backup", "true");
    }
    query.append_pair("storage", &form.storage);
    format!("{}?{}", project.at("settings/retention"), query.finish())
}

/// Saves the policy, or shows what it would do.
///
/// # Errors
/// Names the refused fields.
pub async fn save(
    project: String,
    mode: String,
    form: PolicyForm,
    confirm: String,
) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let (services, actor) = (&at.by.services, &at.by.actor);
    let change = change_of(&form);
    let named = |error: services::Error| UiError::from(error).with_names(NAMES);
    let preview = format!("{}#pv", preview_address(&at.project, &form));
    if mode == "preview" {
        retention::preview(services, actor, at.id, &change)
            .await
            .map_err(named)?;
        return Ok(preview);
    }
    let before = retention::get(services, actor, at.id).await?.policy;
    match retention::save(services, actor, at.id, &change, Some(&confirm)).await {
        Ok(saved) => {
            // The page takes nothing but this word or a number out of the address.
            let undo = match (saved.undo_until, before.on) {
                (None, _) => String::new(),
                (Some(_), false) => "&undo=off".to_owned(),
                (Some(_), true) => format!("&undo={}", before.days),
            };
            Ok(format!("{}{undo}", saved_address(&at, "retention")))
        }
        Err(services::Error::Invalid(fields))
            if confirm.trim().is_empty() && fields.iter().all(|f| f.field == "confirm") =>
        {
            Ok(preview)
        }
        Err(error) => Err(named(error)),
    }
}

fn saved_address(at: &InProject, code: &str) -> String {
    format!("{}?saved={code}", at.project.at("settings/retention"))
}

/// Places a hold.
///
/// # Errors
/// Names the refused fields.
pub async fn place_hold(project: String, form: HoldForm) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let (from, to) = window(&form)?;
    let new = NewHold {
        name: form.name,
        from,
        to,
    };
    holds::place(&at.by.services, &at.by.actor, at.id, new)
        .await
        .map_err(|e| UiError::from(e).with_names(&[("name", "name"), ("to", "to")]))?;
    Ok(saved_address(&at, "hold"))
}

/// The window of a hold; a day stands for all of it.
fn window(form: &HoldForm) -> Result<(DateTime<Utc>, DateTime<Utc>), UiError> {
    let say = "Enter a day or an instant such as 2026-11-20 or 2026-11-20T02:15:00Z";
    let mut wrong = UiError::new(Code::Invalid);
    let mut read = |name: &str, moment: Option<DateTime<Utc>>| {
        moment.unwrap_or_else(|| {
            wrong = wrong.clone().and(name, Reason::Refused, say);
            DateTime::default()
        })
    };
    let (from, to) = (form.from.trim(), form.to.trim());
    let end = match to.parse::<NaiveDate>() {
        Ok(day) => Some(start_of(next_day(day))),
        Err(_) => parse_moment(to),
    };
    let window = (read("from", parse_moment(from)), read("to", end));
    if wrong.fields.is_empty() {
        Ok(window)
    } else {
        Err(wrong)
    }
}

/// Releases a hold.
///
/// # Errors
/// A conflict when it was released before.
pub async fn release_hold(project: String, hold: String) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    holds::release(&at.by.services, &at.by.actor, at.id, parse_id(&hold)?).await?;
    Ok(saved_address(&at, "hold_released"))
}

/// Turns deletion on or off for the whole instance.
///
/// # Errors
/// When the viewer does not rule the instance; a conflict when the configuration decides.
pub async fn turn_deletion(on: bool, project: String) -> Result<String, UiError> {
    let code = if on { "deletion_on" } else { "deletion_off" };
    if project.is_empty() {
        let by = viewing().await?;
        features::set_retention_policy(&by.services, &by.actor, on).await?;
        return Ok(format!("/system/storage?saved={code}"));
    }
    let at = in_project(&project).await?;
    features::set_retention_policy(&at.by.services, &at.by.actor, on).await?;
    Ok(saved_address(&at, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(from: &str, to: &str) -> HoldForm {
        HoldForm {
            name: "Chargeback".to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn the_last_day_of_a_hold_counts_whole_and_an_instant_as_it_is() {
        let told = |form: &HoldForm| {
            let (from, to) = window(form).expect("a window");
            (from.to_rfc3339(), to.to_rfc3339())
        };
        let (from, to) = told(&hold("2026-11-02", " 2026-11-09 "));
        assert_eq!(from, "2026-11-02T00:00:00+00:00");
        assert_eq!(to, "2026-11-10T00:00:00+00:00");
        let (_, to) = told(&hold("2026-11-02", "2026-11-09T12:00:00Z"));
        assert_eq!(to, "2026-11-09T12:00:00+00:00");
        let wrong = window(&hold("soon", "later")).expect_err("refused");
        assert!(wrong.of("from").is_some() && wrong.of("to").is_some());
    }

    #[test]
    fn the_address_of_a_preview_holds_every_value_of_the_form() {
        let project = ProjectRef {
            id: "p".to_owned(),
            ..ProjectRef::default()
        };
        let form = PolicyForm {
            on: true,
            days: "7 d".to_owned(),
            backup: false,
            storage: "own".to_owned(),
        };
        assert_eq!(
            preview_address(&project, &form),
            "/projects/p/settings/retention?form=1&days=7+d&on=true&storage=own"
        );
        assert_eq!(change_of(&form).backup, Some(false));
        assert_eq!(change_of(&form).own_storage, Some(true));
    }
}
