use std::sync::Arc;

use bytes::Bytes;
use domain::storage::{MASK, OnPremPolicy, S3Policy, Secret, StoragePolicy};
use services::retention::{self, PolicyChange};
use services::storage_policies::{self, Origin, Saved, Scope, VersionState, save, store_for};
use services::{Error, Services};
use storage::{Body, PutCondition};
use tempfile::TempDir;
use testkit::TestS3;

use crate::world::{World, one_refused, refused};

const SECRET: &str = "test-secret-key";

fn folder() -> (TempDir, StoragePolicy) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive").display().to_string();
    (folder, StoragePolicy::OnPrem(OnPremPolicy { path }))
}

async fn saved(world: &World, scope: Scope, policy: StoragePolicy) -> i32 {
    let saved = save(&world.services, &world.system, scope, Origin::Page, policy, false).await;
    match saved.expect("no error") {
        Saved::Done { version, .. } => version,
        Saved::Unfit(report) => panic!("not fit: {report:?}"),
    }
}

async fn effective(services: &Services, world: &World) -> Option<StoragePolicy> {
    let effective = storage_policies::effective(services, world.project).await;
    effective.expect("read").map(|effective| effective.policy)
}

#[tokio::test]
async fn a_policy_is_tried_out_and_stored_without_a_readable_secret() {
    let world = World::new().await;
    let s3 = TestS3::start().await;
    assert_eq!(effective(&world.services, &world).await, None);
    assert_eq!(saved(&world, Scope::Instance, s3.policy()).await, 1);
    assert!(s3.calls().count("PutObject") > 0, "it was tried out");
    assert_eq!(s3.keys(), Vec::<String>::new(), "and nothing stays behind");
    assert_eq!(effective(&world.services, &world).await, Some(s3.policy()));

    let rows = "SELECT row_to_json(p)::text FROM storage_policies p UNION ALL SELECT row_to_json(a)::text FROM audit a";
    let stored = world.sql(rows).await.join("\n");
    assert!(stored.contains("TESTACCESSKEY"), "{stored}");
    assert!(!stored.contains(SECRET), "{stored}");
    let clear = world
        .sql("SELECT encode(secrets, 'escape') FROM storage_policies")
        .await;
    assert!(!clear.join("").contains(SECRET));

    let shown = storage_policies::get(&world.services, &world.system, Scope::Instance)
        .await
        .expect("read");
    let text = format!("{}{shown:?}", serde_json::to_string(&shown).expect("plain data"));
    assert!(text.contains(MASK) && !text.contains(SECRET), "{text}");
    let version = &shown.versions[0];
    assert_eq!(
        (version.version, version.state, version.origin),
        (1, VersionState::Writing, Origin::Page)
    );
    assert!(
        version
            .probe
            .as_ref()
            .is_some_and(domain::storage::ProbeReport::is_ready)
    );
    let effective = storage_policies::effective(&world.services, world.project).await;
    assert!(!format!("{effective:?}").contains(SECRET));
}

#[tokio::test]
async fn a_masked_secret_stays_as_it_is_and_every_change_is_a_version() {
    let world = World::new().await;
    let s3 = TestS3::start().await;
    saved(&world, Scope::Instance, s3.policy()).await;
    let masked = S3Policy {
        secret_key: Secret::new(MASK),
        prefix: "prod".to_owned(),
        ..s3.s3_policy()
    };
    assert_eq!(
        saved(&world, Scope::Instance, StoragePolicy::S3(masked.clone())).await,
        2
    );
    let Some(StoragePolicy::S3(now)) = effective(&world.services, &world).await else {
        panic!("not a bucket");
    };
    assert_eq!((now.secret_key.expose(), now.prefix.as_str()), (SECRET, "prod"));
    // What changes nothing makes no version.
    assert_eq!(
        saved(&world, Scope::Instance, StoragePolicy::S3(masked.clone())).await,
        2
    );
    let replaced = S3Policy {
        secret_key: Secret::new("another-secret"),
        ..masked
    };
    assert_eq!(
        saved(&world, Scope::Instance, StoragePolicy::S3(replaced)).await,
        3
    );
    let row = world.audit().await.remove(0);
    assert_eq!(row.action, "storage.updated");
    assert_eq!(row.detail, serde_json::json!({"secrets": {"changed": true}}));
    let versions = storage_policies::get(&world.services, &world.system, Scope::Instance)
        .await
        .expect("read")
        .versions;
    assert_eq!(versions.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(versions[1].replaced_at, Some(versions[0].created_at));
}

#[tokio::test]
async fn a_mask_without_a_secret_behind_it_is_refused() {
    let world = World::new().await;
    let s3 = TestS3::start().await;
    let masked = StoragePolicy::S3(S3Policy {
        secret_key: Secret::new(MASK),
        ..s3.s3_policy()
    });
    let result = save(
        &world.services,
        &world.system,
        Scope::Instance,
        Origin::Page,
        masked,
        true,
    )
    .await;
    assert_eq!(one_refused(result).0, "s3.secret_key");
}

#[tokio::test]
async fn a_policy_that_does_not_work_is_not_saved_unless_told_to() {
    let world = World::new().await;
    let s3 = TestS3::start().await;
    saved(&world, Scope::Instance, s3.policy()).await;
    let wrong = StoragePolicy::S3(S3Policy {
        access_key: "UNKNOWN".to_owned(),
        ..s3.s3_policy()
    });
    let save_wrong = |even: bool| {
        let (services, system, wrong) = (&world.services, &world.system, wrong.clone());
        async move { save(services, system, Scope::Instance, Origin::Page, wrong, even).await }
    };
    let Saved::Unfit(report) = save_wrong(false).await.expect("no error") else {
        panic!("must not be saved");
    };
    assert!(report.first_failure().is_some(), "{report:?}");
    assert_eq!(effective(&world.services, &world).await, Some(s3.policy()));
    assert!(matches!(
        save_wrong(true).await,
        Ok(Saved::Done { version: 2, .. })
    ));
    assert_eq!(effective(&world.services, &world).await, Some(wrong));
}

#[tokio::test]
async fn what_cannot_be_a_policy_is_refused_by_the_documented_names() {
    let world = World::new().await;
    let policy = StoragePolicy::S3(S3Policy {
        bucket: "b".to_owned(),
        ..S3Policy::default()
    });
    let result = save(
        &world.services,
        &world.system,
        Scope::Instance,
        Origin::Page,
        policy,
        true,
    )
    .await;
    let names: Vec<_> = refused(result).into_iter().map(|field| field.field).collect();
    assert_eq!(
        names,
        ["s3.bucket", "s3.access_key", "s3.secret_key", "s3.region"]
    );
    let path = StoragePolicy::OnPrem(OnPremPolicy {
        path: "archive".to_owned(),
    });
    let result = save(
        &world.services,
        &world.system,
        Scope::Instance,
        Origin::Page,
        path,
        true,
    )
    .await;
    assert_eq!(one_refused(result).0, "on_prem.path");
}

#[tokio::test]
async fn who_rules_only_a_project_reaches_no_folder_and_no_private_address() {
    let world = World::new().await;
    let s3 = TestS3::start().await;
    let (_folder, on_prem) = folder();
    let scope = Scope::Project(world.project);
    let result = save(&world.services, &world.admin, scope, Origin::Api, on_prem, true).await;
    assert_eq!(one_refused(result).0, "on_prem.path");
    let tested = storage_policies::test(&world.services, &world.admin, scope, Some(s3.policy())).await;
    let (field, reason) = one_refused(tested);
    assert_eq!(field, "s3.endpoint");
    assert!(
        reason.contains("loopback") && reason.contains("allow_addresses"),
        "{reason}"
    );
    assert_eq!(s3.calls().0.len(), 0, "nobody was asked");

    let open = world.process(|options| {
        options.delivery.allow_addresses = vec!["127.0.0.0/8".to_owned()];
    });
    let result = save(&open, &world.admin, scope, Origin::Api, s3.policy(), false).await;
    assert!(matches!(result, Ok(Saved::Done { version: 1, .. })), "{result:?}");
    let instance = save(
        &open,
        &world.admin,
        Scope::Instance,
        Origin::Api,
        s3.policy(),
        false,
    )
    .await;
    assert!(matches!(instance, Err(Error::Forbidden(_))), "{instance:?}");
}

#[tokio::test]
async fn a_project_uses_its_own_policy_until_it_goes_back_to_the_instances() {
    let world = World::new().await;
    let (_instance, of_instance) = folder();
    let (_own, of_project) = folder();
    saved(&world, Scope::Instance, of_instance.clone()).await;
    assert_eq!(
        effective(&world.services, &world).await,
        Some(of_instance.clone())
    );
    saved(&world, Scope::Project(world.project), of_project.clone()).await;
    assert_eq!(effective(&world.services, &world).await, Some(of_project));
    let (other, _) = world.new_project("Other").await;
    let others = storage_policies::effective(&world.services, other.id)
        .await
        .expect("read");
    assert_eq!(others.expect("the instance's").scope, Scope::Instance);

    let back = PolicyChange {
        own_storage: Some(false),
        ..PolicyChange::default()
    };
    retention::save(&world.services, &world.admin, world.project, &back, None)
        .await
        .expect("saved");
    assert_eq!(effective(&world.services, &world).await, Some(of_instance));
    let storage = storage_policies::get(&world.services, &world.viewer(), Scope::Project(world.project))
        .await
        .expect("read");
    assert!(!storage.uses_own);
    assert_eq!(storage.versions[0].state, VersionState::Empty);
}

#[tokio::test]
async fn the_configuration_wins_and_becomes_a_version_once() {
    let world = World::new().await;
    let (_page, of_page) = folder();
    let (_file, of_file) = folder();
    saved(&world, Scope::Instance, of_page).await;
    let configured = world.process(|options| options.storage = Some(of_file.clone()));
    for _ in 0..2 {
        storage_policies::sync_configuration(&configured)
            .await
            .expect("in sync");
    }
    let versions = storage_policies::get(&configured, &world.system, Scope::Instance)
        .await
        .expect("read");
    assert!(versions.is_configured);
    assert_eq!(versions.versions.len(), 2);
    assert_eq!(versions.versions[0].origin, Origin::Configuration);
    assert_eq!(effective(&configured, &world).await, Some(of_file.clone()));
    let (_third, third) = folder();
    let saved = save(
        &configured,
        &world.system,
        Scope::Instance,
        Origin::Page,
        third,
        false,
    )
    .await;
    assert!(
        matches!(&saved, Err(Error::Conflict(why)) if why.contains("configuration")),
        "{saved:?}"
    );
    // Without the configuration what it said stays in effect.
    assert_eq!(
        storage_policies::sync_configuration(&world.services)
            .await
            .expect("nothing"),
        None
    );
    assert_eq!(effective(&world.services, &world).await, Some(of_file));
}

#[tokio::test]
async fn two_processes_that_start_at_once_make_one_version() {
    let world = World::new().await;
    let (_folder, policy) = folder();
    let configured = world.process(|options| options.storage = Some(policy));
    let starts = (0..4).map(|_| storage_policies::sync_configuration(&configured));
    let ids = futures::future::join_all(starts).await;
    let first = ids[0].as_ref().expect("in sync").expect("a version");
    for id in &ids {
        assert_eq!(id.as_ref().expect("in sync"), &Some(first));
    }
    assert_eq!(
        world.sql("SELECT version::text FROM storage_policies").await,
        ["1"]
    );
}

#[tokio::test]
async fn segments_of_an_older_version_are_read_where_they_lie() {
    let world = World::new().await;
    let (_first, one) = folder();
    let (_second, two) = folder();
    saved(&world, Scope::Instance, one).await;
    let old = storage_policies::effective(&world.services, world.project)
        .await
        .expect("read")
        .expect("a policy");
    let store = store_for(&world.services, old.id).await.expect("opens");
    let body = Body::Bytes(Bytes::from_static(b"segment"));
    store
        .put("a/b.json.gz", body, PutCondition::Any)
        .await
        .expect("written");
    saved(&world, Scope::Instance, two).await;

    let again = store_for(&world.services, old.id).await.expect("opens");
    assert!(Arc::ptr_eq(&store, &again), "it stays open");
    let fresh = world.process(|_| {});
    let found = store_for(&fresh, old.id)
        .await
        .expect("opens")
        .head("a/b.json.gz")
        .await;
    assert_eq!(found.expect("answers").expect("is there").size, 7);
    let unknown = store_for(&world.services, domain::id::StoragePolicyId(uuid::Uuid::nil())).await;
    assert!(matches!(
        unknown.map(drop),
        Err(Error::NotFound("storage policy"))
    ));

    let segment = format!(
        "INSERT INTO segments (id, project_id, policy_id, kind, topic, day, object_key, state, lease, fence, created_at,
                               size_bytes, block_index, first_id, last_id, verified_at)
         VALUES (gen_random_uuid(), '{}', '{}', 0, 'a', '2026-11-19', 'a/b.json.gz', 'committed', 'test', 1, now(), 7, '',
                 gen_random_uuid(), 'ffffffff-ffff-ffff-ffff-ffffffffffff', '2026-11-19T03:40:00Z')",
        world.project, old.id
    );
    world.sql(&segment).await;
    let versions = storage_policies::get(&world.services, &world.system, Scope::Instance)
        .await
        .expect("read")
        .versions;
    assert_eq!(
        (versions[0].state, versions[0].segments),
        (VersionState::Writing, 0)
    );
    let read_only = &versions[1];
    assert_eq!(
        (read_only.state, read_only.segments, read_only.bytes),
        (VersionState::ReadOnly, 1, 7)
    );
    assert!(read_only.verified_at.is_some());
}

#[tokio::test]
async fn a_test_of_what_is_in_effect_is_remembered() {
    let world = World::new().await;
    let nothing = storage_policies::test(&world.services, &world.system, Scope::Instance, None).await;
    assert!(
        matches!(nothing, Err(Error::NotFound("storage policy"))),
        "{nothing:?}"
    );
    let s3 = TestS3::start().await;
    saved(&world, Scope::Instance, s3.policy()).await;
    s3.set(|settings| settings.denied = vec!["PutObject"]);
    world.at("2026-11-20T13:00:00Z");
    let report = storage_policies::test(&world.services, &world.system, Scope::Instance, None)
        .await
        .expect("tried");
    assert!(!report.is_ready(), "{report:?}");
    let storage = storage_policies::get(&world.services, &world.system, Scope::Instance)
        .await
        .expect("read");
    let place = storage.in_effect.expect("a place");
    assert_eq!(place.is_ready, Some(false));
    assert_eq!(
        place.probed_at.expect("a time").to_rfc3339(),
        "2026-11-20T13:00:00+00:00"
    );
    let retention = retention::get(&world.services, &world.viewer(), world.project)
        .await
        .expect("found");
    assert_eq!(retention.storage, Some(place));
}
