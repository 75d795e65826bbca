use db::partitions::{LeafFilter, leaves};
use domain::lifecycle::KeepDays;
use serde_json::json;
use services::Error;
use services::projects::{self, ProjectUpdate};
use services::retention::{self, PolicyChange};
use services::subscriptions::{NewSubscription, RetryInput};

use crate::world::{World, one_refused, policy};

#[tokio::test]
async fn events_stay_for_ever_until_somebody_says_otherwise() {
    let world = World::new().await;
    let retention = retention::get(&world.services, &world.viewer(), world.project)
        .await
        .expect("found");
    assert!(!retention.policy.on && !retention.policy.backup);
    assert_eq!(retention.policy.days, 30);
    assert_eq!(retention.policy.class(), KeepDays::FOR_EVER);
    assert_eq!((retention.changed, retention.reclass_since), (None, None));
    assert_eq!(
        retention.next_deletion_at.to_rfc3339(),
        "2026-11-21T02:15:00+00:00"
    );
}

#[tokio::test]
async fn turning_on_and_shortening_need_the_projects_name() {
    let world = World::new().await;
    let save = |days: &'static str, confirm: Option<&'static str>| {
        let (services, admin, project) = (&world.services, &world.admin, world.project);
        async move { retention::save(services, admin, project, &policy(true, days), confirm).await }
    };
    for wrong in [None, Some(""), Some("shop"), Some("Shop 2")] {
        let (field, reason) = one_refused(save("30", wrong).await);
        assert_eq!(field, "confirm", "{wrong:?}");
        assert!(reason.contains("Shop") && reason.contains("30 days"), "{reason}");
    }
    let saved = save("30", Some(" Shop ")).await.expect("saved");
    assert_eq!(
        saved.undo_until.expect("can be undone").to_rfc3339(),
        "2026-11-21T02:15:00+00:00"
    );
    assert_eq!(one_refused(save("7", None).await).0, "confirm");
    assert!(save("7", Some("Shop")).await.is_ok());
    let longer = save("90", None).await.expect("lengthening needs no name");
    assert_eq!((longer.policy.days, longer.undo_until), (90, None));
    let off = retention::save(
        &world.services,
        &world.admin,
        world.project,
        &policy(false, "90"),
        None,
    )
    .await;
    assert_eq!(
        off.expect("turning off needs none").policy.class(),
        KeepDays::FOR_EVER
    );
}

#[tokio::test]
async fn a_new_class_has_its_leaves_before_a_row_may_carry_it() {
    let world = World::new().await;
    world.keep(true, "720h").await;
    let filter = LeafFilter {
        keep_days: Some(KeepDays(30)),
        ..LeafFilter::default()
    };
    let made = leaves(&world.services.db, &filter).await.expect("listed");
    // Four tables; yesterday, today, and one day ahead.
    assert_eq!(made.len(), 12, "{made:?}");
    let project = projects::get(&world.services, &world.admin, world.project)
        .await
        .expect("found");
    assert_eq!(project.project.keep_days, KeepDays(30));
    let known = world
        .services
        .catalog
        .project(world.project)
        .expect("in the catalog");
    assert_eq!(known.keep_days, KeepDays(30));
}

#[tokio::test]
async fn a_change_of_the_class_asks_for_a_new_look_at_older_rows_each_time() {
    let world = World::new().await;
    world.keep(true, "30").await;
    let first = world.reclass_since().await.expect("asked for");
    // In the same instant: the clock stands.
    world.keep(true, "7").await;
    let second = world.reclass_since().await.expect("asked for");
    assert!(second > first, "a run under way must see that it has to go on");
    // What leaves the class as it is asks for nothing.
    world.sql("UPDATE projects SET reclass_since = NULL").await;
    world.keep(true, "168h").await;
    assert_eq!(world.reclass_since().await, None);
}

#[tokio::test]
async fn a_change_is_written_down_and_shown_with_who_made_it() {
    let world = World::new().await;
    world.keep(true, "7").await;
    let row = world.audit().await.remove(0);
    assert_eq!(
        (row.action.as_str(), row.subject.as_str()),
        ("retention.updated", "Shop")
    );
    assert_eq!(
        row.detail,
        json!({"on": {"from": false, "to": true}, "days": {"from": 30, "to": 7}})
    );
    let retention = retention::get(&world.services, &world.viewer(), world.project)
        .await
        .expect("found");
    let (at, by) = retention.changed.expect("changed");
    assert_eq!(
        (at.to_rfc3339().as_str(), by),
        ("2026-11-20T12:00:00+00:00", world.admin.label.clone())
    );
    // Saving what is there already is no change.
    world.keep(true, "7").await;
    assert_eq!(world.audit().await.remove(0).id, row.id);
}

#[tokio::test]
async fn a_retry_schedule_longer_than_the_period_is_told_with_both_figures() {
    let world = World::new().await;
    // Nine waits of two days.
    let slow = json!({"strategy": {"type": "linear", "duration": 172_800, "retry_count": 10}});
    let update = ProjectUpdate {
        config: slow.as_object().cloned(),
        ..ProjectUpdate::default()
    };
    projects::update(&world.services, &world.admin, world.project, update)
        .await
        .expect("saved");
    let save = |days: &'static str| {
        let (services, admin, project) = (&world.services, &world.admin, world.project);
        async move { retention::save(services, admin, project, &policy(true, days), Some("Shop")).await }
    };
    let (field, reason) = one_refused(save("7").await);
    assert_eq!(field, "days");
    for part in ["at least 18", "432h", "168h", "the project's retry schedule"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert!(save("18").await.is_ok());
}

/// A subscription of which the third attempt comes four days after the first.
async fn slow_subscription(world: &World) -> NewSubscription {
    let endpoint = services::endpoints::NewEndpoint {
        name: "Ledger".to_owned(),
        url: "https://example.com/in".to_owned(),
        ..services::endpoints::NewEndpoint::default()
    };
    let endpoint = services::endpoints::create(&world.services, &world.admin, world.project, endpoint)
        .await
        .expect("made");
    NewSubscription {
        name: "Slow ledger".to_owned(),
        endpoint_id: endpoint.id.to_string(),
        retry_config: Some(RetryInput {
            kind: "linear".to_owned(),
            interval_seconds: Some(172_800),
            retry_count: Some(3),
            ..RetryInput::default()
        }),
        ..NewSubscription::default()
    }
}

#[tokio::test]
async fn the_schedule_of_a_subscription_counts_as_well() {
    let world = World::new().await;
    let (services, admin, project) = (&world.services, &world.admin, world.project);
    let subscription = slow_subscription(&world).await;
    services::subscriptions::create(services, admin, project, subscription)
        .await
        .expect("made");
    let saved = retention::save(services, admin, project, &policy(true, "3"), Some("Shop")).await;
    let (field, reason) = one_refused(saved);
    assert_eq!(field, "days");
    assert!(
        reason.contains("subscription Slow ledger") && reason.contains("96h"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_subscription_may_not_try_for_longer_than_events_are_kept() {
    let world = World::new().await;
    let (services, admin, project) = (&world.services, &world.admin, world.project);
    world.keep(true, "3").await;
    services.catalog.refresh(project).await.expect("loaded");
    let subscription = slow_subscription(&world).await;
    let (field, reason) =
        one_refused(services::subscriptions::create(services, admin, project, subscription.clone()).await);
    assert_eq!(field, "retry_config");
    assert!(reason.contains("4 days") && reason.contains("3 days"), "{reason}");
    world.keep(true, "4").await;
    services.catalog.refresh(project).await.expect("loaded");
    assert!(
        services::subscriptions::create(services, admin, project, subscription)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    let save = |change: PolicyChange| {
        let (services, admin, project) = (&world.services, &world.admin, world.project);
        async move { retention::save(services, admin, project, &change, Some("Shop")).await }
    };
    for days in ["0", "3651", "soon", "-7", ""] {
        assert_eq!(one_refused(save(policy(true, days)).await).0, "days", "{days}");
    }
    let backup = PolicyChange {
        backup: Some(true),
        ..PolicyChange::default()
    };
    let (field, reason) = one_refused(save(backup).await);
    assert_eq!(field, "backup_enabled");
    assert!(reason.contains("place for copies"), "{reason}");
    let own = PolicyChange {
        own_storage: Some(true),
        ..PolicyChange::default()
    };
    assert_eq!(one_refused(save(own).await).0, "own_storage");
}

#[tokio::test]
async fn viewers_and_strangers_change_nothing() {
    let world = World::new().await;
    let (_, stranger) = world.new_project("Somebody else's").await;
    for actor in [&world.viewer(), &stranger] {
        let change = policy(true, "7");
        let saved = retention::save(&world.services, actor, world.project, &change, Some("Shop")).await;
        assert!(matches!(saved, Err(Error::Forbidden(_))), "{saved:?}");
    }
    let seen = retention::get(&world.services, &stranger, world.project).await;
    assert!(matches!(seen, Err(Error::Forbidden(_))), "{seen:?}");
    let preview = retention::preview(&world.services, &stranger, world.project, &policy(true, "7")).await;
    assert!(matches!(preview, Err(Error::Forbidden(_))), "{preview:?}");
}

#[tokio::test]
async fn new_projects_start_with_what_the_configuration_says() {
    let world = World::with(|options| {
        options.lifecycle.retention_on = true;
        options.lifecycle.retention_days = 7;
    })
    .await;
    let retention = retention::get(&world.services, &world.admin, world.project)
        .await
        .expect("found");
    assert_eq!((retention.policy.on, retention.policy.days), (true, 7));
    assert!(!retention.policy.backup, "there is no place for copies");
    let (project, _) = world.new_project("Second").await;
    assert_eq!(project.keep_days, KeepDays(7));
    let filter = LeafFilter {
        keep_days: Some(KeepDays(7)),
        ..LeafFilter::default()
    };
    assert_eq!(
        leaves(&world.services.db, &filter).await.expect("listed").len(),
        12
    );
}
