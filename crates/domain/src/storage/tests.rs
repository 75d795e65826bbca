use proptest::prelude::*;
use serde_json::json;

use super::*;

fn s3() -> S3Policy {
    S3Policy {
        prefix: "prod/".to_owned(),
        bucket: "longhaul-archive".to_owned(),
        access_key: "LHARCHIVE01".to_owned(),
        secret_key: Secret::new("very-secret"),
        region: "eu-central-1".to_owned(),
        endpoint: "https://s3.harbourpine.example".to_owned(),
        ..S3Policy::default()
    }
}

/// The fields that are refused after `change`.
fn refused(change: impl FnOnce(&mut S3Policy)) -> Vec<&'static str> {
    let mut policy = s3();
    change(&mut policy);
    let faults = StoragePolicy::S3(policy).validate();
    faults.into_iter().map(|(field, _)| field).collect()
}

#[test]
fn the_documented_json_is_accepted_as_written() {
    let text = r#"{"type": "s3",
        "s3": {"prefix": "p", "bucket": "bucket", "access_key": "a", "secret_key": "s",
               "region": "eu-west-1", "session_token": "t", "endpoint": "e:9000"},
        "on_prem": {"path": "/srv/x"}}"#;
    let StoragePolicy::S3(policy) = serde_json::from_str(text).expect("documented") else {
        panic!("it is an S3 policy");
    };
    assert_eq!(policy.secret_key.expose(), "s");
    assert_eq!(policy.session_token.expose(), "t");
    assert_eq!(policy.endpoint_url().as_deref(), Some("https://e:9000"));
    assert_eq!(policy.key_prefix(), "p/");

    let text = r#"{"type": "on_prem", "s3": {"bucket": ""}, "on_prem": {"path": "/srv/x"}}"#;
    let policy: StoragePolicy = serde_json::from_str(text).expect("documented");
    assert_eq!(policy.place(), "On-premises, /srv/x");
}

#[test]
fn an_unknown_type_and_a_misspelt_field_are_named() {
    for (text, word) in [
        (r#"{"type": "s3 | on_prem"}"#, "s3 | on_prem"),
        (r#"{"type": "s3", "s3": {"buckt": "x"}}"#, "buckt"),
        (r#"{"s3": {"bucket": "x"}}"#, "type"),
    ] {
        let error = serde_json::from_str::<StoragePolicy>(text).expect_err("wrong");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn no_form_of_showing_gives_a_secret_away() {
    let mut policy = s3();
    policy.session_token = Secret::new("very-secret-token");
    let policy = StoragePolicy::S3(policy);
    let shown = [
        format!("{policy:?}"),
        serde_json::to_string(&policy).expect("json"),
        format!("{:?}", policy.masked()),
        policy.split().0.to_string(),
    ];
    for text in shown {
        assert!(!text.contains("very-secret"), "{text}");
    }
}

#[test]
fn a_masked_secret_that_comes_back_means_the_old_one() {
    let before = StoragePolicy::S3(s3());
    let back: StoragePolicy =
        serde_json::from_value(serde_json::to_value(&before).expect("json")).expect("json");
    assert_ne!(back, before);
    assert_eq!(back.clone().with_secrets_of(Some(&before)), before);
    // Without an old one the mask is no secret.
    let alone = back.with_secrets_of(None);
    assert_eq!(alone.validate()[0].0, "s3.secret_key");
}

#[test]
fn a_new_secret_makes_another_policy() {
    let mut other = s3();
    other.secret_key = Secret::new("rotated");
    assert_ne!(StoragePolicy::S3(other), StoragePolicy::S3(s3()));
}

#[test]
fn what_is_right_is_accepted() {
    assert!(refused(|_| ()).is_empty());
    for endpoint in [
        "",
        "minio:9000",
        "http://127.0.0.1:9000/",
        "https://[::1]:9000",
        "s3.example",
    ] {
        assert!(
            refused(|p| p.endpoint = endpoint.to_owned()).is_empty(),
            "{endpoint}"
        );
    }
    let folder = OnPremPolicy {
        path: "/srv/archive".to_owned(),
    };
    assert!(StoragePolicy::OnPrem(folder).validate().is_empty());
}

#[test]
fn each_wrong_field_is_named() {
    for bucket in ["", "ab", "https://x.example/b", "has space", "a/b"] {
        assert_eq!(
            refused(|p| p.bucket = bucket.to_owned()),
            ["s3.bucket"],
            "{bucket}"
        );
    }
    for endpoint in [
        "ftp://x.example",
        "https://x.example/bucket",
        "https://",
        "x.example:99999",
        "https://user:word@x.example",
        "https://longhaul-archive.s3.example",
    ] {
        assert_eq!(
            refused(|p| p.endpoint = endpoint.to_owned()),
            ["s3.endpoint"],
            "{endpoint}"
        );
    }
    assert_eq!(refused(|p| p.prefix = "a//b".to_owned()), ["s3.prefix"]);
    assert_eq!(refused(|p| p.access_key.clear()), ["s3.access_key"]);
    assert_eq!(refused(|p| p.secret_key = Secret::default()), ["s3.secret_key"]);
    assert_eq!(refused(|p| p.secret_key = Secret::new("a b")), ["s3.secret_key"]);
    assert_eq!(refused(|p| p.kms_key_id = "k".to_owned()), ["s3.kms_key_id"]);
    assert_eq!(
        refused(|p| {
            p.endpoint.clear();
            p.region.clear();
        }),
        ["s3.region"]
    );
    for path in ["", "relative", "/a/../b", "/"] {
        let folder = OnPremPolicy {
            path: path.to_owned(),
        };
        let faults = StoragePolicy::OnPrem(folder).validate();
        assert_eq!(faults[0].0, "on_prem.path", "{path}");
    }
}

#[test]
fn path_style_is_on_unless_the_store_is_aws() {
    let style = |endpoint: &str, path_style| {
        S3Policy {
            endpoint: endpoint.to_owned(),
            path_style,
            ..s3()
        }
        .uses_path_style()
    };
    assert!(style("minio:9000", None));
    assert!(!style("", None));
    assert!(!style("https://s3.eu-central-1.amazonaws.com", None));
    assert!(style("", Some(true)));
    assert!(!style("minio:9000", Some(false)));
}

#[test]
fn a_report_is_ready_without_a_failure() {
    let step = |outcome| ProbeStep {
        name: "Write".to_owned(),
        outcome,
        say: String::new(),
        took_ms: 7,
    };
    let mut report = ProbeReport::default();
    assert!(!report.is_ready(), "nothing was tried");
    report.steps = vec![step(Outcome::Passed), step(Outcome::Note)];
    assert!(report.is_ready());
    report.steps.push(step(Outcome::Failed));
    assert!(!report.is_ready());
    assert_eq!(report.took_ms(), 21);
    assert_eq!(
        serde_json::to_value(&report.steps[1]).expect("json"),
        json!({"name": "Write", "outcome": "note", "say": "", "took_ms": 7})
    );
}

proptest! {
    #[test]
    fn a_policy_taken_apart_is_put_together_again(
        texts in proptest::collection::vec("[ -~•]{0,20}", 8),
        path_style in proptest::option::of(any::<bool>()),
        sse in prop_oneof![Just(Sse::None), Just(Sse::Aes256), Just(Sse::AwsKms)],
    ) {
        let policy = StoragePolicy::S3(S3Policy {
            prefix: texts[0].clone(),
            bucket: texts[1].clone(),
            access_key: texts[2].clone(),
            secret_key: Secret::new(&texts[3]),
            region: texts[4].clone(),
            session_token: Secret::new(&texts[5]),
            endpoint: texts[6].clone(),
            path_style,
            sse,
            kms_key_id: texts[7].clone(),
        });
        let (settings, secrets) = policy.split();
        prop_assert_eq!(StoragePolicy::join(settings, secrets).expect("own json"), policy.clone());
        // Whatever is written, judging it does not panic.
        let _ = (policy.validate(), policy.place(), policy.masked());
    }
}
