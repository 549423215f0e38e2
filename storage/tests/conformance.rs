//! What every engine has to do alike, and what those on disk still hold after their process was killed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

#[path = "conformance/crash.rs"]
mod crash;
#[path = "conformance/history.rs"]
mod history;
#[path = "conformance/space.rs"]
mod space;

use std::path::Path;

use storage::{
    Batch, DataDirectory, Durability, FjallOptions, FjallStore, KEY_BYTES_MAX, MemoryStore, ScanLimit, Shard,
    ShardOptions, SledOptions, SledStore, Store, StoreError, Table,
};

const A: Table = Table(1);
const B: Table = Table(2);
const EVERYTHING: ScanLimit = ScanLimit {
    entries_max: usize::MAX,
    bytes_max: usize::MAX,
};
/// Little, so that few batches reach the files.
const MEMTABLE_BYTES: usize = 64 << 10;

/// A store under test.
struct Engine {
    name: &'static str,
    /// Whether what was committed is there again after the store was dropped and opened again.
    is_durable: bool,
    open: fn(&Path) -> Result<Box<dyn Store>, StoreError>,
}

/// All stores that are tested; one line each.
const ENGINES: [Engine; 4] = [
    Engine {
        name: "memory",
        is_durable: false,
        open: |_| Ok(Box::new(MemoryStore::new(1 << 30))),
    },
    Engine {
        name: "fjall",
        is_durable: true,
        open: |directory| Ok(Box::new(FjallStore::open(directory, SMALL)?)),
    },
    Engine {
        name: "sled",
        is_durable: true,
        open: |directory| Ok(Box::new(SledStore::open(directory, SledOptions::default())?)),
    },
    Engine {
        name: "shard",
        is_durable: true,
        open: |directory| {
            let directory = DataDirectory::open(directory, "fjall")?;
            let mut options = ShardOptions::new(Box::new(FjallStore::open(&directory.shelf(), SMALL)?));
            // Small, so that most of what is tested passes through the engine.
            options.segment_bytes = 256 << 10;
            options.journal_bytes_max = 1 << 20;
            options.overlay_bytes_max = 1 << 20;
            Ok(Box::new(Shard::open(directory, options)?.0))
        },
    },
];

const SMALL: FjallOptions = FjallOptions {
    memtable_bytes: MEMTABLE_BYTES,
    cache_bytes: 1 << 20,
};

/// What the environment says under that name, or else what there is time for in every run.
fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.and_then(|given| given.parse().ok()).unwrap_or(usual)
}

fn durable() -> impl Iterator<Item = &'static Engine> {
    ENGINES.iter().filter(|engine| engine.is_durable)
}

/// Runs one test against each store, by its name.
fn each(test: impl Fn(&mut dyn Store)) {
    for engine in &ENGINES {
        let directory = tempfile::tempdir().unwrap();
        println!("engine {}", engine.name);
        test(&mut *(engine.open)(&directory.path().join("store")).unwrap());
    }
}

/// The same with what was put written to the medium first, where the store has one.
fn each_in_memory_and_written(test: impl Fn(&mut dyn Store, &dyn Fn(&mut dyn Store))) {
    each(|store| test(store, &|_| ()));
    each(|store| test(store, &|store| store.commit(Durability::Power).unwrap()));
}

fn put(store: &mut dyn Store, table: Table, entries: &[(&str, &str)]) {
    let mut batch = Batch::default();
    for (key, value) in entries {
        batch.put(table, key.as_bytes(), value.as_bytes());
    }
    store.apply(&batch).unwrap();
}

/// Applies a batch as an owner does it that is told that there is no room: it lets the store work and tries again.
fn apply_patiently(store: &mut dyn Store, batch: &Batch) {
    for _ in 0..10_000 {
        match store.apply(batch) {
            Err(StoreError::Full { .. }) => drop(store.maintain().unwrap()),
            taken => return taken.unwrap(),
        }
    }
    panic!("there is never room");
}

fn value(store: &dyn Store, table: Table, key: &str) -> Option<String> {
    let value = store.get(table, key.as_bytes()).unwrap()?;
    Some(String::from_utf8_lossy(&value).into_owned())
}

fn keys(store: &dyn Store, table: Table, prefix: &str, after: Option<&str>, limit: ScanLimit) -> Vec<String> {
    let found = store
        .scan(table, prefix.as_bytes(), after.map(str::as_bytes), limit)
        .unwrap();
    let text = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
    found.iter().map(|(key, _)| text(key)).collect()
}

#[test]
fn what_was_put_is_there_until_it_is_replaced_or_removed() {
    each_in_memory_and_written(|store, write| {
        let mut batch = Batch::default();
        batch
            .put(A, b"k", b"one")
            .put(A, b"k", b"two")
            .put_new(B, b"k", b"other")
            .put_with(B, b"", |bytes| bytes.extend_from_slice(b"empty key"))
            .put(B, b"empty value", b"")
            .remove(A, b"absent");
        store.apply(&batch).unwrap();
        write(store);
        assert_eq!(value(store, A, "k").as_deref(), Some("two"));
        assert_eq!(value(store, B, "").as_deref(), Some("empty key"));
        assert_eq!(value(store, B, "empty value").as_deref(), Some(""));
        batch.clear();
        batch
            .remove(A, b"k")
            .put(B, b"k", b"x")
            .remove(B, b"k")
            .put(B, b"k", b"last");
        store.apply(&batch).unwrap();
        assert_eq!(value(store, A, "k"), None);
        write(store);
        assert_eq!(value(store, A, "k"), None);
        assert_eq!(
            value(store, B, "k").as_deref(),
            Some("last"),
            "the changes of a batch have an order"
        );
    });
}

#[test]
fn a_scan_is_ordered_keeps_to_table_and_prefix_and_goes_on_behind_a_key() {
    each_in_memory_and_written(|store, write| {
        for name in ["b/2", "b/10", "a", "b", "c", "b/", "\u{7f}"] {
            put(store, A, &[(name, name)]);
        }
        put(store, B, &[("b/3", "elsewhere")]);
        put(store, Table(0), &[("b/4", "before")]);
        write(store);
        put(store, A, &[("b/11", "late"), ("d", "late")]);
        store.apply(Batch::default().remove(A, b"d").remove(A, b"b/2")).unwrap();

        let all = |prefix, after| keys(store, A, prefix, after, EVERYTHING);
        assert_eq!(all("", None), ["a", "b", "b/", "b/10", "b/11", "c", "\u{7f}"]);
        assert_eq!(all("b/", None), ["b/", "b/10", "b/11"]);
        assert_eq!(all("b/", Some("b/")), ["b/10", "b/11"]);
        assert_eq!(all("b/", Some("b/1")), ["b/10", "b/11"], "the key need not be there");
        assert_eq!(
            all("b/", Some("a")),
            ["b/", "b/10", "b/11"],
            "a key before the prefix cuts nothing off"
        );
        assert_eq!(all("b/", Some("c")), [""; 0]);
        assert_eq!(all("b/", Some("b/9")), [""; 0]);
        assert_eq!(all("x", None), [""; 0]);
        assert_eq!(keys(store, B, "b", None, EVERYTHING), ["b/3"]);
    });
}

#[test]
fn a_scan_passes_the_highest_bytes_and_tables() {
    each_in_memory_and_written(|store, write| {
        let last = Table(u8::MAX);
        let mut batch = Batch::default();
        for key in [&[0xff][..], &[0xff, 0xff], &[0xff, 0], &[0xfe]] {
            batch.put(last, key, b"").put(A, key, b"");
        }
        store.apply(&batch).unwrap();
        write(store);
        for table in [A, last] {
            let found = store.scan(table, &[0xff], None, EVERYTHING).unwrap();
            let found: Vec<&[u8]> = found.iter().map(|(key, _)| &key[..]).collect();
            assert_eq!(found, [&[0xff][..], &[0xff, 0], &[0xff, 0xff]]);
            assert_eq!(store.scan(table, &[0xff], Some(&[0xff, 0xff]), EVERYTHING).unwrap(), []);
        }
    });
}

#[test]
fn a_scan_ends_with_the_entry_that_reaches_a_limit() {
    each_in_memory_and_written(|store, write| {
        put(store, A, &[("a", "12345"), ("b", "12345"), ("c", "12345")]);
        write(store);
        let scan = |entries_max, bytes_max| keys(store, A, "", None, ScanLimit { entries_max, bytes_max }).len();
        assert_eq!(scan(2, usize::MAX), 2);
        assert_eq!(scan(usize::MAX, 1), 1, "one entry comes whatever its size");
        assert_eq!(scan(usize::MAX, 6), 1);
        assert_eq!(scan(usize::MAX, 7), 2);
        assert_eq!(scan(usize::MAX, usize::MAX), 3);
    });
}

#[test]
fn five_thousand_entries_come_in_one_scan_and_in_windows() {
    each_in_memory_and_written(|store, write| {
        let mut batch = Batch::default();
        for place in 0..5000_u32 {
            batch.put(A, &place.to_be_bytes(), &place.to_le_bytes());
        }
        store.apply(&batch).unwrap();
        write(store);
        let all = store.scan(A, b"", None, EVERYTHING).unwrap();
        assert_eq!(all.len(), 5000);
        let right = |(place, (key, value)): (u32, &(_, _))| {
            *key == place.to_be_bytes()[..] && *value == place.to_le_bytes()[..]
        };
        assert!((0..).zip(&all).all(right));

        let window = ScanLimit {
            entries_max: 333,
            ..EVERYTHING
        };
        let mut walked = Vec::new();
        loop {
            let after = walked.last().map(|(key, _): &(bytes::Bytes, _)| key.clone());
            let found = store.scan(A, b"", after.as_deref(), window).unwrap();
            if found.is_empty() {
                break;
            }
            walked.extend(found);
        }
        assert_eq!(walked, all);
    });
}

#[test]
fn large_values_and_the_longest_key_come_back_whole() {
    each_in_memory_and_written(|store, write| {
        let key = vec![0xab; KEY_BYTES_MAX];
        let value = |len: usize| -> Vec<u8> { (0..len).map(|at| (at * 7 + len) as u8).collect() };
        for len in [1 << 20, 40_000, 3 << 20, 32_768, 32_769, 0, 100_000] {
            let mut batch = Batch::default();
            batch.put(A, &key, &value(len)).put(A, b"beside", &value(len / 2));
            apply_patiently(store, &batch);
            write(store);
            assert_eq!(store.get(A, &key).unwrap().unwrap(), value(len));
            let found = store.scan(A, b"", None, EVERYTHING).unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].1, value(len / 2));
            assert_eq!((&found[1].0[..], found[1].1.len()), (&key[..], len));
        }
        apply_patiently(store, Batch::default().remove(A, &key).remove(A, b"beside"));
        write(store);
        assert_eq!(store.scan(A, b"", None, EVERYTHING).unwrap(), []);
    });
}

#[test]
fn a_batch_that_no_store_can_take_leaves_no_trace() {
    each(|store| {
        put(store, A, &[("k", "old")]);
        let mut batch = Batch::default();
        batch
            .remove(A, b"k")
            .put(A, b"l", b"")
            .put(A, &[0; KEY_BYTES_MAX + 1], b"");
        assert!(matches!(store.apply(&batch), Err(StoreError::Full { .. })));
        assert_eq!(keys(store, A, "", None, EVERYTHING), ["k"]);
        put(store, A, &[("l", "and it goes on")]);
        assert_eq!(keys(store, A, "", None, EVERYTHING), ["k", "l"]);
    });
}

#[test]
fn a_batch_that_does_not_fit_into_memory_leaves_no_trace() {
    let mut store = MemoryStore::new(10);
    put(&mut store, A, &[("k", "1234")]);
    let mut batch = Batch::default();
    batch.remove(A, b"k").put(A, b"l", b"123456789");
    assert!(matches!(store.apply(&batch), Err(StoreError::Full { .. })));
    assert_eq!(
        (keys(&store, A, "", None, EVERYTHING), store.bytes()),
        (vec!["k".to_owned()], 5)
    );
}

#[test]
fn what_was_committed_is_there_when_the_store_is_opened_again() {
    for engine in durable() {
        for durability in [Durability::Process, Durability::Power] {
            let directory = tempfile::tempdir().unwrap();
            let mut store = (engine.open)(directory.path()).unwrap();
            put(&mut *store, A, &[("a", "1"), ("b", "2"), ("c", "3")]);
            store.commit(durability).unwrap();
            store
                .apply(Batch::default().remove(A, b"b").put(A, b"c", b"4"))
                .unwrap();
            store.commit(durability).unwrap();
            drop(store);
            let mut store = (engine.open)(directory.path()).unwrap();
            assert_eq!(keys(&*store, A, "", None, EVERYTHING), ["a", "c"], "{}", engine.name);
            assert_eq!(value(&*store, A, "c").as_deref(), Some("4"), "{}", engine.name);
            put(&mut *store, A, &[("a", "5")]);
            store.commit(durability).unwrap();
            drop(store);
            let store = (engine.open)(directory.path()).unwrap();
            assert_eq!(value(&*store, A, "a").as_deref(), Some("5"), "{}", engine.name);
        }
    }
}

#[test]
fn a_directory_that_is_in_use_is_refused() {
    for engine in durable() {
        let directory = tempfile::tempdir().unwrap();
        let store = (engine.open)(directory.path()).unwrap();
        let second = (engine.open)(directory.path()).map(|_| ());
        assert!(
            matches!(second, Err(StoreError::Locked { .. })),
            "{}: {second:?}",
            engine.name
        );
        drop(store);
        assert!((engine.open)(directory.path()).is_ok(), "{}", engine.name);
    }
}
