//! `longhaul jobs`: what there is, doing it by hand, and what was done.

use serde_json::Value;

use crate::site::Site;

async fn json(site: &Site, arguments: &[&str]) -> Value {
    let output = site
        .run(&[&["jobs"], arguments, &["--format", "json"]].concat())
        .await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

fn job<'a>(list: &'a Value, name: &str) -> &'a Value {
    let mut jobs = list.as_array().expect("a list").iter();
    jobs.find(|job| job["name"] == name).expect("a job")
}

#[tokio::test]
async fn a_job_is_run_by_hand_and_its_run_is_listed() {
    let site = Site::new().await;
    let name = "keep_partitions_ahead";
    let before = json(&site, &["list"]).await;
    assert_eq!(job(&before, name)["schedule"], "every 10 min");
    assert_eq!(job(&before, name)["last"], Value::Null);

    let run = json(&site, &["run", name]).await;
    assert_eq!(
        (&run["state"], &run["trigger"]),
        (&"done".into(), &"manual".into())
    );
    assert!(run["counts"]["leaves"].as_u64() > Some(0), "{run}");

    let runs = json(&site, &["runs", "--job", name]).await;
    assert_eq!(runs.as_array().map(Vec::len), Some(1));
    assert_eq!(runs[0]["id"], run["id"]);
    let after = json(&site, &["list"]).await;
    assert_eq!(job(&after, name)["last"]["id"], run["id"]);
}

#[tokio::test]
async fn a_wish_that_a_job_does_not_know_is_a_bad_argument() {
    let site = Site::new().await;
    for arguments in [
        &["run", "make_coffee"][..],
        &["run", "keep_partitions_ahead", "--dry-run"],
        &["run", "keep_partitions_ahead", "--as-of", "soon"],
    ] {
        let output = site.run(&[&["jobs"], arguments].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(site.sql("SELECT count(*) FROM runs").await.trim(), "0");
}
