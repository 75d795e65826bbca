//! Settings as the command line takes, shows and refuses them.

use std::process::Output;

use serde_json::Value;

use crate::site::{SECRET_KEY, bare_binary};

/// Runs the binary in an empty folder with these variables only.
async fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = bare_binary();
    command
        .current_dir(folder.path())
        .envs(variables.iter().copied())
        .args(arguments);
    command.output().await.expect("the binary starts")
}

const SECRETS: [(&str, &str); 3] = [
    (
        "DATABASE_URL",
        "postgres://longhaul:swordfish@db.harbour.example:5432/longhaul",
    ),
    ("REDIS_URL", "redis://:rosebud@cache.harbour.example:6379/0"),
    ("LONGHAUL_SECRET_KEY", SECRET_KEY),
];

#[tokio::test]
async fn config_check_shows_values_with_their_source_and_no_secret() {
    let variables = [&SECRETS[..], &[("PORT", "7000")]].concat();
    for format in ["text", "json"] {
        let output = run(
            &variables,
            &["config", "check", "--format", format, "--set", "log.level=debug"],
        )
        .await;
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        for secret in ["swordfish", "rosebud", SECRET_KEY] {
            assert!(!said.contains(secret), "{format} shows {secret}:\n{said}");
        }
        for shown in [
            "db.harbour.example",
            "cache.harbour.example",
            "7000",
            "PORT",
            "debug",
            "--set log.level",
        ] {
            assert!(said.contains(shown), "{format} lacks {shown}:\n{said}");
        }
        if format == "json" {
            serde_json::from_str::<Value>(&said).expect("one JSON document");
        }
    }
}

/// Variables, arguments, and what has to be named.
type Case = (
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [&'static str],
);

#[tokio::test]
async fn a_wrong_setting_ends_with_code_2_and_names_its_key_and_where_it_stands() {
    let cases: [Case; 6] = [
        (
            &[("LONGHAUL_SERVER_PORT", "seven")],
            &["all"],
            &["server.port", "LONGHAUL_SERVER_PORT"],
        ),
        (
            &[("LONGHAUL_SERVER_PROT", "7000")],
            &["all"],
            &["LONGHAUL_SERVER_PROT", "LONGHAUL_SERVER_PORT"],
        ),
        (
            &[("PORT", "7000"), ("LONGHAUL_SERVER_PORT", "7001")],
            &["server"],
            &["server.port", "environment PORT"],
        ),
        (
            &[],
            &["worker", "--set", "queue.visibility_timeout=5s"],
            &["queue.visibility_timeout", "--set"],
        ),
        (
            &[("LONGHAUL_SECRET_KEY", "rosebud")],
            &["doctor"],
            &["security.encryption_key", "LONGHAUL_SECRET_KEY"],
        ),
        (
            &[("LONGHAUL_DEV_CLOCK", "1")],
            &["all"],
            &["dev.clock", "loopback"],
        ),
    ];
    for (variables, arguments, parts) in cases {
        let output = run(variables, arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{variables:?} {arguments:?}: {said}"
        );
        for part in parts {
            assert!(said.contains(part), "{part} is not named: {said}");
        }
        assert!(!said.contains("rosebud"), "{said}");
    }
}

#[tokio::test]
async fn a_role_that_does_not_exist_ends_with_code_2() {
    let output = run(&SECRETS, &["all", "--roles", "server,cook"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cook"));
}
