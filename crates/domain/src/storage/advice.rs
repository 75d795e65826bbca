//! What is wrong with a storage policy, said so that it can be put right.

use super::{OnPremPolicy, S3Policy, Secret, Sse};

/// Longest key of S3 is 1024 bytes; a prefix of this length leaves room for the longest topic.
const MAX_PREFIX: usize = 200;

type Faults = Vec<(&'static str, String)>;

pub(super) fn s3(policy: &S3Policy) -> Faults {
    let mut faults = Faults::new();
    let mut fault = |field, say: Option<String>| faults.extend(say.map(|say| (field, say)));
    fault("s3.bucket", bucket(policy.bucket.trim()));
    fault("s3.prefix", prefix(policy.prefix.trim()));
    fault("s3.access_key", access_key(policy.access_key.trim()));
    fault("s3.secret_key", secret("secret key", &policy.secret_key, true));
    fault(
        "s3.session_token",
        secret("session token", &policy.session_token, false),
    );
    fault("s3.region", region(policy));
    fault("s3.endpoint", endpoint(policy));
    if !policy.kms_key_id.trim().is_empty() && policy.sse != Sse::AwsKms {
        let say = "a KMS key is used only with encryption `aws:kms`: choose that, or empty this field";
        fault("s3.kms_key_id", Some(say.to_owned()));
    }
    faults
}

pub(super) fn on_prem(policy: &OnPremPolicy) -> Faults {
    let path = policy.path.trim();
    let say = if path.is_empty() {
        "say in which folder segments are written, for example /srv/longhaul-archive"
    } else if !path.starts_with('/') {
        "write the whole path, from the root: /srv/longhaul-archive"
    } else if path.split('/').any(|part| part == ".." || part == ".") {
        "write the path without `.` and `..`"
    } else if path.trim_matches('/').is_empty() {
        "the root folder cannot be used: name a folder of its own"
    } else if path.chars().any(char::is_control) {
        "the path contains a control character"
    } else {
        return Faults::new();
    };
    vec![("on_prem.path", say.to_owned())]
}

fn bucket(bucket: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() {
        Some("say which bucket segments are written to; it is created when missing".to_owned())
    } else if bucket.contains("://") || bucket.contains('/') {
        Some(
            "write the name of the bucket alone: an address belongs to `endpoint`, a folder to `prefix`"
                .to_owned(),
        )
    } else if !(3..=63).contains(&bucket.len()) {
        Some(format!(
            "the name of a bucket has 3 to 63 characters, this one has {}",
            bucket.len()
        ))
    } else if !bucket.chars().all(known) || !bucket.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some(
            "the name of a bucket has letters, digits, `-`, `.` and `_`, and begins with a letter or digit"
                .to_owned(),
        )
    } else {
        None
    }
}

fn prefix(prefix: &str) -> Option<String> {
    let inner = prefix.trim_matches('/');
    if prefix.len() > MAX_PREFIX {
        Some(format!(
            "a prefix has at most {MAX_PREFIX} bytes, so that the longest key fits behind it"
        ))
    } else if inner.chars().any(char::is_control) {
        Some("the prefix contains a control character".to_owned())
    } else if !inner.is_empty() && inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("write the prefix without `//`, `.` and `..`, for example prod/eu".to_owned())
    } else {
        None
    }
}

fn access_key(key: &str) -> Option<String> {
    if key.is_empty() {
        Some("give the access key that may write to the bucket".to_owned())
    } else if key
        .chars()
        .any(|c| !c.is_ascii_graphic() || matches!(c, '/' | ',' | '='))
    {
        Some("an access key has no spaces, `/`, `,` or `=`: was the secret key put here?".to_owned())
    } else {
        None
    }
}

fn secret(name: &str, secret: &Secret, needed: bool) -> Option<String> {
    let value = secret.expose();
    if value.is_empty() {
        needed.then(|| format!("give the {name} that belongs to the access key"))
    } else if secret.is_masked() {
        Some(format!("the {name} is not known here: write it again"))
    } else if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some(format!(
            "the {name} contains a space or a line break: copy it once more"
        ))
    } else {
        None
    }
}

fn region(policy: &S3Policy) -> Option<String> {
    let region = policy.region.trim();
    if region.is_empty() && policy.is_aws() {
        Some("say in which region the bucket is, for example eu-central-1".to_owned())
    } else if !region
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        Some("a region has letters, digits and `-`, for example eu-central-1".to_owned())
    } else {
        None
    }
}

fn endpoint(policy: &S3Policy) -> Option<String> {
    let url = policy.endpoint_url()?;
    let (scheme, rest) = url.split_once("://")?;
    let host = host_of(&url);
    let bucket = policy.bucket.trim();
    if !matches!(scheme, "http" | "https") {
        Some("an endpoint begins with https:// or http://, or is a plain host:port".to_owned())
    } else if rest.contains('@') {
        Some("leave credentials out of the endpoint: they have their own fields".to_owned())
    } else if rest.contains(['/', '?', '#']) {
        Some("write the endpoint without a path: the bucket and the prefix have their own fields".to_owned())
    } else if host.is_empty() || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("the endpoint has no host, write for example s3.example.org:9000".to_owned())
    } else if port_of(rest).is_some_and(|port| port.parse::<u16>().is_err()) {
        Some("the port of the endpoint is a number from 1 to 65535".to_owned())
    } else if !bucket.is_empty() && host.starts_with(&format!("{bucket}.")) {
        Some(format!(
            "leave the bucket out of the endpoint: {}",
            &url.replacen(&format!("{bucket}."), "", 1)
        ))
    } else {
        None
    }
}

/// The host of a URL, without its port and without the brackets of IPv6.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    if let Some(inner) = authority.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// The port as it is written after the host, if one is.
fn port_of(authority: &str) -> Option<&str> {
    let after_address = authority.rsplit(']').next().unwrap_or(authority);
    after_address.split_once(':').map(|(_, port)| port)
}
