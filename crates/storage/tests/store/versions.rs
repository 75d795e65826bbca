//! What is sent with an object, and what is left of old ones.

use domain::storage::{Sse, StoragePolicy};
use storage::ErrorKind;
use testkit::object_store::TestS3;

use crate::{content, put};

#[tokio::test]
async fn every_version_can_be_removed_for_good() {
    let server = TestS3::start().await;
    server.set(|settings| settings.versioning = true);
    let store = storage::open(&server.policy());
    let secret = content(40);
    let first = put(&*store, "a/b.gz", &secret).await.version_id.expect("kept");
    let second = put(&*store, "a/b.gz", &content(50))
        .await
        .version_id
        .expect("kept");
    put(&*store, "a/b.gzip", &content(60)).await;
    assert_eq!(
        server.versions_containing(&secret),
        ["a/b.gz", "a/b.gz", "a/b.gzip"]
    );

    let versions = store.versions("a/b.gz").await.expect("listed");
    let ids: Vec<_> = versions.iter().map(|v| v.version_id.as_deref()).collect();
    assert_eq!(
        ids,
        [Some(second.as_str()), Some(first.as_str())],
        "latest first, this key only"
    );
    assert!(versions[0].is_latest && !versions[1].is_latest);

    store.delete("a/b.gz", Some(&first)).await.expect("removed");
    assert_eq!(store.versions("a/b.gz").await.expect("listed").len(), 1);
    store.delete("a/b.gz", None).await.expect("hidden");
    assert_eq!(store.head("a/b.gz").await.expect("answered"), None);
    let versions = store.versions("a/b.gz").await.expect("listed");
    assert_eq!(
        versions.iter().map(|v| v.is_deletion).collect::<Vec<_>>(),
        [true, false]
    );
}

#[tokio::test]
async fn a_protected_version_says_so() {
    let server = TestS3::start().await;
    server.set(|settings| {
        settings.versioning = true;
        settings.object_lock = true;
    });
    let store = storage::open(&server.policy());
    let version = put(&*store, "a/b.gz", &content(40)).await.version_id;
    let refused = store.delete("a/b.gz", version.as_deref()).await;
    assert_eq!(refused.expect_err("protected").kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn objects_are_gzip_by_type_and_never_by_encoding() {
    let server = TestS3::start().await;
    let mut policy = server.s3_policy();
    policy.prefix = "prod".to_owned();
    policy.sse = Sse::AwsKms;
    policy.kms_key_id = "key-1".to_owned();
    let store = storage::open(&StoragePolicy::S3(policy));
    let digest_of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for len in [0, (25 << 20) + 1] {
        put(&*store, "a/b.json.gz", &content(len)).await;
        let headers = server.headers("prod/a/b.json.gz");
        let header = |name: &str| {
            let found = headers.iter().find(|(other, _)| other == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(header("content-type"), Some("application/gzip"));
        assert_eq!(header("content-encoding"), None);
        assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
        assert_eq!(
            header("x-amz-server-side-encryption-aws-kms-key-id"),
            Some("key-1")
        );
        let digest = header("x-amz-meta-sha256").expect("a digest");
        assert_eq!(len == 0, digest == digest_of_nothing);
    }
}
