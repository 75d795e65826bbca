use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use domain::id::{ProjectId, RunId};
use serde_json::json;
use services::jobs::{
    self, Counts, Job, JobContext, JobInput, Leader, Run, RunQuery, RunState, Schedule, Takes, Trigger,
};
use services::page::PageRequest;
use services::{Error, Services};

use crate::world::{World, refused_names};

/// A job that does nothing, every ten minutes.
const IDLE: Job = Job {
    name: "idle",
    title: "Idle",
    say: "Does nothing.",
    schedule: |_| Schedule::Every(TimeDelta::minutes(10)),
    quiet: true,
    takes: Takes::NOTHING,
    work: |_| Box::pin(async { Counts::of(&json!({"rows": 0})) }),
};

/// Tells what it was asked for.
const ECHO: Job = Job {
    name: "echo",
    quiet: false,
    takes: Takes::EVERYTHING,
    work: |context: JobContext| {
        Box::pin(async move {
            let at = context.at.to_rfc3339();
            Counts::of(&json!({"at": at, "dry_run": context.input.dry_run, "fence": context.fence}))
        })
    },
    ..IDLE
};
/// Tells how far it is and then never ends.
const ENDLESS: Job = Job {
    name: "endless",
    work: |context: JobContext| {
        Box::pin(async move {
            context.progress.tell(3, 12, "Checkout, 19 Nov").await;
            std::future::pending().await
        })
    },
    ..IDLE
};
const FAILING: Job = Job {
    name: "failing",
    work: |_| Box::pin(async { Err(Error::Conflict("the bucket is gone".to_owned())) }),
    ..IDLE
};
const PANICKING: Job = Job {
    name: "panicking",
    work: |_| Box::pin(async { panic!("a mistake") }),
    ..IDLE
};

async fn ask(world: &World, job: &'static Job, input: JobInput) -> services::Result<Run> {
    jobs::run_now(&world.services, &world.system, job, input).await
}

async fn read(world: &World, id: RunId) -> Run {
    jobs::run(&world.services, &world.system, id)
        .await
        .expect("a run")
}

async fn history(world: &World, job: &str) -> Vec<Run> {
    let query = RunQuery {
        job: Some(job.to_owned()),
        page: PageRequest::first(100),
        ..RunQuery::default()
    };
    jobs::runs(&world.services, &world.system, query)
        .await
        .expect("runs")
        .items
}

/// Starts what is due and waits until it has ended.
async fn round(world: &World, jobs: &'static [Job]) -> Vec<&'static str> {
    let started = jobs::start_due(&world.services, jobs).await.expect("started");
    let running = RunQuery {
        state: Some(RunState::Running),
        ..RunQuery::default()
    };
    for _ in 0..600 {
        let page = jobs::runs(&world.services, &world.system, running.clone())
            .await
            .expect("runs");
        if page.items.is_empty() {
            return started;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a run does not end");
}

/// Waits until a run has told how far it is.
async fn told(world: &World, id: RunId) -> Run {
    for _ in 0..600 {
        let run = read(world, id).await;
        if run.progress.is_some() {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no progress");
}

#[tokio::test]
async fn a_run_is_written_down_with_what_it_did_and_who_asked_for_it() {
    let world = World::new().await;
    let now = world.services.clock.now();
    let run = ask(&world, &ECHO, JobInput::default()).await.expect("ran");
    assert_eq!(
        (run.state, run.trigger, run.job.as_str()),
        (RunState::Done, Trigger::Manual, "echo")
    );
    assert_eq!(run.counts["dry_run"], json!(false));
    assert!(run.started_at >= now && run.ended_at.is_some_and(|end| end >= run.started_at));
    assert!(run.error.is_none());

    let query = services::audit::AuditQuery {
        action: Some("job".to_owned()),
        ..services::audit::AuditQuery::default()
    };
    let rows = services::audit::list(&world.services, &world.system, query)
        .await
        .expect("listed");
    let [row] = rows.items.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(
        (row.action.as_str(), row.subject.as_str(), row.subject_id),
        ("job.started", "echo", Some(run.id.0))
    );
}

#[tokio::test]
async fn a_run_acts_for_the_moment_and_the_project_that_it_is_asked_for() {
    let world = World::new().await;
    let as_of = world.services.clock.now() + TimeDelta::days(3);
    let input = JobInput {
        dry_run: true,
        as_of: Some(as_of),
        project: Some(world.project),
    };
    let run = ask(&world, &ECHO, input.clone()).await.expect("ran");
    assert_eq!(run.counts["at"], json!(as_of.to_rfc3339()));
    let again = read(&world, run.id).await;
    assert_eq!(again.input.dry_run, input.dry_run);
    assert_eq!(again.input.project, input.project);

    let of_project = RunQuery {
        project: Some(world.project),
        ..RunQuery::default()
    };
    let admin = world.key_holder().await;
    let page = jobs::runs(&world.services, &admin, of_project.clone())
        .await
        .expect("an admin of the project sees its runs");
    assert_eq!(page.items.len(), 1);
    let stranger = world.stranger().await;
    let foreign = jobs::runs(&world.services, &stranger, of_project).await;
    assert!(matches!(foreign, Err(Error::Forbidden(_))), "{foreign:?}");
}

#[tokio::test]
async fn only_an_instance_admin_sees_and_starts_jobs() {
    let world = World::new().await;
    let admin = world.key_holder().await;
    let done = ask(&world, &ECHO, JobInput::default()).await.expect("ran");
    let services = &world.services;
    let listed = jobs::list(services, &admin).await.map(drop);
    let all = jobs::runs(services, &admin, RunQuery::default()).await.map(drop);
    let one = jobs::run(services, &admin, done.id).await.map(drop);
    let started = jobs::start(services, &admin, &ECHO, JobInput::default())
        .await
        .map(drop);
    for answer in [listed, all, one, started] {
        assert!(matches!(answer, Err(Error::Forbidden(_))), "{answer:?}");
    }
    assert_eq!(history(&world, "echo").await.len(), 1);
}

#[tokio::test]
async fn a_job_refuses_what_it_does_not_take_and_the_future() {
    let world = World::new().await;
    let now = world.services.clock.now();
    let input = JobInput {
        dry_run: true,
        as_of: Some(now),
        project: Some(world.project),
    };
    let answer = ask(&world, &IDLE, input).await;
    assert_eq!(refused_names(answer), ["as_of", "dry_run", "project"]);
    let early = JobInput {
        as_of: Some(now + TimeDelta::minutes(1)),
        project: Some(ProjectId(RunId::at(now).0)),
        ..JobInput::default()
    };
    assert_eq!(
        refused_names(ask(&world, &ECHO, early).await),
        ["as_of", "project"]
    );
    assert!(history(&world, "echo").await.is_empty());
}

#[tokio::test]
async fn a_job_never_runs_twice_at_once_and_each_run_has_a_higher_fence() {
    let world = World::new().await;
    let (services, system) = (&world.services, &world.system);
    let first = jobs::start(services, system, &ENDLESS, JobInput::default())
        .await
        .expect("started");
    let second = jobs::start(services, system, &ENDLESS, JobInput::default()).await;
    assert!(matches!(second, Err(Error::Conflict(_))), "{second:?}");
    let scheduled = jobs::start_due(services, &[ENDLESS]).await.expect("looked");
    assert!(scheduled.is_empty(), "{scheduled:?}");
    assert_eq!(history(&world, "endless").await.len(), 1);

    let run = told(&world, first).await;
    let progress = run.progress.expect("told");
    assert_eq!(
        (progress.done, progress.total, progress.at.as_str()),
        (3, 12, "Checkout, 19 Nov")
    );

    let one = ask(&world, &ECHO, JobInput::default()).await.expect("ran");
    let two = ask(&world, &ECHO, JobInput::default()).await.expect("ran");
    assert!(two.counts["fence"].as_i64() > one.counts["fence"].as_i64());
}

#[tokio::test]
async fn what_a_job_fails_with_stands_in_its_run_even_when_it_panics() {
    let world = World::new().await;
    let run = ask(&world, &FAILING, JobInput::default()).await.expect("ran");
    assert_eq!(
        (run.state, run.error.as_deref()),
        (RunState::Failed, Some("the bucket is gone"))
    );
    for _ in 0..2 {
        // The second time shows that the lease was given back.
        let run = ask(&world, &PANICKING, JobInput::default()).await.expect("ran");
        assert_eq!(run.state, RunState::Failed);
        assert!(run.error.is_some_and(|error| error.contains("panicked")));
    }
}

#[tokio::test]
async fn a_run_whose_process_died_is_ended_and_others_are_left_alone() {
    let world = World::new().await;
    let db = &world.services.db;
    let now = world.services.clock.now();
    let row = |id: RunId, job: &'static str| db::runs::NewRun {
        id,
        job,
        trigger: "schedule",
        input: json!({}),
        project: None,
        as_of: None,
        started_at: now,
    };
    let (dead, taken_over, alive) = (RunId::at(now), RunId::at(now), RunId::at(now));
    let lease = db::runs::lease_of;
    let minute = Duration::from_mins(1);
    db::runs::start(db, row(dead, "a")).await.expect("a row");
    db::leases::acquire(db, &lease("b"), &alive.to_string(), minute)
        .await
        .expect("a lease");
    db::runs::start(db, row(taken_over, "b")).await.expect("a row");
    db::runs::start(db, row(alive, "b")).await.expect("a row");

    assert_eq!(jobs::fail_dead(&world.services).await.expect("swept"), 2);
    for id in [dead, taken_over] {
        let run = read(&world, id).await;
        assert_eq!(run.state, RunState::Failed);
        assert!(run.error.is_some_and(|error| error.contains("died")));
        assert!(run.ended_at.is_some());
    }
    assert_eq!(read(&world, alive).await.state, RunState::Running);
    assert_eq!(jobs::fail_dead(&world.services).await.expect("swept"), 0);
}

#[tokio::test]
async fn work_ends_when_somebody_else_has_the_lease() {
    let world = World::new().await;
    let (services, db) = (&world.services, &world.services.db);
    let id = jobs::start(services, &world.system, &ENDLESS, JobInput::default())
        .await
        .expect("started");
    let name = db::runs::lease_of("endless");
    db::leases::release(db, &name, &id.to_string())
        .await
        .expect("ended");
    let other = db::leases::acquire(db, &name, "somebody else", Duration::from_mins(5)).await;
    assert!(other.expect("asked").is_some());
    for _ in 0..1500 {
        let run = read(&world, id).await;
        if run.state == RunState::Failed {
            assert!(run.error.is_some_and(|error| error.contains("lease")));
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it goes on without a lease");
}

#[tokio::test]
async fn stopping_the_process_ends_its_runs_in_order() {
    let world = World::new().await;
    let (services, system) = (&world.services, &world.system);
    let id = jobs::start(services, system, &ENDLESS, JobInput::default())
        .await
        .expect("started");
    services.jobs.close().await;
    let run = read(&world, id).await;
    assert_eq!(
        (run.state, run.error.as_deref()),
        (RunState::Failed, Some("the process was stopped"))
    );
}

#[tokio::test]
async fn the_schedule_goes_by_the_runs_and_the_clock_of_the_product() {
    const TABLE: &[Job] = &[
        IDLE,
        Job {
            name: "daily",
            schedule: |options| Schedule::DailyAt(options.lifecycle.backup_at),
            work: |_| Box::pin(async { Counts::of(&json!({"rows": 1})) }),
            ..IDLE
        },
    ];
    let world = World::new().await;
    assert_eq!(
        world.services.options.lifecycle.backup_at,
        NaiveTime::from_hms_opt(0, 15, 0).expect("a time")
    );
    assert_eq!(
        round(&world, TABLE).await,
        ["idle", "daily"],
        "what never ran is due"
    );
    assert!(round(&world, TABLE).await.is_empty());
    world.advance(TimeDelta::minutes(11));
    assert_eq!(round(&world, TABLE).await, ["idle"]);
    // 12:00 and three days later: three times were missed, one run makes up for them.
    world.advance(TimeDelta::days(3));
    assert_eq!(round(&world, TABLE).await, ["idle", "daily"]);
    assert!(round(&world, TABLE).await.is_empty());
    assert_eq!(history(&world, "daily").await.len(), 2);
    // A clock that was set back holds nothing up, and nothing runs again and again.
    world.advance(TimeDelta::days(-30));
    assert_eq!(round(&world, TABLE).await, ["idle", "daily"]);
    assert!(round(&world, TABLE).await.is_empty());
}

#[tokio::test]
async fn a_run_that_a_person_asked_for_moves_no_schedule() {
    let world = World::new().await;
    ask(&world, &IDLE, JobInput::default()).await.expect("ran");
    assert_eq!(round(&world, &[IDLE]).await, ["idle"]);
}

#[tokio::test]
async fn of_quiet_runs_in_a_row_that_changed_nothing_the_last_one_is_kept() {
    let world = World::new().await;
    for _ in 0..4 {
        assert_eq!(round(&world, &[IDLE]).await, ["idle"]);
        world.advance(TimeDelta::minutes(10));
    }
    let kept = history(&world, "idle").await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    ask(&world, &IDLE, JobInput::default()).await.expect("ran");
    assert_eq!(round(&world, &[IDLE]).await, ["idle"]);
    let triggers: Vec<Trigger> = history(&world, "idle")
        .await
        .iter()
        .map(|run| run.trigger)
        .collect();
    assert_eq!(
        triggers,
        [Trigger::Schedule, Trigger::Manual, Trigger::Schedule],
        "what a person asked for stays"
    );
}

#[tokio::test]
async fn every_job_of_the_product_runs_and_is_listed_with_its_times() {
    let world = World::new().await;
    let before = jobs::list(&world.services, &world.system).await.expect("listed");
    let now = world.services.clock.now();
    assert!(before.iter().all(|view| view.last.is_none()));
    assert!(before.iter().all(|view| view.next.is_none_or(|next| next <= now)));
    round(&world, jobs::ALL).await;
    for view in jobs::list(&world.services, &world.system).await.expect("listed") {
        if view.schedule == Schedule::OnRequest {
            continue;
        }
        let last = view.last.expect("it ran");
        assert_eq!(
            (last.state, last.error),
            (RunState::Done, None),
            "{}",
            view.job.name
        );
        assert!(last.counts.is_object(), "{}", view.job.name);
        assert!(
            view.next.is_some_and(|next| next > last.started_at),
            "{}",
            view.job.name
        );
    }
}

#[tokio::test]
async fn a_clock_that_ran_ahead_leaves_no_lease_behind_that_outlives_its_term() {
    let world = World::new().await;
    let services: &Services = &world.services;
    world.advance(TimeDelta::days(400));
    let ahead = Leader::new(services);
    assert!(ahead.lead().await.expect("asked"));
    ahead.resign().await;
    world.advance(TimeDelta::days(-400));
    assert!(Leader::new(services).lead().await.expect("asked"));

    let db = &services.db;
    let take = async |who: &str, term| db::leases::acquire(db, "x", who, term).await.expect("asked");
    assert_eq!(take("a", Duration::from_mins(1)).await, Some(1));
    assert_eq!(take("b", Duration::from_mins(1)).await, None, "it is held");
    assert_eq!(
        take("a", Duration::ZERO).await,
        Some(1),
        "renewed, and over at once"
    );
    assert_eq!(take("b", Duration::from_mins(1)).await, Some(2));
    assert_eq!(take("a", Duration::from_mins(1)).await, None);
}
