//! The steps of a probe, one function each.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use domain::storage::S3Policy;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use super::candidate::{Candidate, STALE};
use super::{Finding, failed, note, passed};
use crate::error::{ErrorKind, StoreError};
use crate::on_prem::OnPremStore;
use crate::s3::S3Store;
use crate::store::{Body, ObjectStore, PutCondition};

/// The bytes in the middle that are read as a range.
const RANGE: std::ops::Range<u64> = 500_000..504_096;
/// The smallest part that S3 allows.
const PART: usize = 5 << 20;
/// Two parts of that size and a smaller last one.
const LARGE: usize = 12 << 20;
/// Less room than this is worth a note.
const LITTLE_ROOM: u64 = 1 << 30;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Opens a connection, so that a wrong host or port is told apart from wrong credentials.
pub(super) async fn connect(policy: &S3Policy) -> Finding {
    let (host, port, tls) = address(policy);
    let connecting = TcpStream::connect((host.as_str(), port));
    let connected = match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(connected) => connected,
        Err(tokio::time::error::Elapsed { .. }) => Err(io::ErrorKind::TimedOut.into()),
    };
    let peer = match connected.and_then(|stream| stream.peer_addr()) {
        Ok(peer) => peer,
        Err(error) => return Err(no_connection(&host, port, &error)),
    };
    if tls {
        passed(format!("{host}:{port}, with TLS"))
    } else if peer.ip().is_loopback() {
        passed(format!("{host}:{port}, without TLS on this machine"))
    } else {
        note(format!(
            "{host}:{port}, without TLS: payloads can be read on the way. Begin the endpoint with https://"
        ))
    }
}

fn no_connection(host: &str, port: u16, error: &io::Error) -> StoreError {
    let say = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing listens at {host}:{port}: check the endpoint, and whether the store runs")
        }
        io::ErrorKind::TimedOut => {
            format!("{host}:{port} does not answer: check the endpoint and the firewall")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no way to {host}: check the network")
        }
        _ => format!("the host {host} is not known: check the endpoint and the name server"),
    };
    StoreError::new(ErrorKind::Unreachable, say).with_detail(error.to_string())
}

/// Host, port, and whether TLS is spoken.
fn address(policy: &S3Policy) -> (String, u16, bool) {
    let Some(url) = policy.endpoint_url() else {
        let region = policy.signing_region();
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        return (format!("s3.{region}.amazonaws.com{china}"), 443, true);
    };
    let tls = !url.starts_with("http://");
    let usual = if tls { 443 } else { 80 };
    let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of IPv6 stand inside brackets.
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(usual)),
        _ => (authority, usual),
    };
    (host.trim_matches(['[', ']']).to_owned(), port, tls)
}

/// The folder, created when missing.
pub(super) async fn folder(store: &OnPremStore) -> Finding {
    if store.ensure_bucket().await? {
        passed("Created")
    } else {
        passed("Exists, no need to create")
    }
}

pub(super) async fn write(store: &dyn Candidate, key: &str, content: &Bytes) -> Finding {
    store.put_plainly(key, content.clone(), PutCondition::Any).await?;
    passed("1 MB object")
}

pub(super) async fn read_back(store: &dyn Candidate, key: &str, content: &Bytes) -> Finding {
    let read = store.get(key, None).await?.bytes().await?;
    if Sha256::digest(&read) == Sha256::digest(content) {
        passed("Same SHA-256")
    } else {
        failed("The store gave back other bytes than were written: it cannot be trusted with an archive")
    }
}

pub(super) async fn range(store: &dyn Candidate, key: &str, content: &Bytes, can: &mut bool) -> Finding {
    let read = store.get_range(key, RANGE, None).await?;
    if read != content[RANGE.start as usize..RANGE.end as usize] {
        return failed("The store gave back another part than was asked for: put no cache between");
    }
    *can = store.reads_ranges(key).await?;
    if *can {
        passed("4 kB of 1 MB")
    } else {
        note("Works, slower: the store ignores ranges, so reading one event transfers its whole segment")
    }
}

pub(super) async fn read_if_unchanged(store: &dyn Candidate, key: &str, can: &mut bool) -> Finding {
    *can = store.refuses_stale_read(key).await?;
    if *can {
        passed("If-Match refused a stale tag")
    } else {
        note("If-Match is ignored: answers are compared here instead")
    }
}

pub(super) async fn write_if_absent(
    store: &dyn Candidate,
    key: &str,
    content: &Bytes,
    can: &mut bool,
) -> Finding {
    let second = store
        .put_plainly(key, content.clone(), PutCondition::IfAbsent)
        .await;
    conditional(second.map(|_| ()), "If-None-Match", "a second write", can)
}

pub(super) async fn write_if_unchanged(
    store: &dyn Candidate,
    key: &str,
    content: &Bytes,
    can: &mut bool,
) -> Finding {
    let stale = PutCondition::IfMatch(STALE.to_owned());
    let second = store.put_plainly(key, content.clone(), stale).await;
    conditional(second.map(|_| ()), "If-Match", "a stale tag", can)
}

/// A write that had to be refused.
fn conditional(second: Result<(), StoreError>, header: &str, what: &str, can: &mut bool) -> Finding {
    match second {
        Err(error) if error.kind() == ErrorKind::Precondition => {
            *can = true;
            passed(format!("{header} refused {what}"))
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => note(format!(
            "{header} is not known to the store: leases keep writers apart instead"
        )),
        Ok(()) => note(format!("{header} is ignored: leases keep writers apart instead")),
        Err(error) => Err(error),
    }
}

pub(super) async fn multipart(store: &S3Store, key: &str, can: &mut bool) -> Finding {
    let content = Bytes::from(vec![7; LARGE]);
    let body = Body::Bytes(content);
    store
        .write_parts(key, &body, PART as u64, &PutCondition::Any, "")
        .await?;
    let size = store.head(key).await?.map(|meta| meta.size);
    if size == Some(LARGE as u64) {
        *can = true;
        passed("3 parts, 12 MB")
    } else {
        failed("The parts were not put together to the whole: see the log of the store")
    }
}

pub(super) async fn list(store: &dyn ObjectStore, prefix: &str, written: bool) -> Finding {
    let page = store.list(prefix, None, 10).await?;
    if page.objects.iter().any(|object| !object.key.starts_with(prefix)) {
        failed("The list holds objects outside the prefix: the archive could not be checked")
    } else if written && page.objects.is_empty() {
        failed("What was just written is not in the list: the archive could not be checked")
    } else {
        passed("Complete")
    }
}

pub(super) async fn versioning(store: &S3Store, versioned: &mut bool) -> Finding {
    match store.has_versioning().await {
        Ok(true) => {
            *versioned = true;
            note(
                "Works, slower: it is on. Erasure removes old versions one by one, which adds a request for each.",
            )
        }
        Ok(false) => passed("Off"),
        Err(error) if error.kind() == ErrorKind::Unsupported => passed("Not known to the store"),
        Err(error) if error.kind() == ErrorKind::Denied => note(format!(
            "Not known. If it is on, erasure needs to know: {}",
            error.say()
        )),
        Err(error) => Err(error),
    }
}

pub(super) async fn free_space(store: &OnPremStore, free: &mut Option<u64>) -> Finding {
    let bytes = store.free_bytes().await?;
    *free = Some(bytes);
    let say = format!("{:.1} GB", bytes as f64 / 1e9);
    if bytes < LITTLE_ROOM {
        note(format!("{say}: make room before backups fail"))
    } else {
        passed(say)
    }
}

/// Removes everything under `prefix` with all versions, and looks whether it is gone.
pub(super) async fn delete(store: &dyn ObjectStore, prefix: &str) -> Finding {
    for name in ["small.gz", "large.gz"] {
        let key = format!("{prefix}{name}");
        let versions = match store.versions(&key).await {
            Ok(versions) => versions,
            // Who may not list versions removes what can be seen.
            Err(error) if error.kind() == ErrorKind::Denied => Vec::new(),
            Err(error) => return Err(error),
        };
        store.delete(&key, None).await?;
        for version in versions
            .iter()
            .filter_map(|version| version.version_id.as_deref())
        {
            store.delete(&key, Some(version)).await?;
        }
        // Hiding it made a version too.
        for version in store.versions(&key).await.unwrap_or_default() {
            store.delete(&key, version.version_id.as_deref()).await?;
        }
        if store.head(&key).await?.is_some() {
            return failed("A deleted object can still be read: erasure would not be complete");
        }
    }
    passed("Gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_an_endpoint_is_found() {
        for (endpoint, region, expected) in [
            ("", "eu-central-1", ("s3.eu-central-1.amazonaws.com", 443, true)),
            ("", "cn-north-1", ("s3.cn-north-1.amazonaws.com.cn", 443, true)),
            ("minio:9000", "", ("minio", 9000, true)),
            ("http://minio", "", ("minio", 80, false)),
            ("https://[::1]:9000/", "", ("::1", 9000, true)),
            ("http://[::1]", "", ("::1", 80, false)),
        ] {
            let policy = S3Policy {
                endpoint: endpoint.to_owned(),
                region: region.to_owned(),
                ..S3Policy::default()
            };
            let (host, port, tls) = address(&policy);
            assert_eq!((host.as_str(), port, tls), expected, "{endpoint}");
        }
    }
}
