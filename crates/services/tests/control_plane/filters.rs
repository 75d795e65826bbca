use domain::filter::FilterSpec;
use domain::id::{FilterId, SubscriptionId};
use serde_json::{Value, json};
use services::Error;
use services::event_types::NewEventType;
use services::filters::{self, FilterUpdate, NewFilter};
use services::patch::Patch;

use crate::world::{World, refused, refused_names};

fn body(conditions: Value) -> FilterSpec {
    FilterSpec {
        body: Some(conditions),
        ..FilterSpec::default()
    }
}

fn of(event_type: &str, spec: FilterSpec) -> NewFilter {
    NewFilter {
        event_type: event_type.to_owned(),
        spec,
        ..NewFilter::default()
    }
}

async fn with_types(names: &[&str]) -> (World, SubscriptionId) {
    let world = World::new().await;
    for name in names {
        let new = NewEventType {
            name: (*name).to_owned(),
            ..NewEventType::default()
        };
        services::event_types::create(&world.services, &world.system, world.project, new)
            .await
            .expect("made");
    }
    let subscription = world.subscription("s").await.id;
    (world, subscription)
}

#[tokio::test]
async fn a_filter_is_made_read_changed_and_removed() {
    let (world, subscription) = with_types(&["a"]).await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    let made = filters::create(
        services,
        system,
        project,
        subscription,
        of("a", body(json!({"n": {"$gt": 1}}))),
    )
    .await
    .expect("made");
    assert!(made.enabled_at.is_some() && made.spec.headers.is_none());
    let update = FilterUpdate {
        body: Patch::Null,
        headers: Patch::Value(json!({"x-kind": "test"})),
        enabled_at: Patch::Null,
        ..FilterUpdate::default()
    };
    let after = filters::update(services, system, project, subscription, made.id, update)
        .await
        .expect("ok");
    assert!(after.spec.body.is_none() && after.enabled_at.is_none());
    let read = filters::get(services, system, project, subscription, made.id)
        .await
        .expect("found");
    assert_eq!(read.spec, after.spec);
    filters::delete(services, system, project, subscription, made.id)
        .await
        .expect("removed");
    let gone = filters::get(services, system, project, subscription, made.id).await;
    assert!(matches!(gone, Err(Error::NotFound("filter"))), "{gone:?}");
}

#[tokio::test]
async fn a_filter_needs_a_known_event_type_and_one_of_each_is_enough() {
    let (world, subscription) = with_types(&["a", "b"]).await;
    let create = |new| filters::create(&world.services, &world.system, world.project, subscription, new);
    let unknown = create(of("c", FilterSpec::default())).await;
    assert!(
        matches!(unknown, Err(Error::NotFound("event type"))),
        "{unknown:?}"
    );
    let a = create(of("a", FilterSpec::default())).await.expect("made");
    let twice = refused(create(of("a", FilterSpec::default())).await);
    assert_eq!(twice[0].reason, "filter with this event type already exists");
    create(of("b", FilterSpec::default())).await.expect("made");
    let rename = FilterUpdate {
        event_type: Some("b".to_owned()),
        ..FilterUpdate::default()
    };
    let clash = filters::update(
        &world.services,
        &world.system,
        world.project,
        subscription,
        a.id,
        rename,
    )
    .await;
    assert_eq!(refused_names(clash), ["event_type"]);
}

#[tokio::test]
async fn a_filter_that_cannot_be_compiled_is_refused_with_scope_and_path() {
    let (world, subscription) = with_types(&["a"]).await;
    for (spec, expected) in [
        (body(json!({"a": {"b": {"$regex": "("}}})), "body.a.b.$regex"),
        (body(json!({"a": {"$nope": 1}})), "body.a.$nope"),
        (body(json!([1])), "body"),
        (body(json!({"items.$": 1})), "body.items.$"),
        (
            FilterSpec {
                headers: Some(json!({"x": {"$in": 5}})),
                ..FilterSpec::default()
            },
            "headers.x.$in",
        ),
        (body(json!({"a": "\u{0}"})), "body"),
    ] {
        let result = filters::create(
            &world.services,
            &world.system,
            world.project,
            subscription,
            of("a", spec.clone()),
        )
        .await;
        assert_eq!(refused_names(result), [expected], "{spec:?}");
        let schema = filters::test_schema(
            &world.services,
            &world.system,
            world.project,
            &FilterSpec::default(),
            &spec,
        )
        .await;
        assert_eq!(refused_names(schema), [format!("schema.{expected}")], "{spec:?}");
    }
}

#[tokio::test]
async fn many_are_made_or_changed_together_or_not_at_all() {
    let (world, subscription) = with_types(&["a", "b"]).await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    let bad = vec![of("a", FilterSpec::default()), of("", body(json!(5)))];
    let result = filters::create_many(services, system, project, subscription, bad).await;
    assert_eq!(refused_names(result), ["[1].body", "[1].event_type"]);
    let clash = vec![of("a", FilterSpec::default()), of("*", FilterSpec::default())];
    assert_eq!(
        refused_names(filters::create_many(services, system, project, subscription, clash).await),
        ["event_type"]
    );
    assert_eq!(
        filters::list(services, system, project, subscription)
            .await
            .expect("listed")
            .len(),
        1
    );

    let good = vec![of("a", FilterSpec::default()), of("b", FilterSpec::default())];
    let made = filters::create_many(services, system, project, subscription, good)
        .await
        .expect("made");
    let set = |id: FilterId, conditions: Value| {
        (
            id,
            FilterUpdate {
                body: Patch::Value(conditions),
                ..FilterUpdate::default()
            },
        )
    };
    let bad = vec![
        set(made[0].id, json!({"x": 1})),
        set(made[1].id, json!({"$gt": 1})),
    ];
    let result = filters::update_many(services, system, project, subscription, bad).await;
    assert!(refused_names(result)[0].starts_with("[1].body"));
    let missing = vec![
        set(made[0].id, json!({"x": 1})),
        set(FilterId(uuid::Uuid::from_u128(9)), json!({})),
    ];
    let result = filters::update_many(services, system, project, subscription, missing).await;
    assert!(matches!(result, Err(Error::NotFound("filter"))), "{result:?}");
    let untouched = filters::get(services, system, project, subscription, made[0].id)
        .await
        .expect("found");
    assert!(untouched.spec.body.is_none());
    let good = vec![set(made[0].id, json!({"x": 1})), set(made[1].id, json!({}))];
    let after = filters::update_many(services, system, project, subscription, good)
        .await
        .expect("ok");
    assert_eq!(
        (&after[0].spec.body, &after[1].spec.body),
        (&Some(json!({"x": 1})), &None)
    );
}

#[tokio::test]
async fn tests_tell_what_delivery_would_do() {
    let (world, subscription) = with_types(&["a", "b"]).await;
    let (services, system, project) = (&world.services, &world.system, world.project);
    filters::create(
        services,
        system,
        project,
        subscription,
        of("a", body(json!({"n": {"$gt": 1}}))),
    )
    .await
    .expect("made");
    let takes = async |event_type: &str, payload: Value| {
        filters::test_event(
            services,
            system,
            project,
            subscription,
            event_type,
            &body(payload),
        )
        .await
        .expect("ok")
    };
    assert!(takes("a", json!({"n": 2})).await);
    // The filter of the type itself stands before the one of every type.
    assert!(!takes("a", json!({"n": 1})).await);
    assert!(takes("b", json!({"n": 1})).await);

    let schema = FilterSpec {
        headers: Some(json!({"X-Kind": "test"})),
        ..FilterSpec::default()
    };
    let request = FilterSpec {
        headers: Some(json!({"x-kind": "test"})),
        ..FilterSpec::default()
    };
    assert!(
        filters::test_schema(services, system, project, &request, &schema)
            .await
            .expect("ok")
    );
    assert!(
        !filters::test_schema(services, system, project, &body(json!({})), &schema)
            .await
            .expect("ok")
    );
}

#[tokio::test]
async fn another_projects_key_may_neither_look_nor_touch() {
    let (world, subscription) = with_types(&["a"]).await;
    let stranger = world.stranger().await;
    let (services, project) = (&world.services, world.project);
    let id = filters::list(services, &world.system, project, subscription)
        .await
        .expect("listed")[0]
        .id;
    let nothing = FilterSpec::default();
    let refusals = [
        filters::create(
            services,
            &stranger,
            project,
            subscription,
            of("a", nothing.clone()),
        )
        .await
        .err(),
        filters::create_many(services, &stranger, project, subscription, Vec::new())
            .await
            .err(),
        filters::list(services, &stranger, project, subscription)
            .await
            .err(),
        filters::get(services, &stranger, project, subscription, id)
            .await
            .err(),
        filters::update(
            services,
            &stranger,
            project,
            subscription,
            id,
            FilterUpdate::default(),
        )
        .await
        .err(),
        filters::update_many(services, &stranger, project, subscription, Vec::new())
            .await
            .err(),
        filters::delete(services, &stranger, project, subscription, id)
            .await
            .err(),
        filters::test_schema(services, &stranger, project, &nothing, &nothing)
            .await
            .err(),
        filters::test_event(services, &stranger, project, subscription, "a", &nothing)
            .await
            .err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(Error::Forbidden(_))), "{refusal:?}");
    }
    // Nor a filter by way of another subscription.
    let other = world.subscription("other").await.id;
    let get = filters::get(services, &world.system, project, other, id).await;
    assert!(matches!(get, Err(Error::NotFound("filter"))), "{get:?}");
}
