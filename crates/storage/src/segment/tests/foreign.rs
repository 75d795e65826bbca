//! Files that somebody else wrote are read as rows, or refused with a reason.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

const FEW: ForeignLimits = ForeignLimits {
    row_bytes: 1_000,
    raw_bytes: 100_000,
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("goes to memory");
    encoder.finish().expect("goes to memory")
}

fn rows_of(file: &[u8], limits: ForeignLimits) -> Result<Vec<String>, SegmentError> {
    ForeignRows::new(file, limits)?.collect()
}

/// A reader that gives one byte at a time.
struct Drops<'a>(&'a [u8]);

impl std::io::Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (Some((byte, rest)), Some(place)) = (self.0.split_first(), buffer.first_mut()) else {
            return Ok(0);
        };
        *place = *byte;
        self.0 = rest;
        Ok(1)
    }
}

#[test]
fn arrays_and_lines_plain_and_gzip_are_read() {
    let rows = [r#"{"uid":"1","a":[{"}":"]\"\\"}]}"#, "{}", r#"{ "b" : "é" }"#];
    let files = [
        format!("[{}]", rows.join(",")),
        format!(" [\n {} \n]\r\n", rows.join(" ,\n")),
        rows.join("\n"),
        rows.join("\n") + "\n\n",
        rows.join("\r\n"),
        rows.concat(),
    ];
    for file in files {
        for bytes in [file.as_bytes().to_vec(), gzip(file.as_bytes())] {
            assert_eq!(rows_of(&bytes, FEW).expect("is read"), rows, "{file}");
            let dropwise: Result<Vec<_>, _> = ForeignRows::new(Drops(&bytes), FEW).expect("opens").collect();
            assert_eq!(dropwise.expect("is read"), rows, "{file}");
        }
    }
}

#[test]
fn files_without_rows_have_none() {
    for file in ["", " \n", "[]", "[ ]\n"] {
        for bytes in [file.as_bytes().to_vec(), gzip(file.as_bytes())] {
            assert_eq!(
                rows_of(&bytes, FEW).expect("is read"),
                Vec::<String>::new(),
                "{file:?}"
            );
        }
    }
}

#[test]
fn a_segment_is_such_a_file() {
    let rows = rows(2_345);
    let (object, _) = write(&rows);
    let found = rows_of(&object, ForeignLimits::default()).expect("is read");
    assert!(found.iter().eq(rows.iter().map(|(_, json)| json)));
}

#[test]
fn rows_before_the_damage_are_given_and_then_the_reason_once() {
    let mut rows = ForeignRows::new(&b"{\"a\":1}\n{\"a\":2}\nnonsense\n{\"a\":3}"[..], FEW).expect("opens");
    assert_eq!(rows.next().expect("one").expect("is right"), r#"{"a":1}"#);
    assert_eq!(rows.next().expect("two").expect("is right"), r#"{"a":2}"#);
    assert!(matches!(
        rows.next(),
        Some(Err(SegmentError::Foreign { rows: 2, .. }))
    ));
    assert!(rows.next().is_none());
}

#[test]
fn what_is_not_rows_is_refused() {
    let files: [&[u8]; 18] = [
        b"[",
        b"[{}",
        b"[{},",
        b"[{},]",
        b"[,{}]",
        b"[{}{}]",
        b"[{}] {}",
        b"[[]]",
        b"[1]",
        b"null",
        b"\"text\"",
        b"{",
        b"{\"a\"}",
        b"{]",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":\"b}",
        b"]",
        b"\x1f\x8bnot gzip",
    ];
    for file in files {
        let result = rows_of(file, FEW);
        assert!(
            matches!(result, Err(SegmentError::Foreign { .. })),
            "{result:?} {file:?}"
        );
    }
}

#[test]
fn gzip_that_is_cut_off_or_followed_by_something_is_refused() {
    let file = gzip(b"{\"a\":1}\n{\"a\":2}\n");
    assert_eq!(rows_of(&file, FEW).expect("is read").len(), 2);
    for length in 2..file.len() {
        assert!(rows_of(&file[..length], FEW).is_err(), "{length}");
    }
    assert!(rows_of(&[&file[..], b"more"].concat(), FEW).is_err());
}

#[test]
fn a_small_file_cannot_become_endless() {
    let spaces = gzip(&vec![b' '; 10_000_000]);
    assert!(spaces.len() < 20_000);
    let result = rows_of(&spaces, FEW);
    assert!(
        matches!(result, Err(SegmentError::TooLarge { limit: 100_000, .. })),
        "{result:?}"
    );
    for file in [
        format!("{{\"a\":\"{}", "x".repeat(5_000_000)),
        "{\"a\":".repeat(1_000_000),
    ] {
        let result = rows_of(
            &gzip(file.as_bytes()),
            ForeignLimits {
                raw_bytes: u64::MAX,
                ..FEW
            },
        );
        assert!(
            matches!(result, Err(SegmentError::TooLarge { limit: 1_000, .. })),
            "{result:?}"
        );
    }
}

#[test]
fn the_longest_row_is_read_and_one_byte_more_is_not() {
    let row = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000 - 8));
    assert_eq!(
        rows_of(row.as_bytes(), FEW).expect("is read"),
        std::slice::from_ref(&row)
    );
    let longer = row.replacen('x', "xx", 1);
    assert!(matches!(
        rows_of(longer.as_bytes(), FEW),
        Err(SegmentError::TooLarge { .. })
    ));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = rows_of(&bytes, FEW);
        let _ = rows_of(&gzip(&bytes), FEW);
    }

    #[test]
    fn what_is_read_is_what_a_parser_reads(file in "[\\[\\]{}\",:a1 \\\\\n]{0,24}") {
        let parsed: Result<Vec<serde_json::Map<String, serde_json::Value>>, _> = serde_json::from_str(&file);
        let lines: Result<Vec<serde_json::Map<String, serde_json::Value>>, _> =
            serde_json::Deserializer::from_str(&file).into_iter().collect();
        let expected = parsed.or(lines).ok().map(|rows| rows.len());
        prop_assert_eq!(rows_of(file.as_bytes(), FEW).ok().map(|rows| rows.len()), expected);
    }
}
