//! What each operation does.

use axum::body::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::bucket::{Bucket, Version};
use super::server::now;
use super::wire::{Answer, Asked, Done, escaped, in_header, in_xml};
use super::{BUCKET, Conditions, State};

/// Most objects in one answer to a list.
const MOST_KEYS: usize = 1_000;

impl State {
    pub(super) fn operate(&mut self, asked: &Asked) -> Done {
        if asked.operation() == "CreateBucket" {
            return self.create_bucket(asked);
        }
        if asked.bucket != BUCKET || self.bucket.is_none() {
            let message = "The specified bucket does not exist";
            return Err(Answer::refusal(404, "NoSuchBucket", message));
        }
        match asked.operation() {
            "HeadBucket" => Ok(Answer::new(200)),
            "GetBucketVersioning" => Ok(self.versioning()),
            "GetObjectLockConfiguration" => self.object_lock(),
            "ListObjectsV2" => Ok(self.list(asked)),
            "ListObjectVersions" => Ok(self.list_versions(asked)),
            "GetObject" | "HeadObject" => self.get(asked),
            "PutObject" => self.put(asked),
            "DeleteObject" => self.delete(asked),
            "CreateMultipartUpload" => Ok(self.begin_upload(asked)),
            "UploadPart" => self.upload_part(asked),
            "CompleteMultipartUpload" => self.complete_upload(asked),
            "AbortMultipartUpload" => self.abort_upload(asked),
            "ListMultipartUploads" => Ok(self.list_uploads(asked)),
            _ => Err(Answer::refusal(501, "NotImplemented", "Not here")),
        }
    }

    fn create_bucket(&mut self, asked: &Asked) -> Done {
        if asked.bucket != BUCKET {
            return Err(Answer::refusal(
                409,
                "BucketAlreadyExists",
                "It belongs to somebody else",
            ));
        }
        if self.bucket.is_some() {
            return Err(Answer::refusal(409, "BucketAlreadyOwnedByYou", "It is yours"));
        }
        self.bucket = Some(Bucket::default());
        Ok(Answer::new(200))
    }

    fn versioning(&self) -> Answer {
        let status = if self.settings.versioning {
            "<Status>Enabled</Status>"
        } else {
            ""
        };
        Answer::xml(
            200,
            &format!("<VersioningConfiguration>{status}</VersioningConfiguration>"),
        )
    }

    fn object_lock(&self) -> Done {
        if !self.settings.object_lock {
            let code = "ObjectLockConfigurationNotFoundError";
            return Err(Answer::refusal(404, code, "Object Lock is off"));
        }
        let inner = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
        Ok(Answer::xml(
            200,
            &format!("<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>"),
        ))
    }

    fn objects(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.bucket.iter().flat_map(Bucket::current_objects)
    }

    fn list(&self, asked: &Asked) -> Answer {
        let prefix = asked.asks("prefix").unwrap_or_default();
        let after = asked.asks("continuation-token").or(asked.asks("start-after"));
        let most = asked
            .asks("max-keys")
            .and_then(|most| most.parse().ok())
            .unwrap_or(MOST_KEYS)
            .min(MOST_KEYS);
        let mut found = self
            .objects()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| *key > after));
        let page: Vec<_> = found.by_ref().take(most).collect();
        let is_truncated = found.next().is_some();
        let objects: Vec<String> = page
            .iter()
            .map(|(key, object)| {
                format!(
                    "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>",
                    escaped(key),
                    in_xml(object.modified),
                    object.etag,
                    object.bytes.len()
                )
            })
            .collect();
        let token = match page.last() {
            Some((key, _)) if is_truncated => {
                format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(key))
            }
            _ => String::new(),
        };
        Answer::xml(
            200,
            &format!(
                "<ListBucketResult><Name>{BUCKET}</Name><KeyCount>{}</KeyCount><IsTruncated>{is_truncated}</IsTruncated>{}{token}</ListBucketResult>",
                page.len(),
                objects.concat()
            ),
        )
    }

    fn list_versions(&self, asked: &Asked) -> Answer {
        let prefix = asked.asks("prefix").unwrap_or_default();
        let bucket = self.bucket.iter();
        let versions: Vec<String> = bucket
            .flat_map(|bucket| bucket.versions().map(move |found| (bucket, found)))
            .filter(|(_, (key, _))| key.starts_with(prefix))
            .map(|(bucket, (key, version))| {
                let element = if version.is_deletion { "DeleteMarker" } else { "Version" };
                format!(
                    "<{element}><Key>{}</Key><VersionId>{}</VersionId><IsLatest>{}</IsLatest><LastModified>{}</LastModified><Size>{}</Size></{element}>",
                    escaped(key),
                    version.id,
                    bucket.is_latest(key, &version.id),
                    in_xml(version.modified),
                    version.bytes.len()
                )
            })
            .collect();
        Answer::xml(
            200,
            &format!(
                "<ListVersionsResult><IsTruncated>false</IsTruncated>{}</ListVersionsResult>",
                versions.concat()
            ),
        )
    }

    fn get(&self, asked: &Asked) -> Done {
        let bucket = self.bucket.as_ref();
        let object = match asked.asks("versionId") {
            Some(id) => bucket.and_then(|bucket| bucket.version(&asked.key, id)),
            None => bucket.and_then(|bucket| bucket.current(&asked.key)),
        };
        let Some(object) = object.filter(|object| !object.is_deletion) else {
            let message = "The specified key does not exist.";
            return Err(Answer::refusal(404, "NoSuchKey", message));
        };
        check(self.settings.read_conditions, asked, Some(object))?;
        let mut answer = Answer::new(200)
            .header("etag", format!("\"{}\"", object.etag))
            .header("last-modified", in_header(object.modified))
            .header("accept-ranges", "bytes");
        answer.headers.extend(object.headers.iter().cloned());
        if self.settings.versioning {
            answer = answer.header("x-amz-version-id", &object.id);
        }
        if asked.method == "HEAD" {
            answer.length = Some(object.bytes.len());
            return Ok(answer);
        }
        answer.body = object.bytes.clone();
        match asked.header("range") {
            Some(range) if !self.settings.ignores_ranges => part(answer, range),
            _ => Ok(answer),
        }
    }

    fn put(&mut self, asked: &Asked) -> Done {
        self.check_write(asked)?;
        let etag = hex::encode(&Sha256::digest(&asked.body)[..16]);
        Ok(self.add(&asked.key, asked.body.clone(), etag, kept_headers(asked)))
    }

    /// Conditions and room, for everything that makes an object.
    pub(super) fn check_write(&self, asked: &Asked) -> Result<(), Answer> {
        if self.settings.full {
            return Err(Answer::refusal(
                507,
                "XMinioStorageFull",
                "Storage backend has reached its minimum free drive threshold.",
            ));
        }
        let current = self.bucket.as_ref().and_then(|bucket| bucket.current(&asked.key));
        check(self.settings.write_conditions, asked, current)
    }

    /// Adds an object and answers with its etag.
    pub(super) fn add(
        &mut self,
        key: &str,
        bytes: Bytes,
        etag: String,
        headers: Vec<(String, String)>,
    ) -> Answer {
        let version = Version {
            id: self.next_id(),
            bytes,
            etag,
            modified: self.moment(),
            is_deletion: false,
            headers,
        };
        let keeps = self.settings.versioning;
        let mut answer = Answer::new(200).header("etag", format!("\"{}\"", version.etag));
        if keeps {
            answer = answer.header("x-amz-version-id", &version.id);
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.add(key, version, keeps);
        }
        answer
    }

    fn delete(&mut self, asked: &Asked) -> Done {
        let (id, modified) = (self.next_id(), self.moment());
        let Some(bucket) = &mut self.bucket else {
            return Ok(Answer::new(204));
        };
        match asked.asks("versionId") {
            Some(_) if self.settings.object_lock => {
                let message = "Access Denied because object protected by object lock.";
                return Err(Answer::refusal(403, "AccessDenied", message));
            }
            Some(version) => bucket.remove_version(&asked.key, version),
            None if self.settings.versioning => {
                let marker = Version {
                    id,
                    bytes: Bytes::new(),
                    etag: String::new(),
                    modified,
                    is_deletion: true,
                    headers: Vec::new(),
                };
                bucket.add(&asked.key, marker, true);
            }
            None => bucket.remove(&asked.key),
        }
        Ok(Answer::new(204))
    }

    /// Name of a version; always the same where versions are not kept.
    fn next_id(&mut self) -> String {
        self.serial += 1;
        if self.settings.versioning {
            format!("v{:08}", self.serial)
        } else {
            "null".to_owned()
        }
    }

    /// The store's clock, later with every write.
    pub(super) fn moment(&self) -> DateTime<Utc> {
        now(&self.settings) + TimeDelta::milliseconds(self.serial as i64)
    }
}

/// Whether the conditions of a request hold for the object as it is.
fn check(conditions: Conditions, asked: &Asked, object: Option<&Version>) -> Result<(), Answer> {
    let (if_match, if_none) = (asked.header("if-match"), asked.header("if-none-match"));
    if if_match.is_none() && if_none.is_none() {
        return Ok(());
    }
    match conditions {
        Conditions::Ignored => return Ok(()),
        Conditions::Refused => {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(Answer::refusal(501, "NotImplemented", message));
        }
        Conditions::Honoured => {}
    }
    let etag = object.map(|object| format!("\"{}\"", object.etag));
    let matches = |wanted: &str| match wanted {
        "*" => etag.is_some(),
        wanted => etag.as_deref() == Some(wanted),
    };
    if if_match.is_some_and(|wanted| !matches(wanted)) || if_none.is_some_and(matches) {
        let message = "At least one of the pre-conditions you specified did not hold";
        return Err(Answer::refusal(412, "PreconditionFailed", message));
    }
    Ok(())
}

/// Headers that come back with the object.
pub(super) fn kept_headers(asked: &Asked) -> Vec<(String, String)> {
    let headers = asked.headers.iter();
    headers
        .filter(|(name, _)| {
            let name = name.as_str();
            name.starts_with("x-amz-meta-")
                || name.starts_with("x-amz-server-side-encryption")
                || matches!(name, "content-type" | "content-encoding")
        })
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// The part of a whole answer that `bytes=a-b` asks for.
fn part(answer: Answer, range: &str) -> Done {
    let whole = answer.body.clone();
    let wanted = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?)));
    let Some((from, to)) = wanted.filter(|(from, to)| from <= to && *from < whole.len()) else {
        let message = "The requested range is not satisfiable";
        return Err(Answer::refusal(416, "InvalidRange", message));
    };
    let to = to.min(whole.len() - 1);
    let told = format!("bytes {from}-{to}/{}", whole.len());
    Ok(Answer {
        status: 206,
        body: whole.slice(from..=to),
        ..answer.header("content-range", told)
    })
}
