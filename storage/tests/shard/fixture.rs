//! A journal of format version 1, kept as bytes: every later version has to open it.
//!
//! `STROWGER_WRITE_FIXTURE=1 cargo test -p strowger-storage --test shard fixture` writes it where it is missing.

use std::fs;
use std::path::{Path, PathBuf};

use storage::{Batch, DataDirectory, Durability, MemoryStore, Shard, ShardOptions, Stamp, Store, Table};

use crate::world::ALL;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1")
}

fn open(path: &Path) -> (Shard, storage::Recovery) {
    let options = ShardOptions {
        segment_bytes: 1024,
        free_bytes_min: 0,
        ..ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)))
    };
    Shard::open(DataDirectory::open(path, "memory").unwrap(), options).unwrap()
}

/// Every verb, two tables, an empty value, a long key, two segments and a spare one, and a tail that tore.
fn write(path: &Path) {
    let (mut shard, _) = open(path);
    for number in 0..10_u8 {
        let mut batch = Batch::default();
        batch.put_new(Table(1), &[number], &[number; 90]);
        batch.put(Table(2), &[b'k'; 100], &[number]);
        if number % 2 == 1 {
            batch.remove(Table(1), &[number - 1]);
            batch.put(Table(2), &[number], b"");
        }
        shard.raise_stamp(Stamp {
            time_ms: 1_800_000_000_000 + u64::from(number),
            number: 40 + u64::from(number),
        });
        shard.apply(&batch).unwrap();
        shard.commit(Durability::Power).unwrap();
    }
    shard.maintain().unwrap();
    let mut batch = Batch::default();
    batch.put(Table(1), b"torn", b"never promised");
    shard.apply(&batch).unwrap();
    shard.commit(Durability::Process).unwrap();
    drop(shard);
    let mut names: Vec<PathBuf> = fs::read_dir(path.join("journal"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    names.sort();
    let used = |name: &&PathBuf| fs::read(name).unwrap()[36..].iter().any(|byte| *byte != 0);
    let last = names.iter().rev().find(used).unwrap();
    let mut bytes = fs::read(last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end] = 0;
    fs::write(last, bytes).unwrap();
    fs::remove_file(path.join("lock")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_journal_of_version_1_opens_as_it_was_written() {
    if std::env::var_os("STROWGER_WRITE_FIXTURE").is_some() && !fixture().exists() {
        write(&fixture());
    }
    let place = tempfile::tempdir().unwrap();
    copy(&fixture(), place.path());
    let (mut shard, recovery) = open(place.path());
    let last = Stamp {
        time_ms: 1_800_000_000_009,
        number: 49,
    };
    assert_eq!((recovery.blocks, recovery.records, recovery.stamp), (10, 30, last));
    assert!(recovery.torn.is_some() && recovery.segments >= 2);
    let first: Vec<_> = shard.scan(Table(1), b"", None, ALL).unwrap();
    let wanted = [1_u8, 3, 5, 7, 9].map(|number| (vec![number], vec![number; 90]));
    assert!(
        first
            .iter()
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .eq(wanted)
    );
    assert_eq!(shard.get(Table(2), &[b'k'; 100]).unwrap().unwrap(), &[9][..]);
    assert_eq!(shard.get(Table(2), &[3]).unwrap().unwrap(), "");
    // And it can be gone on with.
    let mut batch = Batch::default();
    batch.put(Table(1), b"more", b"of it");
    shard.apply(&batch).unwrap();
    shard.commit(Durability::Power).unwrap();
    drop(shard);
    let (shard, recovery) = open(place.path());
    assert_eq!((recovery.blocks, recovery.torn), (11, None));
    assert_eq!(shard.get(Table(1), b"more").unwrap().unwrap(), "of it");
}
