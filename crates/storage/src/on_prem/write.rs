//! Writing so that a crash at any moment leaves either the old object or the new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{MARKER, OnPremStore, etag, sync_folder};
use crate::error::{ErrorKind, StoreError};
use crate::store::{Body, PutCondition, Stored};

/// Keys share this many locks.
const LOCKS: u64 = 64;
/// File systems that keep times roughly round to two seconds at most.
const COARSEST: Duration = Duration::from_secs(4);

/// A temporary file; removed when it was not published.
struct Temporary {
    path: PathBuf,
    published: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // What stays is removed by the next clearing.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl OnPremStore {
    pub(super) fn write(
        &self,
        key: &str,
        body: &Body,
        condition: &PutCondition,
    ) -> Result<Stored, StoreError> {
        let path = self.path_of(key)?;
        if !self.root.join(MARKER).exists() {
            return Err(self.missing());
        }
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        self.make_folders(&folder)?;
        let mut temporary = Temporary {
            path: folder.join(format!("#tmp-{}", Uuid::new_v4())),
            published: false,
        };
        let file = copy(body, &temporary.path).map_err(|error| self.failed(&error))?;
        let _lock = self.lock(key)?;
        let before = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            facts => Some(facts.map_err(|error| self.failed(&error))?),
        };
        let fits = match condition {
            PutCondition::Any => true,
            PutCondition::IfAbsent => before.is_none(),
            PutCondition::IfMatch(wanted) => before.as_ref().is_some_and(|facts| etag(facts) == *wanted),
        };
        if !fits {
            let say = "the object is not in the expected state any more";
            return Err(StoreError::new(ErrorKind::Precondition, say));
        }
        let stored = next_generation(&file, before.as_ref()).map_err(|error| self.failed(&error))?;
        temporary
            .publish(&path, *condition == PutCondition::IfAbsent)
            .and_then(|()| sync_folder(&folder))
            .map_err(|error| self.failed(&error))?;
        Ok(stored)
    }

    pub(super) fn remove(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path_of(key)?;
        if !self.root.join(MARKER).exists() {
            return Err(self.missing());
        }
        let _lock = self.lock(key)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed
                .and_then(|()| sync_folder(path.parent().unwrap_or(&self.root)))
                .map_err(|error| self.failed(&error)),
        }
    }

    /// Creates a folder and those above it, each of them durable.
    pub(super) fn make_folders(&self, folder: &Path) -> Result<(), StoreError> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.is_dir()).collect();
        for folder in missing.into_iter().rev() {
            let made = match fs::create_dir(folder) {
                // Another writer was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(io::ErrorKind::NotADirectory.into())
                }
                made => made,
            };
            made.and_then(|()| folder.parent().map_or(Ok(()), sync_folder))
                .map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    /// Held until the file is dropped. The system lets go of it when a process dies.
    fn lock(&self, key: &str) -> Result<File, StoreError> {
        let folder = self.root.join("#locks");
        self.make_folders(&folder)?;
        let number = key.bytes().fold(0_u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        let path = folder.join(format!("{:02x}", number % LOCKS));
        let open = || {
            let file = File::options().create(true).append(true).open(path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error| self.failed(&error))
    }
}

impl Temporary {
    /// Gives the file its name. With `new`, two processes whose lock does not reach each other, as on some
    /// network file systems, still cannot both do so.
    fn publish(&mut self, path: &Path, new: bool) -> io::Result<()> {
        if new {
            match fs::hard_link(&self.path, path) {
                // The temporary name goes when this is dropped.
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                // Not every file system has links.
                Err(_) => {}
            }
        }
        fs::rename(&self.path, path)?;
        self.published = true;
        Ok(())
    }
}

/// Copies a body into a new file.
fn copy(body: &Body, path: &Path) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    match body {
        Body::Bytes(bytes) => file.write_all(bytes)?,
        Body::File { path, len } => {
            let copied = io::copy(&mut File::open(path)?, &mut file)?;
            if copied != *len {
                return Err(io::Error::other("the file changed while it was written"));
            }
        }
    }
    file.sync_data()?;
    Ok(file)
}

/// Sets the time of change later than that of the object before, and makes it durable.
fn next_generation(file: &File, before: Option<&fs::Metadata>) -> io::Result<Stored> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a time of change is the machine's, like every other file's"
    )]
    let now = SystemTime::now();
    let old = before.map(fs::Metadata::modified).transpose()?;
    let mut step = Duration::from_nanos(1);
    let mut time = old.map_or(now, |old| now.max(old + step));
    loop {
        file.set_modified(time)?;
        let facts = file.metadata()?;
        // What is read back counts: the file system may have rounded it.
        let kept = facts.modified()?;
        if old.is_none_or(|old| kept > old) || step > COARSEST {
            file.sync_all()?;
            return Ok(Stored {
                etag: etag(&facts),
                version_id: None,
            });
        }
        step *= 2;
        time += step;
    }
}
