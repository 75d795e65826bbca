//! Listing in the order of keys.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::names::is_reserved;
use super::{MARKER, OnPremStore, meta};
use crate::error::StoreError;
use crate::store::Page;

/// Something in a folder, under the name that it has in keys.
struct Entry {
    /// With a slash at the end for a folder, so that names sort as the keys do.
    name: String,
    found: DirEntry,
}

/// A walk on its way.
struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    page: Page,
}

impl OnPremStore {
    /// At most `limit` objects after `after`. One folder's names lie in memory at a time, per level.
    pub(super) fn walk(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        if !self.root.join(MARKER).exists() {
            return Err(self.missing());
        }
        let mut walk = Walk {
            prefix,
            after,
            limit,
            page: Page::default(),
        };
        walk.folder(&self.root, "").map_err(|error| self.failed(&error))?;
        Ok(walk.page)
    }

    /// Removes temporary files that are older than `before`.
    pub(super) fn remove_temporaries(&self, before: SystemTime) -> Result<u64, StoreError> {
        let mut removed = 0;
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let found = fs::read_dir(&folder).map_err(|error| self.failed(&error))?;
            for found in found {
                let found = found.map_err(|error| self.failed(&error))?;
                let name = found.file_name().to_string_lossy().into_owned();
                let facts = match found.metadata() {
                    // Its writer ended meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    facts => facts.map_err(|error| self.failed(&error))?,
                };
                if facts.is_dir() && !is_reserved(&name) {
                    folders.push(found.path());
                } else if name.starts_with("#tmp-") && facts.modified().is_ok_and(|at| at < before) {
                    fs::remove_file(found.path()).map_err(|error| self.failed(&error))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

impl Walk<'_> {
    /// Goes through a folder whose objects' keys begin with `at`; false when the page is full.
    fn folder(&mut self, folder: &Path, at: &str) -> io::Result<bool> {
        let mut entries = Vec::new();
        collect(folder, "", &mut entries)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            let key = format!("{at}{}", entry.name);
            let go_on = if key.ends_with('/') {
                !self.may_hold(&key) || self.folder(&entry.found.path(), &key)?
            } else {
                self.object(&entry, &key)?
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a folder can hold keys that are asked for.
    fn may_hold(&self, folder: &str) -> bool {
        let before = |after: &str| folder <= after && !after.starts_with(folder);
        let fits = folder.starts_with(self.prefix) || self.prefix.starts_with(folder);
        fits && !self.after.is_some_and(before)
    }

    /// Takes an object; false when there is no room for it.
    fn object(&mut self, entry: &Entry, key: &str) -> io::Result<bool> {
        if !key.starts_with(self.prefix) || self.after.is_some_and(|after| key <= after) {
            return Ok(true);
        }
        if self.page.objects.len() == self.limit {
            self.page.next = self.page.objects.last().map(|last| last.key.clone());
            return Ok(false);
        }
        match entry.found.metadata() {
            Ok(facts) => self.page.objects.push(meta(key, &facts)),
            // Removed since its name was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// The entries of a folder, and of the folders that continue a name too long for one.
fn collect(folder: &Path, begun: &str, entries: &mut Vec<Entry>) -> io::Result<()> {
    let found = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for found in found {
        let found = found?;
        // What is not UTF-8 is not ours.
        let Ok(name) = found.file_name().into_string() else {
            continue;
        };
        if is_reserved(&name) {
            continue;
        }
        let is_folder = found.file_type()?.is_dir();
        if let (true, Some(piece)) = (is_folder, name.strip_suffix('#')) {
            collect(&found.path(), &format!("{begun}{piece}"), entries)?;
            continue;
        }
        let slash = if is_folder { "/" } else { "" };
        entries.push(Entry {
            name: format!("{begun}{name}{slash}"),
            found,
        });
    }
    Ok(())
}
