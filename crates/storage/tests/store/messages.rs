//! Wrong settings each say what to change.

use chrono::TimeDelta;
use domain::storage::{S3Policy, Secret, StoragePolicy};
use storage::{ErrorKind, StoreError};
use testkit::object_store::{Settings, TestS3};
use tokio::net::TcpListener;

use crate::{content, put_if_absent};

/// The error of a write under a policy and a store that do not fit.
async fn wrong(change: impl FnOnce(&mut S3Policy), behave: impl FnOnce(&mut Settings)) -> StoreError {
    let server = TestS3::start().await;
    let mut policy = server.s3_policy();
    change(&mut policy);
    server.set(behave);
    let store = storage::open(&StoragePolicy::S3(policy));
    put_if_absent(&*store, "a/b.gz", &content(10))
        .await
        .expect_err("wrong")
}

fn says(error: &StoreError, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.say().contains(word), "`{word}` is not in: {error}");
    }
}

#[tokio::test]
async fn an_unknown_access_key() {
    let error = wrong(|policy| policy.access_key = "OTHER".to_owned(), |_| ()).await;
    says(&error, ErrorKind::Credentials, &["access key"]);
}

#[tokio::test]
async fn a_wrong_secret_key() {
    let error = wrong(
        |policy| policy.secret_key = Secret::new("not-this-one"),
        |settings| settings.refuses_signatures = true,
    )
    .await;
    says(&error, ErrorKind::Credentials, &["secret key"]);
    assert!(!format!("{error} {error:?}").contains("not-this-one"));
}

#[tokio::test]
async fn another_region_is_named() {
    let error = wrong(|_| (), |settings| settings.region = "eu-central-1".to_owned()).await;
    says(
        &error,
        ErrorKind::WrongRegion,
        &["set the region to eu-central-1", "us-east-1"],
    );
}

#[tokio::test]
async fn a_wrong_clock_is_measured() {
    let error = wrong(|_| (), |settings| settings.clock_ahead = TimeDelta::minutes(45)).await;
    says(
        &error,
        ErrorKind::WrongClock,
        &["clock of this machine", "minutes behind"],
    );
    let error = wrong(|_| (), |settings| settings.clock_ahead = TimeDelta::minutes(-45)).await;
    says(&error, ErrorKind::WrongClock, &["minutes ahead of"]);
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let error = wrong(|policy| policy.bucket = "other-bucket".to_owned(), |_| ()).await;
    says(&error, ErrorKind::NoBucket, &["no bucket other-bucket"]);
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let error = wrong(|_| (), |settings| settings.denied = vec!["PutObject"]).await;
    says(&error, ErrorKind::Denied, &["s3:PutObject"]);
}

#[tokio::test]
async fn a_full_store() {
    let error = wrong(|_| (), |settings| settings.full = true).await;
    says(&error, ErrorKind::Full, &["no room"]);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = wrong(|policy| policy.endpoint = format!("http://{address}"), |_| ()).await;
    says(
        &error,
        ErrorKind::Unreachable,
        &["nothing listens", &address.to_string()],
    );
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let error = wrong(
        |policy| policy.endpoint = policy.endpoint.replace("http://", "https://"),
        |_| (),
    )
    .await;
    says(&error, ErrorKind::Unreachable, &["does not speak TLS", "http://"]);
}

#[tokio::test]
async fn something_that_is_no_s3_store() {
    let other = testkit::Receiver::start().await;
    other.always(testkit::Reply::Status(418));
    let policy = |policy: &mut S3Policy| policy.endpoint = other.url("");
    let error = wrong(policy, |_| ()).await;
    says(&error, ErrorKind::Other, &["is it an S3 store?"]);
}

#[tokio::test]
async fn an_endpoint_that_is_no_address() {
    let error = wrong(
        |policy| policy.endpoint = "http://not an address".to_owned(),
        |_| (),
    )
    .await;
    says(&error, ErrorKind::Other, &["check the endpoint"]);
}
