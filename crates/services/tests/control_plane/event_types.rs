use serde_json::json;
use services::Error;
use services::event_types::{self, EventTypeUpdate, NewEventType};
use services::patch::Patch;

use crate::world::{World, refused_names};

fn called(name: &str) -> NewEventType {
    NewEventType {
        name: name.to_owned(),
        ..NewEventType::default()
    }
}

#[tokio::test]
async fn an_event_type_is_made_changed_and_deprecated() {
    let world = World::new().await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    let new = NewEventType {
        json_schema: Some(json!({"type": "object"})),
        ..called("invoice.paid")
    };
    let made = event_types::create(services, system, project, new)
        .await
        .expect("made");
    let update = EventTypeUpdate {
        category: Some("Billing".to_owned()),
        ..EventTypeUpdate::default()
    };
    let after = event_types::update(services, system, project, made.id, update)
        .await
        .expect("ok");
    assert_eq!(
        (after.category.as_str(), after.json_schema.is_some()),
        ("Billing", true)
    );
    let clear = EventTypeUpdate {
        json_schema: Patch::Null,
        ..EventTypeUpdate::default()
    };
    let after = event_types::update(services, system, project, made.id, clear)
        .await
        .expect("ok");
    assert!(after.json_schema.is_none());
    let first = event_types::deprecate(services, system, project, made.id)
        .await
        .expect("ok")
        .deprecated_at;
    world.advance(chrono::TimeDelta::days(1));
    let second = event_types::deprecate(services, system, project, made.id)
        .await
        .expect("ok")
        .deprecated_at;
    assert!(first.is_some() && first == second);
}

#[tokio::test]
async fn names_are_unique_and_the_one_for_everything_is_taken() {
    let world = World::new().await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    event_types::create(services, system, project, called("a"))
        .await
        .expect("made");
    for name in ["a", "*", "", "two words", &"x".repeat(256), "a\u{0}"] {
        let result = event_types::create(services, system, project, called(name)).await;
        assert_eq!(refused_names(result), ["name"], "{name:?}");
    }
    let every = event_types::list(services, system, project)
        .await
        .expect("listed")
        .remove(0);
    let result = event_types::deprecate(services, system, project, every.id).await;
    assert_eq!(refused_names(result), ["name"]);
}

#[tokio::test]
async fn an_import_makes_new_types_and_fills_known_ones() {
    let world = World::new().await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    let known = event_types::create(services, system, project, called("invoice.paid"))
        .await
        .expect("made");
    let spec = "
webhooks:
  invoice.paid: {post: {summary: Paid, requestBody: {content: {application/json: {schema: {type: object}}}}}}
  invoice.sent: {post: {summary: Sent}}
";
    let imported = event_types::import(services, system, project, spec)
        .await
        .expect("imported");
    assert_eq!(imported.len(), 2);
    let listed = event_types::list(services, system, project)
        .await
        .expect("listed");
    assert_eq!(
        listed.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["*", "invoice.paid", "invoice.sent"]
    );
    assert_eq!((listed[1].id, listed[1].description.as_str()), (known.id, "Paid"));
    assert_eq!(listed[1].json_schema, Some(json!({"type": "object"})));
    let again = event_types::import(services, system, project, spec)
        .await
        .expect("imported");
    assert_eq!(
        again.iter().map(|t| t.id).collect::<Vec<_>>(),
        imported.iter().map(|t| t.id).collect::<Vec<_>>()
    );

    let bad = event_types::import(services, system, project, "webhooks: {two words: {}}").await;
    assert_eq!(refused_names(bad), ["name"]);
    let bad = event_types::import(services, system, project, "openapi: 3.1.0").await;
    assert_eq!(refused_names(bad), ["spec"]);
}

#[tokio::test]
async fn another_projects_key_may_neither_look_nor_touch() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let (services, project) = (&world.services, world.project);
    let id = event_types::list(services, &world.system, project)
        .await
        .expect("listed")[0]
        .id;
    let refusals = [
        event_types::list(services, &stranger, project).await.err(),
        event_types::create(services, &stranger, project, called("x"))
            .await
            .err(),
        event_types::update(services, &stranger, project, id, EventTypeUpdate::default())
            .await
            .err(),
        event_types::deprecate(services, &stranger, project, id)
            .await
            .err(),
        event_types::import(services, &stranger, project, "webhooks: {a: {}}")
            .await
            .err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Forbidden(_))), "{refusal:?}");
    }
}
