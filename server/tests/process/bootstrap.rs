//! `longhaul bootstrap`: from nothing to a key, once.

use serde_json::Value;

use crate::site::{EMAIL, Site};

#[tokio::test]
async fn bootstrap_prints_user_organisation_project_and_key_for_scripts() {
    let made = Site::new().await.bootstrap().await;
    assert_eq!(made["user"]["email"], EMAIL);
    assert_eq!(made["user"]["role"], "instance_admin");
    assert_eq!(made["organisation"]["name"], "Default Organisation");
    assert_eq!(made["project"]["name"], "Checkout");
    for thing in ["user", "organisation", "project"] {
        let uid = made[thing]["uid"].as_str().expect("an id");
        assert_eq!(uid.len(), 36, "{uid}");
    }
    assert!(
        made["api_key"].as_str().is_some_and(|key| key.len() > 20),
        "{made}"
    );
}

#[tokio::test]
async fn bootstrap_again_changes_nothing_and_tells_no_key() {
    let site = Site::new().await;
    let (first, again) = (site.bootstrap().await, site.bootstrap().await);
    assert!(first["api_key"].is_string());
    assert_eq!(again["api_key"], Value::Null);
    for thing in ["user", "organisation", "project"] {
        assert_eq!(first[thing], again[thing]);
    }
    let counts = site
        .sql("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM organisations), (SELECT count(*) FROM projects), (SELECT count(*) FROM api_keys)")
        .await;
    assert_eq!(counts.trim(), "1|1|1|1");
}

#[tokio::test]
async fn a_weak_password_is_refused_by_name_and_nothing_is_made() {
    let site = Site::new().await;
    let output = site
        .run(&["bootstrap", "--email", EMAIL, "--password", "short"])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("password"), "{said}");
    assert_eq!(site.sql("SELECT count(*) FROM users").await.trim(), "0");
}
