//! The next generation of a segment differs where it was told to, and nowhere else.

use std::collections::BTreeSet;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn fetch(object: &[u8]) -> impl FnMut(&Entry) -> std::io::Result<Vec<u8>> {
    |entry| {
        let range = entry.range();
        Ok(object[range.start as usize..range.end as usize].to_vec())
    }
}

/// Replaces the payload of `masked`, leaves out `dropped`, and gives the object with what is known of it.
fn rewrite(
    object: &[u8],
    masked: &BTreeSet<Uuid>,
    dropped: &BTreeSet<Uuid>,
) -> Result<(Vec<u8>, Spliced), SegmentError> {
    let old = footer_of(object)?;
    let mut new = Vec::new();
    let choose = |_: usize, block: &Block| {
        let hit = block
            .rows()
            .any(|row| masked.contains(&row.id) || dropped.contains(&row.id));
        hit.then(|| {
            let kept = block.rows().filter(|row| !dropped.contains(&row.id));
            kept.map(|old| {
                let json = if masked.contains(&old.id) {
                    row(old.id, "\"erased\"")
                } else {
                    old.json.to_owned()
                };
                Replacement { id: old.id, json }
            })
            .collect()
        })
    };
    let spliced = splice(&old, fetch(object), choose, &mut new)?;
    Ok((new, spliced))
}

fn bytes_of<'a>(object: &'a [u8], entry: &Entry) -> &'a [u8] {
    &object[entry.range().start as usize..entry.range().end as usize]
}

#[test]
fn only_the_block_that_was_hit_changes() {
    let mut rows = rows(3_500);
    let (object, old) = write(&rows);
    let (new, spliced) =
        rewrite(&object, &BTreeSet::from([id(1_234)]), &BTreeSet::new()).expect("is written");
    rows[1_234].1 = row(id(1_234), "\"erased\"");

    assert_eq!((spliced.generation, spliced.rewritten.as_slice()), (2, &[1][..]));
    for (number, (before, after)) in old
        .index
        .entries()
        .iter()
        .zip(spliced.summary.index.entries())
        .enumerate()
    {
        let same = bytes_of(&object, before) == bytes_of(&new, after);
        assert_eq!(same, number != 1, "block {number}");
    }
    assert_eq!(
        pipe("gunzip", &["-c"], &new).expect("gunzip is installed"),
        array_of(&rows).as_bytes()
    );
    let footer = footer_of(&new).expect("has a footer");
    assert_eq!((footer.generation, &footer.identity), (2, &identity()));
    assert_eq!(footer.index, spliced.summary.index);
    assert_eq!(read(&new, footer).expect("is right"), rows);
    let summary = spliced.summary;
    assert_eq!(
        summary.content_sha256,
        <[u8; 32]>::from(Sha256::digest(array_of(&rows)))
    );
    assert_eq!(summary.object_sha256, <[u8; 32]>::from(Sha256::digest(&new)));
    assert_eq!((summary.size_bytes, summary.rows), (new.len() as u64, 3_500));
    assert_eq!((summary.first_at, summary.last_at), (old.first_at, old.last_at));
}

#[test]
fn a_rewrite_of_nothing_differs_in_its_generation_only() {
    let (object, old) = write(&rows(2_100));
    let (new, spliced) = rewrite(&object, &BTreeSet::new(), &BTreeSet::new()).expect("is written");
    assert!(spliced.rewritten.is_empty());
    assert_eq!(
        (&spliced.summary.index, spliced.summary.content_sha256),
        (&old.index, old.content_sha256)
    );
    assert_eq!(
        new[..old.index.end() as usize],
        object[..old.index.end() as usize]
    );
    assert_eq!(footer_of(&new).expect("has a footer").generation, 2);
    // And once more.
    let (newer, _) = rewrite(&new, &BTreeSet::new(), &BTreeSet::new()).expect("is written");
    assert_eq!(footer_of(&newer).expect("has a footer").generation, 3);
}

#[test]
fn when_the_first_blocks_are_left_out_the_next_one_begins_the_array() {
    let rows = rows(3_500);
    let (object, old) = write(&rows);
    let dropped = (0..2_000).map(id).collect();
    let (new, spliced) = rewrite(&object, &BTreeSet::new(), &dropped).expect("is written");
    assert_eq!(spliced.rewritten, [0, 1, 2]);
    assert_eq!(
        read(&new, footer_of(&new).expect("has a footer")).expect("is right"),
        rows[2_000..]
    );
    assert_eq!(
        pipe("gunzip", &["-c"], &new).expect("gunzip is installed"),
        array_of(&rows[2_000..]).as_bytes()
    );
    let (last, kept) = (&old.index.entries()[3], &spliced.summary.index.entries()[1]);
    assert_eq!(bytes_of(&object, last), bytes_of(&new, kept));
}

#[test]
fn a_segment_of_which_nothing_is_left_is_told() {
    let (object, _) = write(&rows(1_500));
    let result = rewrite(&object, &BTreeSet::new(), &(0..1_500).map(id).collect());
    assert!(matches!(result, Err(SegmentError::Empty)), "{result:?}");
}

#[test]
fn replacements_that_are_not_rows_of_the_block_are_refused() {
    let (object, _) = write(&rows(1_500));
    let old = footer_of(&object).expect("has a footer");
    let replacement = |n: u64| Replacement {
        id: id(n),
        json: row(id(n), "1"),
    };
    let wrong: [Vec<Replacement>; 5] = [
        vec![replacement(1_200)],
        vec![replacement(2), replacement(1)],
        vec![replacement(1), replacement(1)],
        vec![Replacement {
            id: id(1),
            json: row(id(2), "1"),
        }],
        vec![Replacement {
            id: id(1),
            json: "{}".to_owned(),
        }],
    ];
    for rows in wrong {
        let choose = |number: usize, _: &Block| (number == 0).then(|| rows.clone());
        let result = splice(&old, fetch(&object), choose, std::io::sink());
        assert!(
            matches!(
                result,
                Err(SegmentError::RowShape(_) | SegmentError::OutOfOrder { .. })
            ),
            "{rows:?}: {result:?}"
        );
    }
}

#[test]
fn damage_is_not_carried_over() {
    let (mut object, _) = write(&rows(1_500));
    let old = footer_of(&object).expect("has a footer");
    object[100] ^= 1;
    let result = splice(&old, fetch(&object), |_, _| None, std::io::sink());
    assert!(matches!(result, Err(SegmentError::Damaged(_))), "{result:?}");
}

#[test]
fn a_store_that_fails_ends_the_rewrite() {
    let (object, _) = write(&rows(1_500));
    let old = footer_of(&object).expect("has a footer");
    let result = splice(
        &old,
        |_| Err(std::io::Error::other("away")),
        |_, _| None,
        std::io::sink(),
    );
    assert!(matches!(result, Err(SegmentError::Io(_))), "{result:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn any_rows_may_be_masked_and_left_out(
        masked in proptest::collection::btree_set(0_u64..2_500, 0..20),
        dropped in prop_oneof![
            proptest::collection::btree_set(0_u64..2_500, 0..20),
            Just((0..1_000).collect()),
            Just((900..2_100).collect()),
        ],
    ) {
        let rows = rows(2_500);
        let (object, _) = write_with(1, &rows);
        let ids = |numbers: &BTreeSet<u64>| numbers.iter().map(|n| id(*n)).collect::<BTreeSet<_>>();
        let (new, _) = rewrite(&object, &ids(&masked), &ids(&dropped)).expect("is written");
        let expected: Vec<_> = (0..).zip(rows).filter(|(n, _)| !dropped.contains(n)).map(|(n, (id, json))| {
            (id, if masked.contains(&n) { row(id, "\"erased\"") } else { json })
        }).collect();
        prop_assert_eq!(read(&new, footer_of(&new).expect("has a footer")).expect("is right"), expected);
    }
}
