use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const A: Table = Table(1);
const SMALL: FjallOptions = FjallOptions {
    memtable_bytes: 1 << 20,
    cache_bytes: 1 << 20,
};
const EVERYTHING: ScanLimit = ScanLimit {
    entries_max: usize::MAX,
    bytes_max: usize::MAX,
};

fn put(store: &mut FjallStore, places: std::ops::Range<u32>) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for place in places {
        batch.put(A, &place.to_be_bytes(), &[place as u8; 200]);
    }
    store.apply(&batch)?;
    store.commit(Durability::Power)
}

fn removal(places: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::default();
    for place in places {
        batch.remove(A, &place.to_be_bytes());
    }
    batch
}

fn remove(store: &mut FjallStore, places: std::ops::Range<u32>) -> Result<(), StoreError> {
    store.apply(&removal(places))?;
    store.commit(Durability::Power)
}

fn table_files(store: &FjallStore) -> Vec<PathBuf> {
    let files = fs::read_dir(store.entries.path().join("tables")).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn nothing_is_written_to_the_journal_of_fjall() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    put(&mut store, 0..20_000).unwrap();
    let files = fs::read_dir(directory.path().join("engine"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let journals: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|name| name == "jnl"))
        .collect();
    assert_eq!(journals.len(), 1);
    assert!(fs::read(&journals[0]).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn tables_are_merged_and_their_files_removed() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    for start in (0..30_000).step_by(1000) {
        put(&mut store, start % 5000..start % 5000 + 2000).unwrap();
    }
    assert!(table_files(&store).len() >= 30);
    while store.maintain().unwrap() {}
    assert!(
        table_files(&store).len() < usize::from(compaction::FRESH_FILES_MAX) + 2,
        "{:?}",
        table_files(&store)
    );
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 6000);
    remove(&mut store, 0..6000).unwrap();
    put(&mut store, 10_000..10_001).unwrap();
    remove(&mut store, 20_000..40_000).unwrap();
    while store.maintain().unwrap() {}
    assert_eq!(
        table_files(&store).len(),
        1,
        "only the entry that was not removed takes space"
    );
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 1);
}

#[test]
fn a_merge_that_was_interrupted_by_the_end_is_made_up_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    put(&mut store, 0..20_000).unwrap();
    remove(&mut store, 0..19_999).unwrap();
    assert!(store.maintain().unwrap());
    drop(store);
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    while store.maintain().unwrap() {}
    assert_eq!(table_files(&store).len(), 1);
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 1);
}

#[test]
fn what_is_applied_without_a_commit_is_written_once_it_is_too_much_for_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    for start in (0..50_000).step_by(500) {
        let mut batch = Batch::default();
        (start..start + 500_u32).for_each(|place| {
            batch.put(A, &place.to_be_bytes(), &[1; 200]);
        });
        store.apply(&batch).unwrap();
        assert!(store.fresh.bytes() + store.writing.bytes() < SMALL.memtable_bytes * 3 / 2);
    }
    assert!(table_files(&store).len() > 5);
}

#[test]
fn a_commit_that_was_prepared_finds_everything_written_and_reads_never_miss_a_thing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), FjallOptions::default()).unwrap();
    put(&mut store, 0..1000).unwrap();
    let mut batch = Batch::default();
    (500..5000_u32).for_each(|place| {
        batch.put(A, &place.to_be_bytes(), b"second");
    });
    batch.remove(A, &1_u32.to_be_bytes());
    store.apply(&batch).unwrap();
    assert!(
        store.prepare_commit().unwrap(),
        "a file is not synced within a millisecond"
    );
    batch.clear();
    batch
        .put(A, &1_u32.to_be_bytes(), b"third")
        .remove(A, &4999_u32.to_be_bytes());
    store.apply(&batch).unwrap();
    let mut asked = 0;
    loop {
        assert_eq!(store.get(A, &1_u32.to_be_bytes()).unwrap().unwrap(), "third");
        assert_eq!(store.get(A, &600_u32.to_be_bytes()).unwrap().unwrap(), "second");
        assert_eq!(store.get(A, &4999_u32.to_be_bytes()).unwrap(), None);
        assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 4999);
        asked += 1;
        if !store.prepare_commit().unwrap() {
            break;
        }
    }
    assert!(store.writing.is_empty() && store.fresh.is_empty() && asked > 1);
    store.commit(Durability::Power).unwrap();
    drop(store);
    let store = FjallStore::open(directory.path(), SMALL).unwrap();
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 4999);
}

#[test]
fn what_is_left_of_an_unfinished_creation_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("unfinished")).unwrap();
    fs::write(directory.path().join("unfinished/0.jnl"), b"").unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    put(&mut store, 0..10).unwrap();
}

/// Every byte of a table file is changed in turn, coarsely: nothing that differs may be served.
#[test]
fn damage_is_told_and_never_served() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    put(&mut store, 0..2000).unwrap();
    let sound = store.scan(A, b"", None, EVERYTHING).unwrap();
    let file = table_files(&store).remove(0);
    drop(store);
    let bytes = fs::read(&file).unwrap();
    let mut told = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&file, &damaged).unwrap();
        let found = FjallStore::open(directory.path(), SMALL).and_then(|store| store.scan(A, b"", None, EVERYTHING));
        match found {
            Ok(found) => assert!(found == sound, "wrong entries with byte {at} changed"),
            Err(StoreError::Damaged { file, .. }) => {
                assert!(file.starts_with(directory.path()), "{file:?}");
                told += 1;
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(told > 80, "only {told} of 97 were told");
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let cut = FjallStore::open(directory.path(), SMALL).and_then(|store| store.scan(A, b"", None, EVERYTHING));
    assert!(matches!(cut, Err(StoreError::Damaged { .. })), "{cut:?}");
    fs::remove_file(&file).unwrap();
    let gone = FjallStore::open(directory.path(), SMALL).map(|_| ());
    assert!(matches!(gone, Err(StoreError::Damaged { .. })), "{gone:?}");
}

#[test]
fn another_version_of_the_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(FjallStore::open(directory.path(), SMALL).unwrap());
    let marker = directory.path().join("engine/version");
    let mut bytes = fs::read(&marker).unwrap();
    *bytes.last_mut().unwrap() = 2;
    fs::write(&marker, bytes).unwrap();
    let older = FjallStore::open(directory.path(), SMALL).map(|_| ());
    assert!(
        matches!(older, Err(StoreError::Version { found: 2, known: 3, .. })),
        "{older:?}"
    );
}

/// A write that fails for another reason than room stops the store until it is opened again.
#[test]
fn after_a_failed_write_only_opening_it_again_helps() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    put(&mut store, 0..10).unwrap();
    let tables = store.entries.path().join("tables");
    let aside = store.entries.path().join("aside");
    fs::rename(&tables, &aside).unwrap();
    assert!(matches!(put(&mut store, 10..20), Err(StoreError::Failed { .. })));
    fs::rename(&aside, &tables).unwrap();
    assert!(matches!(put(&mut store, 20..30), Err(StoreError::Failed { .. })));
    assert!(matches!(store.get(A, b"k"), Err(StoreError::Failed { .. })));
    assert!(matches!(store.maintain(), Err(StoreError::Failed { .. })));
    drop(store);
    let mut store = FjallStore::open(directory.path(), SMALL).unwrap();
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 10);
    put(&mut store, 10..20).unwrap();
}

/// A file system of 32 MiB in memory; `None` where that takes rights that the test does not have.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"])
            .arg(at)
            .output()
            .ok()?;
        mount.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_refuses_keeps_what_was_applied_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(directory.path()) else {
        eprintln!("skipped: cannot mount a tmpfs");
        return;
    };
    let mut store = FjallStore::open(&small.0.join("store"), SMALL).unwrap();
    let ballast = small.0.join("ballast");
    put(&mut store, 0..40_000).unwrap();
    fs::write(&ballast, vec![1; 18 << 20]).unwrap();

    let refused = put(&mut store, 40_000..80_000);
    assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
    assert_eq!(
        store.scan(A, b"", None, EVERYTHING).unwrap().len(),
        80_000,
        "it stays and is seen"
    );
    for _ in 0..6 {
        assert!(matches!(store.commit(Durability::Power), Err(StoreError::Full { .. })));
        assert!(!store.maintain().unwrap(), "what the failed write left is removed");
    }
    let mut removed = 0;
    let refused = loop {
        match store.apply(&removal(removed..removed + 100)) {
            Ok(()) => removed += 100,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    assert!(
        (100..10_000).contains(&removed),
        "{removed} removals were kept in memory"
    );
    assert!(store.get(A, &removed.to_be_bytes()).unwrap().is_some());

    fs::remove_file(&ballast).unwrap();
    store.commit(Durability::Power).unwrap();
    drop(store);
    let mut store = FjallStore::open(&small.0.join("store"), SMALL).unwrap();
    assert_eq!(
        store.scan(A, b"", None, EVERYTHING).unwrap().len(),
        80_000 - removed as usize
    );

    // A merge needs room for its result; it fails as often as it is tried, and goes through when there is some.
    remove(&mut store, 0..41_000).unwrap();
    fs::write(&ballast, vec![1; 10 << 20]).unwrap();
    let merge = |store: &mut FjallStore| loop {
        match store.maintain() {
            Ok(true) => {}
            done => break done,
        }
    };
    for _ in 0..3 {
        let merged = merge(&mut store);
        assert!(matches!(merged, Err(StoreError::Full { .. })), "{merged:?}");
    }
    fs::remove_file(&ballast).unwrap();
    assert!(!merge(&mut store).unwrap());
    assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap().len(), 39_000);
    assert!(
        store.disk_bytes().unwrap() < 11 << 20,
        "{}",
        store.disk_bytes().unwrap()
    );
}
