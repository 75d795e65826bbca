//! Cut connections, refusals and damage between the client and an S3 store.

use chrono::DateTime;
use storage::{Body, ErrorKind, PutCondition};
use testkit::object_store::{Conditions, Fault, TestS3};

use crate::{LATER, content, keys, put, put_if_absent, read};

/// What goes wrong in the sweeps: each may happen at any call.
const FAULTS: [Fault; 6] = [
    Fault::Refuse(500, "InternalError"),
    Fault::Refuse(503, "SlowDown"),
    Fault::Refuse(409, "ConditionalRequestConflict"),
    Fault::CutBefore,
    Fault::CutAfter,
    Fault::CutBody(3),
];

#[tokio::test]
async fn one_fault_at_any_call_changes_nothing() {
    let bytes = content(10_000);
    let mut made = 0;
    for fault in FAULTS {
        for number in 1..=12 {
            let server = TestS3::start().await;
            let store = storage::open(&server.policy());
            server.faults().on_call(number, fault.clone());
            put_if_absent(&*store, "a/b.gz", &bytes).await.expect("written");
            assert_eq!(read(&*store, "a/b.gz").await, bytes, "{fault:?} at {number}");
            let part = store.get_range("a/b.gz", 10..20, None).await.expect("a part");
            assert_eq!(part, bytes[10..20], "{fault:?} at {number}");
            assert_eq!(keys(&*store, "a/").await, ["a/b.gz"], "{fault:?} at {number}");
            store.delete("a/b.gz", None).await.expect("deleted");
            let gone = store.head("a/b.gz").await.expect("answered");
            assert_eq!(gone, None, "{fault:?} at {number}");
            made += server.faults().made();
        }
    }
    assert!(made >= 50, "only {made} faults were met");
}

#[tokio::test]
async fn one_fault_at_any_call_of_an_upload_in_parts_changes_nothing() {
    let bytes = content((25 << 20) + 1);
    let mut made = 0;
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Refuse(500, "InternalError"),
    ] {
        // Two looks, beginning, four parts, completing.
        for number in 3..=8 {
            let server = TestS3::start().await;
            let store = storage::open(&server.policy());
            server.faults().on_call(number, fault.clone());
            put_if_absent(&*store, "a/b.gz", &bytes).await.expect("written");
            assert!(
                server.object("a/b.gz").as_ref() == Some(&bytes),
                "{fault:?} at {number}"
            );
            // A beginning whose answer was lost has no name that anybody knows.
            store.clear_unfinished(LATER).await.expect("cleared");
            assert_eq!(server.unfinished_uploads(), 0, "{fault:?} at {number}");
            made += server.faults().made();
        }
    }
    assert_eq!(made, 18);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    // Two calls look for the object and the bucket, the third writes.
    server.faults().on_call(3, Fault::CutAfter);
    let stored = put_if_absent(&*store, "a/b.gz", &content(1_000))
        .await
        .expect("ours");
    let meta = store.head("a/b.gz").await.expect("answered").expect("there");
    assert_eq!(meta.etag, stored.etag);
    assert_eq!(server.calls().count("PutObject"), 1, "it was not sent again");
}

#[tokio::test]
async fn somebody_elses_object_is_not_taken_for_ours() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    server.set(|settings| settings.denied = vec!["HeadObject"]);
    put(&*store, "a/b.gz", &content(999)).await;
    server.faults().on_call(2, Fault::CutBefore);
    let refused = put_if_absent(&*store, "a/b.gz", &content(1_000)).await;
    assert_eq!(
        refused.expect_err("it is not ours").kind(),
        ErrorKind::Precondition
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_on() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    let bytes = content(3_000_000);
    put(&*store, "a/b.gz", &bytes).await;
    server.faults().next(Fault::CutBody(1_000_000));
    server.faults().on_call(2, Fault::CutBody(500_000));
    server.forget_calls();
    assert!(read(&*store, "a/b.gz").await == bytes);
    let calls = server.calls();
    assert_eq!(calls.count("GetObject"), 3);
    assert!(
        calls.0[1..].iter().all(|call| call.range.is_some()),
        "from where it was"
    );
}

#[tokio::test]
async fn a_body_that_changed_meanwhile_is_not_read_on() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    put(&*store, "a/b.gz", &content(3_000_000)).await;
    server.faults().next(Fault::CutBody(1_000_000));
    let object = store.get("a/b.gz", None).await.expect("begun");
    put(&*store, "a/b.gz", &content(3_000_001)).await;
    let error = object.bytes().await.expect_err("another object");
    assert_eq!(error.kind(), ErrorKind::Precondition);
}

#[tokio::test]
async fn a_store_that_stays_away_is_an_error_that_may_pass() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    for (fault, kind) in [
        (Fault::CutBefore, ErrorKind::Unreachable),
        (Fault::Refuse(503, "SlowDown"), ErrorKind::Throttled),
        (Fault::Refuse(500, "InternalError"), ErrorKind::Unreachable),
    ] {
        server.faults().always(fault.clone());
        let error = store.head("a/b.gz").await.expect_err("away");
        assert_eq!((error.kind(), error.is_retryable()), (kind, true), "{fault:?}");
        let error = put_if_absent(&*store, "a/b.gz", &content(10))
            .await
            .expect_err("away");
        assert_eq!(error.kind(), kind, "{fault:?}");
    }
    server.faults().clear();
    put_if_absent(&*store, "a/b.gz", &content(10))
        .await
        .expect("back again");
}

#[tokio::test]
async fn a_lost_bucket_is_never_taken_for_a_missing_object() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    server.remove_bucket();
    assert_eq!(
        store.head("a/b.gz").await.expect_err("lost").kind(),
        ErrorKind::NoBucket
    );
    assert_eq!(
        store.get("a/b.gz", None).await.expect_err("lost").kind(),
        ErrorKind::NoBucket
    );
    assert_eq!(
        store.list("", None, 10).await.expect_err("lost").kind(),
        ErrorKind::NoBucket
    );
    assert!(store.ensure_bucket().await.expect("created"));
    assert_eq!(store.head("a/b.gz").await.expect("answered"), None);
}

#[tokio::test]
async fn a_failed_upload_in_parts_leaves_nothing_behind() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    // Two looks, beginning, two parts, and then there is no room.
    server
        .faults()
        .on_call(6, Fault::Refuse(507, "XMinioStorageFull"));
    let body = Body::Bytes(content((25 << 20) + 1));
    let error = store
        .put("a/b.gz", body, PutCondition::IfAbsent)
        .await
        .expect_err("full");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(server.unfinished_uploads(), 0);
    assert_eq!(server.calls().count("AbortMultipartUpload"), 1);
}

#[tokio::test]
async fn uploads_that_were_cut_off_long_ago_are_cleared() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    let body = Body::Bytes(content((25 << 20) + 1));
    let put = store.put("a/b.gz", body, PutCondition::IfAbsent);
    // Two looks, beginning, a part.
    server.faults().on_call(5, Fault::Hang);
    tokio::select! {
        _ = put => panic!("it hangs"),
        () = async {
            // Until it hangs.
            while server.faults().made() == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert_eq!(server.unfinished_uploads(), 1);
    assert_eq!(
        store
            .clear_unfinished(DateTime::UNIX_EPOCH)
            .await
            .expect("answered"),
        0
    );
    assert_eq!(store.clear_unfinished(LATER).await.expect("answered"), 1);
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test]
async fn one_ranged_read_is_one_request() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    let etag = put(&*store, "a/b.gz", &content(1_000_000)).await.etag;
    server.forget_calls();
    store
        .get_range("a/b.gz", 5_000..9_096, Some(&etag))
        .await
        .expect("a part");
    let calls = server.calls();
    assert_eq!(calls.0.len(), 1);
    assert_eq!(calls.0[0].range.as_deref(), Some("bytes=5000-9095"));
    assert_eq!(calls.bytes_out("GetObject"), 4_096);
}

#[tokio::test]
async fn of_many_writers_of_one_key_one_wins() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    let writers = (1..=12).map(|len| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move { put_if_absent(&*store, "a/b.gz", &content(len)).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        won += usize::from(writer.await.expect("no panic").is_ok());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_store_that_refuses_conditions_is_told_by_its_kind() {
    let server = TestS3::start().await;
    let store = storage::open(&server.policy());
    server.set(|settings| settings.write_conditions = Conditions::Refused);
    put_if_absent(&*store, "a/b.gz", &content(10))
        .await
        .expect("written without the header");
    let refused = put_if_absent(&*store, "a/b.gz", &content(11)).await;
    assert_eq!(refused.expect_err("it exists").kind(), ErrorKind::Precondition);
    assert_eq!(read(&*store, "a/b.gz").await.len(), 10);
}
