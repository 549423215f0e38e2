//! Long random histories against a map.

use std::collections::BTreeMap;
use std::thread;

use storage::{Batch, Durability, ScanLimit, Store, Table};

use super::{ENGINES, Engine, number};

/// Batches of a history, unless `STROWGER_TEST_STEPS` says how many.
const STEPS: u64 = 800;
/// Histories on each engine, unless `STROWGER_TEST_HISTORIES` says how many.
const HISTORIES: u64 = 2;
const TABLES: u8 = 3;

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

#[test]
fn a_history_of_batches_equals_the_same_history_on_a_map() {
    for seed in 1..=number("STROWGER_TEST_HISTORIES", HISTORIES) {
        // Most of their time they wait for the disk.
        thread::scope(|scope| {
            for engine in &ENGINES {
                let run = move || run(engine, seed);
                let named = thread::Builder::new().name(format!("engine {}, seed {seed}", engine.name));
                named.spawn_scoped(scope, run).unwrap();
            }
        });
    }
}

/// Applies, commits, reads, maintains and, where the engine is durable, closes and opens again.
fn run(engine: &Engine, seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let mut store = (engine.open)(directory.path()).unwrap();
    let mut model = Model::new();
    for step in 0..number("STROWGER_TEST_STEPS", STEPS) {
        let batch = batch(&mut random, step, &mut model);
        store.apply(&batch).unwrap();
        match random.below(400) {
            0..10 => store.commit(Durability::Power).unwrap(),
            10..15 => store.commit(Durability::Process).unwrap(),
            15..55 => compare_somewhere(&*store, &model, &mut random),
            55..60 => drop(store.maintain().unwrap()),
            60..70 => drop(store.prepare_commit().unwrap()),
            70..72 if engine.is_durable => {
                store.commit(Durability::Process).unwrap();
                drop(store);
                store = (engine.open)(directory.path()).unwrap();
                compare(&*store, &model);
            }
            _ => {}
        }
    }
    compare(&*store, &model);
    while store.maintain().unwrap() {}
    compare(&*store, &model);
}

fn batch(random: &mut Random, step: u64, model: &mut Model) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..=random.below(8) {
        let table = random.below(u64::from(TABLES)) as u8;
        let key = key(random);
        if random.below(3) == 0 {
            batch.remove(Table(table), &key);
            model.remove(&(table, key));
        } else {
            let len = if random.below(200) == 0 {
                100_000
            } else {
                random.below(200)
            };
            let value = format!("{step} ").repeat(len as usize / 4);
            batch.put(Table(table), &key, value.as_bytes());
            model.insert((table, key), value.into_bytes());
        }
    }
    batch
}

/// Few and related keys, so that they are replaced, removed and each other's beginnings.
fn key(random: &mut Random) -> Vec<u8> {
    (0..=random.below(4))
        .map(|_| [0, b'a', b'b', 0xff][random.below(4) as usize])
        .collect()
}

fn compare_somewhere(store: &dyn Store, model: &Model, random: &mut Random) {
    let table = random.below(u64::from(TABLES)) as u8;
    let (prefix, after) = (key(random), key(random));
    assert_eq!(
        store.get(Table(table), &prefix).unwrap().as_deref(),
        model.get(&(table, prefix.clone())).map(Vec::as_slice)
    );

    let limit = ScanLimit {
        entries_max: random.below(20) as usize + 1,
        bytes_max: 100_000,
    };
    let after = (random.below(2) == 0).then_some(after);
    let found = store.scan(Table(table), &prefix, after.as_deref(), limit).unwrap();
    let mut bytes = 0;
    let wanted = model
        .iter()
        .filter(|((t, key), _)| {
            *t == table && key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key > after)
        })
        .enumerate()
        .take_while(|(count, ((_, key), value))| {
            let fits = !limit.is_reached(*count, bytes);
            bytes += key.len() + value.len();
            fits
        })
        .map(|(_, ((_, key), value))| (key.as_slice(), value.as_slice()));
    assert!(found.iter().map(|(key, value)| (&key[..], &value[..])).eq(wanted));
}

fn compare(store: &dyn Store, model: &Model) {
    for table in 0..TABLES {
        let found = store.scan(Table(table), b"", None, super::EVERYTHING).unwrap();
        let wanted = model.iter().filter(|((t, _), _)| *t == table);
        let wanted = wanted.map(|((_, key), value)| (key.as_slice(), value.as_slice()));
        assert!(
            found.iter().map(|(key, value)| (&key[..], &value[..])).eq(wanted),
            "table {table}"
        );
    }
}
