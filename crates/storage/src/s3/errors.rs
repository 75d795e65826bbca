//! What a store's refusal means, and what to change.

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use chrono::{DateTime, TimeDelta, Utc};

use super::Place;
use crate::error::{ErrorKind, StoreError};

/// How long an answer to a small question may take.
pub(super) const LOOK: Duration = Duration::from_secs(15);
/// How long one write may take.
pub(super) const WRITE: Duration = Duration::from_mins(2);

/// Stores accept requests whose time differs from theirs by this much.
const CLOCK_LEEWAY: TimeDelta = TimeDelta::minutes(15);

/// What was asked, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    doing: &'static str,
    permission: &'static str,
}

impl Asked {
    pub(super) const WRITE: Self = Self::new("write objects", "s3:PutObject");
    pub(super) const READ: Self = Self::new("read objects", "s3:GetObject");
    pub(super) const LIST: Self = Self::new("list the bucket", "s3:ListBucket");
    pub(super) const VERSIONS: Self = Self::new("list versions", "s3:ListBucketVersions");
    pub(super) const DELETE: Self = Self::new("delete objects", "s3:DeleteObject and s3:DeleteObjectVersion");
    pub(super) const CREATE_BUCKET: Self = Self::new("create the bucket", "s3:CreateBucket");
    pub(super) const VERSIONING: Self = Self::new("read the bucket's settings", "s3:GetBucketVersioning");
    pub(super) const UPLOADS: Self = Self::new(
        "manage uploads in parts",
        "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
    );

    const fn new(doing: &'static str, permission: &'static str) -> Self {
        Self { doing, permission }
    }
}

/// One request, with its time limit. The requests of the client are large, so they live on the heap.
pub(super) fn attempt<T, E>(
    place: &Place,
    asked: Asked,
    within: Duration,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
) -> impl Future<Output = Result<T, StoreError>> + Send
where
    T: Send,
    E: ProvideErrorMetadata + std::error::Error + Send + 'static,
{
    let request = Box::pin(request);
    async move {
        match tokio::time::timeout(within, request).await {
            Ok(answer) => answer.map_err(|error| judge(place, asked, &error)),
            Err(tokio::time::error::Elapsed { .. }) => Err(late(place, within)),
        }
    }
}

fn late(place: &Place, within: Duration) -> StoreError {
    let say = format!(
        "{} did not answer within {} s: see whether the store is overloaded or something between swallows requests",
        place.host,
        within.as_secs()
    );
    StoreError::new(ErrorKind::Unreachable, say)
}

/// A body that ended before its end.
pub(super) fn cut(place: &Place, error: &dyn std::error::Error) -> StoreError {
    let say = format!("{} broke off its answer", place.host);
    StoreError::new(ErrorKind::Unreachable, say).with_detail(chain(error))
}

fn judge<E>(place: &Place, asked: Asked, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(refusal) => {
            let refused = Refusal::new(refusal.raw(), refusal.err());
            refused.judge(place, asked)
        }
        SdkError::ResponseError(_) => cut(place, error),
        SdkError::DispatchFailure(_) if chain(error).contains("valid URI") => unusable(place, error),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => unreachable(place, error),
        _ => unusable(place, error),
    }
}

fn unusable(place: &Place, error: &dyn std::error::Error) -> StoreError {
    let say = format!(
        "no request can be made for {}: check the endpoint and the region",
        place.host
    );
    StoreError::new(ErrorKind::Other, say).with_detail(chain(error))
}

/// Why there was no answer at all.
fn unreachable(place: &Place, error: &dyn std::error::Error) -> StoreError {
    let detail = chain(error);
    let host = &place.host;
    let has = |words: &[&str]| words.iter().any(|word| detail.contains(word));
    let say = if has(&["dns error", "failed to lookup", "Name or service not known"]) {
        format!("the host of {host} is not known: check the endpoint and the name server")
    } else if has(&["Connection refused"]) {
        format!("nothing listens at {host}: check host and port of the endpoint, and whether the store runs")
    } else if has(&["InvalidContentType", "corrupt message", "InvalidMessage"]) {
        format!("{host} does not speak TLS: begin the endpoint with http:// if that is meant")
    } else if has(&["certificate", "UnknownIssuer", "CertNotValid"]) {
        format!(
            "the certificate of {host} is not trusted: install its authority on this machine, or name its file in SSL_CERT_FILE"
        )
    } else if has(&["timed out", "timeout", "deadline"]) {
        format!("{host} cannot be reached in time: check the endpoint and the firewall")
    } else {
        format!("{host} cannot be reached: check the endpoint, the network and whether the store runs")
    };
    StoreError::new(ErrorKind::Unreachable, say).with_detail(detail)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write!(text, "{}", DisplayErrorContext(error));
    shortened(&text)
}

/// Details are for reading: the start of a very long one is enough.
fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}

/// A refusal, taken apart.
struct Refusal<'a> {
    code: &'a str,
    message: &'a str,
    status: u16,
    /// The region of the bucket, when the store told it.
    region: Option<String>,
    /// The store's clock.
    date: Option<DateTime<Utc>>,
}

impl<'a> Refusal<'a> {
    fn new<E: ProvideErrorMetadata>(raw: &'a HttpResponse, error: &'a E) -> Self {
        let message = error.message().unwrap_or_default();
        let header = |name| raw.headers().get(name);
        let expected = || message.split("expecting '").nth(1)?.split('\'').next();
        Self {
            code: error.code().unwrap_or_default(),
            message,
            status: raw.status().as_u16(),
            region: header("x-amz-bucket-region").or_else(expected).map(str::to_owned),
            date: header("date")
                .and_then(|date| DateTime::parse_from_rfc2822(date).ok())
                .map(|date| date.to_utc()),
        }
    }

    fn detail(&self) -> String {
        let mut detail = match self.code {
            "" => format!("HTTP {}", self.status),
            code => format!("{code}, HTTP {}", self.status),
        };
        if !self.message.is_empty() {
            let _ = write!(detail, ": {}", shortened(self.message));
        }
        detail
    }

    fn judge(&self, place: &Place, asked: Asked) -> StoreError {
        let (kind, say) = self
            .clock(place)
            .or_else(|| self.credentials(place))
            .or_else(|| self.region(place))
            .or_else(|| self.state(place, asked))
            .unwrap_or_else(|| self.other(place, asked));
        StoreError::new(kind, say).with_detail(self.detail())
    }

    fn clock(&self, place: &Place) -> Option<(ErrorKind, String)> {
        #[expect(
            clippy::disallowed_methods,
            reason = "requests are signed with the machine's time"
        )]
        let now = DateTime::<Utc>::from(SystemTime::now());
        let told = matches!(
            self.code,
            "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture"
        );
        let apart = self.date.map(|date| now - date);
        let far =
            matches!(self.status, 400 | 401 | 403) && apart.is_some_and(|apart| apart.abs() > CLOCK_LEEWAY);
        if !told && !far {
            return None;
        }
        let gap = match apart {
            Some(apart) if apart.abs() > CLOCK_LEEWAY => {
                let word = if apart > TimeDelta::zero() {
                    "ahead of"
                } else {
                    "behind"
                };
                format!("{} minutes {word}", apart.abs().num_minutes())
            }
            _ => "too far from".to_owned(),
        };
        let say = format!(
            "the clock of this machine is {gap} that of {}: set it, for example with NTP",
            place.host
        );
        Some((ErrorKind::WrongClock, say))
    }

    fn credentials(&self, place: &Place) -> Option<(ErrorKind, String)> {
        let say = match self.code {
            "InvalidAccessKeyId" => format!("{} does not know the access key: check it", place.host),
            "SignatureDoesNotMatch" => {
                "the secret key does not belong to the access key: write it again".to_owned()
            }
            "ExpiredToken" | "TokenRefreshRequired" => {
                "the session token has expired: get new temporary credentials".to_owned()
            }
            "InvalidToken" => {
                "the session token does not belong to the access key: write all three again".to_owned()
            }
            _ if self.status == 401 => format!("{} does not accept the credentials: check them", place.host),
            _ => return None,
        };
        Some((ErrorKind::Credentials, say))
    }

    fn region(&self, place: &Place) -> Option<(ErrorKind, String)> {
        let ours = place.policy.signing_region();
        let told = matches!(
            self.code,
            "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "IllegalLocationConstraintException"
                | "InvalidLocationConstraint"
                | "InvalidRegion"
                | "IncorrectEndpoint"
        );
        let elsewhere = self.region.as_deref().filter(|region| *region != ours);
        if !told && self.status != 301 && !(self.status == 400 && elsewhere.is_some()) {
            return None;
        }
        let say = match elsewhere {
            Some(region) => {
                format!("the bucket is in region {region}, not in {ours}: set the region to {region}")
            }
            None => format!(
                "{} does not serve the region {ours}: set the region that it is configured with",
                place.host
            ),
        };
        Some((ErrorKind::WrongRegion, say))
    }

    /// What the bucket or the object is like.
    fn state(&self, place: &Place, asked: Asked) -> Option<(ErrorKind, String)> {
        let bucket = &place.policy.bucket;
        let known = match (self.code, self.status) {
            ("NoSuchBucket", _) => (
                ErrorKind::NoBucket,
                format!("there is no bucket {bucket}: create it, or check its name"),
            ),
            ("InvalidBucketName", _) => (
                ErrorKind::Other,
                format!("the store does not accept {bucket} as the name of a bucket: choose another"),
            ),
            ("BucketAlreadyExists", _) => (
                ErrorKind::Denied,
                format!("the bucket {bucket} belongs to somebody else: choose another name"),
            ),
            ("PreconditionFailed", _) | (_, 412 | 304) => (
                ErrorKind::Precondition,
                "the object is not in the expected state any more".to_owned(),
            ),
            ("ConditionalRequestConflict" | "OperationAborted", _) | ("", 409) => (
                ErrorKind::Throttled,
                "two writers met at the same object".to_owned(),
            ),
            ("NotImplemented" | "MethodNotAllowed", _) | (_, 501 | 405) => (
                ErrorKind::Unsupported,
                format!("{} cannot {}", place.host, asked.doing),
            ),
            ("NoSuchKey" | "NoSuchVersion" | "NoSuchUpload" | "NotFound", _) | (_, 404) => {
                (ErrorKind::NotFound, "there is no such object".to_owned())
            }
            ("InvalidRange", _) | (_, 416) => (
                ErrorKind::Corrupt,
                "the object is shorter than it was when it was written".to_owned(),
            ),
            ("XMinioStorageFull" | "QuotaExceeded" | "InsufficientStorage" | "StorageFull", _) | (_, 507) => {
                (
                    ErrorKind::Full,
                    format!(
                        "{} has no room left: add some, or raise the quota of {bucket}",
                        place.host
                    ),
                )
            }
            _ => return None,
        };
        Some(known)
    }

    fn other(&self, place: &Place, asked: Asked) -> (ErrorKind, String) {
        match (self.code, self.status) {
            (
                "SlowDown" | "SlowDownRead" | "SlowDownWrite" | "RequestLimitExceeded" | "ServiceUnavailable",
                _,
            )
            | (_, 429 | 503) => (
                ErrorKind::Throttled,
                format!("{} asks to be called more slowly", place.host),
            ),
            ("BadDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" | "RequestTimeout", _) => (
                ErrorKind::Unreachable,
                format!("what was sent reached {} damaged or in part", place.host),
            ),
            (_, 500..) => (
                ErrorKind::Unreachable,
                format!("{} has trouble of its own: see its log", place.host),
            ),
            (_, 403) => (
                ErrorKind::Denied,
                format!(
                    "the access key may not {} in {}: grant it {}",
                    asked.doing, place.policy.bucket, asked.permission
                ),
            ),
            _ => (
                ErrorKind::Other,
                format!("{} refused to {}: is it an S3 store?", place.host, asked.doing),
            ),
        }
    }
}
