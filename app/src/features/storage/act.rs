//! What the forms of the storage pages do.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::{DateTime, Utc};
use domain::storage::{MASK, OnPremPolicy, ProbeReport, S3Policy, Secret, Sse, StoragePolicy};
use serde::{Deserialize, Serialize};
use services::{
    retention::{self, PolicyChange},
    storage_policies::{self, Origin, Saved, Scope},
    vault::Vault,
};

use super::dto::StorageForm;
use crate::{
    context::{Viewing, in_project, keep_for_next_page, viewing},
    error::{Code, Reason, UiError},
};

/// Key under which a tried form is kept for the next page.
pub const TRIED_KEY: &str = "storage";

/// Fields of the documented JSON, as the form calls them.
const NAMES: &[(&str, &str)] = &[
    ("s3.bucket", "bucket"),
    ("s3.region", "region"),
    ("s3.endpoint", "endpoint"),
    ("s3.prefix", "prefix"),
    ("s3.access_key", "access_key"),
    ("s3.secret_key", "secret_key"),
    ("s3.session_token", "session_token"),
    ("s3.sse", "sse"),
    ("s3.kms_key_id", "kms_key_id"),
    ("on_prem.path", "path"),
    ("backup_enabled", "storage"),
];

/// A form that was tried, with what was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tried {
    /// The form without its secrets; none when the policy in effect was tried.
    pub form: Option<StorageForm>,
    /// What was found.
    pub report: ProbeReport,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it was to be saved and was not.
    pub is_refused: bool,
}

/// Secrets that were typed.
#[derive(Default, Serialize, Deserialize)]
struct Typed {
    secret_key: String,
    session_token: String,
}

/// Whose storage a page is about.
pub struct Subject {
    /// Who looks.
    pub by: Viewing,
    /// Whose.
    pub scope: Scope,
    /// Address of its page.
    pub page: String,
}

impl Subject {
    /// The project with the id in `text`; the instance when that is empty.
    ///
    /// # Errors
    /// When the project does not exist for the viewer.
    pub async fn of(text: &str) -> Result<Self, UiError> {
        if text.is_empty() {
            return Ok(Self {
                by: viewing().await?,
                scope: Scope::Instance,
                page: "/system/storage".to_owned(),
            });
        }
        let at = in_project(text).await?;
        Ok(Self {
            scope: Scope::Project(at.id),
            page: at.project.at("settings/storage"),
            by: at.by,
        })
    }
}

/// Tries a policy out, and saves it unless `mode` is `test`.
///
/// # Errors
/// Names the refused fields; a conflict while the configuration decides.
pub async fn save(project: String, mode: String, form: StorageForm) -> Result<String, UiError> {
    let subject = Subject::of(&project).await?;
    let (services, actor) = (&subject.by.services, &subject.by.actor);
    let typed = typed(&services.vault, &form)?;
    let policy = policy(&form, &typed)?;
    let named = |error: services::Error| UiError::from(error).with_names(NAMES);
    let (report, is_refused) = if mode == "test" {
        let report = storage_policies::test(services, actor, subject.scope, Some(policy))
            .await
            .map_err(named)?;
        (report, false)
    } else {
        let saved = storage_policies::save(services, actor, subject.scope, Origin::Page, policy, false)
            .await
            .map_err(named)?;
        match saved {
            Saved::Done { .. } => return Ok(format!("{}?saved=storage", subject.page)),
            Saved::Unfit(report) => (report, true),
        }
    };
    let form = without_secrets(&services.vault, form, &typed)?;
    let tried = Tried {
        form: Some(form),
        report,
        at: subject.by.now,
        is_refused,
    };
    keep_for_next_page(TRIED_KEY, &tried).await?;
    Ok(format!("{}?tried=1", subject.page))
}

/// Tries out the policy that is in effect.
///
/// # Errors
/// When there is none, or the viewer may not.
pub async fn test_in_effect(project: String) -> Result<String, UiError> {
    let subject = Subject::of(&project).await?;
    let (services, actor) = (&subject.by.services, &subject.by.actor);
    let report = storage_policies::test(services, actor, subject.scope, None).await?;
    let tried = Tried {
        report,
        at: subject.by.now,
        ..Tried::default()
    };
    keep_for_next_page(TRIED_KEY, &tried).await?;
    Ok(format!("{}?tried=1", subject.page))
}

/// Chooses between the instance's storage and the project's own.
///
/// # Errors
/// When the project has no policy of its own, or the viewer may not.
pub async fn choose(project: String, own: bool) -> Result<String, UiError> {
    let at = in_project(&project).await?;
    let change = PolicyChange {
        own_storage: Some(own),
        ..PolicyChange::default()
    };
    retention::save(&at.by.services, &at.by.actor, at.id, &change, None)
        .await
        .map_err(|error| UiError::from(error).with_names(NAMES))?;
    Ok(format!(
        "{}?saved=storage_chosen",
        at.project.at("settings/storage")
    ))
}

/// The secrets that a form brings: typed just now, or before its last test.
fn typed(vault: &Vault, form: &StorageForm) -> Result<Typed, UiError> {
    let mut typed = if form.kept.is_empty() {
        Typed::default()
    } else {
        kept(vault, &form.kept).ok_or_else(|| {
            UiError::with_detail(Code::Stale, "Type the secret key again, then save or test.")
        })?
    };
    let (secret, token) = (form.secret_key.trim(), form.session_token.trim());
    if !secret.is_empty() {
        secret.clone_into(&mut typed.secret_key);
        // A token belongs to its key.
        typed.session_token.clear();
    }
    if !token.is_empty() {
        token.clone_into(&mut typed.session_token);
    }
    Ok(typed)
}

fn kept(vault: &Vault, text: &str) -> Option<Typed> {
    let sealed = STANDARD_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&vault.open(&sealed).ok()?).ok()
}

/// The form as the next page gets it: what was typed in secret is encrypted with the instance's key.
fn without_secrets(vault: &Vault, form: StorageForm, typed: &Typed) -> Result<StorageForm, UiError> {
    let kept = if typed.secret_key.is_empty() && typed.session_token.is_empty() {
        String::new()
    } else {
        let clear = serde_json::to_vec(typed).map_err(|_| UiError::new(Code::Internal))?;
        STANDARD_NO_PAD.encode(vault.seal(&clear)?)
    };
    Ok(StorageForm {
        secret_key: String::new(),
        session_token: String::new(),
        kept,
        ..form
    })
}

/// The policy that a form asks for. Secrets that were not typed are those that are there.
fn policy(form: &StorageForm, typed: &Typed) -> Result<StoragePolicy, UiError> {
    let text = |text: &str| text.trim().to_owned();
    if form.kind == "on_prem" {
        return Ok(StoragePolicy::OnPrem(OnPremPolicy {
            path: text(&form.path),
        }));
    }
    if form.kind != "s3" {
        return Err(UiError::field("kind", Reason::NotOffered));
    }
    let (secret_key, session_token) = match (typed.secret_key.as_str(), typed.session_token.as_str()) {
        ("", "") => (MASK, MASK),
        ("", token) => (MASK, token),
        (secret, token) => (secret, token),
    };
    Ok(StoragePolicy::S3(S3Policy {
        prefix: text(&form.prefix),
        bucket: text(&form.bucket),
        access_key: text(&form.access_key),
        secret_key: Secret::new(secret_key),
        region: text(&form.region),
        session_token: Secret::new(session_token),
        endpoint: text(&form.endpoint),
        path_style: match form.addresses.as_str() {
            "path" => Some(true),
            "host" => Some(false),
            _ => None,
        },
        sse: match form.sse.as_str() {
            "" | "none" => Sse::None,
            "AES256" => Sse::Aes256,
            "aws:kms" => Sse::AwsKms,
            _ => return Err(UiError::field("sse", Reason::NotOffered)),
        },
        kms_key_id: text(&form.kms_key_id),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> StorageForm {
        StorageForm {
            kind: "s3".to_owned(),
            bucket: " longhaul-archive ".to_owned(),
            ..StorageForm::default()
        }
    }

    fn secrets(vault: &Vault, form: &StorageForm) -> (String, String) {
        let typed = typed(vault, form).expect("read");
        let Ok(StoragePolicy::S3(s3)) = policy(form, &typed) else {
            panic!("no bucket");
        };
        assert_eq!(s3.bucket, "longhaul-archive");
        (
            s3.secret_key.expose().to_owned(),
            s3.session_token.expose().to_owned(),
        )
    }

    #[test]
    fn secrets_left_empty_stay_and_a_new_key_comes_without_the_old_token() {
        let vault = Vault::new(&[7; 32]);
        let mask = || MASK.to_owned();
        assert_eq!(secrets(&vault, &form()), (mask(), mask()));
        let new_key = StorageForm {
            secret_key: "k1".to_owned(),
            ..form()
        };
        assert_eq!(secrets(&vault, &new_key), ("k1".to_owned(), String::new()));
        let new_token = StorageForm {
            session_token: "t1".to_owned(),
            ..form()
        };
        assert_eq!(secrets(&vault, &new_token), (mask(), "t1".to_owned()));
    }

    #[test]
    fn secrets_typed_for_a_test_come_back_sealed_and_count_when_saving() {
        let vault = Vault::new(&[7; 32]);
        let filled = StorageForm {
            secret_key: "hidden-secret".to_owned(),
            session_token: "hidden-token".to_owned(),
            ..form()
        };
        let seen = typed(&vault, &filled).expect("read");
        let back = without_secrets(&vault, filled, &seen).expect("sealed");
        assert!(!format!("{back:?}").contains("hidden"));
        let expected = ("hidden-secret".to_owned(), "hidden-token".to_owned());
        assert_eq!(secrets(&vault, &back), expected);
        let forged = StorageForm {
            kept: "bm90IHNlYWxlZA".to_owned(),
            ..form()
        };
        assert_eq!(
            typed(&vault, &forged).map(|_| ()).expect_err("refused").code,
            Code::Stale
        );
    }

    #[test]
    fn what_is_not_offered_is_named() {
        let none = Typed::default();
        let wrong = StorageForm {
            kind: "tape".to_owned(),
            ..form()
        };
        assert!(policy(&wrong, &none).expect_err("refused").of("kind").is_some());
        let folder = StorageForm {
            kind: "on_prem".to_owned(),
            path: "/srv/archive".to_owned(),
            ..form()
        };
        assert_eq!(
            policy(&folder, &none).expect("read").place(),
            "On-premises, /srv/archive"
        );
    }
}
