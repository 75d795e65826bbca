use chrono::TimeDelta;
use domain::clock::{Clock, to_millis};
use serde_json::json;
use services::Error;
use services::sessions::{self, Session};
use services::users::{self, NewUser, User};

use crate::world::World;

async fn person(world: &World, email: &str) -> User {
    let new = NewUser {
        email: email.to_owned(),
        password: "long enough".to_owned(),
        ..NewUser::default()
    };
    users::create(&world.services, &world.system, new)
        .await
        .expect("made")
}

fn of(world: &World, user: &User) -> Session {
    Session {
        user: Some(user.id),
        data: json!({"theme": "dark"}),
        expires_at: to_millis(world.clock.now()) + TimeDelta::hours(1),
    }
}

#[tokio::test]
async fn a_session_is_kept_until_it_expires_and_its_id_is_not_in_the_table() {
    let world = World::new().await;
    let user = person(&world, "ann@example.com").await;
    let session = of(&world, &user);
    assert!(
        sessions::create(&world.services, "cookie-1", &session)
            .await
            .expect("stored")
    );
    assert!(
        !sessions::create(&world.services, "cookie-1", &session)
            .await
            .expect("answers"),
        "the id is taken"
    );
    assert_eq!(
        sessions::load(&world.services, "cookie-1")
            .await
            .expect("answers"),
        Some(session.clone())
    );

    let longer = Session {
        expires_at: session.expires_at + TimeDelta::hours(5),
        ..session
    };
    sessions::save(&world.services, "cookie-1", &longer)
        .await
        .expect("stored");
    world.advance(TimeDelta::hours(2));
    assert_eq!(
        sessions::load(&world.services, "cookie-1")
            .await
            .expect("answers"),
        Some(longer)
    );
    world.advance(TimeDelta::hours(5));
    assert_eq!(
        sessions::load(&world.services, "cookie-1")
            .await
            .expect("answers"),
        None
    );
    assert_eq!(
        sessions::delete_expired(&world.services).await.expect("answers"),
        1
    );
    assert_eq!(
        sessions::delete_expired(&world.services).await.expect("answers"),
        0
    );
}

#[tokio::test]
async fn a_revoked_session_does_not_come_back_when_a_slow_request_saves_it() {
    let world = World::new().await;
    let user = person(&world, "ann@example.com").await;
    let session = of(&world, &user);
    for id in ["one", "two", "three"] {
        assert!(
            sessions::create(&world.services, id, &session)
                .await
                .expect("stored")
        );
    }
    let actor = users::viewer(&world.services, user.id)
        .await
        .expect("there")
        .actor(None);
    let ended = sessions::revoke_all(&world.services, &actor, user.id, Some("two"))
        .await
        .expect("ended");
    assert_eq!(ended, 2);
    sessions::save(&world.services, "one", &session)
        .await
        .expect("answers");
    assert_eq!(
        sessions::load(&world.services, "one").await.expect("answers"),
        None
    );
    assert!(
        sessions::load(&world.services, "two")
            .await
            .expect("answers")
            .is_some()
    );
    sessions::delete(&world.services, "two").await.expect("ended");
    assert_eq!(
        sessions::load(&world.services, "two").await.expect("answers"),
        None
    );
}

#[tokio::test]
async fn nobody_ends_other_peoples_sessions_but_an_instance_admin() {
    let world = World::new().await;
    let (ann, bob) = (
        person(&world, "ann@example.com").await,
        person(&world, "bob@example.com").await,
    );
    sessions::create(&world.services, "ann's", &of(&world, &ann))
        .await
        .expect("stored");
    let actor = users::viewer(&world.services, bob.id)
        .await
        .expect("there")
        .actor(None);
    let refused = sessions::revoke_all(&world.services, &actor, ann.id, None).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    assert_eq!(
        sessions::revoke_all(&world.services, &world.system, ann.id, None)
            .await
            .expect("ended"),
        1
    );
}
