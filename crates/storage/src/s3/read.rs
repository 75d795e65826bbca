//! Reading, looking and listing.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ObjectVersion;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::try_unfold;

use super::answers::{bare_etag, moment, quoted, size};
use super::errors::{Asked, LOOK, attempt, cut};
use super::{Bucket, S3Store};
use crate::error::{ErrorKind, StoreError};
use crate::retry::{Backoff, READ_TRIES, retrying};
use crate::store::{Meta, Object, Page, Version};

/// Most keys that one answer to a list holds.
const MOST_KEYS: usize = 1_000;

/// A body on its way, with what is needed to go on after it broke off.
struct Reading {
    store: S3Store,
    key: String,
    etag: String,
    body: ByteStream,
    at: u64,
    end: u64,
    backoff: Backoff,
}

impl Reading {
    /// The next part; goes on with a new request where an answer broke off.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        loop {
            let error = match self.body.try_next().await {
                Ok(Some(part)) => {
                    self.at += part.len() as u64;
                    return Ok(Some((part, self)));
                }
                // All bytes came, whatever the connection did after them.
                _ if self.at == self.end => return Ok(None),
                Ok(None) => StoreError::new(ErrorKind::Unreachable, "the answer ended too early"),
                Err(error) => cut(&self.store.place, &error),
            };
            if !self.backoff.again(&error).await {
                return Err(error);
            }
            let rest = format!("bytes={}-{}", self.at, self.end.saturating_sub(1));
            let answer = self
                .store
                .ask_for(&self.key, Some(rest), Some(&self.etag))
                .await?;
            if answer.content_range().is_none() {
                return Err(error);
            }
            self.body = answer.body;
        }
    }
}

impl S3Store {
    /// One request, the condition left to the store.
    async fn ask(
        &self,
        key: &str,
        range: Option<String>,
        if_match: Option<&str>,
    ) -> Result<GetObjectOutput, StoreError> {
        let request = self
            .client
            .get_object()
            .bucket(self.bucket())
            .key(self.place.key(key))
            .set_range(range)
            .set_if_match(if_match.map(quoted));
        attempt(&self.place, Asked::READ, LOOK, request.send()).await
    }

    /// The same, finding out a store that ignores the condition.
    async fn ask_for(
        &self,
        key: &str,
        range: Option<String>,
        if_match: Option<&str>,
    ) -> Result<GetObjectOutput, StoreError> {
        let answer = self.ask(key, range, if_match).await?;
        match if_match {
            Some(wanted) if bare_etag(answer.e_tag()) != wanted => Err(StoreError::new(
                ErrorKind::Precondition,
                "the object is not in the expected state any more",
            )),
            _ => Ok(answer),
        }
    }

    /// Whether the store itself reads parts of objects.
    pub(crate) async fn answers_ranges(&self, key: &str) -> Result<bool, StoreError> {
        let answer = self.ask(key, Some("bytes=0-3".to_owned()), None).await?;
        Ok(answer.content_range().is_some())
    }

    /// Whether the store itself refuses to read an object that has another etag.
    pub(crate) async fn refuses_read_of(&self, key: &str, etag: &str) -> Result<bool, StoreError> {
        match self.ask(key, None, Some(etag)).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Precondition => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn read(&self, key: &str, if_match: Option<&str>) -> Result<Object, StoreError> {
        let answer = retrying(READ_TRIES, || self.ask_for(key, None, if_match)).await?;
        let meta = Meta {
            key: key.to_owned(),
            size: size(answer.content_length()),
            etag: bare_etag(answer.e_tag()),
            version_id: answer.version_id().map(str::to_owned),
            modified: moment(answer.last_modified()),
        };
        let reading = Reading {
            store: self.clone(),
            key: key.to_owned(),
            etag: meta.etag.clone(),
            body: answer.body,
            at: 0,
            end: meta.size,
            backoff: Backoff::new(READ_TRIES),
        };
        Ok(Object {
            meta,
            body: try_unfold(reading, Reading::next).boxed(),
        })
    }

    pub(super) async fn read_range(
        &self,
        key: &str,
        range: Range<u64>,
        if_match: Option<&str>,
    ) -> Result<Bytes, StoreError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let asked = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = self.ask_for(key, Some(asked), if_match).await?;
        // A store that ignores ranges sends everything.
        let skip = match answer.content_range() {
            Some(_) => 0,
            None => range.start as usize,
        };
        let wanted = (range.end - range.start) as usize;
        let reading = take(answer.body, skip, wanted);
        let bytes = match tokio::time::timeout(LOOK, reading).await {
            Ok(read) => read.map_err(|error| cut(&self.place, &error))?,
            Err(elapsed) => return Err(cut(&self.place, &elapsed)),
        };
        if bytes.len() == wanted {
            Ok(bytes)
        } else {
            let say = format!("{key} is shorter than it was when it was written");
            Err(StoreError::new(ErrorKind::Corrupt, say))
        }
    }

    pub(super) async fn look_at(&self, key: &str) -> Result<Option<Meta>, StoreError> {
        let request = self
            .client
            .head_object()
            .bucket(self.bucket())
            .key(self.place.key(key));
        match attempt(&self.place, Asked::READ, LOOK, request.send()).await {
            Ok(answer) => Ok(Some(Meta {
                key: key.to_owned(),
                size: size(answer.content_length()),
                etag: bare_etag(answer.e_tag()),
                version_id: answer.version_id().map(str::to_owned),
                modified: moment(answer.last_modified()),
            })),
            // An answer to HEAD does not say whether the object or the whole bucket is gone.
            Err(error) if error.kind() == ErrorKind::NotFound => match self.look_at_bucket().await {
                Ok(Bucket::Missing) => Err(StoreError::new(
                    ErrorKind::NoBucket,
                    format!(
                        "there is no bucket {}: create it, or check its name",
                        self.bucket()
                    ),
                )),
                // Not everybody who may read may list.
                Err(error) if error.kind() != ErrorKind::Denied => Err(error),
                _ => Ok(None),
            },
            Err(error) => Err(error),
        }
    }

    pub(super) async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut page = Page {
            objects: Vec::new(),
            next: after.map(str::to_owned),
        };
        while page.objects.len() < limit {
            let most = (limit - page.objects.len()).min(MOST_KEYS);
            let answer = retrying(READ_TRIES, || async {
                let request = self
                    .client
                    .list_objects_v2()
                    .bucket(self.bucket())
                    .prefix(self.place.key(prefix))
                    .set_start_after(page.next.as_deref().map(|after| self.place.key(after)))
                    .max_keys(i32::try_from(most).unwrap_or(i32::MAX));
                attempt(&self.place, Asked::LIST, LOOK, request.send()).await
            })
            .await?;
            page.objects.extend(answer.contents().iter().filter_map(|object| {
                Some(Meta {
                    key: self.place.bare(object.key()?)?.to_owned(),
                    size: size(object.size()),
                    etag: bare_etag(object.e_tag()),
                    version_id: None,
                    modified: moment(object.last_modified()),
                })
            }));
            let last = page.objects.last().map(|object| object.key.clone());
            if answer.is_truncated() != Some(true) || last == page.next {
                page.next = None;
                return Ok(page);
            }
            page.next = last;
        }
        Ok(page)
    }

    pub(super) async fn list_versions(&self, key: &str) -> Result<Vec<Version>, StoreError> {
        let full = self.place.key(key);
        let mut found = Vec::new();
        let mut after: (Option<String>, Option<String>) = (None, None);
        loop {
            let answer = retrying(READ_TRIES, || async {
                let request = self
                    .client
                    .list_object_versions()
                    .bucket(self.bucket())
                    .prefix(&full)
                    .set_key_marker(after.0.clone())
                    .set_version_id_marker(after.1.clone());
                attempt(&self.place, Asked::VERSIONS, LOOK, request.send()).await
            })
            .await;
            let answer = match answer {
                Err(error) if error.kind() == ErrorKind::Unsupported => return self.only_version(key).await,
                answer => answer?,
            };
            let ours = |other: Option<&str>| other == Some(full.as_str());
            found.extend(answer.versions().iter().filter(|v| ours(v.key())).map(version));
            let deletions = answer.delete_markers().iter().filter(|v| ours(v.key()));
            found.extend(deletions.map(|deletion| Version {
                version_id: deletion.version_id().map(str::to_owned),
                is_latest: deletion.is_latest() == Some(true),
                is_deletion: true,
                size: 0,
                modified: moment(deletion.last_modified()),
            }));
            // Keys that begin with this one come after it.
            let more = answer.is_truncated() == Some(true) && ours(answer.next_key_marker());
            if !more {
                break;
            }
            after = (
                answer.next_key_marker().map(str::to_owned),
                answer.next_version_id_marker().map(str::to_owned),
            );
        }
        found.sort_by_key(|version| (!version.is_latest, std::cmp::Reverse(version.modified)));
        Ok(found)
    }

    /// For stores that know nothing of versions.
    async fn only_version(&self, key: &str) -> Result<Vec<Version>, StoreError> {
        let meta = retrying(READ_TRIES, || self.look_at(key)).await?;
        Ok(meta
            .map(|meta| Version {
                version_id: None,
                is_latest: true,
                is_deletion: false,
                size: meta.size,
                modified: meta.modified,
            })
            .into_iter()
            .collect())
    }
}

fn version(version: &ObjectVersion) -> Version {
    Version {
        version_id: version.version_id().map(str::to_owned),
        is_latest: version.is_latest() == Some(true),
        is_deletion: false,
        size: size(version.size()),
        modified: moment(version.last_modified()),
    }
}

/// `wanted` bytes of a body after `skip`; fewer when it ends before.
async fn take(
    mut body: ByteStream,
    mut skip: usize,
    wanted: usize,
) -> Result<Bytes, aws_sdk_s3::primitives::ByteStreamError> {
    let mut taken = BytesMut::with_capacity(wanted);
    while taken.len() < wanted {
        let Some(part) = body.try_next().await? else {
            break;
        };
        let from = skip.min(part.len());
        skip -= from;
        let most = (part.len() - from).min(wanted - taken.len());
        taken.extend_from_slice(&part[from..from + most]);
    }
    Ok(taken.freeze())
}
