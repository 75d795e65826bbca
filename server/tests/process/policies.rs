//! Retention and storage as the command line shows and changes them, and what it says when a
//! storage is wrong.

use std::process::Output;

use serde_json::{Value, json};
use testkit::TestS3;

use crate::site::Site;

const SECRET: &str = "test-secret-key";

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn run(site: &Site, command: &str) -> Output {
    let arguments: Vec<&str> = command.split_whitespace().collect();
    site.run(&arguments).await
}

#[tokio::test]
async fn retention_is_shown_previewed_and_changed_and_shortening_wants_the_name() {
    let site = Site::new().await;
    site.bootstrap().await;
    let shown = run(&site, "retention show --project Checkout --format json").await;
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let shown = document(&shown);
    assert_eq!(shown["policy"]["enabled"], false);
    assert_eq!(shown["feature"]["enabled"], false);
    assert!(
        shown["feature"]["advice"]
            .as_str()
            .is_some_and(|text| text.contains("Nothing is deleted"))
    );

    let preview = run(
        &site,
        "retention preview --project Checkout --enabled on --days 168h --format json",
    )
    .await;
    let preview = document(&preview);
    assert_eq!(preview["after"]["days"], 7);
    assert_eq!(preview["needs_confirmation"], true);
    assert_eq!(preview["tables"].as_array().map(Vec::len), Some(4));

    let set = "retention set --project Checkout --enabled on --days 7";
    let refused = run(&site, set).await;
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(said(&refused).contains("--confirm"), "{refused:?}");
    assert_eq!(site.sql("SELECT keep_days FROM projects").await.trim(), "0");

    let saved = run(&site, &format!("{set} --confirm Checkout")).await;
    assert_eq!(saved.status.code(), Some(0), "{saved:?}");
    let text = said(&saved);
    assert!(text.contains("Saved: 7 days"), "{text}");
    assert!(
        text.contains("Nothing is deleted: the feature retention-policy is off"),
        "{text}"
    );
    assert_eq!(site.sql("SELECT keep_days FROM projects").await.trim(), "7");

    for (command, code) in [
        ("retention set --project Checkout --days soon", 2),
        ("retention show --project Nobody", 2),
        ("retention set --project Checkout --enabled perhaps", 2),
    ] {
        assert_eq!(run(&site, command).await.status.code(), Some(code), "{command}");
    }
}

#[tokio::test]
async fn the_feature_is_turned_on_by_page_flag_or_environment() {
    let site = Site::new().await;
    site.bootstrap().await;
    let flagged = run(
        &site,
        "retention feature --format json --enable-feature-flag retention-policy",
    )
    .await;
    assert_eq!(
        document(&flagged),
        json!({"enabled": true, "origin": "configuration", "advice": null})
    );
    let off = run(
        &site,
        "retention feature off --enable-feature-flag retention-policy",
    )
    .await;
    assert_eq!(off.status.code(), Some(3), "{off:?}");
    let on = run(&site, "retention feature on --format json").await;
    assert_eq!(document(&on)["origin"], "page");
    assert_eq!(
        document(&run(&site, "retention feature --format json").await)["enabled"],
        true
    );
}

#[tokio::test]
async fn a_storage_is_set_from_the_documented_json_and_never_shows_its_secret() {
    let site = Site::new().await;
    site.bootstrap().await;
    let s3 = TestS3::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.json");
    let mut policy = serde_json::to_value(s3.policy()).expect("plain data");
    policy["s3"]["secret_key"] = json!(SECRET);
    std::fs::write(&file, json!({ "storage_policy": policy }).to_string()).expect("a file");
    let saved = run(
        &site,
        &format!("storage set --file {} --format json", file.display()),
    )
    .await;
    assert_eq!(saved.status.code(), Some(0), "{saved:?}");
    assert_eq!(document(&saved)["version"], 1);

    for command in [
        "storage show --format json",
        "storage show",
        "storage test",
        "doctor",
        "config check",
    ] {
        let output = run(&site, command).await;
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        assert!(!said(&output).contains(SECRET), "{command}: {output:?}");
    }

    policy["s3"]["access_key"] = json!("UNKNOWN");
    std::fs::write(&file, policy.to_string()).expect("a file");
    let unfit = run(&site, &format!("storage set --file {}", file.display())).await;
    assert_eq!(unfit.status.code(), Some(3), "{unfit:?}");
    assert!(said(&unfit).contains("FAIL"), "{unfit:?}");
    assert_eq!(
        site.sql("SELECT max(version) FROM storage_policies").await.trim(),
        "1"
    );

    std::fs::write(
        &file,
        format!(r#"{{"storage_policy": {{"type": "s3", "s3": {SECRET}}}}}"#),
    )
    .expect("a file");
    let broken = run(&site, &format!("storage set --file {}", file.display())).await;
    assert_eq!(broken.status.code(), Some(2), "{broken:?}");
    assert!(!said(&broken).contains(SECRET), "{broken:?}");
}

#[tokio::test]
async fn a_wrong_storage_is_told_with_what_to_change_by_config_check_and_doctor() {
    let mut site = Site::new().await;
    site.set("CONVOY_STORAGE_POLICY_TYPE", "on_prem");
    site.set("CONVOY_STORAGE_PREM_PATH", "/proc/nowhere/archive");
    for command in ["config check", "doctor"] {
        let output = run(&site, command).await;
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
        let text = said(&output);
        assert!(
            text.contains("On-premises, /proc/nowhere/archive: `"),
            "{command}: {text}"
        );
        assert!(text.contains("failed: "), "{command}: {text}");
    }
    let offline = run(&site, "config check --offline").await;
    assert_eq!(offline.status.code(), Some(0), "{offline:?}");
    site.set("CONVOY_STORAGE_PREM_PATH", "archive");
    let output = run(&site, "config check").await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(said(&output).contains("storage.on_prem.path"), "{output:?}");
}
