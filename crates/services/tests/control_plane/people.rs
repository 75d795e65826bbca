use chrono::TimeDelta;
use domain::role::Role;
use services::page::PageRequest;
use services::users::{self, NewUser, User};
use services::{Error, Options, organisations, projects, sign_in};

use crate::world::{World, refused_names};

const PASSWORD: &str = "correct horse";

fn called(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        ..NewUser::default()
    }
}

async fn person(world: &World, email: &str) -> User {
    users::create(&world.services, &world.system, called(email))
        .await
        .expect("made")
}

async fn with_tries(failures_allowed: u32) -> World {
    let mut options = Options::default();
    options.sign_in.failures_allowed = failures_allowed;
    World::with(options).await
}

#[tokio::test]
async fn the_right_password_signs_in_whatever_the_case_of_the_address() {
    let world = World::new().await;
    let ann = person(&world, "Ann@example.com").await;
    for email in ["ann@EXAMPLE.com", " Ann@example.com "] {
        let id = sign_in::sign_in(&world.services, email, PASSWORD, Some("192.0.2.1"))
            .await
            .expect("good");
        assert_eq!(id, ann.id);
    }
    let twice = users::create(&world.services, &world.system, called("ANN@example.com")).await;
    assert_eq!(refused_names(twice), ["email"]);
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_are_refused_alike() {
    let world = World::new().await;
    person(&world, "ann@example.com").await;
    let mut texts = Vec::new();
    for (email, password) in [
        ("ann@example.com", "wrong horse"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("ann@example.com\u{0}", PASSWORD),
        ("x".repeat(100_000).as_str(), PASSWORD),
    ] {
        let result = sign_in::sign_in(&world.services, email, password, None).await;
        let Err(Error::Unauthenticated(text)) = result else {
            panic!("{email:.20}: {result:?}")
        };
        texts.push(text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
}

#[tokio::test]
async fn too_many_failures_of_an_account_wait_even_with_the_right_password() {
    let world = with_tries(3).await;
    person(&world, "ann@example.com").await;
    let try_with = async |password: &str, from: &str| {
        sign_in::sign_in(&world.services, "ann@example.com", password, Some(from)).await
    };
    // A success in between starts the count anew. Each try comes from another address.
    for (n, password) in ["no", "no", PASSWORD, "no", "no", "no"].into_iter().enumerate() {
        let result = try_with(password, &format!("192.0.2.{n}")).await;
        assert!(
            !matches!(result, Err(Error::RateLimited { .. })),
            "{n}: {result:?}"
        );
    }
    let blocked = try_with(PASSWORD, "198.51.100.1").await;
    let Err(Error::RateLimited { retry_after }) = blocked else {
        panic!("{blocked:?}")
    };
    assert!((1..=900).contains(&retry_after), "{retry_after}");
    world.advance(TimeDelta::minutes(16));
    try_with(PASSWORD, "198.51.100.1")
        .await
        .expect("the wait is over");
}

#[tokio::test]
async fn too_many_failures_from_an_address_wait_for_every_account() {
    let world = with_tries(3).await;
    person(&world, "ann@example.com").await;
    for n in 0..3 {
        let email = format!("guess{n}@example.com");
        let result = sign_in::sign_in(&world.services, &email, "no", Some("192.0.2.1")).await;
        assert!(matches!(result, Err(Error::Unauthenticated(_))), "{result:?}");
    }
    let blocked = sign_in::sign_in(&world.services, "ann@example.com", PASSWORD, Some("192.0.2.1")).await;
    assert!(matches!(blocked, Err(Error::RateLimited { .. })), "{blocked:?}");
    sign_in::sign_in(&world.services, "ann@example.com", PASSWORD, Some("192.0.2.2"))
        .await
        .expect("elsewhere");
    world.advance(TimeDelta::minutes(16));
    assert!(sign_in::forget_expired(&world.services).await.expect("answers") >= 4);
}

#[tokio::test]
async fn guesses_made_at_the_same_time_do_not_outrun_the_count() {
    let world = with_tries(3).await;
    person(&world, "ann@example.com").await;
    let guesses: Vec<_> = (0..12)
        .map(|_| {
            let services = world.services.clone();
            tokio::spawn(async move { sign_in::sign_in(&services, "ann@example.com", "no", None).await })
        })
        .collect();
    let mut answered = 0;
    for guess in guesses {
        match guess.await.expect("no panic") {
            Err(Error::Unauthenticated(_)) => answered += 1,
            Err(Error::RateLimited { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answered, 3);
}

#[tokio::test]
async fn a_changed_password_needs_the_old_one_and_ends_sessions() {
    let world = World::new().await;
    let ann = person(&world, "ann@example.com").await;
    let actor = users::viewer(&world.services, ann.id)
        .await
        .expect("there")
        .actor(None);
    let session = services::sessions::Session {
        user: Some(ann.id),
        data: serde_json::json!({}),
        expires_at: ann.created_at + TimeDelta::days(1),
    };
    services::sessions::create(&world.services, "cookie", &session)
        .await
        .expect("stored");
    let change =
        async |current, new| users::change_password(&world.services, &actor, ann.id, current, new).await;
    assert_eq!(refused_names(change(Some(PASSWORD), "short").await), ["password"]);
    assert_eq!(refused_names(change(None, "battery staple").await), ["current"]);
    assert_eq!(
        refused_names(change(Some("wrong"), "battery staple").await),
        ["current"]
    );
    change(Some(PASSWORD), "battery staple").await.expect("changed");
    assert!(
        services::sessions::load(&world.services, "cookie")
            .await
            .expect("answers")
            .is_none()
    );
    sign_in::sign_in(&world.services, "ann@example.com", "battery staple", None)
        .await
        .expect("the new one");
    let old = sign_in::sign_in(&world.services, "ann@example.com", PASSWORD, None).await;
    assert!(matches!(old, Err(Error::Unauthenticated(_))), "{old:?}");

    let bob = person(&world, "bob@example.com").await;
    let others =
        users::change_password(&world.services, &actor, bob.id, Some(PASSWORD), "battery staple").await;
    assert!(matches!(others, Err(Error::Forbidden(_))), "{others:?}");
    users::change_password(&world.services, &world.system, bob.id, None, "battery staple")
        .await
        .expect("an admin may");
}

#[tokio::test]
async fn a_member_sees_the_projects_of_its_roles_and_no_others() {
    let world = World::new().await;
    let (second, _) = world.new_project("Second").await;
    let elsewhere = organisations::create(&world.services, &world.system, "Elsewhere")
        .await
        .expect("made");
    let hidden = projects::NewProject {
        organisation: Some(elsewhere.id),
        ..world.project_called("Hidden")
    };
    projects::create(&world.services, &world.system, hidden)
        .await
        .expect("made");
    let ann = person(&world, "ann@example.com").await;
    let add = async |project, role| {
        organisations::add_member(
            &world.services,
            &world.system,
            world.organisation,
            ann.id,
            project,
            role,
        )
        .await
    };
    add(Some(world.project), Role::Viewer).await.expect("added");
    let viewer = users::viewer(&world.services, ann.id).await.expect("there");
    let seen: Vec<_> = viewer
        .projects
        .iter()
        .map(|p| (p.name.as_str(), p.role))
        .collect();
    assert_eq!(seen, [("Shop", Role::Viewer)]);
    assert_eq!(viewer.organisations.len(), 1);
    let actor = viewer.actor(Some("192.0.2.1".to_owned()));
    assert_eq!(
        (actor.label.as_str(), actor.user()),
        ("ann@example.com", Some(ann.id))
    );
    assert!(matches!(
        actor.require(world.project, Role::ProjectAdmin),
        Err(Error::Forbidden(_))
    ));

    add(None, Role::ProjectAdmin).await.expect("added");
    let viewer = users::viewer(&world.services, ann.id).await.expect("there");
    let seen: Vec<_> = viewer.projects.iter().map(|p| (p.id, p.role)).collect();
    assert_eq!(
        seen,
        [
            (second.id, Role::ProjectAdmin),
            (world.project, Role::ProjectAdmin)
        ]
    );
    // An admin of the organisation makes projects in it, and nowhere else.
    let actor = viewer.actor(None);
    projects::create(&world.services, &actor, world.project_called("Third"))
        .await
        .expect("made");
    let there = projects::NewProject {
        organisation: Some(elsewhere.id),
        ..world.project_called("Fourth")
    };
    let refused = projects::create(&world.services, &actor, there).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
}

#[tokio::test]
async fn a_membership_gives_no_more_than_its_organisation_has() {
    let world = World::new().await;
    let elsewhere = organisations::create(&world.services, &world.system, "Elsewhere")
        .await
        .expect("made");
    let ann = person(&world, "ann@example.com").await;
    let add = |project, role| {
        organisations::add_member(
            &world.services,
            &world.system,
            elsewhere.id,
            ann.id,
            project,
            role,
        )
    };
    assert_eq!(refused_names(add(None, Role::InstanceAdmin).await), ["role"]);
    assert_eq!(
        refused_names(add(Some(world.project), Role::Viewer).await),
        ["project_id"]
    );
}

#[tokio::test]
async fn people_are_managed_by_instance_admins_only() {
    let world = World::new().await;
    let ann = person(&world, "ann@example.com").await;
    let bad = NewUser {
        email: "nobody".to_owned(),
        password: "short".to_owned(),
        ..NewUser::default()
    };
    assert_eq!(
        refused_names(users::create(&world.services, &world.system, bad).await),
        ["email", "password"]
    );
    let admin = NewUser {
        instance_admin: true,
        ..called("root@example.com")
    };
    let root = users::create(&world.services, &world.system, admin)
        .await
        .expect("made");
    let listed = users::list(&world.services, &world.system, PageRequest::first(10))
        .await
        .expect("listed");
    assert_eq!(
        listed.items.iter().map(|u| u.id).collect::<Vec<_>>(),
        [root.id, ann.id]
    );

    let actor = users::viewer(&world.services, ann.id)
        .await
        .expect("there")
        .actor(None);
    users::find(&world.services, &actor, ann.id)
        .await
        .expect("oneself");
    for refused in [
        users::find(&world.services, &actor, root.id).await.err(),
        users::list(&world.services, &actor, PageRequest::default())
            .await
            .err(),
        users::create(&world.services, &actor, called("x@example.com"))
            .await
            .err(),
        organisations::create(&world.services, &actor, "Mine").await.err(),
    ] {
        assert!(matches!(refused, Some(Error::Forbidden(_))), "{refused:?}");
    }
    let ruler = users::viewer(&world.services, root.id).await.expect("there");
    assert!(
        ruler
            .projects
            .iter()
            .all(|project| project.role == Role::InstanceAdmin)
    );
    assert!(!ruler.projects.is_empty());
}
