use services::Error;
use services::features::{self, Origin};

use crate::world::World;

#[tokio::test]
async fn without_the_feature_it_is_said_that_nothing_is_deleted_and_what_to_do() {
    let world = World::new().await;
    let flag = features::retention_policy(&world.services).await.expect("read");
    assert_eq!((flag.on, flag.origin), (false, Origin::Off));
    let advice = flag.advice().expect("advice");
    assert!(advice.contains("Nothing is deleted"), "{advice}");
    assert!(
        advice.contains("CONVOY_ENABLE_FEATURE_FLAG=retention-policy"),
        "{advice}"
    );
    world.keep(true, "7").await;
    let retention = services::retention::get(&world.services, &world.admin, world.project)
        .await
        .expect("found");
    assert!(retention.policy.on && !retention.flag.on);
}

#[tokio::test]
async fn an_instance_admin_turns_it_on_and_off_and_both_are_written_down() {
    let world = World::new().await;
    let denied = features::set_retention_policy(&world.services, &world.admin, true).await;
    assert!(matches!(denied, Err(Error::Forbidden(_))), "{denied:?}");
    let on = features::set_retention_policy(&world.services, &world.system, true)
        .await
        .expect("set");
    assert_eq!((on.on, on.origin, on.advice()), (true, Origin::Page, None));
    assert_eq!(on.changed.expect("changed").1, "system");
    let off = features::set_retention_policy(&world.services, &world.system, false)
        .await
        .expect("set");
    assert_eq!((off.on, off.origin), (false, Origin::Off));
    let actions: Vec<_> = world.audit().await.into_iter().map(|row| row.action).collect();
    assert_eq!(actions[..2], ["feature.turned_off", "feature.turned_on"]);
}

#[tokio::test]
async fn what_the_configuration_turns_on_no_page_turns_off() {
    let world = World::with(|options| options.lifecycle.retention_policy = true).await;
    let flag = features::retention_policy(&world.services).await.expect("read");
    assert_eq!((flag.on, flag.origin), (true, Origin::Configuration));
    let off = features::set_retention_policy(&world.services, &world.system, false).await;
    assert!(
        matches!(&off, Err(Error::Conflict(why)) if why.contains("configuration")),
        "{off:?}"
    );
}
