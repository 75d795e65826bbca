//! What a probe says of good, strange and wrong stores.

use chrono::TimeDelta;
use domain::storage::{OnPremPolicy, Outcome, ProbeReport, StoragePolicy};
use testkit::object_store::{Conditions, Fault, Garage, TestS3};

use crate::folder_policy;

fn outcome(report: &ProbeReport, name: &str) -> (Outcome, String) {
    let step = report.steps.iter().find(|step| step.name == name);
    let step = step.unwrap_or_else(|| panic!("no step {name} in {report:#?}"));
    (step.outcome, step.say.clone())
}

/// The step that fails, and that its words are there.
fn fails(report: &ProbeReport, name: &str, word: &str) {
    let (outcome, say) = outcome(report, name);
    assert_eq!(outcome, Outcome::Failed, "{say}");
    assert!(say.contains(word), "`{word}` is not in: {say}");
    assert!(!report.is_ready());
}

#[tokio::test]
async fn a_good_store_passes_every_step() {
    let server = TestS3::start().await;
    let report = storage::probe::run(&server.policy()).await;
    assert_eq!(report.count(Outcome::Passed), report.steps.len(), "{report:#?}");
    assert_eq!(report.steps.len(), 13);
    let can = &report.capabilities;
    assert!(can.write_if_absent && can.write_if_unchanged && can.read_if_unchanged);
    assert!(can.ranges && can.multipart && !can.versioning && !can.object_lock);
    assert_eq!(report.remark, "Object Lock is off. Test objects were removed.");
    assert!(server.keys().is_empty(), "{:?}", server.keys());
}

#[tokio::test]
async fn a_missing_bucket_is_created() {
    let server = TestS3::start().await;
    server.remove_bucket();
    let report = storage::probe::run(&server.policy()).await;
    assert!(report.is_ready(), "{report:#?}");
    assert_eq!(outcome(&report, "Bucket").1, "Created");
}

#[tokio::test]
async fn what_a_store_cannot_do_is_a_note() {
    let server = TestS3::start().await;
    server.set(|settings| {
        settings.write_conditions = Conditions::Ignored;
        settings.read_conditions = Conditions::Ignored;
        settings.ignores_ranges = true;
        settings.versioning = true;
    });
    let report = storage::probe::run(&server.policy()).await;
    assert!(report.is_ready(), "{report:#?}");
    for name in [
        "Read a range",
        "Read if unchanged",
        "Write if absent",
        "Write if unchanged",
        "Versioning",
    ] {
        assert_eq!(outcome(&report, name).0, Outcome::Note, "{name}");
    }
    let can = &report.capabilities;
    assert!(!can.write_if_absent && !can.write_if_unchanged && !can.read_if_unchanged && !can.ranges);
    assert!(can.versioning);
    assert!(server.versions_containing(b"").is_empty(), "no version is left");
    server.set(|settings| settings.write_conditions = Conditions::Refused);
    let report = storage::probe::run(&server.policy()).await;
    assert_eq!(outcome(&report, "Write if absent").0, Outcome::Note);
}

#[tokio::test]
async fn wrong_settings_fail_at_the_step_that_tells_them_apart() {
    let server = TestS3::start().await;
    let mut policy = server.s3_policy();
    policy.access_key = "OTHER".to_owned();
    fails(
        &storage::probe::run(&StoragePolicy::S3(policy)).await,
        "Sign in",
        "access key",
    );

    server.set(|settings| settings.clock_ahead = TimeDelta::hours(2));
    fails(&storage::probe::run(&server.policy()).await, "Sign in", "clock");
    server.set(|settings| settings.clock_ahead = TimeDelta::zero());

    let policy = server.policy();
    server.set(|settings| settings.region = "eu-central-1".to_owned());
    fails(&storage::probe::run(&policy).await, "Sign in", "eu-central-1");

    let mut policy = server.s3_policy();
    policy.bucket.clear();
    fails(
        &storage::probe::run(&StoragePolicy::S3(policy)).await,
        "Settings",
        "s3.bucket",
    );

    let mut policy = server.s3_policy();
    policy.endpoint = "http://127.0.0.1:1".to_owned();
    fails(
        &storage::probe::run(&StoragePolicy::S3(policy)).await,
        "Connect",
        "nothing listens",
    );
}

#[tokio::test]
async fn it_goes_on_after_a_step_that_failed() {
    let server = TestS3::start().await;
    server.set(|settings| settings.denied = vec!["PutObject"]);
    let report = storage::probe::run(&server.policy()).await;
    fails(&report, "Write", "s3:PutObject");
    assert_eq!(outcome(&report, "List by prefix").0, Outcome::Passed);
    assert_eq!(outcome(&report, "Versioning").0, Outcome::Passed);

    server.set(|settings| settings.denied = vec!["ListObjectsV2", "DeleteObject"]);
    let report = storage::probe::run(&server.policy()).await;
    fails(&report, "List by prefix", "s3:ListBucket");
    fails(&report, "Delete", "s3:DeleteObject");
    assert_eq!(outcome(&report, "Read back").0, Outcome::Passed);
    assert!(
        report.remark.contains("may be left under _probe/"),
        "{}",
        report.remark
    );
}

#[tokio::test]
async fn a_store_that_gives_back_other_bytes_is_not_trusted() {
    let server = TestS3::start().await;
    // Looking, writing, reading back.
    server.faults().on_call(3, Fault::Damage);
    fails(
        &storage::probe::run(&server.policy()).await,
        "Read back",
        "other bytes",
    );
}

#[tokio::test]
async fn a_folder_is_created_and_passes_every_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let policy = folder_policy(&dir);
    let report = storage::probe::run(&policy).await;
    assert!(report.is_ready(), "{report:#?}");
    assert_eq!(outcome(&report, "Folder").1, "Created");
    assert!(report.capabilities.free_bytes.is_some_and(|free| free > 0));
    assert!(report.capabilities.write_if_absent && report.capabilities.write_if_unchanged);
    let store = storage::open(&policy);
    assert!(crate::keys(&*store, "").await.is_empty());
    let report = storage::probe::run(&policy).await;
    assert_eq!(outcome(&report, "Folder").1, "Exists, no need to create");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_fails() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().join("x").display().to_string();
    let policy = StoragePolicy::OnPrem(OnPremPolicy { path });
    fails(
        &storage::probe::run(&policy).await,
        "Folder",
        "is a file and no folder",
    );
}

#[tokio::test]
async fn a_real_s3_server_is_ready() {
    let server = Garage::start().await;
    let report = storage::probe::run(&server.policy()).await;
    assert!(report.is_ready(), "{report:#?}");
    assert_eq!(outcome(&report, "Bucket").1, "Created");
    let can = &report.capabilities;
    assert!(can.ranges && can.multipart && can.read_if_unchanged);
}
