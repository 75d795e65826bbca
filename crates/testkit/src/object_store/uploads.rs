//! Uploads in parts.

use std::collections::BTreeMap;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::State;
use super::operations::kept_headers;
use super::wire::{Answer, Asked, Done, escaped, in_xml};

/// S3 refuses smaller parts, but for the last.
const SMALLEST_PART: usize = 5 << 20;

#[derive(Debug)]
struct Upload {
    key: String,
    begun: DateTime<Utc>,
    headers: Vec<(String, String)>,
    parts: BTreeMap<u32, Bytes>,
}

/// Uploads that have begun and not ended.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    by_id: BTreeMap<String, Upload>,
    serial: u64,
}

impl Uploads {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl State {
    pub(super) fn begin_upload(&mut self, asked: &Asked) -> Answer {
        self.uploads.serial += 1;
        let id = format!("upload{:06}", self.uploads.serial);
        let upload = Upload {
            key: asked.key.clone(),
            begun: self.moment(),
            headers: kept_headers(asked),
            parts: BTreeMap::new(),
        };
        self.uploads.by_id.insert(id.clone(), upload);
        let key = escaped(&asked.key);
        Answer::xml(
            200,
            &format!(
                "<InitiateMultipartUploadResult><Key>{key}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
            ),
        )
    }

    fn upload(&mut self, asked: &Asked) -> Result<&mut Upload, Answer> {
        let id = asked.asks("uploadId").unwrap_or_default();
        let upload = self.uploads.by_id.get_mut(id);
        upload
            .filter(|upload| upload.key == asked.key)
            .ok_or_else(|| Answer::refusal(404, "NoSuchUpload", "The specified upload does not exist."))
    }

    pub(super) fn upload_part(&mut self, asked: &Asked) -> Done {
        if self.settings.full {
            return Err(Answer::refusal(507, "XMinioStorageFull", "No room"));
        }
        let number = asked.asks("partNumber").and_then(|number| number.parse().ok());
        let number = number.ok_or_else(|| Answer::refusal(400, "InvalidArgument", "partNumber"))?;
        let bytes = asked.body.clone();
        let etag = etag(&bytes);
        self.upload(asked)?.parts.insert(number, bytes);
        Ok(Answer::new(200).header("etag", format!("\"{etag}\"")))
    }

    pub(super) fn complete_upload(&mut self, asked: &Asked) -> Done {
        self.check_write(asked)?;
        let text = String::from_utf8_lossy(&asked.body).into_owned();
        let upload = self.upload(asked)?;
        let mut whole = Vec::new();
        let wanted: Vec<(u32, String)> = text.split("<Part>").skip(1).filter_map(named_part).collect();
        for (at, (number, wanted_etag)) in wanted.iter().enumerate() {
            let Some(bytes) = upload
                .parts
                .get(number)
                .filter(|bytes| etag(bytes) == *wanted_etag)
            else {
                return Err(Answer::refusal(
                    400,
                    "InvalidPart",
                    "A part is missing or another one",
                ));
            };
            if at + 1 < wanted.len() && bytes.len() < SMALLEST_PART {
                return Err(Answer::refusal(400, "EntityTooSmall", "A part is too small"));
            }
            whole.extend_from_slice(bytes);
        }
        let headers = upload.headers.clone();
        let whole_etag = format!("{}-{}", etag(&whole), wanted.len());
        self.uploads
            .by_id
            .remove(asked.asks("uploadId").unwrap_or_default());
        let added = self.add(&asked.key, whole.into(), whole_etag.clone(), headers);
        let key = escaped(&asked.key);
        let mut answer = Answer::xml(
            200,
            &format!(
                "<CompleteMultipartUploadResult><Key>{key}</Key><ETag>&quot;{whole_etag}&quot;</ETag></CompleteMultipartUploadResult>"
            ),
        );
        answer.headers.extend(added.headers);
        Ok(answer)
    }

    pub(super) fn abort_upload(&mut self, asked: &Asked) -> Done {
        self.upload(asked)?;
        self.uploads
            .by_id
            .remove(asked.asks("uploadId").unwrap_or_default());
        Ok(Answer::new(204))
    }

    pub(super) fn list_uploads(&self, asked: &Asked) -> Answer {
        let prefix = asked.asks("prefix").unwrap_or_default();
        let uploads: Vec<String> = self
            .uploads
            .by_id
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(prefix))
            .map(|(id, upload)| {
                format!(
                    "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiated>{}</Initiated></Upload>",
                    escaped(&upload.key),
                    in_xml(upload.begun)
                )
            })
            .collect();
        Answer::xml(
            200,
            &format!(
                "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{}</ListMultipartUploadsResult>",
                uploads.concat()
            ),
        )
    }
}

fn etag(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// Number and etag of `..<ETag>..</ETag>..<PartNumber>..</PartNumber>..`.
fn named_part(text: &str) -> Option<(u32, String)> {
    let inner = |name: &str| {
        let rest = text.split(&format!("<{name}>")).nth(1)?;
        rest.split("</").next()
    };
    let etag = inner("ETag")?.replace("&quot;", "").replace('"', "");
    Some((inner("PartNumber")?.parse().ok()?, etag))
}
