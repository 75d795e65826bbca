use services::bootstrap::{Bootstrap, bootstrap};
use services::{projects, sign_in, users};

use crate::world::{World, refused_names};

fn wanted() -> Bootstrap {
    Bootstrap {
        email: "root@example.com".to_owned(),
        password: "correct horse".to_owned(),
        project_name: "Demo".to_owned(),
        ..Bootstrap::default()
    }
}

#[tokio::test]
async fn the_first_time_makes_everything_and_later_times_keep_it() {
    let world = World::new().await;
    let first = bootstrap(&world.services, wanted()).await.expect("made");
    assert!(first.user.instance_admin);
    assert_eq!(
        (first.organisation.name.as_str(), first.project.name.as_str()),
        ("Default", "Demo")
    );
    let key = first.api_key.expect("a key").clear;
    let holder = services::api_keys::authenticate(&world.services, &key, None)
        .await
        .expect("good");
    projects::get(&world.services, &holder, first.project.id)
        .await
        .expect("its project");
    let id = sign_in::sign_in(&world.services, "root@example.com", "correct horse", None)
        .await
        .expect("good");
    assert!(
        users::viewer(&world.services, id)
            .await
            .expect("there")
            .projects
            .len()
            >= 2
    );

    let other_password = Bootstrap {
        password: "battery staple".to_owned(),
        ..wanted()
    };
    let second = bootstrap(&world.services, other_password).await.expect("kept");
    assert_eq!(
        (second.user.id, second.organisation.id, second.project.id),
        (first.user.id, first.organisation.id, first.project.id)
    );
    assert!(second.api_key.is_none());
    sign_in::sign_in(&world.services, "root@example.com", "correct horse", None)
        .await
        .expect("the old password");
    let third = bootstrap(
        &world.services,
        Bootstrap {
            new_api_key: true,
            ..wanted()
        },
    )
    .await
    .expect("kept");
    let another = third.api_key.expect("another key").clear;
    assert_ne!(another, key);
    services::api_keys::authenticate(&world.services, &key, None)
        .await
        .expect("the first stays good");
}

#[tokio::test]
async fn bootstraps_at_the_same_time_make_one_of_each() {
    let world = World::new().await;
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let services = world.services.clone();
            tokio::spawn(async move { bootstrap(&services, wanted()).await })
        })
        .collect();
    let mut keys = 0;
    let mut projects = Vec::new();
    for run in runs {
        let done = run.await.expect("no panic").expect("done");
        keys += usize::from(done.api_key.is_some());
        projects.push((done.user.id, done.organisation.id, done.project.id));
    }
    projects.dedup();
    assert_eq!((projects.len(), keys), (1, 1));
}

#[tokio::test]
async fn a_password_that_is_too_short_makes_nothing() {
    let world = World::new().await;
    let short = Bootstrap {
        password: "short".to_owned(),
        ..wanted()
    };
    assert_eq!(
        refused_names(bootstrap(&world.services, short).await),
        ["password"]
    );
    let users = users::list(
        &world.services,
        &world.system,
        services::page::PageRequest::default(),
    )
    .await;
    assert!(users.expect("listed").items.is_empty());
}
