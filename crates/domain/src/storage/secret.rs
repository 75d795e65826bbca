//! A value that is used but never shown.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is shown in place of a secret, and what a form sends back for one that was left alone.
pub const MASK: &str = "••••••••";

/// A value that is used but never shown: printing and serializing it give [`MASK`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret with this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for signing and for encrypting.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it came back from a page that showed [`MASK`].
    pub fn is_masked(&self) -> bool {
        self.0 == MASK
    }

    /// [`MASK`] as a value, or nothing when there is nothing to mask.
    pub(super) fn masked(&self) -> Self {
        Self(self.shown().to_owned())
    }

    /// Becomes `old` when it is masked.
    pub(super) fn keep(&mut self, old: &Self) {
        if self.is_masked() {
            self.0.clone_from(&old.0);
        }
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { MASK }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `null` is how some tools write a value that is not there.
        Option::<String>::deserialize(deserializer).map(|value| Self(value.unwrap_or_default()))
    }
}
