//! What is written is one gzip file of one JSON array, and single rows can be found in it.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

#[test]
fn gunzip_makes_one_json_array_of_it_equal_to_the_rows() {
    let rows = rows(2_345);
    let (object, _) = write(&rows);
    let text = pipe("gunzip", &["-c"], &object).expect("gunzip is installed");
    assert_eq!(String::from_utf8(text).expect("is text"), array_of(&rows));
}

#[test]
fn python_reads_it() {
    let rows = rows(2_001);
    let (object, _) = write(&rows);
    let program = "import gzip,json,sys; d=gzip.decompress(sys.stdin.buffer.read()); \
                   print(len(json.loads(d))); sys.stdout.flush(); sys.stdout.buffer.write(d)";
    let Some(output) = pipe("python3", &["-c", program], &object) else {
        eprintln!("python3 is not installed");
        return;
    };
    assert_eq!(
        String::from_utf8(output).expect("is text"),
        format!("2001\n{}", array_of(&rows))
    );
}

#[test]
fn a_decoder_of_many_members_reads_it_and_the_json_is_valid() {
    let rows = rows(1_001);
    let (object, _) = write(&rows);
    let mut text = String::new();
    MultiGzDecoder::new(&object[..])
        .read_to_string(&mut text)
        .expect("inflates");
    assert_eq!(text, array_of(&rows));
    let values: Vec<serde_json::Value> = serde_json::from_str(&text).expect("is JSON");
    assert_eq!(values.len(), 1_001);
}

#[test]
fn the_summary_says_what_was_written() {
    let rows = rows(2_500);
    let (object, summary) = write(&rows);
    let text = array_of(&rows);
    assert_eq!(summary.rows, 2_500);
    assert_eq!((summary.first_id, summary.last_id), (id(0), id(2_499)));
    assert_eq!((summary.first_at, summary.last_at), (AT, AT + 2_499 / 4));
    assert_eq!(
        (summary.raw_bytes, summary.size_bytes),
        (text.len() as u64, object.len() as u64)
    );
    assert_eq!(summary.content_sha256, <[u8; 32]>::from(Sha256::digest(text)));
    assert_eq!(summary.object_sha256, <[u8; 32]>::from(Sha256::digest(&object)));
    let blocks: Vec<u32> = summary.index.entries().iter().map(|entry| entry.rows).collect();
    assert_eq!(blocks, [1_000, 1_000, 500]);
}

#[test]
fn two_ranged_reads_tell_what_the_writer_knew() {
    let (object, summary) = write(&rows(2_500));
    let footer = footer_of(&object).expect("has a footer");
    assert_eq!(footer.identity, identity());
    assert_eq!(footer.index, summary.index);
    assert_eq!(
        (footer.generation, footer.content_sha256),
        (1, summary.content_sha256)
    );
    assert_eq!(
        (footer.first_at, footer.last_at),
        (summary.first_at, summary.last_at)
    );
    assert_eq!(footer.object_bytes(), object.len() as u64);
    // A reader that fetches footer and pointer at once is served too.
    let offset = footer.index.end();
    assert_eq!(
        read_footer(&object[offset as usize..], offset).expect("is one"),
        footer
    );
    assert_eq!(
        read_pointer(&object, object.len() as u64).expect("is one").start,
        offset
    );
}

#[test]
fn the_pointer_has_always_38_bytes_and_the_footer_begins_where_it_says() {
    for count in [1, 999, 1_000, 1_001] {
        let (object, summary) = write(&rows(count));
        let footer = footer_of(&object).expect("has a footer").to_bytes();
        assert_eq!(object[summary.index.end() as usize..], footer);
        let pointer = &footer[footer.len() - 38..];
        assert_eq!(pointer[..4], [0x1f, 0x8b, 8, 4]);
        assert_eq!(
            pipe("gunzip", &["-c"], pointer).expect("gunzip is installed"),
            b""
        );
    }
}

#[test]
fn one_row_is_found_by_one_range() {
    let rows = rows(3_200);
    let (object, summary) = write(&rows);
    let index = BlockIndex::from_bytes(&summary.index.to_bytes()).expect("reads back");
    for n in [0_usize, 999, 1_000, 2_345, 3_199] {
        let (id, json) = &rows[n];
        let number = index.find(*id).expect("is in a block");
        let entry = &index.entries()[number];
        let range = entry.range();
        let block = decode_block(&object[range.start as usize..range.end as usize], entry).expect("is right");
        assert_eq!(block.get(*id), Some(Row { id: *id, json }));
        assert_eq!(number, n / 1_000);
    }
    assert_eq!(index.find(id(3_200)), None);
    assert_eq!(index.find(Uuid::nil()), None);
}

#[test]
fn ranges_of_ids_name_the_blocks_that_may_hold_them() {
    let (_, summary) = write(&rows(3_000));
    let index = &summary.index;
    assert_eq!(index.find_range(Uuid::nil(), Uuid::max()), 0..3);
    assert_eq!(index.find_range(id(999), id(1_000)), 0..2);
    assert_eq!(index.find_range(id(1_000), id(1_999)), 1..2);
    assert!(index.find_range(id(3_000), Uuid::max()).is_empty());
    assert!(index.find_range(id(2_000), id(10)).is_empty());
    assert_eq!(index.bytes_of(0..3), 0..index.end());
    assert_eq!(index.bytes_of(1..2), index.entries()[1].range());
    assert_eq!(index.bytes_of(3..3), 0..0);
}

#[test]
fn the_number_of_threads_does_not_show() {
    let rows = rows(7_321);
    let one = write_with(1, &rows);
    assert_eq!(write_with(0, &rows), one);
    assert_eq!(write_with(5, &rows), one);
}

#[test]
fn disorder_duplicates_and_rows_that_are_not_theirs_are_refused_and_leave_no_trace() {
    let mut object = Vec::new();
    let options = WriterOptions {
        threads: 1,
        max_rows: 3,
    };
    let mut writer = SegmentWriter::new(&mut object, identity(), options).expect("threads start");
    let kept = [
        (id(5), row(id(5), "1")),
        (id(6), row(id(6), "2")),
        (id(9), row(id(9), "3")),
    ];
    let refused = [(id(5), row(id(5), "1")), (id(4), row(id(4), "1"))];
    for (number, (id, json)) in kept.iter().enumerate() {
        assert!(!writer.is_full());
        writer.push(*id, AT, json.as_bytes()).expect("is taken");
        assert_eq!(writer.rows(), number as u32 + 1);
        for (id, json) in &refused {
            let result = writer.push(*id, AT, json.as_bytes());
            if number < 2 {
                assert!(
                    matches!(result, Err(SegmentError::OutOfOrder { .. })),
                    "{result:?}"
                );
            }
        }
        let other = row(super::id(8), "1");
        for shape in [
            other.as_str(),
            "",
            "{}",
            "[]",
            "null",
            &json[..json.len() - 1],
            &format!(" {json}"),
        ] {
            let result = writer.push(super::id(7), AT, shape.as_bytes());
            if number < 2 {
                assert!(
                    matches!(result, Err(SegmentError::RowShape(_))),
                    "{shape}: {result:?}"
                );
            }
        }
    }
    assert!(writer.is_full());
    let tenth = writer.push(id(10), AT, row(id(10), "4").as_bytes());
    assert!(matches!(tenth, Err(SegmentError::Full)), "{tenth:?}");
    writer.finish().expect("is written");
    let footer = footer_of(&object).expect("has a footer");
    assert_eq!(read(&object, footer).expect("is right"), kept);
}

#[test]
fn a_segment_without_rows_is_refused() {
    let options = WriterOptions {
        threads: 1,
        max_rows: 10,
    };
    let writer = SegmentWriter::new(Vec::new(), identity(), options).expect("threads start");
    assert!(matches!(writer.finish(), Err(SegmentError::Empty)));
}

#[test]
fn names_that_the_footer_has_no_room_for_are_refused() {
    let identity = Identity {
        topic: "t".repeat(MAX_NAME_BYTES + 1),
        ..identity()
    };
    let options = WriterOptions {
        threads: 1,
        max_rows: 10,
    };
    let result = SegmentWriter::new(Vec::new(), identity, options);
    assert!(matches!(result, Err(SegmentError::TooLarge { .. })));
}

#[test]
fn as_many_blocks_as_the_footer_has_room_for_are_written_and_no_more() {
    let payload = format!("\"{}\"", "x".repeat(BLOCK_BYTES));
    let named = Identity {
        tenant: "t".repeat(MAX_NAME_BYTES),
        topic: "é".repeat(MAX_NAME_BYTES / 2),
        ..identity()
    };
    let mut object = Vec::new();
    let options = WriterOptions {
        threads: 2,
        max_rows: u32::MAX,
    };
    let mut writer = SegmentWriter::new(&mut object, named.clone(), options).expect("threads start");
    let mut count = 0;
    while !writer.is_full() {
        writer
            .push(id(count), AT, row(id(count), &payload).as_bytes())
            .expect("is taken");
        count += 1;
    }
    let result = writer.push(id(count), AT, row(id(count), "1").as_bytes());
    assert!(matches!(result, Err(SegmentError::Full)), "{result:?}");
    let summary = writer.finish().expect("is written");
    assert_eq!(count, MAX_BLOCKS as u64);
    assert_eq!(summary.index.entries().len(), MAX_BLOCKS);
    let footer = footer_of(&object).expect("has a footer");
    assert_eq!((footer.identity, footer.index), (named, summary.index));
}

#[test]
fn a_failed_write_makes_the_writer_useless() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let options = WriterOptions {
        threads: 1,
        max_rows: u32::MAX,
    };
    let mut writer = SegmentWriter::new(Full, identity(), options).expect("threads start");
    let rows = rows(9_000);
    let failed = rows
        .iter()
        .position(|(id, json)| writer.push(*id, AT, json.as_bytes()).is_err());
    let failed = failed.expect("a block was written long ago");
    let (id, json) = &rows[failed + 1];
    assert!(matches!(
        writer.push(*id, AT, json.as_bytes()),
        Err(SegmentError::Incomplete)
    ));
    assert!(matches!(writer.finish(), Err(SegmentError::Incomplete)));
}

#[test]
fn extremes_are_kept_byte_for_byte() {
    let long = format!("\"{}\"", "ä{[\\\"".repeat(1_700_000));
    let payloads = [
        "-9223372036854775808",
        "9223372036854775807",
        "18446744073709551615",
        "1.7e+308",
        "-0.0",
        "\"\"",
        "{}",
        "[]",
        "null",
        "{ \"a\" :\t1 ,\n\"a\":2}",
        r#""\u0000\ud83d\ude00 😀 é \\\" ]},{[ ""#,
        r#"{"uid":"not-mine","data":[{"uid":""}]}"#,
        &("[".repeat(200) + &"]".repeat(200)),
        &long,
        "0",
    ];
    let rows: Vec<_> = (0..)
        .zip(payloads)
        .map(|(n, payload)| (id(n), row(id(n), payload)))
        .collect();
    let (object, summary) = write(&rows);
    assert!(long.len() > 10_000_000);
    assert_eq!(
        pipe("gunzip", &["-c"], &object).expect("gunzip is installed"),
        array_of(&rows).as_bytes()
    );
    let footer = footer_of(&object).expect("has a footer");
    assert_eq!(read(&object, footer).expect("is right"), rows);
    // The long row stands alone.
    let blocks: Vec<u32> = summary.index.entries().iter().map(|entry| entry.rows).collect();
    assert_eq!(blocks, [13, 1, 1]);
}

#[test]
fn another_segment_than_expected_is_told() {
    let mine = identity();
    assert!(mine.check(&identity()).is_ok());
    let others = [
        Identity {
            archive_id: Uuid::from_u128(1),
            ..identity()
        },
        Identity {
            tenant: "other".to_owned(),
            ..identity()
        },
        Identity {
            topic: "other".to_owned(),
            ..identity()
        },
        Identity {
            kind: Kind::Attempts,
            ..identity()
        },
    ];
    for other in others {
        assert!(
            matches!(mine.check(&other), Err(SegmentError::Other(_))),
            "{other:?}"
        );
    }
}

#[test]
fn a_block_says_how_much_memory_it_takes() {
    let (object, summary) = write(&rows(10));
    let entry = &summary.index.entries()[0];
    let block = decode_block(&object[..entry.length as usize], entry).expect("is right");
    assert_eq!((block.len(), block.rows().len()), (10, 10));
    assert!(block.memory() >= entry.raw_length as usize + 10 * 24);
    assert_eq!(block.get(id(10)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_payloads_come_back(payloads in proptest::collection::vec(".{0,40}", 1..60), piece in 1_usize..400) {
        let rows: Vec<_> = (0..).zip(&payloads).map(|(n, text)| {
            let payload = serde_json::to_string(text).expect("is JSON");
            (id(n), row(id(n), &payload))
        }).collect();
        let (object, summary) = write_with(1, &rows);
        let footer = footer_of(&object).expect("has a footer");
        // In pieces of any size.
        let mut reader = ObjectReader::new(footer.clone());
        let mut found = Vec::new();
        for bytes in object.chunks(piece) {
            reader.push(bytes).expect("fits");
            while let Some(block) = reader.next_block().expect("is right") {
                found.extend(block.rows().map(|row| (row.id, row.json.to_owned())));
            }
        }
        let whole = reader.finish().expect("is right");
        prop_assert_eq!(&found, &rows);
        prop_assert_eq!(whole, Whole { size_bytes: summary.size_bytes, object_sha256: summary.object_sha256 });
    }
}
