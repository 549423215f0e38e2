use super::{Batch, Change, KEY_BYTES_MAX, Place, Records, Table};
use crate::StoreError;

/// Every pair of a set of strings that are alike at the beginning, at the end, in zeros, and in length around the
/// longest that is kept in place.
#[test]
fn places_order_as_their_bytes_do() {
    let mut keys: Vec<Vec<u8>> = vec![Vec::new(), vec![0], vec![0, 0], vec![0, 1], vec![1], vec![255; 40]];
    for len in 20..34 {
        for last in [0, 1, 28, 29, 30, 31, 255] {
            let mut key = vec![7; len];
            keys.push(key.clone());
            key.push(last);
            keys.push(key.clone());
            key.push(0);
            keys.push(key);
        }
    }
    let places = |table: u8| keys.iter().map(move |key| (table, key));
    let all: Vec<(u8, &Vec<u8>)> = places(1).chain(places(2)).collect();
    for (one_table, one) in &all {
        for (other_table, other) in &all {
            let wanted = (one_table, one).cmp(&(other_table, other));
            let found = Place::new(Table(*one_table), one).cmp(&Place::new(Table(*other_table), other));
            assert_eq!(found, wanted, "{one_table} {one:?} against {other_table} {other:?}");
        }
        let place = Place::new(Table(*one_table), one);
        assert_eq!((place.table(), place.key()), (Table(*one_table), one.as_slice()));
        assert!(Place::from_bytes(place.as_bytes()) == place);
    }
}

#[test]
fn a_batch_says_what_was_put_into_it_and_can_be_used_again() {
    let mut batch = Batch::default();
    assert!(batch.is_empty() && !batch.puts());
    batch.remove(Table(1), b"gone");
    assert!(!batch.puts());
    batch.put(Table(1), b"key", b"value");
    batch.put_new_with(Table(2), b"", |bytes| bytes.extend_from_slice(b"written in place"));
    let changes: Vec<Change<'_>> = batch.changes().collect();
    assert_eq!(
        changes,
        [
            Change::Remove {
                table: Table(1),
                key: b"gone"
            },
            Change::Put {
                table: Table(1),
                key: b"key",
                value: b"value"
            },
            Change::Put {
                table: Table(2),
                key: b"",
                value: b"written in place"
            },
        ]
    );
    assert_eq!(
        (batch.len(), batch.bytes(), batch.puts()),
        (3, 3 * 8 + 4 + 8 + 16, true)
    );
    batch.clear();
    assert_eq!(batch, Batch::default());
}

#[test]
fn a_change_that_no_store_takes_refuses_the_batch_and_names_the_bound() {
    let mut batch = Batch::default();
    batch.put(Table(1), &[0; KEY_BYTES_MAX], b"");
    assert!(batch.check().is_ok());
    batch
        .remove(Table(1), &[0; KEY_BYTES_MAX + 1])
        .put(Table(1), b"k", b"v");
    let Err(StoreError::Full { what }) = batch.check() else {
        panic!("it was taken");
    };
    assert_eq!(what, "a key of 1025 bytes, 1024 at most");
    let mut batch = Batch::default();
    batch.put(Table(1), b"k", b"v").put_with(Table(1), b"k", Vec::clear);
    assert!(batch.check().is_err(), "a writer that takes away what is not its own");
}

/// Bytes that are no records are noticed where they begin.
#[test]
fn records_that_are_cut_or_unknown_are_an_error_with_its_offset() {
    let mut batch = Batch::default();
    batch.put(Table(1), b"key", b"value").remove(Table(1), b"other");
    let first = 8 + 3 + 5;
    for len in 1..batch.bytes() {
        let found: Vec<_> = Records::new(&batch.records()[..len])
            .map(|record| record.map(|_| ()))
            .collect();
        let wanted = match len {
            _ if len < first => vec![Err(0)],
            _ if len == first => vec![Ok(())],
            _ => vec![Ok(()), Err(first)],
        };
        assert_eq!(found, wanted, "cut at {len}");
    }
    let mut bytes = batch.records().to_vec();
    bytes[first] = 9;
    assert_eq!(Records::new(&bytes).last().unwrap().unwrap_err(), first);
}
