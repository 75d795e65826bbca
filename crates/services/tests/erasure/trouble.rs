//! Whatever fails at whichever call: the next run brings the erasure to its end, and nothing else is
//! touched.

use services::erasure::{self, ErasureState, Wanted};
use testkit::object_store::Fault;

use crate::world::World;

/// Erases one event after the other; the n-th call to the store fails while the n-th event is erased.
async fn survives(fault: Fault) {
    let mut world = World::new().await;
    for n in 0..24 {
        world.about(&format!("person{n:02}")).await;
    }
    world.archive().await;
    let mut erased = Vec::new();
    let mut calls_that_failed = 0;
    for (n, (id, _)) in world.sent.iter().enumerate() {
        let before = world.s3.faults().made();
        world.s3.faults().on_call(n as u64 + 1, fault.clone());
        let asked = world.ask(Wanted::Events(vec![*id])).await;
        world.try_run("erase").await;
        world.s3.faults().clear();
        calls_that_failed += world.s3.faults().made() - before;
        for _ in 0..3 {
            // What was in the way is looked at again after a while.
            world.pass(chrono::TimeDelta::hours(2));
            world.run("erase").await;
            if world.erasure(asked.id).await.state == ErasureState::Done {
                break;
            }
        }
        let done = world.erasure(asked.id).await;
        assert_eq!(done.state, ErasureState::Done, "call {n}, {fault:?}: {done:?}");
        erased.push(*id);
        let person = format!("person{n:02}");
        assert_eq!(
            world.objects_with(&person),
            Vec::<String>::new(),
            "call {n}, {fault:?}"
        );
        assert_eq!(world.rows_with(&person), "", "call {n}, {fault:?}");
    }
    world.assert_others_whole(&erased).await;
    assert!(calls_that_failed > 10, "only {calls_that_failed} calls failed");
    let open = world.sql("SELECT count(*) FROM segments WHERE state = 'rewriting' OR pending IS NOT NULL");
    assert_eq!(open, "0");
}

#[tokio::test]
async fn a_call_that_never_reaches_the_store() {
    survives(Fault::CutBefore).await;
}

#[tokio::test]
async fn a_call_whose_answer_gets_lost() {
    survives(Fault::CutAfter).await;
}

#[tokio::test]
async fn a_call_that_is_refused() {
    survives(Fault::Refuse(403, "AccessDenied")).await;
}

#[tokio::test]
async fn an_answer_that_is_damaged_on_the_way() {
    survives(Fault::Damage).await;
}

#[tokio::test]
async fn a_process_that_dies_at_any_call() {
    let mut world = World::new().await;
    for n in 0..20 {
        world.about(&format!("person{n:02}")).await;
    }
    world.archive().await;
    let mut erased = Vec::new();
    for (n, (id, _)) in world.sent.iter().enumerate() {
        let asked = world.ask(Wanted::Events(vec![*id])).await;
        let calls = world.s3.faults().calls();
        // The n-th call hangs, and the run is dropped while it waits for it.
        world.s3.faults().on_call(n as u64 + 1, Fault::Hang);
        let dying = async {
            while world.s3.faults().calls() < calls + n as u64 + 1 {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            () = dying => {}
            () = async { drop(erasure::go_on(&world.gateway.services, None).await) } => {}
        }
        world.s3.faults().clear();
        world.run("erase").await;
        let done = world.erasure(asked.id).await;
        assert_eq!(done.state, ErasureState::Done, "call {n}: {done:?}");
        erased.push(*id);
        assert_eq!(
            world.objects_with(&format!("person{n:02}")),
            Vec::<String>::new(),
            "call {n}"
        );
    }
    world.assert_others_whole(&erased).await;
}
