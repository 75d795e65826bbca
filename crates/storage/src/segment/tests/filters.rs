//! Filters never deny what is there, and seldom affirm what is not.

use proptest::prelude::*;

use super::*;

fn filter_of_ids(ids: impl Iterator<Item = Uuid>) -> Bloom {
    let mut builder = BloomBuilder::default();
    ids.for_each(|id| builder.add_id(id));
    builder.build()
}

#[test]
fn one_in_a_hundred_at_most_is_affirmed_in_vain() {
    let filter = filter_of_ids((0..100_000).map(id));
    assert!((0..100_000).all(|n| filter.may_have_id(id(n))));
    let wrong = (100_000..200_000).filter(|n| filter.may_have_id(id(*n))).count();
    assert!((1..1_000).contains(&wrong), "{wrong} of 100000");
}

#[test]
fn ten_bits_per_key_are_stored() {
    let filter = filter_of_ids((0..100_000).map(id));
    assert_eq!(filter.keys(), 100_000);
    let bytes = filter.to_bytes().len();
    assert!((125_000..125_100).contains(&bytes), "{bytes}");
}

#[test]
fn a_key_that_comes_often_takes_the_room_of_one() {
    let mut builder = BloomBuilder::default();
    (0..10_000).for_each(|n| builder.add_text(["a", "b", "c"][n % 3]));
    let filter = builder.build();
    assert_eq!((filter.keys(), filter.to_bytes().len()), (3, 16));
}

#[test]
fn a_filter_of_nothing_denies_everything() {
    let filter = BloomBuilder::default().build();
    assert!(!filter.may_have_id(id(1)) && !filter.may_have_text(""));
    assert_eq!(Bloom::from_bytes(&filter.to_bytes()).expect("reads back"), filter);
}

#[test]
fn bits_stay_where_they_are_from_release_to_release() {
    let mut builder = BloomBuilder::default();
    builder.add_text("invoice-1");
    builder.add_id(Uuid::from_u128(1));
    assert_eq!(
        hex::encode(builder.build().to_bytes()),
        "4c42010702000000142480c1000a0348"
    );
}

#[test]
fn bytes_that_are_not_a_filter_are_refused() {
    let bytes = filter_of_ids((0..10).map(id)).to_bytes();
    assert!(Bloom::from_bytes(&bytes).is_ok());
    for length in 0..bytes.len() {
        // What is cut to whole words can no longer be told; the database does not cut.
        if length < 16 || length % 8 != 0 {
            assert!(Bloom::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
    }
    for (at, byte) in [(0, 0), (1, 0), (2, 2), (3, 0), (3, 33)] {
        let mut changed = bytes.clone();
        changed[at] = byte;
        assert!(Bloom::from_bytes(&changed).is_err(), "{at}");
    }
}

proptest! {
    #[test]
    fn what_is_there_is_never_denied(
        ids in proptest::collection::vec(any::<u128>(), 0..200),
        texts in proptest::collection::vec(".{0,20}", 0..200),
    ) {
        let mut builder = BloomBuilder::default();
        for id in &ids {
            builder.add_id(Uuid::from_u128(*id));
        }
        for text in &texts {
            builder.add_text(text);
        }
        let filter = Bloom::from_bytes(&builder.build().to_bytes()).expect("reads back");
        prop_assert!(ids.iter().all(|id| filter.may_have_id(Uuid::from_u128(*id))));
        prop_assert!(texts.iter().all(|text| filter.may_have_text(text)));
    }
}
