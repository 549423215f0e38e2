//! One instant is held while the shard goes on.

use storage::{Batch, Durability, MemoryStore, ScanLimit, Shard, ShardOptions, Store, Table};

use crate::world::{ALL, World};

const TABLE: Table = Table(1);

#[test]
fn nothing_is_frozen_until_asked_and_there_is_one_freeze_at_a_time() {
    let mut world = World::new(1).opened();
    let shard = world.shard();
    assert!(shard.scan_frozen(TABLE, None, ALL).is_err());
    assert!(shard.freeze());
    assert!(!shard.freeze());
    shard.thaw();
    assert!(shard.scan_frozen(TABLE, None, ALL).is_err());
    while shard.maintain().unwrap() {}
    assert!(shard.freeze());
}

/// A long freeze over data in the engine, in the overlay and in the open block, with every kind of change above it.
#[test]
fn what_is_frozen_stays_while_everything_changes() {
    let options = ShardOptions {
        segment_bytes: 64 << 10,
        journal_bytes_max: 128 << 10,
        free_bytes_min: 0,
        ..ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)))
    };
    let medium = storage::faulty::FaultyMedium::new(&storage::faulty::Faults::none());
    let (mut shard, _) = Shard::open_on(Box::new(medium), options, false).unwrap();
    let mut batch = Batch::default();
    for number in 0..2000_u32 {
        batch.clear();
        batch.put_new(TABLE, &number.to_be_bytes(), &[1; 100]);
        shard.apply(&batch).unwrap();
        shard.commit(Durability::Process).unwrap();
        shard.maintain().unwrap();
    }
    let before = shard.scan(TABLE, b"", None, ALL).unwrap();
    assert_eq!(before.len(), 2000);
    assert!(
        shard.overlay_entries() < 1500,
        "some of it is settled: {}",
        shard.overlay_entries()
    );
    assert!(shard.freeze());
    let limit = ScanLimit {
        entries_max: 100,
        bytes_max: usize::MAX,
    };
    let mut seen = Vec::new();
    let mut number = 0_u32;
    loop {
        let after = seen.last().map(|(key, _): &(bytes::Bytes, bytes::Bytes)| key.clone());
        let page = shard.scan_frozen(TABLE, after.as_deref(), limit).unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
        for _ in 0..150 {
            batch.clear();
            match number % 3 {
                0 => batch.remove(TABLE, &number.to_be_bytes()),
                1 => batch.put(TABLE, &number.to_be_bytes(), b"changed"),
                _ => batch.put_new(TABLE, &(number + 100_000).to_be_bytes(), b"added"),
            };
            number += 1;
            shard.apply(&batch).unwrap();
            shard.commit(Durability::Power).unwrap();
            shard.maintain().unwrap();
        }
    }
    assert_eq!(seen, before);
    let during = shard.scan(TABLE, b"", None, ALL).unwrap();
    shard.thaw();
    while shard.maintain().unwrap() {
        assert_eq!(shard.scan(TABLE, b"", None, ALL).unwrap().len(), during.len());
        // Changes that come while it is put together again.
        batch.clear();
        batch.put(TABLE, &100_002_u32.to_be_bytes(), b"added");
        shard.apply(&batch).unwrap();
    }
    assert_eq!(shard.scan(TABLE, b"", None, ALL).unwrap(), during);
    assert!(
        shard.journal_bytes() <= 128 << 10,
        "what the freeze held back is settled"
    );
}
