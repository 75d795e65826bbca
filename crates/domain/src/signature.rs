//! Signatures of what is sent: Convoy's simple and advanced forms, and Standard Webhooks.
//!
//! Exactly the bytes that are sent are signed. A [`Signer`] is built once per endpoint and keeps
//! the keyed state of each secret; signing a message clones that state and does no key work.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha512};
use thiserror::Error;

use crate::project::{DigestEncoding, HashKind, SignatureConfig, SignatureVersion};

/// Header that carries Convoy's signature when a project names no other.
pub const DEFAULT_HEADER: &str = "X-Convoy-Signature";
/// Header of Standard Webhooks: the id of the message, the same at every attempt.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Header of Standard Webhooks: when the attempt was made, seconds since 1970.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Header of Standard Webhooks: the signatures.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";
/// How far the time of a signature may be from the receiver's, in seconds.
pub const DEFAULT_TOLERANCE_SECONDS: i64 = 300;

/// Mark in front of a secret whose key is the base64 that follows.
const STANDARD_PREFIX: &str = "whsec_";
/// Reads base64 with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl DigestEncoding {
    fn encode(self, digest: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(digest),
            Self::Base64 => STANDARD.encode(digest),
        }
    }

    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => LENIENT.decode(text).ok(),
        }
    }
}

/// How a digest is made and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestForm {
    /// The hash below the HMAC.
    pub hash: HashKind,
    /// How the digest is written.
    pub encoding: DigestEncoding,
}

/// How the deliveries of an endpoint are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SignatureScheme {
    /// The digest alone, by the last version and the newest secret.
    Simple {
        /// Name of the header.
        header: String,
        /// Configured versions; the last one signs.
        versions: Vec<DigestForm>,
    },
    /// `t=<seconds>,v1=<digest>,...`: every version with every secret, over `<seconds>,<body>`.
    Advanced {
        /// Name of the header.
        header: String,
        /// Configured versions; the first is `v1`.
        versions: Vec<DigestForm>,
    },
    /// The three headers of Standard Webhooks, over `<id>.<seconds>.<body>`.
    StandardWebhooks,
}

impl Default for SignatureScheme {
    /// Convoy's advanced form, SHA-256 in hexadecimal.
    fn default() -> Self {
        Self::Advanced {
            header: DEFAULT_HEADER.to_owned(),
            versions: vec![DigestForm::default()],
        }
    }
}

impl From<&SignatureVersion> for DigestForm {
    fn from(version: &SignatureVersion) -> Self {
        Self {
            hash: version.hash,
            encoding: version.encoding,
        }
    }
}

impl SignatureScheme {
    /// Convoy's form as a project configures it; `advanced` is the endpoint's choice.
    pub fn convoy(config: &SignatureConfig, advanced: bool) -> Self {
        let header = config.header.clone();
        let versions = config.versions.iter().map(DigestForm::from).collect();
        if advanced {
            Self::Advanced { header, versions }
        } else {
            Self::Simple { header, versions }
        }
    }
}

/// A secret and how long it signs.
#[derive(Clone)]
pub struct SigningSecret {
    /// The text that was agreed with the receiver.
    pub value: String,
    /// Seconds since 1970 from which on it no longer signs. The newest secret signs in any case.
    pub expires_at: Option<i64>,
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningSecret")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl SigningSecret {
    /// A secret that does not expire.
    pub fn lasting(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            expires_at: None,
        }
    }
}

/// Why no signer can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The endpoint has no secret.
    #[error("an endpoint needs at least one secret")]
    NoSecret,
    /// The project configures no version.
    #[error("a signature needs at least one version")]
    NoVersion,
}

/// The keyed state of one secret under one hash.
#[derive(Clone)]
enum Keyed {
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Keyed {
    fn new(hash: HashKind, key: &[u8]) -> Self {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        match hash {
            HashKind::Sha256 => Self::Sha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            HashKind::Sha512 => Self::Sha512(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
        }
    }

    /// The state after the bytes of `parts`.
    fn fed(&self, parts: &[&[u8]]) -> Self {
        let mut fed = self.clone();
        for part in parts {
            match &mut fed {
                Self::Sha256(mac) => mac.update(part),
                Self::Sha512(mac) => mac.update(part),
            }
        }
        fed
    }

    fn sign(&self, parts: &[&[u8]], encoding: DigestEncoding) -> String {
        match self.fed(parts) {
            Self::Sha256(mac) => encoding.encode(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => encoding.encode(&mac.finalize().into_bytes()),
        }
    }

    /// Compares in constant time.
    fn verify(&self, parts: &[&[u8]], digest: &[u8]) -> bool {
        match self.fed(parts) {
            Self::Sha256(mac) => mac.verify_slice(digest).is_ok(),
            Self::Sha512(mac) => mac.verify_slice(digest).is_ok(),
        }
    }
}

/// One secret of a signer with its state for each version.
#[derive(Clone)]
struct Key {
    expires_at: Option<i64>,
    by_version: Vec<Keyed>,
}

#[derive(Clone)]
enum Form {
    Simple {
        header: String,
        encoding: DigestEncoding,
    },
    Advanced {
        header: String,
        encodings: Vec<DigestEncoding>,
    },
    StandardWebhooks,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Id of the message; Standard Webhooks signs it.
    pub id: &'a str,
    /// Seconds since 1970 at which the attempt is made.
    pub timestamp: i64,
    /// The bytes that are sent.
    pub body: &'a [u8],
}

/// Signs the messages of one endpoint.
#[derive(Clone)]
pub struct Signer {
    form: Form,
    /// Oldest first; never empty.
    keys: Vec<Key>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer for `scheme` with `secrets`, oldest first.
    pub fn new(scheme: &SignatureScheme, secrets: &[SigningSecret]) -> Result<Self, SignatureError> {
        if secrets.is_empty() {
            return Err(SignatureError::NoSecret);
        }
        let standard = [DigestForm::default()];
        let (form, versions) = match scheme {
            SignatureScheme::Simple { header, versions } => {
                let last = versions.last().ok_or(SignatureError::NoVersion)?;
                let form = Form::Simple {
                    header: header.clone(),
                    encoding: last.encoding,
                };
                (form, &versions[versions.len() - 1..])
            }
            SignatureScheme::Advanced { versions, .. } if versions.is_empty() => {
                return Err(SignatureError::NoVersion);
            }
            SignatureScheme::Advanced { header, versions } => {
                let encodings = versions.iter().map(|version| version.encoding).collect();
                (
                    Form::Advanced {
                        header: header.clone(),
                        encodings,
                    },
                    versions.as_slice(),
                )
            }
            SignatureScheme::StandardWebhooks => (Form::StandardWebhooks, standard.as_slice()),
        };
        let keys = secrets
            .iter()
            .map(|secret| Key::new(&form, secret, versions))
            .collect();
        Ok(Self { form, keys })
    }

    /// The headers that sign `message`: names and values.
    pub fn sign(&self, message: &Message<'_>) -> Vec<(&str, String)> {
        let number = message.timestamp.to_string();
        match &self.form {
            Form::Simple { header, encoding } => {
                let digest = self.newest().by_version[0].sign(&[message.body], *encoding);
                vec![(header.as_str(), digest)]
            }
            Form::Advanced { header, encodings } => {
                let parts = [number.as_bytes(), b",", message.body];
                let mut value = format!("t={number}");
                for (index, encoding) in encodings.iter().enumerate() {
                    for key in self.live(message.timestamp) {
                        let digest = key.by_version[index].sign(&parts, *encoding);
                        value.push_str(",v");
                        value.push_str(&(index + 1).to_string());
                        value.push('=');
                        value.push_str(&digest);
                    }
                }
                vec![(header.as_str(), value)]
            }
            Form::StandardWebhooks => {
                let parts = [message.id.as_bytes(), b".", number.as_bytes(), b".", message.body];
                let mut value = String::with_capacity(48);
                for key in self.live(message.timestamp) {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str("v1,");
                    value.push_str(&key.by_version[0].sign(&parts, DigestEncoding::Base64));
                }
                vec![
                    (WEBHOOK_ID, message.id.to_owned()),
                    (WEBHOOK_TIMESTAMP, number),
                    (WEBHOOK_SIGNATURE, value),
                ]
            }
        }
    }

    fn newest(&self) -> &Key {
        &self.keys[self.keys.len() - 1]
    }

    /// The keys that sign at `now`: the newest, and older ones that have not expired.
    fn live(&self, now: i64) -> impl Iterator<Item = &Key> {
        let newest = self.keys.len() - 1;
        let signs =
            move |(index, key): &(usize, &Key)| *index == newest || key.expires_at.is_none_or(|at| now < at);
        self.keys.iter().enumerate().filter(signs).map(|(_, key)| key)
    }
}

impl Key {
    fn new(form: &Form, secret: &SigningSecret, versions: &[DigestForm]) -> Self {
        let decoded;
        let key = if matches!(form, Form::StandardWebhooks) {
            decoded = standard_key(&secret.value);
            decoded.as_slice()
        } else {
            secret.value.as_bytes()
        };
        let by_version = versions
            .iter()
            .map(|version| Keyed::new(version.hash, key))
            .collect();
        Self {
            expires_at: secret.expires_at,
            by_version,
        }
    }
}

/// The key of a Standard Webhooks secret: the base64 after `whsec_`, otherwise the bytes of the text.
///
/// A text that starts with `whsec_` but is not base64 is taken as it stands;
/// [`is_standard_secret`] tells before it is saved.
pub fn standard_key(secret: &str) -> Vec<u8> {
    secret
        .strip_prefix(STANDARD_PREFIX)
        .and_then(|encoded| LENIENT.decode(encoded).ok())
        .unwrap_or_else(|| secret.as_bytes().to_vec())
}

/// Whether `secret` has the form `whsec_<base64>` that every Standard Webhooks library reads.
pub fn is_standard_secret(secret: &str) -> bool {
    secret
        .strip_prefix(STANDARD_PREFIX)
        .is_some_and(|encoded| LENIENT.decode(encoded).is_ok_and(|key| !key.is_empty()))
}

/// Whether `header` is the simple signature of `body`.
pub fn verify_simple(header: &str, secret: &str, version: DigestForm, body: &[u8]) -> bool {
    version
        .encoding
        .decode(header)
        .is_some_and(|digest| Keyed::new(version.hash, secret.as_bytes()).verify(&[body], &digest))
}

/// Whether one value of `header` is the advanced signature of `body`, made within `tolerance`
/// seconds of `now`.
pub fn verify_advanced(
    header: &str,
    secret: &str,
    version: DigestForm,
    body: &[u8],
    now: i64,
    tolerance: i64,
) -> bool {
    let Some((time, values)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(',')) else {
        return false;
    };
    if !is_recent(time, now, tolerance) {
        return false;
    }
    let keyed = Keyed::new(version.hash, secret.as_bytes());
    let parts = [time.as_bytes(), b",", body];
    values
        .split(',')
        .filter_map(|value| value.strip_prefix('v')?.split_once('='))
        .filter_map(|(_, digest)| version.encoding.decode(digest))
        .any(|digest| keyed.verify(&parts, &digest))
}

/// Whether `signature`, the header of Standard Webhooks, signs `body` under `id` and `timestamp`,
/// made within `tolerance` seconds of `now`.
pub fn verify_standard(
    id: &str,
    timestamp: &str,
    signature: &str,
    secret: &str,
    body: &[u8],
    now: i64,
    tolerance: i64,
) -> bool {
    if !is_recent(timestamp, now, tolerance) {
        return false;
    }
    let keyed = Keyed::new(HashKind::Sha256, &standard_key(secret));
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    signature
        .split(' ')
        .filter_map(|value| value.strip_prefix("v1,"))
        .filter_map(|digest| DigestEncoding::Base64.decode(digest))
        .any(|digest| keyed.verify(&parts, &digest))
}

fn is_recent(timestamp: &str, now: i64, tolerance: i64) -> bool {
    timestamp
        .parse::<i64>()
        .is_ok_and(|at| now.abs_diff(at) <= tolerance.unsigned_abs())
}

#[cfg(test)]
mod tests;
