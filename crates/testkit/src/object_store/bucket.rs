//! Objects and their versions.

use std::collections::BTreeMap;

use axum::body::Bytes;
use chrono::{DateTime, Utc};

/// One version of an object.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) bytes: Bytes,
    pub(super) etag: String,
    pub(super) modified: DateTime<Utc>,
    pub(super) is_deletion: bool,
    /// Headers that come back with it.
    pub(super) headers: Vec<(String, String)>,
}

/// Objects by key, each with its versions, oldest first.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Vec<Version>>,
}

impl Bucket {
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.current_objects().map(|(key, _)| key)
    }

    /// What a list shows.
    pub(super) fn current_objects(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.objects
            .iter()
            .filter_map(|(key, versions)| Some((key.as_str(), versions.last()?)))
            .filter(|(_, version)| !version.is_deletion)
    }

    /// Every version, of each key the latest first.
    pub(super) fn versions(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.objects
            .iter()
            .flat_map(|(key, versions)| versions.iter().rev().map(move |version| (key.as_str(), version)))
    }

    pub(super) fn is_latest(&self, key: &str, id: &str) -> bool {
        let latest = self.objects.get(key).and_then(|versions| versions.last());
        latest.is_some_and(|latest| latest.id == id)
    }

    pub(super) fn current(&self, key: &str) -> Option<&Version> {
        self.objects
            .get(key)
            .and_then(|versions| versions.last())
            .filter(|version| !version.is_deletion)
    }

    pub(super) fn current_mut(&mut self, key: &str) -> Option<&mut Version> {
        self.objects
            .get_mut(key)
            .and_then(|versions| versions.last_mut())
            .filter(|version| !version.is_deletion)
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects.get(key)?.iter().find(|version| version.id == id)
    }

    /// Adds a version, in place of the others unless they are kept.
    pub(super) fn add(&mut self, key: &str, version: Version, keeps_versions: bool) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        if !keeps_versions {
            versions.clear();
        }
        versions.push(version);
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    pub(super) fn remove_version(&mut self, key: &str, id: &str) {
        if let Some(versions) = self.objects.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.objects.remove(key);
            }
        }
    }
}
