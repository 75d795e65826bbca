//! From the use cases to the storage pages.

use chrono::{DateTime, Utc};
use domain::storage::{Outcome, ProbeReport, Sse, StoragePolicy};
use services::{
    features,
    storage_policies::{self, Origin, PolicyVersion, Scope, VersionState},
};

use super::{
    act::{Subject, TRIED_KEY, Tried},
    config,
    dto::{ProbeDto, StepRow, StorageDto, StorageForm, VersionRow},
};
use crate::{
    context::{in_project, take_kept},
    error::UiError,
    features::retention::present::feature,
    format::{self, Stamp},
    ui::load::Place,
};

/// What the storage page of the instance, or of the project in `place`, shows.
///
/// # Errors
/// When the viewer may not see it or a store is away.
pub async fn storage(place: Place) -> Result<StorageDto, UiError> {
    let subject = Subject::of(&place.project).await?;
    let (services, actor, now) = (&subject.by.services, &subject.by.actor, subject.by.now);
    let rules_all = actor.require_instance().is_ok();
    let known = storage_policies::get(services, actor, subject.scope).await?;
    let project = match subject.scope {
        Scope::Instance => None,
        Scope::Project(_) => Some(in_project(&place.project).await?.project),
    };
    let newest = known.versions.first();
    let tried: Option<Tried> = take_kept(TRIED_KEY).await?;
    let form = tried
        .as_ref()
        .and_then(|tried| tried.form.clone())
        .unwrap_or_else(|| form_of(newest.map(|version| &version.policy)));
    let (has_secret, has_token) = secrets(newest.map(|version| &version.policy), &form);
    Ok(StorageDto {
        feature: feature(&features::retention_policy(services).await?, &subject.by),
        can_edit: project.as_ref().map_or(rules_all, |project| project.can_edit),
        may_choose_folder: rules_all,
        is_configured: known.is_configured,
        uses_own: known.uses_own,
        place: known.in_effect.map_or_else(String::new, |place| place.place),
        has_secret,
        has_token,
        version: newest.map_or(0, |version| version.version),
        is_refused: tried.as_ref().is_some_and(|tried| tried.is_refused),
        probe: match tried {
            Some(tried) => Some(probe(&tried.report, tried.at, now)),
            None => newest.and_then(|version| {
                let (report, at) = version.probe.as_ref().zip(version.probed_at)?;
                Some(probe(report, at, now))
            }),
        },
        versions: known.versions.iter().map(|version| row(version, now)).collect(),
        json: newest.map_or_else(String::new, |version| config::json(&version.policy)),
        environment: newest.map_or_else(String::new, |version| config::environment(&version.policy)),
        form,
        project,
    })
}

/// Whether a secret key and a session token are there, saved or typed for the last test.
fn secrets(policy: Option<&StoragePolicy>, form: &StorageForm) -> (bool, bool) {
    let typed = !form.kept.is_empty();
    match policy {
        Some(StoragePolicy::S3(s3)) => (
            typed || !s3.secret_key.is_empty(),
            !typed && !s3.session_token.is_empty(),
        ),
        _ => (typed, false),
    }
}

fn form_of(policy: Option<&StoragePolicy>) -> StorageForm {
    let text = |text: &str| text.to_owned();
    match policy {
        None => StorageForm {
            kind: text("s3"),
            sse: text("none"),
            ..StorageForm::default()
        },
        Some(StoragePolicy::OnPrem(folder)) => StorageForm {
            kind: text("on_prem"),
            sse: text("none"),
            path: folder.path.clone(),
            ..StorageForm::default()
        },
        Some(StoragePolicy::S3(s3)) => StorageForm {
            kind: text("s3"),
            bucket: s3.bucket.clone(),
            region: s3.region.clone(),
            endpoint: s3.endpoint.clone(),
            prefix: s3.prefix.clone(),
            access_key: s3.access_key.clone(),
            sse: text(match s3.sse {
                Sse::None => "none",
                Sse::Aes256 => "AES256",
                Sse::AwsKms => "aws:kms",
            }),
            kms_key_id: s3.kms_key_id.clone(),
            addresses: text(match s3.path_style {
                None => "",
                Some(true) => "path",
                Some(false) => "host",
            }),
            ..StorageForm::default()
        },
    }
}

fn probe(report: &ProbeReport, at: DateTime<Utc>, now: DateTime<Utc>) -> ProbeDto {
    let count = |outcome, one: &str, many: &str| match report.count(outcome) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let counts = [
        count(Outcome::Passed, "passed", "passed"),
        count(Outcome::Note, "note", "notes"),
        count(Outcome::Failed, "failed", "failed"),
    ];
    let steps = report.steps.iter().map(|step| StepRow {
        name: step.name.clone(),
        state: match step.outcome {
            Outcome::Passed => "success",
            Outcome::Note => "retry",
            Outcome::Failed => "failure",
        }
        .to_owned(),
        say: step.say.clone(),
        took: format::duration_ms(step.took_ms),
    });
    ProbeDto {
        is_ready: report.is_ready(),
        counts: counts.into_iter().flatten().collect::<Vec<_>>().join(", "),
        at: Stamp::ago(at, now),
        took: format::duration_ms(report.took_ms()),
        steps: steps.collect(),
        remark: report.remark.clone(),
    }
}

fn row(version: &PolicyVersion, now: DateTime<Utc>) -> VersionRow {
    let day = |at: DateTime<Utc>| format::day(at.date_naive(), now);
    let from = match version.origin {
        Origin::Page => "page",
        Origin::Api => "API",
        Origin::Command => "command line",
        Origin::Configuration => "configuration",
    };
    VersionRow {
        version: version.version,
        state: match version.state {
            VersionState::Writing => "writing",
            VersionState::ReadOnly => "read_only",
            VersionState::Empty => "empty",
        }
        .to_owned(),
        place: version.place.clone(),
        origin: format!("{from}, by {}", version.created_by),
        segments: format::count(i64::try_from(version.segments).unwrap_or(i64::MAX)),
        size: format::bytes(version.bytes),
        verified: version
            .verified_at
            .map_or_else(Stamp::default, |at| Stamp::row(at, now)),
        used: match version.replaced_at {
            None => format!("since {}", day(version.created_at)),
            Some(end) => format!("{} to {}", day(version.created_at), day(end)),
        },
    }
}

#[cfg(test)]
mod tests {
    use domain::storage::ProbeStep;

    use super::*;

    #[test]
    fn a_probe_tells_every_step_with_its_outcome_and_time() {
        let step = |outcome, took_ms| ProbeStep {
            name: "Write".to_owned(),
            outcome,
            say: "1 MB".to_owned(),
            took_ms,
        };
        let report = ProbeReport {
            steps: vec![
                step(Outcome::Passed, 18),
                step(Outcome::Passed, 22),
                step(Outcome::Note, 9),
                step(Outcome::Failed, 1),
            ],
            ..ProbeReport::default()
        };
        let shown = probe(&report, DateTime::default(), DateTime::default());
        assert_eq!(shown.counts, "2 passed, 1 note, 1 failed");
        assert_eq!(shown.took, format!("50{}ms", format::NBSP));
        assert!(!shown.is_ready);
        let states: Vec<_> = shown.steps.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(states, ["success", "success", "retry", "failure"]);
    }
}
