//! Which keys a segment cannot hold: a Bloom filter of ids or texts.
//!
//! Ten bits per different key and seven probes: of the segments that do not hold a key, one in 120 is
//! read in vain; one that does is never missed.
//!
//! As bytes: `LB`, version 1, number of probes, keys (u32), then the bits, least significant first, in
//! whole words of eight bytes. Probe `i` looks at bit `(a + i * b) * bits / 2^64`, where `a` and `b` (made
//! odd) are the first two little-endian words of the key's SHA-256. Ids are hashed as their 16 bytes
//! behind a zero byte, texts behind a one. Sums and products of words wrap around.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::SegmentError;
use super::index::array;

const MAGIC: [u8; 3] = [b'L', b'B', 1];
const HEADER_BYTES: usize = 8;
const BITS_PER_KEY: usize = 10;
const PROBES: u8 = 7;
const MOST_PROBES: u8 = 32;

/// The two words that a key's probes come from.
type Words = (u64, u64);

fn words_of(kind: u8, key: &[u8]) -> Words {
    let hash = Sha256::new().chain_update([kind]).chain_update(key).finalize();
    (
        u64::from_le_bytes(array(&hash, 0)),
        u64::from_le_bytes(array(&hash, 8)) | 1,
    )
}

fn words_of_id(id: Uuid) -> Words {
    words_of(0, id.as_bytes())
}

fn words_of_text(text: &str) -> Words {
    words_of(1, text.as_bytes())
}

/// Collects keys; 16 bytes of memory each.
#[derive(Clone, Debug, Default)]
pub struct BloomBuilder(Vec<Words>);

impl BloomBuilder {
    /// Adds an id.
    pub fn add_id(&mut self, id: Uuid) {
        self.0.push(words_of_id(id));
    }

    /// Adds a text.
    pub fn add_text(&mut self, text: &str) {
        self.0.push(words_of_text(text));
    }

    /// The filter of all keys that were added.
    pub fn build(mut self) -> Bloom {
        // A key that comes often takes the room of one.
        self.0.sort_unstable();
        self.0.dedup();
        let words = (self.0.len() * BITS_PER_KEY).div_ceil(64).max(1);
        let mut bloom = Bloom {
            probes: PROBES,
            keys: self.0.len() as u32,
            bits: vec![0; words],
        };
        for key in self.0 {
            for bit in bloom.bits_of(key) {
                bloom.bits[bit / 64] |= 1 << (bit % 64);
            }
        }
        bloom
    }
}

/// A Bloom filter; see the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom {
    probes: u8,
    keys: u32,
    bits: Vec<u64>,
}

impl Bloom {
    /// Whether `id` may be there. `false` is certain.
    pub fn may_have_id(&self, id: Uuid) -> bool {
        self.may_have(words_of_id(id))
    }

    /// Whether `text` may be there. `false` is certain.
    pub fn may_have_text(&self, text: &str) -> bool {
        self.may_have(words_of_text(text))
    }

    /// How many different keys it was made of.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// As it stands in the database.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.bits.len() * 8);
        bytes.extend_from_slice(&MAGIC);
        bytes.push(self.probes);
        bytes.extend_from_slice(&self.keys.to_le_bytes());
        for word in &self.bits {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SegmentError> {
        const BROKEN: SegmentError = SegmentError::Damaged("a filter is not one");
        let (header, bits) = bytes.split_at_checked(HEADER_BYTES).ok_or(BROKEN)?;
        let (words, rest) = bits.as_chunks::<8>();
        let probes = header[3];
        let probes_fit = (1..=MOST_PROBES).contains(&probes);
        if !header.starts_with(&MAGIC) || !probes_fit || words.is_empty() || !rest.is_empty() {
            return Err(BROKEN);
        }
        let keys = u32::from_le_bytes(array(header, 4));
        Ok(Self {
            probes,
            keys,
            bits: words.iter().map(|word| u64::from_le_bytes(*word)).collect(),
        })
    }

    fn may_have(&self, key: Words) -> bool {
        self.bits_of(key)
            .all(|bit| self.bits[bit / 64] >> (bit % 64) & 1 == 1)
    }

    fn bits_of(&self, (start, step): Words) -> impl Iterator<Item = usize> + use<> {
        let bits = self.bits.len() as u128 * 64;
        (0..u64::from(self.probes)).map(move |probe| {
            let hash = start.wrapping_add(probe.wrapping_mul(step));
            ((u128::from(hash) * bits) >> 64) as usize
        })
    }
}
