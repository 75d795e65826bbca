//! Every job, in the order in which pages list them.

use chrono::TimeDelta;
use serde_json::json;

use super::{Counts, Job, JobContext, Schedule, Takes};
use crate::archive::maintain;
use crate::conversion::Direction;
use crate::error::Result;
use crate::partitions;

/// Of a job that can find out only what it would do.
const DRY_RUN: Takes = Takes {
    dry_run: true,
    as_of: false,
    project: false,
};

/// Every job.
pub const ALL: &[Job] = &[
    Job {
        name: "keep_partitions_ahead",
        title: "Keep partitions ahead",
        say: "Makes the partitions of the days to come and moves rows home that arrived before theirs existed.",
        schedule: |_| Schedule::Every(TimeDelta::minutes(10)),
        quiet: true,
        takes: Takes::NOTHING,
        work: |context| Box::pin(keep_partitions_ahead(context)),
    },
    Job {
        name: "backup",
        title: "Back up",
        say: "Copies every ended day of projects with backup into the archive and reads it back.",
        schedule: |options| Schedule::DailyAt(options.lifecycle.backup_at),
        quiet: false,
        takes: Takes::EVERYTHING,
        work: |context| Box::pin(async move { Counts::of(&crate::backup::run(&context).await?) }),
    },
    Job {
        name: "deletion",
        title: "Delete",
        say: "Drops the leaves whose period is over, once the archive holds what it has to hold of them.",
        schedule: |options| Schedule::DailyAt(options.lifecycle.deletion_at),
        quiet: false,
        takes: Takes {
            dry_run: true,
            as_of: true,
            project: false,
        },
        work: |context| Box::pin(async move { Counts::of(&crate::deletion::run(&context).await?) }),
    },
    Job {
        name: "erase",
        title: "Erase",
        say: "Removes what erasures mean from PostgreSQL and from every object of the archive.",
        schedule: |_| Schedule::Every(TimeDelta::minutes(1)),
        quiet: true,
        takes: Takes {
            dry_run: false,
            as_of: false,
            project: true,
        },
        work: |context| Box::pin(async move { Counts::of(&crate::erasure::run(&context).await?) }),
    },
    Job {
        name: "scrub",
        title: "Scrub the archive",
        say: "Looks at every object of the archive and reads back those that were not read for the longest time.",
        schedule: |_| Schedule::Every(TimeDelta::hours(12)),
        quiet: false,
        takes: Takes::NOTHING,
        work: |context| Box::pin(async move { Counts::of(&maintain::scrub::run(&context).await?) }),
    },
    Job {
        name: "sweep",
        title: "Sweep the archive",
        say: "Removes objects of the archive that nobody reads any more and adopts those that the index does not know.",
        schedule: |_| Schedule::Every(TimeDelta::days(1)),
        quiet: false,
        takes: DRY_RUN,
        work: |context| Box::pin(async move { Counts::of(&maintain::sweep::run(&context).await?) }),
    },
    Job {
        name: "rebuild_index",
        title: "Rebuild the index of the archive",
        say: "Makes the index of segments from the objects themselves, where it does not know them.",
        schedule: |_| Schedule::OnRequest,
        quiet: false,
        takes: DRY_RUN,
        work: |context| Box::pin(async move { Counts::of(&maintain::reconcile::run(&context).await?) }),
    },
    Job {
        name: "reclass",
        title: "Move rows to their class",
        say: "Moves rows to the class they belong to after a project's retention or holds have changed.",
        schedule: |_| Schedule::Every(TimeDelta::minutes(1)),
        quiet: true,
        takes: Takes::NOTHING,
        work: |context| Box::pin(reclass(context)),
    },
    Job {
        name: "forget_idempotency_keys",
        title: "Forget idempotency keys",
        say: "Removes the keys of events that are no longer kept.",
        schedule: |_| Schedule::Every(TimeDelta::hours(1)),
        quiet: true,
        takes: Takes::NOTHING,
        work: |context| Box::pin(forget_idempotency_keys(context)),
    },
    Job {
        name: "forget_expired_sign_ins",
        title: "Forget expired sign-ins",
        say: "Removes sessions that have ended and failed sign-ins that no longer count.",
        schedule: |_| Schedule::Every(TimeDelta::hours(1)),
        quiet: true,
        takes: Takes::NOTHING,
        work: |context| Box::pin(forget_expired_sign_ins(context)),
    },
    Job {
        name: "partition_tables",
        title: "Split tables into days",
        say: "Converts hot tables that are one heap into days and leaves, one after the other, while they are in use.",
        schedule: |_| Schedule::OnRequest,
        quiet: false,
        takes: Takes::NOTHING,
        work: |context| Box::pin(partitions::convert(context, Direction::Partition)),
    },
    Job {
        name: "unpartition_tables",
        title: "Join days into one heap",
        say: "Converts hot tables back into one heap each, one after the other, while they are in use.",
        schedule: |_| Schedule::OnRequest,
        quiet: false,
        takes: Takes::NOTHING,
        work: |context| Box::pin(partitions::convert(context, Direction::Unpartition)),
    },
];

async fn keep_partitions_ahead(context: JobContext) -> Result<Counts> {
    // A table whose conversion died would wait for somebody to notice.
    crate::conversion::settle_dead(&context.services).await?;
    Counts::of(&partitions::keep_ahead(&context.services).await?)
}

async fn reclass(context: JobContext) -> Result<Counts> {
    Counts::of(&partitions::reclass(&context.services).await?)
}

async fn forget_idempotency_keys(context: JobContext) -> Result<Counts> {
    let keys = crate::ingest::forget_idempotency_keys(&context.services).await?;
    Counts::of(&json!({ "keys": keys }))
}

async fn forget_expired_sign_ins(context: JobContext) -> Result<Counts> {
    let sessions = crate::sessions::delete_expired(&context.services).await?;
    let sign_ins = crate::sign_in::forget_expired(&context.services).await?;
    Counts::of(&json!({ "sessions": sessions, "failed_sign_ins": sign_ins }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_an_address() {
        for (i, job) in ALL.iter().enumerate() {
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(job.name.chars().all(plain), "{}", job.name);
            assert!(
                ALL[..i].iter().all(|other| other.name != job.name),
                "{}",
                job.name
            );
            assert!(job.say.ends_with('.'), "{}", job.name);
        }
    }
}
