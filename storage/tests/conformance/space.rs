//! What the engines on disk take of it once everything was removed.

use storage::{Batch, Durability, FjallOptions, FjallStore, SledOptions, SledStore, Store};

use super::{A, EVERYTHING, number};

/// Entries, unless `STROWGER_TEST_RECORDS` says how many.
const RECORDS: u64 = 20_000;
const SLICE: u64 = 500;
const VALUE: [u8; 150] = [0x5a; 150];

fn key(place: u64) -> [u8; 16] {
    let mut key = [7; 16];
    key[8..].copy_from_slice(&place.to_be_bytes());
    key
}

/// Puts a queue and then takes it off, with a commit after each eight thousand changes, as a generation of the journal.
fn queue_and_take(store: &mut dyn Store, entries: u64) -> u64 {
    let change = |store: &mut dyn Store, add: &dyn Fn(&mut Batch, u64)| {
        for start in (0..entries).step_by(SLICE as usize) {
            let mut batch = Batch::default();
            (start..start + SLICE).for_each(|place| add(&mut batch, place));
            store.apply(&batch).unwrap();
            if (start / SLICE) % 16 == 15 {
                store.commit(Durability::Power).unwrap();
                store.maintain().unwrap();
            }
        }
        store.commit(Durability::Power).unwrap();
    };
    change(store, &|batch, place| {
        batch.put(A, &key(place), &VALUE);
    });
    let full = store.disk_bytes().unwrap();
    change(store, &|batch, place| {
        batch.remove(A, &key(place));
    });
    while store.maintain().unwrap() {}
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap(), []);
    full
}

/// `STROWGER_TEST_RECORDS=1000000 cargo test --release --test conformance space -- --nocapture` gives the figures of the
/// space goal.
#[test]
fn the_space_of_a_queue_comes_back() {
    let entries = number("STROWGER_TEST_RECORDS", RECORDS);
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(&directory.path().join("fjall"), FjallOptions::default()).unwrap();
    let full = queue_and_take(&mut store, entries);
    let empty = store.disk_bytes().unwrap();
    println!("fjall: {full} bytes with {entries} entries, {empty} without");
    assert!(full > entries * VALUE.len() as u64);
    assert!(empty < (1 << 20) + entries * 20, "{empty} bytes are still taken");

    let mut store = SledStore::open(&directory.path().join("sled"), SledOptions::default()).unwrap();
    let full = queue_and_take(&mut store, entries);
    let empty = store.disk_bytes().unwrap();
    println!("sled: {full} bytes with {entries} entries, {empty} without");
    assert!(
        empty < 2 * full,
        "sled gives nothing back, but removing takes {empty} bytes"
    );
}
