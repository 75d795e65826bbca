use domain::project::{DigestEncoding, HashKind, StrategyKind};
use serde_json::json;
use services::Error;
use services::projects::{self, NewProject, ProjectUpdate};

use crate::world::{World, object, refused, refused_names};

fn config(value: serde_json::Value) -> ProjectUpdate {
    ProjectUpdate {
        config: Some(object(value)),
        ..ProjectUpdate::default()
    }
}

#[tokio::test]
async fn a_new_project_has_a_key_that_works_and_the_event_type_for_everything() {
    let world = World::new().await;
    let holder = world.key_holder().await;
    let found = projects::get(&world.services, &holder, world.project)
        .await
        .expect("found");
    assert_eq!(found.project.name, "Shop");
    assert_eq!(found.counts.endpoints, 0);
    assert!(!found.counts.events_exist);
    let types = services::event_types::list(&world.services, &holder, world.project)
        .await
        .expect("listed");
    assert_eq!(types.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["*"]);
    assert_eq!(world.actions().await, ["project.created", "api_key.created"]);
    assert_ne!(found.project.config.signature.versions[0].uid, uuid::Uuid::nil());
}

#[tokio::test]
async fn a_new_project_is_checked_field_by_field() {
    let world = World::new().await;
    let new = NewProject {
        name: "  ".to_owned(),
        kind: "sideways".to_owned(),
        logo_url: "not an address".to_owned(),
        config: Some(object(json!({"strategy": {"retry_count": 0}, "colour": "red"}))),
        ..world.project_called("x")
    };
    let result = projects::create(&world.services, &world.system, new).await;
    assert_eq!(
        refused_names(result),
        ["config.colour", "logo_url", "name", "type"]
    );
    let twice = projects::create(&world.services, &world.system, world.project_called("sHOP")).await;
    assert_eq!(refused_names(twice), ["name"]);
}

#[tokio::test]
async fn an_update_changes_only_the_keys_that_are_present() {
    let world = World::new().await;
    let change = json!({"strategy": {"retry_count": 3}, "signature": {"header": " X-Shop-Signature "}});
    let after = projects::update(&world.services, &world.system, world.project, config(change))
        .await
        .expect("ok");
    assert_eq!(after.config.strategy.retry_count, 3);
    assert_eq!(after.config.strategy.duration, 100);
    assert_eq!(after.config.signature.header, "X-Shop-Signature");
    assert_eq!(after.config.signature.versions.len(), 1);
    assert_eq!(after.name, "Shop");

    let null = json!({"strategy": {"retry_count": null}});
    let reset = projects::update(&world.services, &world.system, world.project, config(null))
        .await
        .expect("ok");
    assert_eq!(reset.config.strategy.retry_count, 10);
    assert_eq!(reset.config.signature.header, "X-Shop-Signature");
    let read = projects::get(&world.services, &world.system, world.project)
        .await
        .expect("found");
    assert_eq!(read.project.config, reset.config);
}

#[tokio::test]
async fn what_is_read_can_be_written_back_unchanged() {
    let world = World::new().await;
    let secret = json!({"meta_event": {"url": "https://example.com/meta", "secret": "hush"}});
    let before = projects::update(&world.services, &world.system, world.project, config(secret))
        .await
        .expect("ok");
    assert_eq!(before.config.meta_event.secret, services::endpoints::REDACTED);
    let whole = serde_json::to_value(&before.config).expect("serialises");
    let after = projects::update(&world.services, &world.system, world.project, config(whole))
        .await
        .expect("ok");
    assert_eq!(after.config, before.config);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of mistakes")]
async fn every_wrong_setting_is_named_by_its_path() {
    let world = World::new().await;
    for (change, expected) in [
        (
            json!({"strategy": {"retry_count": 0}}),
            "config.strategy.retry_count",
        ),
        (
            json!({"strategy": {"retry_count": 1_001}}),
            "config.strategy.retry_count",
        ),
        (
            json!({"strategy": {"retry_count": -1}}),
            "config.strategy.retry_count",
        ),
        (
            json!({"strategy": {"retry_count": 1.5}}),
            "config.strategy.retry_count",
        ),
        (json!({"strategy": {"duration": 0}}), "config.strategy.duration"),
        (
            json!({"strategy": {"duration": "10s"}}),
            "config.strategy.duration",
        ),
        (json!({"strategy": {"type": "cubic"}}), "config.strategy.type"),
        (json!({"strategy": {"type": "list"}}), "config.strategy.intervals"),
        (
            json!({"strategy": {"type": "list", "intervals": [1, 99_999_999]}}),
            "config.strategy.intervals[1]",
        ),
        (
            json!({"strategy": {"retry_count": 1000, "duration": 2_592_000}}),
            "config.strategy",
        ),
        (json!({"strategy": 5}), "config.strategy"),
        (
            json!({"signature": {"versions": []}}),
            "config.signature.versions",
        ),
        (
            json!({"signature": {"versions": [{}, {}, {}, {}, {}, {}]}}),
            "config.signature.versions",
        ),
        (
            json!({"signature": {"versions": [{"hash": "MD5"}]}}),
            "config.signature.versions[0].hash",
        ),
        (
            json!({"signature": {"versions": [{"encoding": "rot13"}]}}),
            "config.signature.versions[0].encoding",
        ),
        (
            json!({"signature": {"versions": [{"uid": "x"}]}}),
            "config.signature.versions[0].uid",
        ),
        (
            json!({"signature": {"header": "two words"}}),
            "config.signature.header",
        ),
        (
            json!({"request_id_header": "Content-Length"}),
            "config.request_id_header",
        ),
        (
            json!({"request_id_header": "x-convoy-signature"}),
            "config.request_id_header",
        ),
        (json!({"ratelimit": {"duration": 0}}), "config.ratelimit.duration"),
        (json!({"search_policy": "soon"}), "config.search_policy"),
        (
            json!({"max_payload_read_size": 4_000_000_000_u32}),
            "config.max_payload_read_size",
        ),
        (json!({"disable_endpoint": "yes"}), "config.disable_endpoint"),
        (
            json!({"circuit_breaker": {"failure_threshold": 101}}),
            "config.circuit_breaker.failure_threshold",
        ),
        (
            json!({"meta_event": {"is_enabled": true}}),
            "config.meta_event.url",
        ),
        (
            json!({"meta_event": {"secret": "[REDACTED]"}}),
            "config.meta_event.secret",
        ),
        (json!({"nonsense": 1}), "config.nonsense"),
        (json!({"ssl": {"nonsense": 1}}), "config.ssl.nonsense"),
    ] {
        let result = projects::update(
            &world.services,
            &world.system,
            world.project,
            config(change.clone()),
        )
        .await;
        assert_eq!(refused_names(result), [expected], "{change}");
    }
    let renamed = config(json!({"sync_dynamic_event_ack": true}));
    let fields = refused(projects::update(&world.services, &world.system, world.project, renamed).await);
    assert!(fields[0].reason.contains("verify_dynamic_events"), "{fields:?}");
}

#[tokio::test]
async fn versions_and_lists_of_waits_are_taken_over() {
    let world = World::new().await;
    let change = json!({
        "strategy": {"type": "list", "intervals": [5, 60, 3600]},
        "signature": {"versions": [{"hash": "SHA256", "encoding": "hex"}, {"hash": "sha512", "encoding": "base64"}]},
    });
    let after = projects::update(&world.services, &world.system, world.project, config(change))
        .await
        .expect("ok");
    assert_eq!(after.config.strategy.kind, StrategyKind::List);
    assert_eq!(after.config.strategy.retry_count, 4);
    let versions = &after.config.signature.versions;
    assert_eq!(
        (versions[1].hash, versions[1].encoding),
        (HashKind::Sha512, DigestEncoding::Base64)
    );
    assert_ne!(versions[0].uid, versions[1].uid);

    let known = json!({"signature": {"versions": [{"uid": versions[1].uid, "hash": "SHA512"}]}});
    world.advance(chrono::TimeDelta::days(1));
    let again = projects::update(&world.services, &world.system, world.project, config(known))
        .await
        .expect("ok");
    assert_eq!(
        again.config.signature.versions[0].created_at,
        versions[1].created_at
    );
}

#[tokio::test]
async fn lists_count_without_the_deleted_and_show_only_ones_own() {
    let world = World::new().await;
    let kept = world.endpoint("kept").await;
    let gone = world.endpoint("gone").await;
    services::endpoints::delete(&world.services, &world.system, world.project, gone.id)
        .await
        .expect("ok");
    let new = services::subscriptions::NewSubscription {
        name: "all".to_owned(),
        endpoint_id: kept.id.to_string(),
        ..services::subscriptions::NewSubscription::default()
    };
    services::subscriptions::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    world.new_project("Another").await;

    let all = projects::list(&world.services, &world.system, None)
        .await
        .expect("listed");
    let seen: Vec<_> = all
        .iter()
        .map(|p| {
            (
                p.project.name.as_str(),
                p.counts.endpoints,
                p.counts.subscriptions,
            )
        })
        .collect();
    assert_eq!(seen, [("Another", 0, 0), ("Shop", 1, 1)]);
    let own = projects::list(&world.services, &world.key_holder().await, None)
        .await
        .expect("listed");
    assert_eq!(
        own.iter().map(|p| p.project.id).collect::<Vec<_>>(),
        [world.project]
    );
}

#[tokio::test]
async fn a_deleted_project_is_gone_and_its_key_with_it() {
    let world = World::new().await;
    let wrong = projects::delete(&world.services, &world.system, world.project, Some("Shoq")).await;
    assert_eq!(refused_names(wrong), ["name"]);
    projects::delete(&world.services, &world.system, world.project, Some("Shop"))
        .await
        .expect("deleted");
    let get = projects::get(&world.services, &world.system, world.project).await;
    assert!(matches!(get, Err(Error::NotFound("project"))), "{get:?}");
    let key = services::api_keys::authenticate(&world.services, &world.key, None).await;
    assert!(matches!(key, Err(Error::Unauthenticated(_))), "{key:?}");
    assert!(world.services.catalog.project(world.project).is_none());
    // The name is free again.
    world.new_project("Shop").await;
}

#[tokio::test]
async fn another_projects_key_may_neither_look_nor_touch() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let get = projects::get(&world.services, &stranger, world.project).await;
    assert!(matches!(get, Err(Error::Forbidden(_))), "{get:?}");
    let update = projects::update(
        &world.services,
        &stranger,
        world.project,
        ProjectUpdate::default(),
    )
    .await;
    assert!(matches!(update, Err(Error::Forbidden(_))), "{update:?}");
    let delete = projects::delete(&world.services, &stranger, world.project, None).await;
    assert!(matches!(delete, Err(Error::Forbidden(_))), "{delete:?}");
    let create = projects::create(&world.services, &stranger, world.project_called("Mine")).await;
    assert!(matches!(create, Err(Error::Forbidden(_))), "{create:?}");
}

#[tokio::test]
async fn every_change_raises_the_version_that_routing_goes_by() {
    let world = World::new().await;
    let version = || {
        world
            .services
            .catalog
            .project(world.project)
            .expect("in memory")
            .version
    };
    let mut last = version();
    let endpoint = world.endpoint("one").await;
    assert!(version() > last, "endpoint made");
    last = version();
    let rotation = services::endpoints::Rotation {
        secret: None,
        expiration: 60,
    };
    services::endpoints::rotate_secret(
        &world.services,
        &world.system,
        world.project,
        endpoint.id,
        rotation,
    )
    .await
    .expect("rotated");
    assert!(version() > last, "secret rotated");
    last = version();
    world.subscription("all").await;
    assert!(version() > last, "subscription made");
}
