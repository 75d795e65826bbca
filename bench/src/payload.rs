//! What an event of the bench looks like, and how a receiver reads its stamp back.
//!
//! A payload is delivered byte for byte as it was sent, so the stamp stands at a fixed place and
//! costs nobody a JSON parser: `{"run":"0001","seq":"0000000042","at":"000000000123456","pad":"…"}`.

use std::sync::OnceLock;
use std::time::Instant;

use bytes::Bytes;

/// Type of every event that is sent.
const EVENT_TYPE: &str = "bench.event";

const BEFORE_RUN: &[u8] = b"{\"run\":\"";
const BEFORE_SEQ: &[u8] = b"\",\"seq\":\"";
const BEFORE_AT: &[u8] = b"\",\"at\":\"";
const BEFORE_PAD: &[u8] = b"\",\"pad\":\"";
const END: &[u8] = b"\"}";
const RUN_DIGITS: usize = 4;
const SEQ_DIGITS: usize = 10;
const AT_DIGITS: usize = 15;

const RUN: usize = BEFORE_RUN.len();
const SEQ: usize = RUN + RUN_DIGITS + BEFORE_SEQ.len();
const AT: usize = SEQ + SEQ_DIGITS + BEFORE_AT.len();
const PAD: usize = AT + AT_DIGITS + BEFORE_PAD.len();

/// The smallest payload that holds a stamp, in bytes.
pub(crate) const SMALLEST: usize = PAD + END.len();

/// Nanoseconds since the bench first asked. Driver and receiver are one process, so their times compare.
pub(crate) fn now_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Which event it is and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Number of the run, which keeps late deliveries of an earlier run apart.
    pub(crate) run: u16,
    /// Number of the event within the run, from 0.
    pub(crate) seq: u32,
    /// [`now_ns`] just before the request was written.
    pub(crate) at: u64,
}

impl Stamp {
    /// Reads the stamp of a delivered payload; `None` when the bytes are not as they were sent.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let fixed = [
            (0, BEFORE_RUN),
            (SEQ - BEFORE_SEQ.len(), BEFORE_SEQ),
            (AT - BEFORE_AT.len(), BEFORE_AT),
        ];
        let is_ours = fixed
            .iter()
            .all(|(start, text)| body.get(*start..).is_some_and(|rest| rest.starts_with(text)));
        if !is_ours {
            return None;
        }
        Some(Self {
            run: u16::try_from(read_digits(body, RUN, RUN_DIGITS)?).ok()?,
            seq: u32::try_from(read_digits(body, SEQ, SEQ_DIGITS)?).ok()?,
            at: read_digits(body, AT, AT_DIGITS)?,
        })
    }

    fn write(self, payload: &mut [u8]) {
        write_digits(&mut payload[RUN..RUN + RUN_DIGITS], self.run.into());
        write_digits(&mut payload[SEQ..SEQ + SEQ_DIGITS], self.seq.into());
        write_digits(&mut payload[AT..AT + AT_DIGITS], self.at);
    }
}

fn read_digits(body: &[u8], start: usize, count: usize) -> Option<u64> {
    body.get(start..start + count)?
        .iter()
        .try_fold(0_u64, |value, byte| {
            Some(value * 10 + u64::from(byte.is_ascii_digit().then(|| byte - b'0')?))
        })
}

fn write_digits(place: &mut [u8], mut value: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// A request body that needs only its stamp.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    body: Vec<u8>,
    payload: usize,
}

impl Template {
    /// A body for events of `size` bytes of payload (at least [`SMALLEST`]) to `endpoint`.
    pub(crate) fn new(endpoint: &str, size: usize) -> Self {
        let mut body = format!("{{\"endpoint_id\":\"{endpoint}\",\"event_type\":\"{EVENT_TYPE}\",\"data\":")
            .into_bytes();
        let payload = body.len();
        for (text, digits) in [
            (BEFORE_RUN, RUN_DIGITS),
            (BEFORE_SEQ, SEQ_DIGITS),
            (BEFORE_AT, AT_DIGITS),
        ] {
            body.extend_from_slice(text);
            body.extend(std::iter::repeat_n(b'0', digits));
        }
        body.extend_from_slice(BEFORE_PAD);
        body.extend(padding().take(size.saturating_sub(SMALLEST)));
        body.extend_from_slice(END);
        body.push(b'}');
        Self { body, payload }
    }

    /// The body with its stamp.
    pub(crate) fn stamped(&self, stamp: Stamp) -> Bytes {
        let mut body = self.body.clone();
        stamp.write(&mut body[self.payload..]);
        Bytes::from(body)
    }
}

/// Letters without a pattern: nothing on the way may win by compressing them.
fn padding() -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        b"abcdefghijklmnopqrstuvwxyz012345"[(state >> 27) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back_from_the_payload() {
        let stamp = Stamp {
            run: 7,
            seq: 4_000_000_001,
            at: 123_456_789_012_345,
        };
        let body = Template::new("0193", 1024).stamped(stamp);
        let request: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
        let payload = request["data"].to_string();
        assert_eq!(payload.len(), 1024);
        let start = body
            .windows(8)
            .position(|part| part == BEFORE_RUN)
            .expect("has a payload");
        assert_eq!(Stamp::read(&body[start..]), Some(stamp));
    }

    #[test]
    fn changed_bytes_are_not_read() {
        let body = Template::new("0193", 100).stamped(Stamp {
            run: 1,
            seq: 2,
            at: 3,
        });
        let start = body
            .windows(8)
            .position(|part| part == BEFORE_RUN)
            .expect("has a payload");
        let payload = &body[start..];
        for place in [0, RUN, SEQ - 1, SEQ, AT] {
            let mut changed = payload.to_vec();
            changed[place] = b'x';
            assert_eq!(Stamp::read(&changed), None, "byte {place}");
        }
        for end in 0..AT + AT_DIGITS {
            assert_eq!(Stamp::read(&payload[..end]), None, "cut at {end}");
        }
    }
}
