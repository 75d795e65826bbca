//! Rules that look at more than one key, or at more of a value than its kind.

use std::collections::BTreeSet;

use secrecy::ExposeSecret as _;

use super::error::ConfigError;
use super::layer::Findings;
use super::provenance::{Provenance, Source};
use super::value::{Feature, feature};
use super::{Config, LogLevel};

/// Checks the whole configuration. Keys in `suspect` are wrong already and not judged again.
pub(super) fn whole(
    config: &Config,
    provenance: &Provenance,
    suspect: &BTreeSet<String>,
    findings: &mut Findings,
) {
    let mut check = Check {
        provenance,
        suspect,
        findings,
    };
    check.server(config);
    check.database(config);
    check.redis(config);
    check.features(config);
    check.limits(config);
    check.addresses(config);
    check.retention(config);
    check.storage(config);
    check.dev(config);
}

struct Check<'a> {
    provenance: &'a Provenance,
    suspect: &'a BTreeSet<String>,
    findings: &'a mut Findings,
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, message: impl Into<String>) {
        if !self.suspect.contains(key) {
            self.findings.errors.push(ConfigError {
                key: Some(key.to_owned()),
                source: self.provenance.source_of(key).cloned(),
                message: message.into(),
            });
        }
    }

    fn warn(&mut self, key: &str, message: &str) {
        let source = self.provenance.source_of(key).unwrap_or(&Source::Default);
        self.findings.odd(format!("{key} ({source}): {message}"));
    }

    fn server(&mut self, config: &Config) {
        let root = &config.server.root_path;
        let is_plain = root
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c));
        if !root.is_empty()
            && (!root.starts_with('/') || root.ends_with('/') || root.contains("//") || !is_plain)
        {
            self.refuse(
                "server.root_path",
                "must be empty or a path such as /hooks, without a slash at its end",
            );
        }
        if config
            .delivery
            .user_agent
            .chars()
            .any(|c| !(' '..='~').contains(&c))
        {
            self.refuse("delivery.user_agent", "must be visible ASCII");
        }
    }

    fn database(&mut self, config: &Config) {
        let parts = ["host", "port", "username", "password", "name", "options"];
        match &config.database.url {
            Some(url) => {
                self.address("database.url", url.expose_secret(), &["postgres", "postgresql"]);
                self.unused_parts("database", &parts);
            }
            None => self.host("database.host", &config.database.host),
        }
    }

    fn redis(&mut self, config: &Config) {
        let parts = ["scheme", "host", "port", "username", "password", "database"];
        match &config.redis.url {
            Some(url) => {
                self.address("redis.url", url.expose_secret(), &["redis", "rediss"]);
                self.unused_parts("redis", &parts);
            }
            None => self.host("redis.host", &config.redis.host),
        }
    }

    fn address(&mut self, key: &str, address: &str, schemes: &[&str]) {
        let scheme = address.split_once("://").map_or("", |(scheme, _)| scheme);
        if !schemes.contains(&scheme) || url::Url::parse(address).is_err() {
            let forms: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
            self.refuse(
                key,
                format!("must be an address that starts with {}", forms.join(" or ")),
            );
        }
    }

    /// Parts that somebody set although a whole address wins over them.
    fn unused_parts(&mut self, section: &str, parts: &[&str]) {
        for part in parts {
            let key = format!("{section}.{part}");
            if self
                .provenance
                .source_of(&key)
                .is_some_and(|source| *source != Source::Default)
            {
                self.warn(&key, &format!("is not used because {section}.url is set"));
            }
        }
    }

    fn host(&mut self, key: &str, host: &str) {
        let is_socket = key == "database.host" && host.starts_with('/');
        let is_name = !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
        if !is_socket && !is_name {
            self.refuse(key, "must be the name or address of one machine");
        }
    }

    fn features(&mut self, config: &Config) {
        for name in &config.features {
            match feature(name) {
                Feature::Known => {}
                Feature::Foreign => self.warn(
                    "features",
                    &format!("`{name}` needs no turning on or is not there"),
                ),
                Feature::Unknown(near) => {
                    let near = near
                        .map(|near| format!("; did you mean {near}?"))
                        .unwrap_or_default();
                    self.refuse("features", format!("`{name}` is not a feature{near}"));
                }
            }
        }
    }

    fn limits(&mut self, config: &Config) {
        if config.queue.visibility_timeout <= config.delivery.timeout {
            self.refuse("queue.visibility_timeout", "must be longer than delivery.timeout");
        }
        if config.delivery.endpoint_concurrency > config.delivery.concurrency {
            self.refuse(
                "delivery.endpoint_concurrency",
                "must not be larger than delivery.concurrency",
            );
        }
        if config.security.encryption_key.is_some() && config.security.encryption_key().is_none() {
            self.refuse(
                "security.encryption_key",
                "must be 32 bytes, as 64 hexadecimal digits or as base64",
            );
        }
        if config.log.level == LogLevel::Trace {
            self.warn("log.level", "trace slows the whole program down");
        }
    }

    fn addresses(&mut self, config: &Config) {
        for net in &config.delivery.allow_addresses {
            if !domain::ssrf::opens_something(*net) {
                let message =
                    format!("{net} opens nothing: it is public, or wider than any range that is refused");
                self.warn("delivery.allow_addresses", &message);
            }
        }
    }

    fn storage(&mut self, config: &Config) {
        let storage = &config.storage;
        if storage.is_ambiguous() {
            let message = "is missing: a bucket and a folder are set, say s3 or on_prem";
            return self.refuse("storage.type", message);
        }
        let Some(policy) = storage.policy() else { return };
        for (field, advice) in policy.validate() {
            self.refuse(&format!("storage.{field}"), advice);
        }
    }

    fn retention(&mut self, config: &Config) {
        if config.retention.enabled && !config.has_feature("retention-policy") {
            self.warn(
                "retention.enabled",
                "nothing is deleted before the feature retention-policy is on, here or on the page",
            );
        }
    }

    fn dev(&mut self, config: &Config) {
        if config.dev.clock && !config.server.bind.is_loopback() {
            self.refuse(
                "dev.clock",
                "is refused unless server.bind is a loopback address such as 127.0.0.1",
            );
        }
    }
}
