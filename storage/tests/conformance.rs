//! What every engine has to do alike.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

use std::collections::BTreeMap;

use storage::{Batch, Durability, Key, MemoryStore, ScanLimit, Store, StoreError, Table};

const LIMIT: ScanLimit = ScanLimit {
    entries_max: 1000,
    bytes_max: 1 << 20,
};
const A: Table = Table(1);
const B: Table = Table(2);

/// Runs one test against each engine, by the name of the engine.
fn each(test: impl Fn(&mut dyn Store)) {
    test(&mut MemoryStore::new(1 << 20));
}

fn key(table: Table, bytes: &str) -> Key {
    Key::new(table, bytes.to_owned())
}

fn keys(store: &dyn Store, table: Table, prefix: &str, from: &str) -> Vec<String> {
    let found = store.scan(table, prefix.as_bytes(), from.as_bytes(), LIMIT).unwrap();
    found
        .into_iter()
        .map(|(key, _)| String::from_utf8_lossy(&key).into_owned())
        .collect()
}

#[test]
fn what_was_put_is_there_until_it_is_replaced_or_removed() {
    each(|store| {
        let mut batch = Batch::default();
        batch
            .put(key(A, "k"), "one")
            .put(key(A, "k"), "two")
            .put(key(B, "k"), "other")
            .remove(key(A, "absent"));
        store.apply(batch).unwrap();
        assert_eq!(store.get(&key(A, "k")).unwrap().unwrap(), "two");
        let mut batch = Batch::default();
        batch.remove(key(A, "k"));
        store.apply(batch).unwrap();
        store.commit().unwrap();
        assert_eq!(store.get(&key(A, "k")).unwrap(), None);
        assert_eq!(store.get(&key(B, "k")).unwrap().unwrap(), "other");
    });
}

#[test]
fn a_scan_is_ordered_keeps_to_table_and_prefix_and_goes_on_where_it_is_told() {
    each(|store| {
        let mut batch = Batch::default();
        for name in ["b/2", "b/10", "a", "b", "c", "b/"] {
            batch.put(key(A, name), name.to_owned());
        }
        batch.put(key(B, "b/3"), "elsewhere");
        store.apply(batch).unwrap();
        assert_eq!(keys(store, A, "", ""), ["a", "b", "b/", "b/10", "b/2", "c"]);
        assert_eq!(keys(store, A, "b/", ""), ["b/", "b/10", "b/2"]);
        assert_eq!(keys(store, A, "b/", "b/1"), ["b/10", "b/2"]);
        assert_eq!(keys(store, A, "b/", "c"), [""; 0]);
        let two = store
            .scan(
                A,
                b"",
                b"",
                ScanLimit {
                    entries_max: 2,
                    ..LIMIT
                },
            )
            .unwrap();
        assert_eq!(two.len(), 2);
        let one = store.scan(A, b"", b"", ScanLimit { bytes_max: 1, ..LIMIT }).unwrap();
        assert_eq!(one.len(), 1, "one entry comes whatever its size");
    });
}

#[test]
fn a_range_is_removed_without_its_end() {
    each(|store| {
        let mut batch = Batch::default();
        for name in ["a", "b", "c", "d"] {
            batch.put(key(A, name), "");
        }
        batch.put(key(B, "b"), "");
        batch.remove_range(A, "b", "d").remove_range(A, "z", "a");
        store.apply(batch).unwrap();
        assert_eq!(keys(store, A, "", ""), ["a", "d"]);
        assert_eq!(keys(store, B, "", ""), ["b"]);
    });
}

#[test]
fn a_batch_that_does_not_fit_leaves_no_trace() {
    let mut store = MemoryStore::new(10);
    let mut batch = Batch::default();
    batch.put(key(A, "k"), "1234");
    store.apply(batch).unwrap();
    let mut batch = Batch::default();
    batch.remove(key(A, "k")).put(key(A, "l"), "123456789");
    assert!(matches!(
        store.apply(batch),
        Err(StoreError::Full {
            used: 5,
            wanted: 10,
            max: 10
        })
    ));
    assert_eq!((keys(&store, A, "", ""), store.bytes()), (vec!["k".to_owned()], 5));
    assert_eq!(store.durability(), Durability::Memory);
}

/// A long random history against a map, with a seed that is fixed so that it replays.
#[test]
fn a_history_of_batches_equals_the_same_history_on_a_map() {
    each(|store| {
        let mut model: BTreeMap<(Table, String), String> = BTreeMap::new();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for step in 0..5000 {
            let mut batch = Batch::default();
            for _ in 0..=random(4) {
                let table = Table(random(3) as u8);
                let name = format!("{:02}", random(40));
                match random(5) {
                    0 => {
                        batch.remove(key(table, &name));
                        model.remove(&(table, name));
                    }
                    1 => {
                        let to = format!("{:02}", random(40));
                        batch.remove_range(table, name.clone(), to.clone());
                        model.retain(|(t, k), _| *t != table || *k < name || *k >= to);
                    }
                    _ => {
                        batch.put(key(table, &name), step.to_string());
                        model.insert((table, name), step.to_string());
                    }
                }
            }
            store.apply(batch).unwrap();
            if step % 64 == 0 {
                store.commit().unwrap();
            }
        }
        for table in (0..3).map(Table) {
            let expected: Vec<&String> = model.keys().filter(|(t, _)| *t == table).map(|(_, key)| key).collect();
            assert_eq!(keys(store, table, "", "").iter().collect::<Vec<_>>(), expected);
        }
        let bytes: usize = model.iter().map(|((_, key), value)| key.len() + value.len()).sum();
        assert_eq!(store.bytes(), bytes);
    });
}
