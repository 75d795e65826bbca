//! Queue names and the Redis keys made from them.

use std::fmt;
use std::str::FromStr;

use crate::error::QueueError;

/// The one consumer group of every queue.
pub(crate) const GROUP: &str = "workers";

/// Name of a queue: 1 to 64 of `a-z`, `0-9`, `_`, `-`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueName(String);

impl QueueName {
    /// Checks `name`; fails with [`QueueError::Invalid`].
    pub fn new(name: impl Into<String>) -> Result<Self, QueueError> {
        let name = name.into();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
            return Err(QueueError::Invalid(format!(
                "queue name {name:?}: 1 to 64 of a-z, 0-9, '_', '-', '.' are allowed"
            )));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QueueName {
    type Err = QueueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The keys of one queue.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) stream: String,
    pub(crate) delayed: String,
    pub(crate) dead: String,
    pub(crate) counters: String,
    alive: String,
}

impl Keys {
    /// The braces make the name the hash tag, so that all keys share one slot of a cluster.
    pub(crate) fn new(prefix: &str, name: &QueueName) -> Self {
        let key = |part: &str| format!("{prefix}:{{{name}}}:{part}");
        Self {
            stream: key("stream"),
            delayed: key("delayed"),
            dead: key("dead"),
            counters: key("counters"),
            alive: key("alive:"),
        }
    }

    /// Heartbeat key of `consumer`.
    pub(crate) fn alive(&self, consumer: &str) -> String {
        format!("{}{consumer}", self.alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_queue_share_one_hash_tag() {
        let keys = Keys::new("lh", &QueueName::new("deliveries").expect("valid"));
        assert_eq!(keys.stream, "lh:{deliveries}:stream");
        assert_eq!(keys.alive("w-1"), "lh:{deliveries}:alive:w-1");
    }

    #[test]
    fn names_that_would_break_the_hash_tag_are_refused() {
        for bad in ["", "a}b", "a{", "A", "a b", &"x".repeat(65)] {
            assert!(QueueName::new(bad).is_err(), "{bad:?}");
        }
    }
}
