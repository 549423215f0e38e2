use std::fs;

use super::*;

const A: Table = Table(1);

fn put(store: &mut SledStore, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    store.apply(Batch::default().put(A, key, value))?;
    store.commit(Durability::Power)
}

#[test]
fn the_form_of_a_value_is_read_as_it_was_written() {
    assert_eq!(Form::of(&[0, 7, 8]), Some(Form::Inline(&[7, 8])));
    assert_eq!(Form::of(&[0]), Some(Form::Inline(&[])));
    let chunked = |bytes: u32| {
        let [b0, b1, b2, b3] = bytes.to_be_bytes();
        Form::of(&[1, b0, b1, b2, b3]).map(|form| form.chunks())
    };
    assert_eq!(
        [chunked(32_769), chunked(65_536), chunked(65_537)],
        [Some(2), Some(2), Some(3)]
    );
    assert_eq!(
        [Form::of(&[]), Form::of(&[1, 2]), Form::of(&[2, 0, 0, 0, 0])],
        [None, None, None]
    );
}

#[test]
fn chunks_go_with_their_value() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    let stored = |store: &SledStore| store.entries.len();
    put(&mut store, b"k", &[1; 200_000]).unwrap();
    assert_eq!(stored(&store), 1 + 7);
    put(&mut store, b"k", &[2; 100_000]).unwrap();
    assert_eq!(stored(&store), 1 + 4);
    store
        .apply(Batch::default().put(A, b"k", &[3; 300_000]).put(A, b"k", b"small"))
        .unwrap();
    assert_eq!(stored(&store), 1);
    store
        .apply(Batch::default().put(A, b"k", &[3; 300_000]).remove(A, b"k"))
        .unwrap();
    assert_eq!(stored(&store), 0);
}

#[test]
fn no_value_becomes_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    for at in 0..40_u8 {
        put(&mut store, &[at], &vec![at; 2 << 20]).unwrap();
    }
    assert_eq!(fs::read_dir(directory.path().join("engine/blobs")).unwrap().count(), 0);
    drop(store);
    let store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    for at in 0..40_u8 {
        assert_eq!(store.get(A, &[at]).unwrap().unwrap(), vec![at; 2 << 20]);
    }
}

#[test]
fn a_chunk_that_is_missing_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    put(&mut store, b"k", &[1; 200_000]).unwrap();
    store
        .entries
        .remove(value::chunk_key(&shelf::place(A, b"k"), 3))
        .unwrap();
    assert!(matches!(store.get(A, b"k"), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_failed_sync_stops_the_store_until_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    put(&mut store, b"a", b"1").unwrap();
    let failed = store.written(Err::<(), _>(failure(
        "sync",
        directory.path(),
        io::Error::from_raw_os_error(5),
    )));
    assert!(matches!(failed, Err(StoreError::Failed { .. })));
    assert!(matches!(put(&mut store, b"b", b"2"), Err(StoreError::Failed { .. })));
    assert!(matches!(store.get(A, b"a"), Err(StoreError::Failed { .. })));
    drop(store);
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    assert_eq!(store.get(A, b"a").unwrap().unwrap(), "1");
    put(&mut store, b"b", b"2").unwrap();
}

#[test]
fn what_is_left_of_an_unfinished_snapshot_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    put(&mut store, b"k", b"1").unwrap();
    drop(store);
    fs::write(
        directory.path().join("engine/snap.00000000FFFFFFFF.generating"),
        b"half",
    )
    .unwrap();
    let store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    assert_eq!(store.get(A, b"k").unwrap().unwrap(), "1");
}

#[test]
fn damage_is_told_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path(), SledOptions::default()).unwrap();
    put(&mut store, b"k", b"1").unwrap();
    drop(store);
    fs::write(
        directory.path().join("engine/snap.00000000FFFFFFFF"),
        b"not a snapshot at all",
    )
    .unwrap();
    let damaged = SledStore::open(directory.path(), SledOptions::default()).map(|_| ());
    assert!(matches!(damaged, Err(StoreError::Damaged { .. })), "{damaged:?}");
}
