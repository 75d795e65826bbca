//! What only a folder has to care for.

use std::fs;
use std::sync::Arc;

use domain::storage::{OnPremPolicy, StoragePolicy};
use futures::TryStreamExt as _;
use storage::{Body, ErrorKind, ObjectStore, PutCondition};

use crate::{Folder, LATER, content, folder_policy, keys, put, put_if_absent, read};

#[tokio::test]
async fn an_object_is_a_plain_file_under_its_key() {
    let folder = Folder::new().await;
    put(&*folder.store, "tenant/topic/x.json.gz", &content(100)).await;
    let path = folder.dir.path().join("archive/tenant/topic/x.json.gz");
    assert_eq!(fs::read(path).expect("a file"), content(100));
}

#[tokio::test]
async fn a_store_whose_disk_is_not_mounted_is_away_and_not_empty() {
    let folder = Folder::new().await;
    put(&*folder.store, "a/b.gz", &content(100)).await;
    let (root, aside) = (folder.dir.path().join("archive"), folder.dir.path().join("aside"));
    fs::rename(&root, &aside).expect("moved");
    assert_eq!(
        folder.store.head("a/b.gz").await.expect_err("gone").kind(),
        ErrorKind::NoBucket
    );
    // An empty folder is what is left where a disk was mounted.
    fs::create_dir(&root).expect("made");
    for result in [
        folder.store.head("a/b.gz").await.map(|_| ()),
        folder.store.list("", None, 10).await.map(|_| ()),
        folder.store.delete("a/b.gz", None).await,
        put_if_absent(&*folder.store, "a/c.gz", &content(1))
            .await
            .map(|_| ()),
    ] {
        let error = result.expect_err("away");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        assert!(error.say().contains("mounted"), "{error}");
    }
    fs::remove_dir(&root).expect("empty: nothing was written into it");
    fs::rename(&aside, &root).expect("mounted again");
    assert_eq!(read(&*folder.store, "a/b.gz").await.len(), 100);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_folder_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, b"x").expect("room");
    let path = file.join("archive").display().to_string();
    let store = storage::open(&StoragePolicy::OnPrem(OnPremPolicy { path: path.clone() }));
    let error = store.ensure_bucket().await.expect_err("a file is in the way");
    assert_eq!(error.kind(), ErrorKind::NotWritable);
    assert!(error.say().contains(&path), "{error}");
}

#[tokio::test]
async fn keys_cannot_leave_the_folder() {
    let folder = Folder::new().await;
    for key in [
        "../x.gz",
        "/etc/x.gz",
        "a/../../x.gz",
        "#store",
        "a/#tmp-1",
        "a//b",
    ] {
        assert!(
            put_if_absent(&*folder.store, key, &content(1)).await.is_err(),
            "{key}"
        );
        assert!(folder.store.get(key, None).await.is_err(), "{key}");
        assert!(folder.store.delete(key, None).await.is_err(), "{key}");
    }
    assert_eq!(fs::read_dir(folder.dir.path()).expect("a folder").count(), 1);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_invisible_and_cleared() {
    let folder = Folder::new().await;
    put(&*folder.store, "a/b.gz", &content(10)).await;
    let left = folder.dir.path().join("archive/a/#tmp-killed");
    fs::write(&left, b"half").expect("room");
    assert_eq!(keys(&*folder.store, "").await, ["a/b.gz"]);
    assert_eq!(
        folder
            .store
            .clear_unfinished(chrono::DateTime::UNIX_EPOCH)
            .await
            .expect("looked"),
        0
    );
    assert_eq!(folder.store.clear_unfinished(LATER).await.expect("cleared"), 1);
    assert!(!left.exists());
    assert_eq!(keys(&*folder.store, "").await, ["a/b.gz"]);
}

#[tokio::test]
async fn a_failed_write_leaves_nothing() {
    let folder = Folder::new().await;
    put(&*folder.store, "a/b.gz", &content(10)).await;
    put_if_absent(&*folder.store, "a/b.gz", &content(20))
        .await
        .expect_err("it exists");
    let missing = Body::File {
        path: folder.dir.path().join("missing"),
        len: 5,
    };
    let put = folder.store.put("a/c.gz", missing, PutCondition::Any);
    put.await.expect_err("nothing to write");
    let names: Vec<_> = fs::read_dir(folder.dir.path().join("archive/a"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["b.gz"]);
}

#[tokio::test]
async fn every_write_makes_another_etag_even_of_the_same_bytes() {
    let folder = Folder::new().await;
    let mut etags = std::collections::BTreeSet::new();
    for _ in 0..50 {
        etags.insert(put(&*folder.store, "a/b.gz", &content(10)).await.etag);
    }
    assert_eq!(etags.len(), 50);
}

#[tokio::test]
async fn a_clock_that_went_back_does_not_bring_an_etag_back() {
    let folder = Folder::new().await;
    let path = folder.dir.path().join("archive/a/b.gz");
    put(&*folder.store, "a/b.gz", &content(10)).await;
    let far = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(2_500_000);
    let file = fs::File::options().write(true).open(&path).expect("there");
    file.set_modified(far).expect("set");
    let before = folder
        .store
        .head("a/b.gz")
        .await
        .expect("answered")
        .expect("there");
    let after = put(&*folder.store, "a/b.gz", &content(10)).await;
    assert_ne!(before.etag, after.etag);
    assert!(fs::metadata(&path).expect("there").modified().expect("known") > far);
}

#[tokio::test]
async fn a_copy_that_keeps_times_keeps_etags() {
    let folder = Folder::new().await;
    let etag = put(&*folder.store, "a/b.gz", &content(10)).await.etag;
    let path = folder.dir.path().join("archive/a/b.gz");
    let time = fs::metadata(&path).expect("there").modified().expect("known");
    let copy = folder.dir.path().join("copy");
    fs::copy(&path, &copy).expect("copied");
    let file = fs::File::options().write(true).open(&copy).expect("there");
    file.set_modified(time).expect("set");
    fs::rename(&copy, &path).expect("moved");
    let read = folder.store.get_range("a/b.gz", 0..10, Some(&etag)).await;
    assert_eq!(read.expect("the same"), content(10));
}

#[tokio::test]
async fn a_reader_goes_on_with_the_object_that_it_began() {
    let folder = Folder::new().await;
    let old = content(2_000_000);
    put(&*folder.store, "a/b.gz", &old).await;
    let mut object = folder.store.get("a/b.gz", None).await.expect("there");
    let first = object.body.try_next().await.expect("read").expect("some");
    put(&*folder.store, "a/b.gz", &content(3_000_000)).await;
    let rest = object.bytes().await.expect("whole");
    assert!([first, rest].concat() == old);
}

#[tokio::test]
async fn of_many_writers_of_one_object_one_wins() {
    let folder = Folder::new().await;
    let etag = put(&*folder.store, "a/b.gz", &content(1)).await.etag;
    for condition in [PutCondition::IfMatch(etag), PutCondition::IfAbsent] {
        let key = if condition == PutCondition::IfAbsent {
            "a/new.gz"
        } else {
            "a/b.gz"
        };
        let writers = (2..=13).map(|len| {
            // A process of its own has a store of its own.
            let store: Arc<dyn ObjectStore> = storage::open(&folder_policy(&folder.dir));
            let condition = condition.clone();
            tokio::spawn(async move { store.put(key, Body::Bytes(content(len)), condition).await })
        });
        let mut won = 0;
        for writer in writers.collect::<Vec<_>>() {
            won += usize::from(writer.await.expect("no panic").is_ok());
        }
        assert_eq!(won, 1, "{condition:?}");
    }
}
