//! Segments by name: what kinds there are, and the keys under which their objects lie.
//!
//! A key is `{tenant}/{topic}/{archive id}.json.gz`. The tenant of a project's rows is the
//! project's id. The topic is the event type; deliveries and attempts have topics of their own.
//! Tenants and event types may be any text, so they are encoded such that different names never
//! share a key and no name leaves its folder:
//!
//! - every byte outside `A-Z a-z 0-9 - . _ ~` becomes `%XX`, in capitals;
//! - names that begin with `_` are ours: nothing is written as `_`, and the first `_` of somebody
//!   else's name is encoded;
//! - `.` and `..` are encoded;
//! - a name of more than [`LONGEST_NAME`] encoded bytes is cut and ends in `%~` and its SHA-256, since
//!   neither folders nor stores take names of any length. The object itself tells the whole name.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Most bytes of a tenant or topic within a key; file systems end at 255.
pub const LONGEST_NAME: usize = 200;
/// How every object's name ends.
pub const SUFFIX: &str = ".json.gz";

/// Stands for the empty name.
const NOTHING: &str = "_";
/// Between the beginning of a cut name and its hash. No encoded name contains it.
const CUT: &str = "%~";

/// What the rows of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Events of one event type.
    Events,
    /// Deliveries of any event type.
    Deliveries,
    /// Attempts of any event type.
    Attempts,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Events, Self::Deliveries, Self::Attempts];

    /// The number in storage.
    pub fn code(self) -> i16 {
        match self {
            Self::Events => 0,
            Self::Deliveries => 1,
            Self::Attempts => 2,
        }
    }

    /// The kind stored as `code`; `None` for a number that was never written.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name on the wire and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::Attempts => "attempts",
        }
    }

    /// The topic of all segments of this kind; `None` for events, whose topic is their type.
    pub fn own_topic(self) -> Option<&'static str> {
        match self {
            Self::Events => None,
            Self::Deliveries => Some("_deliveries"),
            Self::Attempts => Some("_attempts"),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the key of an object tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyParts {
    /// Whose rows it holds; `None` when the name was cut.
    pub tenant: Option<String>,
    /// What the rows are.
    pub kind: Kind,
    /// The event type, or the kind's own topic; `None` when the name was cut.
    pub topic: Option<String>,
    /// The object's own id.
    pub archive_id: Uuid,
}

/// The key of an object, without the prefix of the store.
///
/// `topic` is the event type; for a kind that has its own topic it is not looked at.
pub fn object_key(tenant: &str, kind: Kind, topic: &str, archive_id: Uuid) -> String {
    let topic = kind.own_topic().map_or_else(|| encode_name(topic), str::to_owned);
    format!("{}/{topic}/{archive_id}{SUFFIX}", encode_name(tenant))
}

/// Reads back what [`object_key`] made, and nothing else: `None` when `key` is not of that form.
pub fn parse_object_key(key: &str) -> Option<KeyParts> {
    let mut parts = key.split('/');
    let (tenant, topic, file) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let id = file.strip_suffix(SUFFIX)?;
    let archive_id = Uuid::try_parse(id)
        .ok()
        .filter(|parsed| parsed.to_string() == id)?;
    let tenant = decode_name(tenant)?;
    let own = Kind::ALL.into_iter().find(|kind| kind.own_topic() == Some(topic));
    let (kind, topic) = match own {
        Some(kind) => (kind, Some(topic.to_owned())),
        None => (Kind::Events, decode_name(topic)?),
    };
    Some(KeyParts {
        tenant,
        kind,
        topic,
        archive_id,
    })
}

/// A tenant or event type as one part of a key.
pub fn encode_name(name: &str) -> String {
    if name.is_empty() {
        return NOTHING.to_owned();
    }
    let dots = name == "." || name == "..";
    let mut encoded = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = match byte {
            b'_' => at > 0,
            b'.' => !dots,
            b'-' | b'~' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if plain {
            encoded.push(char::from(byte));
        } else {
            push_encoded(&mut encoded, byte);
        }
    }
    if encoded.len() > LONGEST_NAME {
        cut(&encoded, name)
    } else {
        encoded
    }
}

/// The beginning of a name that is too long, and its hash.
fn cut(encoded: &str, name: &str) -> String {
    let hash = hex::encode(Sha256::digest(name));
    let mut end = LONGEST_NAME - CUT.len() - hash.len();
    // Not within `%XX`.
    if let Some(at) = encoded[..end].rfind('%')
        && at + 3 > end
    {
        end = at;
    }
    format!("{}{CUT}{hash}", &encoded[..end])
}

fn push_encoded(text: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(text, "%{byte:02X}");
}

/// The name behind a part of a key: outer `None` when [`encode_name`] never makes such a part, inner
/// `None` when the name was cut.
// Three outcomes, of which the caller tells all apart; an enum would live for one line.
#[expect(clippy::option_option, reason = "not a name, a cut name, a name")]
fn decode_name(part: &str) -> Option<Option<String>> {
    if let Some((_, hash)) = part.split_once(CUT) {
        let hexadecimal = hash
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        return (hash.len() == 64 && hexadecimal).then_some(None);
    }
    if part == NOTHING {
        return Some(Some(String::new()));
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (char::from(rest.next()?), char::from(rest.next()?));
                u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()?
            }
            plain => plain,
        });
    }
    // Only one way of writing a name is ours.
    String::from_utf8(bytes)
        .ok()
        .filter(|name| encode_name(name) == part)
        .map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0193_4a5b_6c7d_7e8f_8a9b_0c1d_2e3f_4a5b);

    /// Texts in which the bytes that matter are common.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            "[_.%~/aF05 é]{0,6}",
            ".{0,12}",
            "(_deliveries|_attempts|_ledger|\\.\\.|%5F|_)"
        ]
    }

    #[test]
    fn a_key_is_tenant_topic_and_archive_id() {
        assert_eq!(
            object_key("acme", Kind::Events, "invoice.paid", ID),
            format!("acme/invoice.paid/{ID}.json.gz")
        );
        assert_eq!(
            object_key("acme", Kind::Attempts, "", ID),
            format!("acme/_attempts/{ID}.json.gz")
        );
    }

    #[test]
    fn names_that_could_be_mistaken_are_encoded() {
        for (name, encoded) in [
            ("", "_"),
            ("_", "%5F"),
            ("%5F", "%255F"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("...", "..."),
            ("a/b", "a%2Fb"),
            ("_deliveries", "%5Fdeliveries"),
            ("a_b-c.d~e", "a_b-c.d~e"),
            ("é\u{0}", "%C3%A9%00"),
        ] {
            assert_eq!(encode_name(name), encoded, "{name:?}");
        }
    }

    #[test]
    fn an_event_type_never_meets_a_topic_of_ours() {
        for kind in [Kind::Deliveries, Kind::Attempts] {
            let topic = kind.own_topic().expect("has one");
            assert_ne!(
                object_key("t", Kind::Events, topic, ID),
                object_key("t", kind, topic, ID)
            );
        }
    }

    #[test]
    fn long_names_stay_short_and_apart() {
        let (one, other) = ("é".repeat(255) + "a", "é".repeat(255) + "b");
        for name in [&one, &other] {
            let part = encode_name(name);
            assert!(part.len() <= LONGEST_NAME, "{}", part.len());
            assert_eq!(decode_name(&part), Some(None));
        }
        assert_ne!(encode_name(&one), encode_name(&other));
        let key = object_key(&one, Kind::Events, "a", ID);
        let parts = parse_object_key(&key).expect("is a key");
        assert_eq!((parts.tenant, parts.topic), (None, Some("a".to_owned())));
    }

    #[test]
    fn what_is_not_a_key_is_told() {
        for key in [
            "",
            "a/b",
            "a/b/c.json.gz",
            "_ledger/0193/0194.json",
            &format!("a/b/{ID}.json"),
            &format!("a/b/{ID}.json.gz/x"),
            &format!("/b/{ID}.json.gz"),
            &format!("a/_other/{ID}.json.gz"),
            &format!("a/%5f/{ID}.json.gz"),
            &format!("a/%4/{ID}.json.gz"),
            &format!("a/../{ID}.json.gz"),
            &format!("a/b%~/{ID}.json.gz"),
            &format!("a/b/{}.json.gz", ID.simple()),
        ] {
            assert_eq!(parse_object_key(key), None, "{key}");
        }
    }

    #[test]
    fn codes_and_words_are_one_to_one() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert_eq!(
                serde_json::to_string(&kind).expect("is text"),
                format!("\"{kind}\"")
            );
        }
        assert_eq!(Kind::from_code(9), None);
    }

    proptest! {
        #[test]
        fn a_key_reads_back(tenant in names(), topic in names(), kind in 0_usize..3) {
            let kind = Kind::ALL[kind];
            let parts = parse_object_key(&object_key(&tenant, kind, &topic, ID));
            let topic = kind.own_topic().map_or(topic, str::to_owned);
            prop_assert_eq!(
                parts,
                Some(KeyParts { tenant: Some(tenant), kind, topic: Some(topic), archive_id: ID })
            );
        }

        #[test]
        fn different_names_never_share_a_key(one in names(), other in names()) {
            prop_assert_eq!(encode_name(&one) == encode_name(&other), one == other);
            prop_assert!(!encode_name(&one).contains('/'));
        }

        #[test]
        fn long_names_never_share_a_key(one in ".{150,300}", other in ".{150,300}") {
            prop_assert_eq!(encode_name(&one) == encode_name(&other), one == other);
            prop_assert!(encode_name(&one).len() <= LONGEST_NAME);
        }

        #[test]
        fn no_text_makes_it_panic(key in ".{0,80}") {
            let _ = parse_object_key(&key);
        }
    }
}
