use chrono::TimeDelta;
use domain::clock::Clock;
use domain::role::Role;
use services::Error;
use services::access::ActorKind;
use services::api_keys::{self, NewApiKey};

use crate::world::{World, refused_names};

fn called(name: &str) -> NewApiKey {
    NewApiKey {
        name: name.to_owned(),
        ..NewApiKey::default()
    }
}

#[tokio::test]
async fn a_key_opens_its_project_with_its_role_and_is_shown_once() {
    let world = World::new().await;
    let new = NewApiKey {
        role: Some(Role::Viewer),
        ..called("reader")
    };
    let made = api_keys::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    let parts: Vec<&str> = made.clear.split('.').collect();
    assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("LH", 16, 64));

    let address = Some("192.0.2.1".to_owned());
    let actor = api_keys::authenticate(&world.services, &made.clear, address.clone())
        .await
        .expect("good");
    assert_eq!(actor.kind, ActorKind::ApiKey(made.key.id));
    assert_eq!(actor.role_in(world.project), Some(Role::Viewer));
    assert_eq!(actor.address, address);

    let listed = api_keys::list(&world.services, &world.system, world.project)
        .await
        .expect("listed");
    assert_eq!(listed[0].mask, format!("LH.{}", parts[1]));
    let text = serde_json::to_string(&listed).expect("serialises");
    assert!(!text.contains(parts[2]));
}

#[tokio::test]
async fn wrong_revoked_and_expired_keys_are_refused_alike() {
    let world = World::new().await;
    let until = world.clock.now() + TimeDelta::hours(1);
    let new = NewApiKey {
        expires_at: Some(until),
        ..called("short")
    };
    let short = api_keys::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    let made = api_keys::create(&world.services, &world.system, world.project, called("x"))
        .await
        .expect("made");
    api_keys::authenticate(&world.services, &short.clear, None)
        .await
        .expect("good for an hour");
    world.advance(TimeDelta::hours(2));
    for _ in 0..2 {
        api_keys::revoke(&world.services, &world.system, world.project, made.key.id)
            .await
            .expect("revoked");
    }
    let (mask, _) = world.key.rsplit_once('.').expect("three parts");
    let forged = format!("{mask}.{}", "a".repeat(64));
    let bad = [
        short.clear.as_str(),
        &made.clear,
        &forged,
        "",
        "LH",
        "LH.a.b",
        "CO.x.y",
        "LH.\u{0}.x",
        &world.key[3..],
    ];
    for token in bad {
        let result = api_keys::authenticate(&world.services, token, None).await;
        assert!(
            matches!(result, Err(Error::Unauthenticated("authorization failed"))),
            "{token:?}: {result:?}"
        );
    }
    api_keys::authenticate(&world.services, &world.key, None)
        .await
        .expect("still good");
    // Revoking twice is one change.
    let revoked = world
        .actions()
        .await
        .into_iter()
        .filter(|action| action == "api_key.revoked")
        .count();
    assert_eq!(revoked, 1);
}

#[tokio::test]
async fn a_key_is_checked_and_belongs_to_its_project_only() {
    let world = World::new().await;
    let past = world.clock.now() - TimeDelta::seconds(1);
    let new = NewApiKey {
        role: Some(Role::InstanceAdmin),
        expires_at: Some(past),
        ..called(" ")
    };
    let result = api_keys::create(&world.services, &world.system, world.project, new).await;
    assert_eq!(refused_names(result), ["expires_at", "name", "role"]);

    let stranger = world.stranger().await;
    let create = api_keys::create(&world.services, &stranger, world.project, called("x")).await;
    assert!(matches!(create, Err(Error::Forbidden(_))), "{create:?}");
    let list = api_keys::list(&world.services, &stranger, world.project).await;
    assert!(matches!(list, Err(Error::Forbidden(_))), "{list:?}");
    let own = api_keys::list(&world.services, &world.system, world.project)
        .await
        .expect("listed");
    let revoke = api_keys::revoke(&world.services, &stranger, world.project, own[0].id).await;
    assert!(matches!(revoke, Err(Error::Forbidden(_))), "{revoke:?}");
    // By way of one's own project neither.
    let (other, _) = world.new_project("Third").await;
    let revoke = api_keys::revoke(&world.services, &world.system, other.id, own[0].id).await;
    assert!(matches!(revoke, Err(Error::NotFound(_))), "{revoke:?}");
}

#[tokio::test]
async fn a_viewers_key_changes_nothing() {
    let world = World::new().await;
    let new = NewApiKey {
        role: Some(Role::Viewer),
        ..called("reader")
    };
    let made = api_keys::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made");
    let viewer = api_keys::authenticate(&world.services, &made.clear, None)
        .await
        .expect("good");
    let create = api_keys::create(&world.services, &viewer, world.project, called("more")).await;
    assert!(matches!(create, Err(Error::Forbidden(_))), "{create:?}");
    services::projects::get(&world.services, &viewer, world.project)
        .await
        .expect("may look");
}
