//! What a record costs in each engine, in CPU of the whole process, so that other work on the machine counts little.
//!
//! `cargo bench -p strowger-storage --bench engines`. A pair is a put of 100 bytes under a key of 16 and its removal
//! 256 records later; each 256 changes are committed with `Durability::Power`. `shelf` is what an engine costs as the
//! shelf of a journal: slices of 500 changes, a commit after each 16 slices.

#![allow(clippy::unwrap_used, reason = "a figure that cannot be taken should stop the run")]

use std::hint::black_box;
use std::time::Duration;

use fjall::PersistMode;
use rustix::time::{ClockId, clock_gettime};
use storage::{
    Batch, Durability, FjallOptions, FjallStore, MemoryStore, ScanLimit, SledOptions, SledStore, Store, Table,
};

const PAIRS: u64 = 100_000;
const STORED: u64 = 100_000;
const GROUP: u64 = 256;
const SLICE: u64 = 500;
const SLICES_PER_COMMIT: u64 = 16;
const VALUE: [u8; 100] = [0x5a; 100];
const TABLE: Table = Table(1);

fn main() {
    println!("{:<28}{:>12}{:>14}", "", "CPU µs", "disk MiB");
    fjall_with_its_journal();
    let directory = tempfile::tempdir().unwrap();
    let mut memory = MemoryStore::new(1 << 30);
    let mut fjall = FjallStore::open(&directory.path().join("fjall"), FjallOptions::default()).unwrap();
    let mut sled = SledStore::open(&directory.path().join("sled"), SledOptions::default()).unwrap();
    let engines: [(&str, &mut dyn Store); 3] = [("memory", &mut memory), ("fjall", &mut fjall), ("sled", &mut sled)];
    for (name, store) in engines {
        run(name, store);
    }
}

fn run(name: &str, store: &mut dyn Store) {
    report(&format!("{name}: pair"), PAIRS, store, |store| pairs(store));
    report(&format!("{name}: shelf put"), STORED, store, |store| {
        shelf(store, false)
    });
    report(&format!("{name}: get"), 20_000, store, |store| {
        for place in 0..20_000 {
            black_box(store.get(TABLE, &key(place * 7919 % STORED)).unwrap().unwrap());
        }
    });
    report(&format!("{name}: scan of 1,000"), STORED / 1000, store, |store| {
        let limit = ScanLimit {
            entries_max: 1000,
            bytes_max: usize::MAX,
        };
        let mut after: Option<Vec<u8>> = None;
        for _ in 0..STORED / 1000 {
            let found = store.scan(TABLE, &[], after.as_deref(), limit).unwrap();
            assert_eq!(found.len(), 1000);
            after = found.last().map(|(key, _)| key.to_vec());
        }
    });
    report(&format!("{name}: shelf remove"), STORED, store, |store| {
        shelf(store, true)
    });
}

/// Prints the CPU of one of `count` things, with the background work that they leave.
fn report(what: &str, count: u64, store: &mut dyn Store, run: impl FnOnce(&mut dyn Store)) {
    let before = cpu();
    run(store);
    while store.maintain().unwrap() {}
    let each = (cpu() - before).as_secs_f64() * 1e6 / count as f64;
    println!(
        "{what:<28}{each:>12.2}{:>14.1}",
        store.disk_bytes().unwrap() as f64 / f64::from(1 << 20)
    );
}

/// User and system time of all threads of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn key(place: u64) -> [u8; 16] {
    let mut key = [7; 16];
    key[8..].copy_from_slice(&place.to_be_bytes());
    key
}

fn pairs(store: &mut dyn Store) {
    let mut batch = Batch::default();
    for group in 0..=PAIRS / GROUP {
        batch.clear();
        for place in group * GROUP..(group + 1) * GROUP {
            batch.put(TABLE, &key(place), &VALUE);
            if let Some(old) = place.checked_sub(GROUP) {
                batch.remove(TABLE, &key(old));
            }
        }
        store.apply(&batch).unwrap();
        store.commit(Durability::Power).unwrap();
        store.maintain().unwrap();
    }
    batch.clear();
    (0..PAIRS + GROUP).for_each(|place| {
        batch.remove(TABLE, &key(place));
    });
    store.apply(&batch).unwrap();
    store.commit(Durability::Power).unwrap();
}

fn shelf(store: &mut dyn Store, remove: bool) {
    let mut batch = Batch::default();
    for slice in 0..STORED / SLICE {
        batch.clear();
        for place in slice * SLICE..(slice + 1) * SLICE {
            if remove {
                batch.remove(TABLE, &key(place));
            } else {
                batch.put(TABLE, &key(place), &VALUE);
            }
        }
        store.apply(&batch).unwrap();
        if slice % SLICES_PER_COMMIT == SLICES_PER_COMMIT - 1 {
            store.commit(Durability::Power).unwrap();
            store.maintain().unwrap();
        }
    }
    store.commit(Durability::Power).unwrap();
}

/// The engine as its manual has it: its own journal, synced once per group.
fn fjall_with_its_journal() {
    let directory = tempfile::tempdir().unwrap();
    let database = fjall::Database::builder(directory.path())
        .cache_size(8 << 20)
        .worker_threads(1)
        .open()
        .unwrap();
    let options = || fjall::KeyspaceCreateOptions::default().max_memtable_size(8 << 20);
    let entries = database.keyspace("entries", options).unwrap();
    let before = cpu();
    for group in 0..=PAIRS / GROUP {
        let mut batch = database.batch();
        for place in group * GROUP..(group + 1) * GROUP {
            batch.insert(&entries, key(place), VALUE);
            if let Some(old) = place.checked_sub(GROUP) {
                batch.remove(&entries, key(old));
            }
        }
        batch.commit().unwrap();
        database.persist(PersistMode::SyncData).unwrap();
    }
    let each = (cpu() - before).as_secs_f64() * 1e6 / PAIRS as f64;
    println!("{:<28}{each:>12.2}", "fjall with its journal: pair");
}
