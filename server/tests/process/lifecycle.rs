//! Weeks of retention and backup, lived through by `longhaul demo --days`, and looked at from outside:
//! by SQL, by `gunzip`, by the API.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::api::Api;
use crate::site::Site;

/// Enough for the longest period to end.
const DAYS: u8 = 33;
/// Events of each project on each day.
const EVENTS: usize = 3;

/// A project of the demonstration.
#[derive(Debug)]
struct Project {
    name: String,
    id: String,
    key: String,
}

/// The lines `NAME: project ID, API key KEY`.
fn projects(printed: &str) -> Vec<Project> {
    let read = |line: &str| {
        let (name, rest) = line.split_once(": project ")?;
        let (id, key) = rest.split_once(", API key ")?;
        Some(Project {
            name: name.to_owned(),
            id: id.to_owned(),
            key: key.to_owned(),
        })
    };
    printed.lines().filter_map(read).collect()
}

/// Every object below a folder.
fn objects(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == "gz") {
                found.push(path);
            }
        }
    }
    found
}

/// What `gunzip` makes of every object: events by project and id.
fn archived(folder: &Path) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut events: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    // Deliveries and attempts lie in topics of their own.
    for object in objects(folder)
        .into_iter()
        .filter(|object| !object.to_string_lossy().contains("/_"))
    {
        let output = Command::new("gunzip")
            .arg("-c")
            .arg(&object)
            .output()
            .expect("gunzip runs");
        assert!(output.status.success(), "{}: {output:?}", object.display());
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("one JSON array");
        assert!(!rows.is_empty(), "{}", object.display());
        for row in rows {
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            let seen = events
                .entry(text("project_id"))
                .or_default()
                .insert(text("uid"), row);
            assert_eq!(seen, None, "an event is in two objects");
        }
    }
    events
}

/// Days of which PostgreSQL holds events, by project.
async fn hot_days(site: &Site) -> BTreeMap<String, BTreeSet<NaiveDate>> {
    let rows = site
        .sql("SELECT DISTINCT project_id, (accepted_at AT TIME ZONE 'UTC')::date FROM events")
        .await;
    let mut days: BTreeMap<String, BTreeSet<NaiveDate>> = BTreeMap::new();
    for row in rows.lines() {
        let (project, day) = row.split_once('|').expect("two columns");
        days.entry(project.to_owned())
            .or_default()
            .insert(day.parse().expect("a day"));
    }
    days
}

#[tokio::test]
async fn exactly_the_promised_days_are_hot_and_everything_older_is_in_the_archive_and_readable() {
    let site = Site::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let (days, events) = (DAYS.to_string(), EVENTS.to_string());
    let archive_path = archive.display().to_string();
    let output = site
        .run(&[
            "demo",
            "--days",
            &days,
            "--events",
            &events,
            "--port",
            "0",
            "--archive",
            &archive_path,
        ])
        .await;
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("Every promise was kept."), "{printed}");
    let projects = projects(&printed);
    assert_eq!(projects.len(), 3, "{printed}");

    let (hot, archived) = (hot_days(&site).await, archived(&archive));
    let last = *hot.values().flatten().max().expect("days");
    for (project, kept) in projects.iter().zip([7, 30, u64::from(DAYS)]) {
        let promised: BTreeSet<NaiveDate> = (0..kept).map(|back| last - Days::new(back)).collect();
        assert_eq!(hot[&project.id], promised, "{}", project.name);
        assert_eq!(
            archived[&project.id].len(),
            EVENTS * usize::from(DAYS),
            "{}",
            project.name
        );
    }

    // Whoever starts a server afterwards can read all of it.
    let gateway = site.start("server").await;
    for project in &projects {
        let api = Api::new(
            &gateway,
            &json!({ "project": { "uid": project.id }, "api_key": project.key }),
        );
        for (id, row) in &archived[&project.id] {
            let event = api.get(&format!("/events/{id}")).await;
            assert_eq!(
                (&event["uid"], &event["data"]),
                (&row["uid"], &row["data"]),
                "{}",
                project.name
            );
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_second_life_in_the_same_projects_is_refused() {
    let site = Site::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive").display().to_string();
    let arguments = [
        "demo",
        "--days",
        "1",
        "--events",
        "1",
        "--port",
        "0",
        "--archive",
        &archive,
    ];
    let first = site.run(&arguments).await;
    assert!(first.status.success(), "{first:?}");
    let second = site.run(&arguments).await;
    assert_eq!(second.status.code(), Some(3), "{second:?}");
}
