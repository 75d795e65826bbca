//! `longhaul doctor`: what keeps this instance from working well, and what to do about it.

use migration::{Migrator, MigratorTrait};
use serde::Serialize;

use super::storage::verdict;
use super::{Failure, Outcome, Output, print_json};
use crate::config::Config;
use crate::wiring;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    /// Whether it is well.
    ok: bool,
    /// What was found, and what to do when it is not well.
    text: String,
}

pub(super) async fn run(config: &Config, format: Output) -> Outcome {
    let mut findings = Vec::new();
    postgres(config, &mut findings).await;
    redis(config, &mut findings).await;
    secrets(config, &mut findings);
    storage(config, &mut findings).await;
    let failed = findings.iter().filter(|finding| !finding.ok).count();
    if format == Output::Json {
        print_json(&findings)?;
    } else {
        for finding in &findings {
            println!(
                "{}  {:<12} {}",
                if finding.ok { "ok  " } else { "FAIL" },
                finding.check,
                finding.text
            );
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::Failed(anyhow::anyhow!(
            "{failed} of {} checks failed",
            findings.len()
        )))
    }
}

async fn postgres(config: &Config, findings: &mut Vec<Finding>) {
    let mut note = |check, ok, text: String| findings.push(Finding { check, ok, text });
    let db = match wiring::database(config) {
        Ok(db) => db,
        Err(error) => return note("postgres", false, format!("{error:#}")),
    };
    match db.server_version().await {
        Err(error) => {
            let cause = std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default();
            return note(
                "postgres",
                false,
                format!("{error}: {cause}. Check database.url and that it runs"),
            );
        }
        Ok(version) if version < 150_000 => {
            note(
                "postgres",
                false,
                format!("version {} is too old, 15 or newer is needed", version / 10_000),
            );
        }
        Ok(version) => note(
            "postgres",
            true,
            format!("version {}.{}", version / 10_000, version % 10_000),
        ),
    }
    match Migrator::get_pending_migrations(db.orm()).await {
        Ok(pending) if pending.is_empty() => note("schema", true, "up to date".to_owned()),
        Ok(pending) => {
            return note(
                "schema",
                false,
                format!("{} steps pending, run `longhaul migrate up`", pending.len()),
            );
        }
        Err(error) => return note("schema", false, error.to_string()),
    }
    match db::partitions::rows_in_default(&db, 10_001).await {
        Ok(rows) => {
            let waiting: i64 = rows.iter().map(|(_, n)| n).sum();
            let text = format!("{waiting} rows wait in default leaves; the scheduler moves them home");
            note(
                "partitions",
                waiting == 0,
                if waiting == 0 {
                    "every row is in its leaf".to_owned()
                } else {
                    text
                },
            );
        }
        Err(error) => note("partitions", false, error.to_string()),
    }
}

async fn redis(config: &Config, findings: &mut Vec<Finding>) {
    let outcome = match wiring::redis(config) {
        Ok(redis) => redis.ping().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    let (ok, text) = match outcome {
        Ok(()) => (true, "answers".to_owned()),
        Err(error) => (
            false,
            format!("{error:#}. Events go the way of PostgreSQL meanwhile; check redis.url"),
        ),
    };
    findings.push(Finding {
        check: "redis",
        ok,
        text,
    });
}

fn secrets(config: &Config, findings: &mut Vec<Finding>) {
    let ok = config.security.encryption_key().is_some();
    let text = if ok {
        "set"
    } else {
        "security.encryption_key is missing; `openssl rand -base64 32` makes one"
    };
    findings.push(Finding {
        check: "secrets",
        ok,
        text: text.to_owned(),
    });
}

/// Tries out where copies lie: what the configuration says, or else the page.
async fn storage(config: &Config, findings: &mut Vec<Finding>) {
    let policy = match config.storage.policy() {
        Some(policy) => Some(policy),
        None => saved_policy(config).await,
    };
    let (ok, text) = match policy {
        Some(policy) => {
            let report = services::storage_policies::probe(&policy).await;
            (
                report.is_ready(),
                format!("{}: {}", policy.place(), verdict(&report)),
            )
        }
        None => (true, "not set; nothing is copied".to_owned()),
    };
    findings.push(Finding {
        check: "storage",
        ok,
        text,
    });
}

/// What the page says; `None` as well when that cannot be read, which other findings tell.
async fn saved_policy(config: &Config) -> Option<domain::storage::StoragePolicy> {
    let services = wiring::services(config, wiring::clock(config)).ok()?;
    let scope = services::storage_policies::Scope::Instance;
    let newest = services::storage_policies::newest(&services, scope).await.ok()?;
    newest.map(|newest| newest.policy)
}
