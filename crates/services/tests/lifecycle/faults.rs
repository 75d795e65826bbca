//! One fault at every call of backup and deletion, to PostgreSQL and to the store: no event is lost,
//! none is there twice, and the next run puts everything right.

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Days, NaiveDate};
use domain::id::{EventId, StoragePolicyId};
use domain::run::RunState;
use serde::Deserialize;
use serde_json::value::RawValue;
use services::Services;
use services::access::Actor;
use services::jobs::{Job, JobInput};
use services::vault::Vault;
use storage::ObjectStore;
use testkit::TestS3;
use testkit::db::Db;
use testkit::db::pool::DbOptions;
use testkit::object_store::Fault;

use crate::wire::{Break, Wire};
use crate::world::World;

/// Events of a day.
const EVENTS: usize = 3;
/// Days that are looked at after each fault; everything is at the end.
const BACK: Days = Days::new(4);
/// Most faults of one day.
const STRIKES: usize = 6;
/// Messages between two faults in the wire. Statements take two messages as a rule: odd, so that either
/// is hit.
const STEP: u64 = 13;
/// How long another process works alone while one stands still, unless what it waits for is locked.
const ALONE: Duration = Duration::from_millis(400);

/// Backup and deletion, once each, whatever comes of them.
async fn cycle(services: &Arc<Services>) {
    for job in ["backup", "deletion"] {
        let job = Job::called(job).expect("a job");
        let run = services::jobs::run_now(services, &Actor::system(), job, JobInput::default()).await;
        tracing::debug!(?run, "run");
    }
}

/// A process of its own whose wire to PostgreSQL breaks.
struct Victim {
    services: Arc<Services>,
    wire: Wire,
}

impl Victim {
    async fn of(world: &World) -> Self {
        let wire = Wire::to(world.gateway.database_url()).await;
        let options = DbOptions {
            max_connections: 4,
            acquire_timeout: Duration::from_millis(700),
            ..DbOptions::new(&wire.url)
        };
        let ours = &world.gateway.services;
        let services = Services::new(
            Db::connect_lazy(&options).expect("a pool"),
            ours.queues.clone(),
            Arc::clone(&ours.clock),
            Vault::new(&[7; 32]),
            ours.options.clone(),
        );
        Self {
            services: Arc::new(services),
            wire,
        }
    }

    /// Works until the wire breaks, and on if it can; whether it broke.
    async fn work(self, world: &World, number: u64, kind: Break) -> bool {
        self.wire.break_at(number, kind);
        let mut work = pin!(cycle(&self.services));
        let is_broken = tokio::select! {
            () = &mut work => false,
            () = self.wire.broken() => true,
        };
        match (is_broken, kind) {
            (true, Break::Pause) => {
                end_leases(world).await;
                let mut rival = pin!(cycle(&world.gateway.services));
                let is_done = tokio::time::timeout(ALONE, &mut rival).await.is_ok();
                self.wire.go_on();
                if is_done {
                    work.await;
                } else {
                    tokio::join!(rival, work);
                }
            }
            (true, _) => self.services.jobs.close().await,
            (false, _) => {}
        }
        self.wire.is_hit()
    }
}

/// The terms of leases whose holders died are over.
async fn end_leases(world: &World) {
    // One that a process is just about to take is its.
    let sql = "UPDATE leases SET expires_at = clock_timestamp() WHERE name IN \
               (SELECT name FROM leases WHERE name LIKE 'job:%' FOR UPDATE SKIP LOCKED)";
    world.sql(sql).await;
}

/// The next run of each job, by a process that is well.
async fn recover(world: &World) {
    end_leases(world).await;
    for job in ["backup", "deletion"] {
        let run = world.run(job).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
    }
}

#[derive(Deserialize)]
struct Row<'a> {
    uid: EventId,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Events of the objects that count, read by a tool that knows nothing of segments.
async fn archived(world: &World, since: NaiveDate) -> BTreeMap<EventId, String> {
    let services = &world.gateway.services;
    let objects = world
        .sql(&format!(
            "SELECT policy_id || ' ' || object_key FROM segments \
             WHERE state IN ('committed', 'rewriting') AND kind = 0 AND day >= '{since}'"
        ))
        .await;
    let mut events = BTreeMap::new();
    for object in objects {
        let (policy, key) = object.split_once(' ').expect("two columns");
        let policy = StoragePolicyId(policy.parse().expect("an id"));
        let store = services::storage_policies::store_for(services, policy)
            .await
            .expect("a store");
        for (id, data) in unpack(store.as_ref(), key).await {
            let seen = events.insert(id, data);
            assert!(seen.is_none(), "{id} is in the archive twice");
        }
    }
    events
}

async fn unpack(store: &dyn ObjectStore, key: &str) -> Vec<(EventId, String)> {
    let object = store.get(key, None).await.expect("an object");
    let bytes = object.bytes().await.expect("its bytes");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    let input = std::fs::File::open(file.path()).expect("the file");
    let output = Command::new("gunzip")
        .arg("-c")
        .stdin(input)
        .output()
        .expect("gunzip runs");
    assert!(output.status.success(), "{key}");
    let rows: Vec<Row<'_>> = serde_json::from_slice(&output.stdout).expect("one JSON array");
    rows.iter()
        .map(|row| (row.uid, row.data.get().to_owned()))
        .collect()
}

/// Compares every event since `since` with PostgreSQL, the archive and the API.
async fn check(world: &World, since: NaiveDate, what: &str) {
    let accepted = world.accepted_since(since);
    let (hot, archived) = (world.hot().await, archived(world, since).await);
    for (id, data) in &accepted {
        assert!(
            hot.contains(id) || archived.contains_key(id),
            "{what}: {id} is lost"
        );
        if let Some(copy) = archived.get(id) {
            assert_eq!(copy, data, "{what}: {id}");
        }
    }
    assert!(archived.keys().all(|id| accepted.contains_key(id)), "{what}");
    assert!(
        world.readable(since).await == accepted,
        "{what}: the API shows something else"
    );
    // A day is kept for one day behind its own.
    let first_hot = world.today() - Days::new(1);
    for id in accepted.keys() {
        assert_eq!(
            hot.contains(id),
            id.day() >= first_hot,
            "{what}: {id} of {}",
            id.day()
        );
    }
}

/// Lives through days whose jobs are struck by one fault after the other, until a cycle gets through,
/// and then run undisturbed. Returns how many faults there were.
async fn sweep<F>(
    world: &mut World,
    faults: impl IntoIterator<Item = F>,
    mut strike: impl AsyncFnMut(&World, &F) -> bool,
) -> usize
where
    F: std::fmt::Debug,
{
    let (mut faults, mut made) = (faults.into_iter().peekable(), 0);
    while faults.peek().is_some() {
        world.send(EVENTS).await;
        world.next_day().await;
        let mut struck = Vec::new();
        while struck.len() < STRIKES
            && let Some(fault) = faults.peek()
        {
            if strike(world, fault).await {
                struck.extend(faults.next());
                continue;
            }
            // Too little was left to do for it; on a fresh day, there is never so much.
            if struck.is_empty() {
                faults.next();
            }
            break;
        }
        made += struck.len();
        recover(world).await;
        check(world, world.today() - BACK, &format!("{struck:?}")).await;
    }
    let first = world.accepted.keys().next().expect("events").day();
    check(world, first, "in the end").await;
    made
}

/// Two days of which one is copied and one leaves next.
async fn begin(world: &mut World) {
    world.keep(1).await;
    for _ in 0..2 {
        world.send(EVENTS).await;
        world.next_day().await;
        recover(world).await;
    }
    world.send(EVENTS).await;
    world.next_day().await;
}

/// Breaks the wire at message `first`, at the [`STEP`]-th after it and so on.
async fn break_wire(kind: Break, first: u64) {
    let mut world = World::new().await;
    begin(&mut world).await;
    let calm = Victim::of(&world).await;
    cycle(&calm.services).await;
    let messages = calm.wire.messages();
    assert!(
        messages > 50,
        "a cycle asks PostgreSQL many things, not {messages}"
    );
    let numbers = (0..)
        .map(|i| first + i * STEP)
        .take_while(|number| *number <= messages);
    let made = sweep(&mut world, numbers, async |world, number| {
        Victim::of(world).await.work(world, *number, kind).await
    })
    .await;
    println!("{made} faults in the wire to PostgreSQL: {kind:?}, {messages} messages in a cycle");
    assert!(made >= 50, "only {made} faults");
}

#[tokio::test]
async fn statements_that_never_reach_postgresql_lose_nothing() {
    break_wire(Break::Before, 1).await;
}

#[tokio::test]
async fn statements_whose_answer_is_lost_lose_nothing() {
    break_wire(Break::After, 2).await;
}

#[tokio::test]
async fn a_process_that_dies_anywhere_loses_nothing() {
    break_wire(Break::Death, 3).await;
}

#[tokio::test]
async fn a_process_that_stands_still_while_another_takes_over_loses_nothing() {
    break_wire(Break::Pause, 4).await;
}

/// What goes wrong at a call to the store.
#[derive(Clone, Debug)]
struct Trouble {
    number: u64,
    fault: Fault,
    /// Whether it stays wrong for the rest of the cycle.
    lasts: bool,
}

async fn trouble_store(kinds: &[(Fault, bool)]) {
    let s3 = TestS3::start().await;
    let mut world = World::stored_in(s3.policy()).await;
    begin(&mut world).await;
    let before = s3.faults().calls();
    recover(&world).await;
    let calls = s3.faults().calls() - before;
    assert!(
        calls > 5,
        "a cycle writes and reads three objects, not in {calls} calls"
    );
    let troubles = kinds.iter().flat_map(|(fault, lasts)| {
        (1..=calls).map(|number| Trouble {
            number,
            fault: fault.clone(),
            lasts: *lasts,
        })
    });
    let faults = s3.faults();
    let made = sweep(&mut world, troubles, async |world, trouble| {
        let before = faults.made();
        let last = trouble.number + if trouble.lasts { 3 * calls } else { 0 };
        for number in trouble.number..=last {
            faults.on_call(number, trouble.fault.clone());
        }
        cycle(&world.gateway.services).await;
        faults.clear();
        faults.made() > before
    })
    .await;
    println!("{made} faults of the store: {kinds:?}, {calls} calls in a cycle");
    assert!(made >= 8 * kinds.len(), "only {made} faults");
}

#[tokio::test]
async fn calls_that_the_store_refuses_lose_nothing() {
    let (busy, denied) = (Fault::Refuse(503, "SlowDown"), Fault::Refuse(403, "AccessDenied"));
    trouble_store(&[(busy, false), (denied.clone(), false), (denied, true)]).await;
}

#[tokio::test]
async fn calls_to_the_store_that_are_cut_or_late_lose_nothing() {
    let late = Fault::Delay(Duration::from_millis(30));
    trouble_store(&[(Fault::CutBefore, false), (Fault::CutAfter, false), (late, false)]).await;
}

#[tokio::test]
async fn objects_that_come_back_short_or_damaged_lose_nothing() {
    trouble_store(&[(Fault::CutBody(20), false), (Fault::Damage, false)]).await;
}
