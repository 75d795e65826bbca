use domain::role::Role;
use services::Error;
use services::api_keys::{self, NewApiKey};
use services::audit::{self, AuditQuery};
use services::endpoints::{self, EndpointUpdate};
use services::page::PageRequest;
use services::patch::Patch;

use crate::world::{World, refused_names};

#[tokio::test]
async fn a_change_tells_who_did_what_from_where_and_no_secret() {
    let world = World::new().await;
    let address = Some("192.0.2.9".to_owned());
    let holder = api_keys::authenticate(&world.services, &world.key, address.clone())
        .await
        .expect("good");
    let made = world.endpoint("old name").await;
    let update = EndpointUpdate {
        name: Some("new name".to_owned()),
        slack_webhook_url: Some("https://example.com/hidden".to_owned()),
        owner_id: Patch::Value("customer".to_owned()),
        ..EndpointUpdate::default()
    };
    endpoints::update(&world.services, &holder, world.project, made.id, update)
        .await
        .expect("ok");

    let query = AuditQuery {
        project: Some(world.project),
        actor: Some("FIRST key".to_owned()),
        action: Some("endpoint".to_owned()),
        page: PageRequest::default(),
    };
    let rows = audit::list(&world.services, &world.system, query)
        .await
        .expect("listed")
        .items;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(
        (row.action.as_str(), row.subject.as_str()),
        ("endpoint.updated", "new name")
    );
    assert_eq!((row.subject_id, &row.address), (Some(made.id.0), &address));
    let expected = serde_json::json!({
        "name": {"from": "old name", "to": "new name"},
        "owner_id": {"from": null, "to": "customer"},
        "slack_webhook_url": {"changed": true},
    });
    assert_eq!(row.detail, expected);
}

#[tokio::test]
async fn the_newest_come_first_and_an_action_is_found_by_its_first_part_only() {
    let world = World::new().await;
    world.endpoint("a").await;
    world.subscription("s").await;
    let list = async |action: &str| {
        let query = AuditQuery {
            project: Some(world.project),
            action: Some(action.to_owned()),
            page: PageRequest::first(10),
            ..AuditQuery::default()
        };
        let page = audit::list(&world.services, &world.system, query)
            .await
            .expect("listed");
        page.items.into_iter().map(|row| row.action).collect::<Vec<_>>()
    };
    assert_eq!(list("").await[0], "subscription.created");
    assert_eq!(list("endpoint").await, ["endpoint.created", "endpoint.created"]);
    assert!(list("end").await.is_empty());
    assert_eq!(list("project.created").await, ["project.created"]);
}

#[tokio::test]
async fn a_projects_admin_reads_its_rows_and_only_an_instance_admin_reads_all() {
    let world = World::new().await;
    let holder = world.key_holder().await;
    let own = AuditQuery {
        project: Some(world.project),
        ..AuditQuery::default()
    };
    assert!(
        !audit::list(&world.services, &holder, own.clone())
            .await
            .expect("listed")
            .items
            .is_empty()
    );
    let all = audit::list(&world.services, &holder, AuditQuery::default()).await;
    assert!(matches!(all, Err(Error::Forbidden(_))), "{all:?}");
    let stranger = audit::list(&world.services, &world.stranger().await, own.clone()).await;
    assert!(matches!(stranger, Err(Error::Forbidden(_))), "{stranger:?}");
    let new = NewApiKey {
        name: "v".to_owned(),
        role: Some(Role::Viewer),
        ..NewApiKey::default()
    };
    let key = api_keys::create(&world.services, &world.system, world.project, new)
        .await
        .expect("made")
        .clear;
    let viewer = api_keys::authenticate(&world.services, &key, None)
        .await
        .expect("good");
    let looked = audit::list(&world.services, &viewer, own).await;
    assert!(matches!(looked, Err(Error::Forbidden(_))), "{looked:?}");
    let everything = audit::list(&world.services, &world.system, AuditQuery::default())
        .await
        .expect("listed");
    assert!(
        everything
            .items
            .iter()
            .any(|row| row.action == "organisation.created")
    );
    let bad = AuditQuery {
        actor: Some("\u{0}".to_owned()),
        ..AuditQuery::default()
    };
    assert_eq!(
        refused_names(audit::list(&world.services, &world.system, bad).await),
        ["actor"]
    );
}

#[tokio::test]
async fn a_refused_change_leaves_no_row() {
    let world = World::new().await;
    let before = world.actions().await;
    let made = world.endpoint("a").await;
    let bad = EndpointUpdate {
        url: Some("nonsense".to_owned()),
        ..EndpointUpdate::default()
    };
    refused_names(endpoints::update(&world.services, &world.system, world.project, made.id, bad).await);
    assert_eq!(world.actions().await.len(), before.len() + 1);
}
