//! Bytes that are not what was written are told, and never become rows.

use proptest::prelude::*;

use super::*;

/// Reads an object with no other knowledge. Damage may show anywhere, but rows come out right or not at
/// all.
fn read_alone(object: &[u8]) -> Result<Vec<(Uuid, String)>, SegmentError> {
    let footer = footer_of(object)?;
    read(object, footer)
}

/// Reads single blocks as the database knows them.
fn read_by_index(object: &[u8], index: &BlockIndex) -> Vec<Result<Vec<(Uuid, String)>, SegmentError>> {
    let bytes_of = |entry: &Entry| {
        let range = entry.range();
        let end = (range.end as usize).min(object.len());
        object.get(range.start as usize..end).unwrap_or_default()
    };
    let rows_of = |block: Block| block.rows().map(|row| (row.id, row.json.to_owned())).collect();
    index
        .entries()
        .iter()
        .map(|entry| decode_block(bytes_of(entry), entry).map(rows_of))
        .collect()
}

/// A small object of three blocks: rows are long enough that a few make a block.
fn sample() -> (Vec<(Uuid, String)>, Vec<u8>, Summary) {
    let rows: Vec<_> = (0..5)
        .map(|n| (id(n), row(id(n), &format!("\"{}\"", "x".repeat(400_000)))))
        .collect();
    let (object, summary) = write(&rows);
    assert_eq!(summary.index.entries().len(), 3);
    (rows, object, summary)
}

#[test]
fn every_flipped_bit_is_found() {
    let (rows, object, summary) = sample();
    let footer = footer_of(&object).expect("has a footer");
    assert_eq!(read_alone(&object).expect("is right"), rows);
    let (blocks, end) = (summary.index.entries(), summary.index.end() as usize);
    for at in 0..object.len() {
        let mut damaged = object.clone();
        damaged[at] ^= 1 << (at % 8);
        // Within the blocks it is enough to read the one that was hit: inflating all each time is slow.
        if at < end {
            let hit = blocks
                .iter()
                .position(|entry| entry.range().contains(&(at as u64)))
                .expect("is in one");
            let range = blocks[hit].range();
            let bytes = &damaged[range.start as usize..range.end as usize];
            assert!(decode_block(bytes, &blocks[hit]).is_err(), "byte {at}");
        } else {
            assert!(footer_of(&damaged).is_err(), "byte {at}");
        }
    }
    for at in [0, end / 2, end - 1, end, end + 30, object.len() - 1] {
        let mut damaged = object.clone();
        damaged[at] ^= 0x10;
        assert!(read_alone(&damaged).is_err(), "byte {at}");
        assert!(read(&damaged, footer.clone()).is_err(), "byte {at}");
    }
}

#[test]
fn every_cut_and_every_addition_is_found() {
    let (_, object, _) = sample();
    let footer = footer_of(&object).expect("has a footer");
    for length in 0..object.len() {
        assert!(footer_of(&object[..length]).is_err(), "{length} bytes");
    }
    for length in [
        0,
        1,
        object.len() / 2,
        object.len() - 39,
        object.len() - 38,
        object.len() - 1,
    ] {
        assert!(read(&object[..length], footer.clone()).is_err(), "{length} bytes");
    }
    let longer = [&object[..], b"\0"].concat();
    assert!(read(&longer, footer).is_err());
    assert!(read_alone(&longer).is_err());
    // Nor does it help to put something before it.
    assert!(footer_of(&[b"\0", &object[..]].concat()).is_err());
}

#[test]
fn objects_that_were_swapped_are_found() {
    let (rows, _, summary) = sample();
    let others: Vec<_> = rows.iter().map(|(id, _)| (*id, row(*id, "\"other\""))).collect();
    let (other, _) = write(&others);
    for result in read_by_index(&other, &summary.index) {
        assert!(matches!(result, Err(SegmentError::Damaged(_))), "{result:?}");
    }
    // A whole object under another one's name tells whose it is.
    let found = footer_of(&other).expect("is intact").identity;
    let expected = Identity {
        tenant: "another".to_owned(),
        ..identity()
    };
    assert!(matches!(
        found.check(&expected),
        Err(SegmentError::Other("tenant"))
    ));
}

#[test]
fn blocks_that_were_swapped_within_an_object_are_found() {
    let (_, object, summary) = sample();
    let [first, second, ..] = summary.index.entries() else {
        panic!("has three")
    };
    assert_eq!(first.length, second.length, "else they could not be swapped");
    let (length, end) = (first.length as usize, second.range().end as usize);
    let swapped = [&object[length..end], &object[..length], &object[end..]].concat();
    assert!(read_alone(&swapped).is_err());
}

#[test]
fn a_later_version_is_told_apart_from_damage() {
    let (object, summary) = write(&rows(1));
    let mut later = object.clone();
    // Header, its length, "LI" with one entry, head of "LF".
    let version = summary.index.end() as usize + 10 + 2 + 4 + 56 + 4;
    assert_eq!(later[version], VERSION);
    later[version] = 2;
    assert!(matches!(footer_of(&later), Err(SegmentError::Version(2))));
}

#[test]
fn an_entry_that_lies_about_its_length_costs_no_memory() {
    let (object, summary) = write(&rows(3));
    let entry = &summary.index.entries()[0];
    let bytes = &object[..entry.length as usize];
    for raw_length in [0, entry.raw_length - 1, entry.raw_length + 1, 100 << 20, u32::MAX] {
        let lie = Entry { raw_length, ..*entry };
        assert!(decode_block(bytes, &lie).is_err(), "{raw_length}");
    }
}

#[test]
fn an_entry_that_lies_about_its_rows_is_found() {
    let (object, summary) = write(&rows(3));
    let entry = summary.index.entries()[0];
    let bytes = &object[..entry.length as usize];
    let lies = [
        Entry { rows: 2, ..entry },
        Entry { rows: 4, ..entry },
        Entry {
            rows: u32::MAX,
            ..entry
        },
        Entry {
            first: id(1),
            ..entry
        },
        Entry { last: id(1), ..entry },
        Entry { offset: 7, ..entry },
        Entry {
            crc32: entry.crc32 ^ 1,
            ..entry
        },
    ];
    assert!(decode_block(bytes, &entry).is_ok());
    for lie in lies {
        assert!(decode_block(bytes, &lie).is_err(), "{lie:?}");
    }
}

#[test]
fn an_index_that_contradicts_itself_is_refused() {
    let (_, summary) = write(&rows(2_500));
    let entries = summary.index.entries();
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut changed = entries.to_vec();
        change(&mut changed);
        BlockIndex::new(changed)
    };
    assert!(with(&|_| ()).is_ok());
    assert!(with(&|e| e.clear()).is_err());
    assert!(with(&|e| e.swap(0, 1)).is_err());
    assert!(with(&|e| e[1].offset += 1).is_err());
    assert!(with(&|e| e[0].offset = u64::MAX).is_err());
    assert!(with(&|e| e[1].rows = 0).is_err());
    assert!(with(&|e| e[1].rows = u32::MAX).is_err());
    assert!(with(&|e| e[1].first = e[0].last).is_err());
    assert!(with(&|e| e[1].last = e[1].first).is_err());
    assert!(with(&|e| e[2].length = 0).is_err());
    assert!(BlockIndex::from_bytes(&summary.index.to_bytes()[..100]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_mutated_segment_gives_the_rows_or_an_error(
        count in 1_u64..40,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0_u8..4), 1..4),
    ) {
        let rows = rows(count);
        let (object, summary) = write_with(1, &rows);
        let mut damaged = object.clone();
        for (at, byte, what) in changes {
            if damaged.is_empty() { break }
            let at = at.index(damaged.len());
            match what {
                0 => damaged[at] = byte,
                1 => damaged.truncate(at),
                2 => { damaged.remove(at); }
                _ => damaged.insert(at, byte),
            }
        }
        // Unchanged bytes give the rows, any others an error.
        prop_assert_eq!(read_alone(&damaged).ok(), (damaged == object).then(|| rows.clone()));
        for found in read_by_index(&damaged, &summary.index).into_iter().flatten() {
            prop_assert_eq!(found, rows.clone());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), offset: u64) {
        let _ = footer_of(&bytes);
        let _ = read_footer(&bytes, offset);
        let _ = read_pointer(&bytes, offset);
        let _ = BlockIndex::from_bytes(&bytes);
        let _ = Bloom::from_bytes(&bytes).map(|filter| filter.may_have_id(Uuid::nil()));
        let entry = Entry {
            offset,
            length: bytes.len() as u32,
            raw_length: 1 << 16,
            rows: 3,
            first: id(1),
            last: id(2),
            crc32: libdeflater::crc32(&bytes),
        };
        let _ = decode_block(&bytes, &entry);
    }

    #[test]
    fn text_that_is_not_rows_never_becomes_a_block(text in "[\\[,{}\":a \\\\]{0,40}") {
        let mut scratch = Vec::new();
        let member = pool::compress(&mut pool::compressor(), &mut scratch, text.as_bytes());
        let entry = Entry {
            offset: 0,
            length: member.len() as u32,
            raw_length: text.len() as u32,
            rows: 1,
            first: id(1),
            last: id(1),
            crc32: libdeflater::crc32(&member),
        };
        prop_assert!(decode_block(&member, &entry).is_err());
    }

    #[test]
    fn an_index_is_refused_or_reads_back(bytes in proptest::collection::vec(any::<u8>(), 56..57)) {
        if let Ok(index) = BlockIndex::from_bytes(&bytes) {
            prop_assert_eq!(index.to_bytes(), bytes);
        }
    }
}
