//! Writing, in one request or in parts.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MultipartUpload, ServerSideEncryption};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::storage::Sse;
use sha2::{Digest as _, Sha256};

use super::S3Store;
use super::answers::{bare_etag, moment, quoted};
use super::errors::{Asked, LOOK, WRITE, attempt};
use crate::error::{ErrorKind, StoreError};
use crate::retry::{Backoff, READ_TRIES, WRITE_TRIES, retrying};
use crate::store::{Body, PutCondition, Stored};

/// Larger objects are written in parts.
const ONE_REQUEST: u64 = 25 << 20;
/// One part; also how much of a body lies in memory while it is written in parts.
const PART: u64 = 8 << 20;
/// S3 allows 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// Metadata in which our own digest travels, to know an object again after an unsure write.
const DIGEST: &str = "sha256";

impl S3Store {
    /// Writes an object; after an unsure failure looks whether it is there before anything else.
    pub(super) async fn write(
        &self,
        key: &str,
        body: &Body,
        condition: &PutCondition,
    ) -> Result<Stored, StoreError> {
        let digest = digest_of(body).await?;
        self.look_before(key, condition).await?;
        let mut condition = condition;
        let mut backoff = Backoff::new(WRITE_TRIES);
        let mut unsure = false;
        loop {
            let written = if body.len() > ONE_REQUEST {
                self.write_parts(key, body, PART, condition, &digest).await
            } else {
                let bytes = part_of(body, 0, body.len()).await?;
                self.write_once(key, bytes, condition, &digest).await
            };
            let error = match written {
                // The look has to do for a store that refuses conditions.
                Err(error) if error.kind() == ErrorKind::Unsupported && *condition != PutCondition::Any => {
                    condition = &PutCondition::Any;
                    continue;
                }
                Err(error) => error,
                done => return done,
            };
            unsure |= error.is_unsure();
            let again = backoff.again(&error).await;
            // What an earlier try wrote looks like somebody else's, and need not be sent twice.
            if unsure && let Ok(Some(stored)) = self.written_before(key, body.len(), &digest).await {
                return Ok(stored);
            }
            if !again {
                return Err(error);
            }
        }
    }

    /// Some stores ignore conditions; a look keeps a repeated write from hurting there.
    async fn look_before(&self, key: &str, condition: &PutCondition) -> Result<(), StoreError> {
        if *condition == PutCondition::Any {
            return Ok(());
        }
        let found = match retrying(READ_TRIES, || self.look_at(key)).await {
            // Who may only write finds out by writing.
            Err(error) if error.kind() == ErrorKind::Denied => return Ok(()),
            found => found?.map(|meta| meta.etag),
        };
        let fits = match condition {
            PutCondition::IfMatch(etag) => found.as_ref() == Some(etag),
            _ => found.is_none(),
        };
        if fits {
            return Ok(());
        }
        let say = "the object is not in the expected state any more";
        Err(StoreError::new(ErrorKind::Precondition, say))
    }

    /// The object, when it is the one that an earlier try wrote.
    async fn written_before(&self, key: &str, len: u64, digest: &str) -> Result<Option<Stored>, StoreError> {
        let answer = retrying(READ_TRIES, || async {
            let request = self
                .client
                .head_object()
                .bucket(self.bucket())
                .key(self.place.key(key));
            attempt(&self.place, Asked::READ, LOOK, request.send()).await
        })
        .await?;
        let same = answer
            .metadata()
            .and_then(|metadata| metadata.get(DIGEST))
            .is_some_and(|found| found == digest);
        let whole = answer.content_length() == i64::try_from(len).ok();
        Ok((same && whole).then(|| Stored {
            etag: bare_etag(answer.e_tag()),
            version_id: answer.version_id().map(str::to_owned),
        }))
    }

    /// One request, one try, the condition left to the store.
    pub(crate) async fn write_once(
        &self,
        key: &str,
        bytes: Bytes,
        condition: &PutCondition,
        digest: &str,
    ) -> Result<Stored, StoreError> {
        let (if_absent, if_match) = headers(condition);
        let (sse, kms_key) = self.encryption();
        let request = self
            .client
            .put_object()
            .bucket(self.bucket())
            .key(self.place.key(key))
            .content_type(content_type(key))
            .metadata(DIGEST, digest)
            .set_if_none_match(if_absent)
            .set_if_match(if_match)
            .set_server_side_encryption(sse)
            .set_ssekms_key_id(kms_key)
            .body(ByteStream::from(bytes));
        let answer = attempt(&self.place, Asked::WRITE, WRITE, request.send()).await?;
        Ok(Stored {
            etag: bare_etag(answer.e_tag()),
            version_id: answer.version_id().map(str::to_owned),
        })
    }

    /// Writes in parts of `part` bytes or more. Nothing is left behind after a failure, unless the store
    /// is away: [`abort_uploads`](Self::abort_uploads) is for that.
    pub(crate) async fn write_parts(
        &self,
        key: &str,
        body: &Body,
        part: u64,
        condition: &PutCondition,
        digest: &str,
    ) -> Result<Stored, StoreError> {
        let upload = self.begin_upload(key, digest).await?;
        let done = async {
            let parts = self.upload_parts(key, &upload, body, part).await?;
            self.complete_upload(key, &upload, parts, condition).await
        }
        .await;
        if done.is_err()
            && let Err(error) = self.abort_upload(&self.place.key(key), &upload).await
        {
            tracing::warn!(%error, key, "an upload in parts could not be taken back; it is cleared later");
        }
        done
    }

    async fn begin_upload(&self, key: &str, digest: &str) -> Result<String, StoreError> {
        let (sse, kms_key) = self.encryption();
        let answer = retrying(WRITE_TRIES, || async {
            let request = self
                .client
                .create_multipart_upload()
                .bucket(self.bucket())
                .key(self.place.key(key))
                .content_type(content_type(key))
                .metadata(DIGEST, digest)
                .set_server_side_encryption(sse.clone())
                .set_ssekms_key_id(kms_key.clone());
            attempt(&self.place, Asked::WRITE, LOOK, request.send()).await
        })
        .await?;
        answer.upload_id().map(str::to_owned).ok_or_else(|| {
            let say = format!("{} began an upload without naming it", self.place.host);
            StoreError::new(ErrorKind::Other, say)
        })
    }

    async fn upload_parts(
        &self,
        key: &str,
        upload: &str,
        body: &Body,
        part: u64,
    ) -> Result<Vec<CompletedPart>, StoreError> {
        let part = part.max(body.len().div_ceil(MOST_PARTS));
        let mut parts = Vec::new();
        let mut at = 0;
        while at < body.len() {
            let bytes = part_of(body, at, part.min(body.len() - at)).await?;
            at += bytes.len() as u64;
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            let answer = retrying(WRITE_TRIES, || async {
                let request = self
                    .client
                    .upload_part()
                    .bucket(self.bucket())
                    .key(self.place.key(key))
                    .upload_id(upload)
                    .part_number(number)
                    .body(ByteStream::from(bytes.clone()));
                attempt(&self.place, Asked::WRITE, WRITE, request.send()).await
            })
            .await?;
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(answer.e_tag().map(str::to_owned))
                    .build(),
            );
        }
        Ok(parts)
    }

    async fn complete_upload(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<CompletedPart>,
        condition: &PutCondition,
    ) -> Result<Stored, StoreError> {
        let (if_absent, if_match) = headers(condition);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket())
            .key(self.place.key(key))
            .upload_id(upload)
            .multipart_upload(parts)
            .set_if_none_match(if_absent)
            .set_if_match(if_match);
        let answer = attempt(&self.place, Asked::WRITE, WRITE, request.send()).await?;
        Ok(Stored {
            etag: bare_etag(answer.e_tag()),
            version_id: answer.version_id().map(str::to_owned),
        })
    }

    /// `key` with the prefix of the policy.
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<(), StoreError> {
        let aborted = retrying(READ_TRIES, || async {
            let request = self
                .client
                .abort_multipart_upload()
                .bucket(self.bucket())
                .key(key)
                .upload_id(upload);
            attempt(&self.place, Asked::UPLOADS, LOOK, request.send()).await
        })
        .await;
        match aborted {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes back uploads in parts that were begun before `before` and never ended.
    pub(super) async fn abort_uploads(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut cleared = 0;
        let mut after: (Option<String>, Option<String>) = (None, None);
        loop {
            let answer = retrying(READ_TRIES, || async {
                let request = self
                    .client
                    .list_multipart_uploads()
                    .bucket(self.bucket())
                    .prefix(&self.place.prefix)
                    .set_key_marker(after.0.clone())
                    .set_upload_id_marker(after.1.clone());
                attempt(&self.place, Asked::UPLOADS, LOOK, request.send()).await
            })
            .await?;
            let old = |upload: &&MultipartUpload| moment(upload.initiated()) < before;
            for upload in answer.uploads().iter().filter(old) {
                if let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) {
                    self.abort_upload(key, id).await?;
                    cleared += 1;
                }
            }
            let next = (
                answer.next_key_marker().map(str::to_owned),
                answer.next_upload_id_marker().map(str::to_owned),
            );
            if answer.is_truncated() != Some(true) || next == after {
                return Ok(cleared);
            }
            after = next;
        }
    }

    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        let key = self.place.policy.kms_key_id.trim();
        match self.place.policy.sse {
            Sse::None => (None, None),
            Sse::Aes256 => (Some(ServerSideEncryption::Aes256), None),
            Sse::AwsKms => (
                Some(ServerSideEncryption::AwsKms),
                (!key.is_empty()).then(|| key.to_owned()),
            ),
        }
    }
}

/// `If-None-Match` and `If-Match`.
fn headers(condition: &PutCondition) -> (Option<String>, Option<String>) {
    match condition {
        PutCondition::Any => (None, None),
        PutCondition::IfAbsent => (Some("*".to_owned()), None),
        PutCondition::IfMatch(etag) => (None, Some(quoted(etag))),
    }
}

/// Never with a content encoding: proxies would unpack the object and break ranges.
fn content_type(key: &str) -> &'static str {
    match Path::new(key)
        .extension()
        .and_then(|extension| extension.to_str())
    {
        Some("gz") => "application/gzip",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

async fn digest_of(body: &Body) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < body.len() {
        let part = part_of(body, at, PART.min(body.len() - at)).await?;
        at += part.len() as u64;
        hash.update(&part);
    }
    Ok(hex::encode(hash.finalize()))
}

/// Exactly these bytes of a body.
async fn part_of(body: &Body, at: u64, len: u64) -> Result<Bytes, StoreError> {
    match body {
        Body::Bytes(bytes) => Ok(bytes.slice(at as usize..(at + len) as usize)),
        Body::File { path, .. } => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || read_part(&path, at, len)).await;
            read.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped)))
                .map_err(|error| {
                    StoreError::new(ErrorKind::Other, "the file to be written cannot be read")
                        .with_detail(error.to_string())
                })
        }
    }
}

fn read_part(path: &Path, at: u64, len: u64) -> std::io::Result<Bytes> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(at))?;
    let mut part = vec![0; len as usize];
    file.read_exact(&mut part)?;
    Ok(part.into())
}
