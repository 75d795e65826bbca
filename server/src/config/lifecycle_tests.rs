//! Retention, backup, storage and archive: their keys, the names of the replaced systems, and what
//! is said when they are wrong.

use domain::storage::{S3Policy, Secret, Sse, StoragePolicy};

use super::tests::{env, loaded, refused, source, with_file};
use super::*;

/// The documented JSON, as it is written there, with values in its places.
const DOCUMENTED: &str = r#"{
    "storage_policy": {
        "type": "s3",
        "s3": {
            "prefix": "prod/",
            "bucket": "longhaul-archive",
            "access_key": "LHARCHIVE01",
            "secret_key": "hidden-secret",
            "region": "eu-central-1",
            "session_token": "hidden-token",
            "endpoint": "https://s3.example.com"
        },
        "on_prem": {
            "path": "/srv/archive"
        }
    }
}"#;

fn documented() -> StoragePolicy {
    StoragePolicy::S3(S3Policy {
        prefix: "prod/".to_owned(),
        bucket: "longhaul-archive".to_owned(),
        access_key: "LHARCHIVE01".to_owned(),
        secret_key: Secret::new("hidden-secret"),
        region: "eu-central-1".to_owned(),
        session_token: Secret::new("hidden-token"),
        endpoint: "https://s3.example.com".to_owned(),
        ..S3Policy::default()
    })
}

#[test]
fn without_a_word_nothing_is_stored_and_nothing_is_deleted() {
    let (config, ..) = loaded(&LoadOptions::default());
    assert_eq!(config.storage.policy(), None);
    assert!(!config.retention.enabled);
    assert_eq!(config.retention.days(), 30);
    assert_eq!(config.retention.deletion_at.to_string(), "02:15:00");
    assert_eq!(config.backup.at.to_string(), "00:15:00");
    assert_eq!(config.archive.segment_rows, 100_000);
}

#[test]
fn the_documented_json_is_read_as_written() {
    for name in ["convoy.json", "longhaul.json"] {
        let (_folder, options) = with_file(name, DOCUMENTED);
        let (config, _, warnings) = loaded(&options);
        assert_eq!(config.storage.policy(), Some(documented()), "{name}");
        assert_eq!(warnings, [], "{name}");
    }
    let folder = DOCUMENTED.replace(r#""type": "s3""#, r#""type": "on_prem""#);
    let (_folder, options) = with_file("convoy.json", &folder);
    let policy = loaded(&options).0.storage.policy().expect("a policy");
    assert_eq!(policy.place(), "On-premises, /srv/archive");
}

#[test]
fn the_documented_variables_say_the_same_as_the_documented_json() {
    let (config, ..) = loaded(&env(&[
        ("CONVOY_STORAGE_POLICY_TYPE", "s3"),
        ("CONVOY_STORAGE_AWS_PREFIX", "prod/"),
        ("CONVOY_STORAGE_AWS_BUCKET", "longhaul-archive"),
        ("CONVOY_STORAGE_AWS_ACCESS_KEY", "LHARCHIVE01"),
        ("CONVOY_STORAGE_AWS_SECRET_KEY", "hidden-secret"),
        ("CONVOY_STORAGE_AWS_REGION", "eu-central-1"),
        ("CONVOY_STORAGE_AWS_SESSION_TOKEN", "hidden-token"),
        ("CONVOY_STORAGE_AWS_ENDPOINT", "https://s3.example.com"),
        ("CONVOY_STORAGE_PREM_PATH", ""),
    ]));
    assert_eq!(config.storage.policy(), Some(documented()));
    for spelling in ["on_prem", "on-prem"] {
        let (config, ..) = loaded(&env(&[
            ("CONVOY_STORAGE_POLICY_TYPE", spelling),
            ("CONVOY_STORAGE_PREM_PATH", "/var/convoy/export"),
        ]));
        let policy = config.storage.policy().expect("a policy");
        assert_eq!(policy.place(), "On-premises, /var/convoy/export");
    }
}

#[test]
fn the_environment_beats_the_file_key_by_key() {
    let (_folder, mut options) = with_file("convoy.json", DOCUMENTED);
    let bucket = ("CONVOY_STORAGE_AWS_BUCKET".to_owned(), "other-bucket".to_owned());
    options.env.extend([bucket]);
    let effective = loaded(&options);
    let Some(StoragePolicy::S3(s3)) = effective.0.storage.policy() else {
        panic!("not a bucket");
    };
    assert_eq!(
        (s3.bucket.as_str(), s3.prefix.as_str()),
        ("other-bucket", "prod/")
    );
    assert_eq!(
        source(&effective, "storage.s3.bucket"),
        "environment CONVOY_STORAGE_AWS_BUCKET"
    );
    options
        .env
        .insert("LONGHAUL_STORAGE_S3_BUCKET".to_owned(), "third-bucket".to_owned());
    let errors = refused(&options);
    assert!(errors[0].starts_with("storage.s3.bucket: "), "{errors:?}");
}

const STREAMS: [(&str, &str); 9] = [
    ("S3_ENDPOINT", "minio:9000"),
    ("S3_ACCESS_KEY", "streams"),
    ("S3_SECRET_KEY", "hidden-secret"),
    ("S3_SSL", "false"),
    ("S3_BUCKET", "streams"),
    ("S3_REGION", "us-west-2"),
    ("S3_PATH_STYLE", "true"),
    ("S3_SSE", "aws:kms"),
    ("S3_KMS_KEY_ID", "alias/streams"),
];

#[test]
fn the_variables_of_the_archive_of_streams_name_a_storage() {
    let (config, _, warnings) = loaded(&env(&STREAMS));
    let expected = StoragePolicy::S3(S3Policy {
        bucket: "streams".to_owned(),
        access_key: "streams".to_owned(),
        secret_key: Secret::new("hidden-secret"),
        region: "us-west-2".to_owned(),
        endpoint: "http://minio:9000".to_owned(),
        path_style: Some(true),
        sse: Sse::AwsKms,
        kms_key_id: "alias/streams".to_owned(),
        ..S3Policy::default()
    });
    assert_eq!(config.storage.policy(), Some(expected));
    assert_eq!(warnings, []);
    let tls: Vec<_> = STREAMS
        .into_iter()
        .filter(|(name, _)| *name != "S3_SSL")
        .collect();
    let Some(StoragePolicy::S3(s3)) = loaded(&env(&tls)).0.storage.policy() else {
        panic!("not a bucket");
    };
    assert_eq!(s3.endpoint, "https://minio:9000");
}

#[test]
fn the_variables_of_the_archive_of_streams_give_way_to_any_other_word() {
    let mut options = env(&STREAMS);
    let own = [
        ("CONVOY_STORAGE_POLICY_TYPE", "on_prem"),
        ("CONVOY_STORAGE_PREM_PATH", "/srv/archive"),
    ];
    options
        .env
        .extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (config, _, warnings) = loaded(&options);
    let policy = config.storage.policy().expect("a policy");
    assert_eq!(policy.place(), "On-premises, /srv/archive");
    assert_eq!(warnings.len(), STREAMS.len());
    let bucket = warnings
        .iter()
        .find(|w| w.0.contains("S3_BUCKET"))
        .expect("a warning");
    assert!(bucket.0.contains("is not used because storage."), "{bucket}");
    // Without a bucket they belong to some other program.
    let (config, _, warnings) = loaded(&env(&[("S3_ENDPOINT", "minio:9000"), ("S3_SSL", "maybe")]));
    assert_eq!((config.storage.policy(), warnings), (None, Vec::new()));
}

#[test]
fn a_wrong_storage_is_named_key_by_key_with_what_to_change() {
    let errors = refused(&env(&[
        ("CONVOY_STORAGE_POLICY_TYPE", "s3"),
        ("CONVOY_STORAGE_AWS_BUCKET", "https://bucket"),
        ("CONVOY_STORAGE_AWS_SECRET_KEY", "hidden secret"),
    ]));
    for part in [
        "storage.s3.bucket (environment CONVOY_STORAGE_AWS_BUCKET): write the name of the bucket alone",
        "storage.s3.access_key (default): give the access key",
        "storage.s3.secret_key (environment CONVOY_STORAGE_AWS_SECRET_KEY): the secret key contains a space",
        "storage.s3.region (default): say in which region",
    ] {
        assert!(
            errors.iter().any(|error| error.contains(part)),
            "{part}: {errors:#?}"
        );
    }
    assert!(
        errors.iter().all(|error| !error.contains("hidden")),
        "{errors:#?}"
    );
    for (name, value, part) in [
        (
            "CONVOY_STORAGE_POLICY_TYPE",
            "azure_blob",
            "storage.type (environment",
        ),
        (
            "CONVOY_STORAGE_PREM_PATH",
            "archive",
            "storage.on_prem.path (environment",
        ),
        (
            "LONGHAUL_RETENTION_DELETION_AT",
            "25:00",
            "must be a time of the day",
        ),
        ("CONVOY_RETENTION_POLICY", "5m", "retention.period (environment"),
        ("STREAMS_ARCHIVE_SIZE", "0", "archive.segment_rows (environment"),
    ] {
        let errors = refused(&env(&[(name, value)]));
        assert!(errors[0].contains(part), "{name}={value}: {errors:?}");
    }
    let both = refused(&env(&[
        ("LONGHAUL_STORAGE_S3_BUCKET", "bucket"),
        ("LONGHAUL_STORAGE_ON_PREM_PATH", "/srv/archive"),
    ]));
    assert!(
        both[0].starts_with("storage.type (default): is missing"),
        "{both:?}"
    );
}

#[test]
fn secrets_of_the_storage_are_masked_wherever_they_are_shown() {
    let (_folder, options) = with_file("convoy.json", DOCUMENTED);
    let (config, provenance, _) = loaded(&options);
    for text in [
        provenance.render_effective(Format::Text),
        provenance.render_effective(Format::Json),
        format!("{config:?}"),
        format!("{provenance:?}"),
        format!("{:?}", config.storage.policy()),
    ] {
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("LHARCHIVE01"), "{text}");
    }
}

#[test]
fn the_period_of_the_replaced_gateway_is_read_in_hours() {
    let (config, _, warnings) = loaded(&env(&[
        ("CONVOY_RETENTION_POLICY", "24h30m"),
        ("CONVOY_RETENTION_POLICY_ENABLED", "true"),
        ("STREAMS_ARCHIVE_SIZE", "5000"),
    ]));
    assert!(config.retention.enabled);
    assert_eq!(config.retention.days(), 2);
    assert_eq!(config.archive.segment_rows, 5_000);
    assert!(warnings[0].0.contains("retention-policy"), "{warnings:?}");
    let file = r#"{"retention_policy": {"policy": "168h", "enabled": true}, "enable_feature_flag": ["retention-policy"]}"#;
    let (_folder, options) = with_file("convoy.json", file);
    let (config, _, warnings) = loaded(&options);
    assert_eq!((config.retention.days(), warnings.len()), (7, 0));
}
