use services::Error;
use services::holds::{self, NewHold};

use crate::world::{World, one_refused, refused};

fn chargeback() -> NewHold {
    NewHold {
        name: "Chargeback 2026-118".to_owned(),
        from: "2026-11-02T00:00:00Z".parse().expect("a time"),
        to: "2026-11-09T00:00:00Z".parse().expect("a time"),
    }
}

#[tokio::test]
async fn a_hold_is_in_force_until_it_is_released_and_both_are_written_down() {
    let world = World::new().await;
    let (services, admin) = (&world.services, &world.admin);
    let placed = holds::place(services, admin, world.project, chargeback())
        .await
        .expect("placed");
    assert!(placed.is_in_force());
    let in_force = holds::in_force(services, world.project).await.expect("listed");
    assert_eq!(in_force, std::slice::from_ref(&placed));
    assert!(
        world.reclass_since().await.is_some(),
        "rows under it have to move"
    );

    world.at("2026-11-21T12:00:00Z");
    let released = holds::release(services, admin, world.project, placed.id)
        .await
        .expect("released");
    assert_eq!(released.released_by.as_deref(), Some(admin.label.as_str()));
    assert_eq!(
        holds::in_force(services, world.project).await.expect("listed"),
        []
    );
    let all = holds::list(services, admin, world.project).await.expect("listed");
    assert_eq!(all, [released]);
    let again = holds::release(services, admin, world.project, placed.id).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let audit = world.audit().await;
    let told: Vec<_> = audit
        .iter()
        .take(2)
        .map(|row| (row.action.as_str(), row.subject.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("hold.released", "Chargeback 2026-118"),
            ("hold.placed", "Chargeback 2026-118")
        ]
    );
    assert!(audit[0].detail.to_string().contains("2026-11-02"));
}

#[tokio::test]
async fn every_hold_and_release_asks_for_a_new_look_at_the_rows() {
    let world = World::new().await;
    let (services, admin) = (&world.services, &world.admin);
    let placed = holds::place(services, admin, world.project, chargeback())
        .await
        .expect("placed");
    let first = world.reclass_since().await;
    // In the same instant: the clock stands.
    holds::release(services, admin, world.project, placed.id)
        .await
        .expect("released");
    assert!(world.reclass_since().await > first);
}

#[tokio::test]
async fn a_window_that_is_none_and_a_missing_name_are_refused() {
    let world = World::new().await;
    let (services, admin) = (&world.services, &world.admin);
    let backwards = NewHold {
        to: chargeback().from,
        ..chargeback()
    };
    let (field, reason) = one_refused(holds::place(services, admin, world.project, backwards).await);
    assert_eq!(
        (field.as_str(), reason.as_str()),
        ("to", "must be later than from")
    );
    let nameless = NewHold {
        name: " ".to_owned(),
        ..chargeback()
    };
    let fields = refused(holds::place(services, admin, world.project, nameless).await);
    assert_eq!(fields[0].field, "name");
    assert_eq!(world.reclass_since().await, None);
}

#[tokio::test]
async fn only_admins_of_the_project_hold_and_release() {
    let world = World::new().await;
    let placed = holds::place(&world.services, &world.admin, world.project, chargeback())
        .await
        .expect("placed");
    let (other, stranger) = world.new_project("Somebody else's").await;
    for actor in [&world.viewer(), &stranger] {
        let place = holds::place(&world.services, actor, world.project, chargeback()).await;
        assert!(matches!(place, Err(Error::Forbidden(_))), "{place:?}");
        let release = holds::release(&world.services, actor, world.project, placed.id).await;
        assert!(matches!(release, Err(Error::Forbidden(_))), "{release:?}");
    }
    assert!(
        holds::list(&world.services, &world.viewer(), world.project)
            .await
            .is_ok()
    );
    // A hold of another project is no hold of one's own.
    let release = holds::release(&world.services, &stranger, other.id, placed.id).await;
    assert!(matches!(release, Err(Error::NotFound("hold"))), "{release:?}");
}
