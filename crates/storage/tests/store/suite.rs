//! What every store must do.

use std::fmt::Debug;

use bytes::Bytes;
use futures::TryStreamExt as _;
use storage::{Body, ErrorKind, ObjectStore, PutCondition, StoreError};
use testkit::object_store::{Conditions, Garage, TestS3};

use crate::{Folder, LATER, content, keys, put, put_if_absent, read};

/// One named test per case and store.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test]
            async fn $case() {
                let folder = super::Folder::new().await;
                super::$case(&*folder.store).await;
            })*
        }

        mod light_s3 {
            $(#[tokio::test]
            async fn $case() {
                let server = super::TestS3::start().await;
                super::$case(&*storage::open(&server.policy())).await;
            })*
        }

        mod light_s3_without_conditions {
            $(#[tokio::test]
            async fn $case() {
                let server = super::TestS3::start().await;
                server.set(|settings| {
                    settings.write_conditions = super::Conditions::Ignored;
                    settings.read_conditions = super::Conditions::Ignored;
                    settings.ignores_ranges = true;
                });
                super::$case(&*storage::open(&server.policy())).await;
            })*
        }

        mod light_s3_with_a_prefix_and_versions {
            $(#[tokio::test]
            async fn $case() {
                let server = super::TestS3::start().await;
                server.set(|settings| settings.versioning = true);
                let mut policy = server.s3_policy();
                policy.prefix = "prod/eu".to_owned();
                let policy = domain::storage::StoragePolicy::S3(policy);
                super::$case(&*storage::open(&policy)).await;
                assert!(server.keys().iter().all(|key| key.starts_with("prod/eu/")));
            })*
        }

        /// One process for all cases, because it takes a moment to start. Each case has keys of its own.
        #[tokio::test]
        async fn a_real_s3_server_passes_it_all() {
            let server = Garage::start().await;
            let store = storage::open(&server.policy());
            assert!(store.ensure_bucket().await.expect("may create"), "there was no bucket");
            $(
                println!("case {}", stringify!($case));
                $case(&*store).await;
            )*
        }
    };
}

suite!(
    what_is_written_is_read_back,
    a_file_is_written_like_bytes,
    a_large_file_is_written_in_parts,
    a_range_gives_exactly_its_bytes,
    a_range_beyond_the_end_is_an_error,
    a_missing_object_is_told_from_trouble,
    a_write_if_absent_never_replaces,
    a_write_if_unchanged_needs_the_present_etag,
    a_changed_object_is_not_read_for_the_old_one,
    lists_are_complete_and_in_the_order_of_keys,
    every_sensible_key_works,
    a_deleted_object_is_gone,
    a_bucket_is_created_once,
    nothing_is_unfinished_after_a_write,
);

fn kind<T: Debug>(result: Result<T, StoreError>) -> ErrorKind {
    result.expect_err("refused").kind()
}

async fn what_is_written_is_read_back(store: &dyn ObjectStore) {
    for (name, len) in [("empty", 0), ("one", 1), ("some", 300_000)] {
        let (key, bytes) = (format!("back/{name}.json.gz"), content(len));
        let stored = put(store, &key, &bytes).await;
        let object = store.get(&key, Some(&stored.etag)).await.expect("unchanged");
        assert_eq!((object.meta.size, &object.meta.etag), (len as u64, &stored.etag));
        assert_eq!(object.meta.key, key);
        assert_eq!(object.bytes().await.expect("whole"), bytes, "{name}");
        let meta = store.head(&key).await.expect("answered").expect("there");
        assert_eq!((meta.size, meta.etag), (len as u64, stored.etag));
    }
    let other = content(10);
    put(store, "back/some.json.gz", &other).await;
    assert_eq!(read(store, "back/some.json.gz").await, other, "replaced");
}

/// A file with this content.
fn file(bytes: &Bytes) -> (tempfile::NamedTempFile, Body) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("room");
    let body = Body::File {
        path: file.path().to_owned(),
        len: bytes.len() as u64,
    };
    (file, body)
}

async fn a_file_is_written_like_bytes(store: &dyn ObjectStore) {
    let bytes = content(1 << 20);
    let (_file, body) = file(&bytes);
    store
        .put("file/a.gz", body, PutCondition::IfAbsent)
        .await
        .expect("new");
    assert_eq!(read(store, "file/a.gz").await, bytes);
}

async fn a_large_file_is_written_in_parts(store: &dyn ObjectStore) {
    let bytes = content((25 << 20) + 12_345);
    let (_file, body) = file(&bytes);
    let stored = store
        .put("large/a.gz", body, PutCondition::IfAbsent)
        .await
        .expect("new");
    let object = store.get("large/a.gz", Some(&stored.etag)).await.expect("there");
    let add = |mut all: Vec<u8>, part: Bytes| async move {
        all.extend_from_slice(&part);
        Ok(all)
    };
    let all = object.body.try_fold(Vec::new(), add).await.expect("whole");
    // Not `assert_eq`: nobody wants to see 25 MB.
    assert!(all == bytes, "{} of {} bytes", all.len(), bytes.len());
    let second = put_if_absent(store, "large/a.gz", &bytes).await;
    assert_eq!(kind(second), ErrorKind::Precondition);
}

async fn a_range_gives_exactly_its_bytes(store: &dyn ObjectStore) {
    let bytes = content(100_000);
    let etag = put(store, "range/a.gz", &bytes).await.etag;
    for range in [0..1, 0..100_000, 99_999..100_000, 500..4_596, 7..7] {
        let part = store
            .get_range("range/a.gz", range.clone(), Some(&etag))
            .await
            .expect("a part");
        assert_eq!(part, bytes[range.start as usize..range.end as usize], "{range:?}");
    }
}

async fn a_range_beyond_the_end_is_an_error(store: &dyn ObjectStore) {
    put(store, "range/b.gz", &content(100)).await;
    for range in [0..101, 100..101, 1_000..2_000] {
        let part = store.get_range("range/b.gz", range.clone(), None).await;
        assert_eq!(kind(part), ErrorKind::Corrupt, "{range:?}");
    }
}

async fn a_missing_object_is_told_from_trouble(store: &dyn ObjectStore) {
    assert_eq!(store.head("missing/a.gz").await.expect("no trouble"), None);
    assert_eq!(kind(store.get("missing/a.gz", None).await), ErrorKind::NotFound);
    assert_eq!(
        kind(store.get_range("missing/a.gz", 0..1, None).await),
        ErrorKind::NotFound
    );
    assert!(
        store
            .versions("missing/a.gz")
            .await
            .expect("no trouble")
            .is_empty()
    );
}

async fn a_write_if_absent_never_replaces(store: &dyn ObjectStore) {
    let (first, second) = (content(1_000), content(500));
    put_if_absent(store, "absent/a.gz", &first).await.expect("new");
    assert_eq!(
        kind(put_if_absent(store, "absent/a.gz", &second).await),
        ErrorKind::Precondition
    );
    assert_eq!(read(store, "absent/a.gz").await, first);
}

async fn a_write_if_unchanged_needs_the_present_etag(store: &dyn ObjectStore) {
    let key = "unchanged/a.gz";
    let replace = |etag: &str, len: usize| {
        let (body, etag) = (Body::Bytes(content(len)), etag.to_owned());
        store.put(key, body, PutCondition::IfMatch(etag))
    };
    assert_eq!(
        kind(replace("nothing-is-there", 5).await),
        ErrorKind::Precondition
    );
    let first = put(store, key, &content(1_000)).await.etag;
    let second = replace(&first, 2_000).await.expect("unchanged").etag;
    assert_ne!(first, second);
    assert_eq!(kind(replace(&first, 3_000).await), ErrorKind::Precondition);
    assert_eq!(read(store, key).await.len(), 2_000);
}

async fn a_changed_object_is_not_read_for_the_old_one(store: &dyn ObjectStore) {
    let old = put(store, "changed/a.gz", &content(1_000)).await.etag;
    put(store, "changed/a.gz", &content(2_000)).await;
    let range = store.get_range("changed/a.gz", 0..10, Some(&old)).await;
    assert_eq!(kind(range), ErrorKind::Precondition);
    assert_eq!(
        kind(store.get("changed/a.gz", Some(&old)).await),
        ErrorKind::Precondition
    );
}

async fn lists_are_complete_and_in_the_order_of_keys(store: &dyn ObjectStore) {
    let mut expected: Vec<String> = [
        "a/b/1.gz",
        "a/b/2.gz",
        "a/b-c/1.gz",
        "a/b.d/1.gz",
        "a/b0/1.gz",
        "a/b%2F/1.gz",
        "a/_/1.gz",
        "a/B/1.gz",
        "a/1.gz",
        "a/b.gz",
        "a/~/1.gz",
        "a/ä/1.gz",
    ]
    .map(|key| format!("list/{key}"))
    .to_vec();
    for key in &expected {
        put(store, key, &content(10)).await;
    }
    put(store, "lisu/a.gz", &content(10)).await;
    expected.sort();
    assert_eq!(keys(store, "list/").await, expected);
    for limit in 1..=expected.len() + 1 {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store
                .list("list/", after.as_deref(), limit)
                .await
                .expect("a page");
            assert!(page.objects.len() <= limit);
            found.extend(page.objects.into_iter().map(|object| object.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "in pages of {limit}");
    }
    let part: Vec<_> = expected
        .iter()
        .filter(|key| key.starts_with("list/a/b"))
        .cloned()
        .collect();
    assert_eq!(keys(store, "list/a/b").await, part);
    let after = "list/a/b-c/1.gz";
    let later: Vec<_> = expected
        .iter()
        .filter(|key| key.as_str() > after)
        .cloned()
        .collect();
    let page = store.list("list/", Some(after), 100).await.expect("a page");
    assert_eq!(page.objects.into_iter().map(|o| o.key).collect::<Vec<_>>(), later);
    assert!(keys(store, "nowhere/").await.is_empty());
}

async fn every_sensible_key_works(store: &dyn ObjectStore) {
    // Longer than a file name may be, shorter than the keys that small stores take.
    let long = format!("odd/{}/{}.json.gz", "%C3%A4".repeat(48), "x".repeat(60));
    let odd = [
        "odd/a b+c&d=e.gz",
        "odd/%2F%2E.gz",
        "odd/ä€.gz",
        "odd/.hidden/..gz",
        "odd/~'()*!.gz",
        "odd/?x=1.gz",
        &long,
    ];
    for (at, key) in odd.iter().enumerate() {
        put(store, key, &content(at + 1)).await;
    }
    for (at, key) in odd.iter().enumerate() {
        assert_eq!(read(store, key).await, content(at + 1), "{key}");
    }
    let mut expected = odd.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(keys(store, "odd/").await, expected);
    for key in odd {
        store.delete(key, None).await.expect("deleted");
    }
    assert!(keys(store, "odd/").await.is_empty());
}

async fn a_deleted_object_is_gone(store: &dyn ObjectStore) {
    put(store, "gone/a.gz", &content(10)).await;
    store.delete("gone/a.gz", None).await.expect("deleted");
    store.delete("gone/a.gz", None).await.expect("again is no error");
    assert_eq!(store.head("gone/a.gz").await.expect("answered"), None);
    assert!(keys(store, "gone/").await.is_empty());
    for version in store.versions("gone/a.gz").await.expect("answered") {
        store
            .delete("gone/a.gz", version.version_id.as_deref())
            .await
            .expect("deleted");
    }
    assert!(store.versions("gone/a.gz").await.expect("answered").is_empty());
    put_if_absent(store, "gone/a.gz", &content(20))
        .await
        .expect("absent again");
}

async fn a_bucket_is_created_once(store: &dyn ObjectStore) {
    assert!(
        !store.ensure_bucket().await.expect("there"),
        "it was there already"
    );
}

async fn nothing_is_unfinished_after_a_write(store: &dyn ObjectStore) {
    put(store, "done/a.gz", &content(10)).await;
    assert_eq!(store.clear_unfinished(LATER).await.expect("answered"), 0);
    assert_eq!(read(store, "done/a.gz").await.len(), 10);
}
