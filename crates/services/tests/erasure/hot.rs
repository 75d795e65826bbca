//! Rows in PostgreSQL.

use domain::erasure::mark;
use domain::state::DeliveryState;
use services::erasure::{self, ErasureState, NewErasure, Wanted};
use testkit::Reply;

use crate::world::World;

#[tokio::test]
async fn an_event_that_goes_keeps_nothing_but_that_it_was() {
    let mut world = World::new().await;
    let (ada, bob) = (world.about("zoltan").await, world.about("bob").await);
    let erased = world.erase(Wanted::Events(vec![ada])).await;
    let event = world.read(ada).await;
    assert_eq!(event.payload, mark(erased.id));
    assert_eq!(
        (event.headers, event.owner_id, event.idempotency_key),
        (None, None, None)
    );
    assert_eq!(world.rows_with("zoltan"), "");
    world.assert_others_whole(&[ada]).await;
    assert!(world.read(bob).await.idempotency_key.is_some());
    assert_eq!(
        (erased.receipt.events, erased.receipt.attempts),
        (1, 1),
        "{erased:?}"
    );
}

#[tokio::test]
async fn every_event_of_a_subject_goes_and_no_other() {
    let mut world = World::new().await;
    let mut ada = Vec::new();
    for person in ["zoltan", "bob", "zoltan", "zoltans"] {
        let id = world.about(person).await;
        if person == "zoltan" {
            ada.push(id);
        }
    }
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    assert_eq!(erased.receipt.events, 2);
    for id in &ada {
        assert_eq!(world.read(*id).await.payload, mark(erased.id));
    }
    assert_eq!(world.rows_with("zoltan@x.org"), "");
    assert_eq!(
        world.rows_with("\"zoltan\""),
        "",
        "the erasure itself does not tell the value either"
    );
    world.assert_others_whole(&ada).await;
}

#[tokio::test]
async fn a_value_becomes_null_and_the_rest_of_the_payload_stays() {
    let mut world = World::new().await;
    let ada = world.about("zoltan").await;
    world.about("bob").await;
    let wanted = Wanted::Value {
        pointer: "/customer/mail".to_owned(),
        value: "zoltan@x.org".to_owned(),
    };
    world.erase(wanted).await;
    let expected = world.sent[0].1.replace("\"zoltan@x.org\"", "null");
    assert_eq!(world.read(ada).await.payload, expected);
    assert_eq!(world.rows_with("zoltan@x.org"), "");
    world.assert_others_whole(&[ada]).await;
}

#[tokio::test]
async fn what_was_erased_is_not_sent_any_more() {
    let mut world = World::new().await;
    world.receiver.always(Reply::Status(500));
    let data = r#"{"customer":{"id":"zoltan"}}"#;
    let ada = world.gateway.send(world.endpoint, data).await;
    world.gateway.wait_for(ada, DeliveryState::Retry).await;
    world.sent.push((ada, data.to_owned()));
    let erased = world.erase(Wanted::Subject("zoltan".to_owned())).await;
    let delivery = world.gateway.wait_for(ada, DeliveryState::Discarded).await;
    assert_eq!(delivery.description.as_deref(), Some("Its event was erased."));
    assert_eq!(erased.receipt.deliveries, 1);
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let mut world = World::new().await;
    world.about("zoltan").await;
    world.about("bob").await;
    let new = NewErasure {
        wanted: Wanted::Subject("zoltan".to_owned()),
        reason: String::new(),
    };
    let gateway = &world.gateway;
    let preview = erasure::preview(&gateway.services, &gateway.actor(), gateway.project, &new).await;
    assert_eq!(preview.expect("a preview").events, 1);
    world.assert_others_whole(&[]).await;
    assert_eq!(world.sql("SELECT count(*) FROM erasures"), "0");
}

#[tokio::test]
async fn an_event_that_was_still_on_its_way_is_erased_when_it_arrives() {
    let mut world = World::idle().await;
    let data = r#"{"customer":{"id":"zoltan"}}"#;
    let ada = world.gateway.send(world.endpoint, data).await;
    world.gateway.pass(chrono::TimeDelta::seconds(1));
    let asked = world.ask(Wanted::Subject("zoltan".to_owned())).await;
    world.run("erase").await;
    assert_eq!(
        world.erasure(asked.id).await.state,
        ErasureState::Pending,
        "the queue still holds it"
    );
    world.gateway.start_workers();
    world.gateway.wait_for(ada, DeliveryState::Success).await;
    assert_eq!(
        world.read(ada).await.payload,
        mark(asked.id),
        "masked as soon as it is there"
    );
    for _ in 0..200 {
        world.run("erase").await;
        if world.erasure(asked.id).await.state == ErasureState::Done {
            break;
        }
    }
    assert_eq!(world.erasure(asked.id).await.state, ErasureState::Done);
    assert_eq!(world.rows_with("\"zoltan\""), "");
}
