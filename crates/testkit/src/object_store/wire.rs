//! Requests taken apart and answers put together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use chrono::{DateTime, Utc};

/// A request as far as it matters here.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Self {
        let path = uri.path().trim_start_matches('/');
        let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self {
            method,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            query: query.into_owned().collect(),
            headers,
            body,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn asks(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The name of what is asked for.
    pub(super) fn operation(&self) -> &'static str {
        let has = |name| self.query.contains_key(name);
        match (self.method.as_str(), self.key.is_empty()) {
            ("GET", true) if has("versioning") => "GetBucketVersioning",
            ("GET", true) if has("object-lock") => "GetObjectLockConfiguration",
            ("GET", true) if has("versions") => "ListObjectVersions",
            ("GET", true) if has("uploads") => "ListMultipartUploads",
            ("GET", true) => "ListObjectsV2",
            ("PUT", true) => "CreateBucket",
            ("HEAD", true) => "HeadBucket",
            ("GET", false) => "GetObject",
            ("HEAD", false) => "HeadObject",
            ("PUT", false) if has("partNumber") => "UploadPart",
            ("PUT", false) => "PutObject",
            ("DELETE", false) if has("uploadId") => "AbortMultipartUpload",
            ("DELETE", false) => "DeleteObject",
            ("POST", false) if has("uploads") => "CreateMultipartUpload",
            ("POST", false) => "CompleteMultipartUpload",
            _ => "Unknown",
        }
    }
}

/// An answer, before it is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// Length to tell when there is no body because it was a HEAD.
    pub(super) length: Option<usize>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn xml(status: u16, inner: &str) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inner}");
        Self {
            body: body.into(),
            ..Self::new(status).header("content-type", "application/xml")
        }
    }

    pub(super) fn refusal(status: u16, code: &str, message: &str) -> Self {
        let (code, message) = (escaped(code), escaped(message));
        Self::xml(
            status,
            &format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        )
    }
}

/// What an operation gives: an answer, or a refusal.
pub(super) type Done = Result<Answer, Answer>;

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {
                // Writing to a text cannot fail.
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A moment in XML.
pub(super) fn in_xml(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A moment in a header.
pub(super) fn in_header(moment: DateTime<Utc>) -> String {
    moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
