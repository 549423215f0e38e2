//! Engines whose process is killed at random moments.
//!
//! The test runs itself once more as a child, which writes a history that is known beforehand, one number per batch,
//! and says after each commit how far it is. The parent kills it and looks what is there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use storage::{Batch, Durability, Store, Table};

use super::history::Random;
use super::{ENGINES, EVERYTHING, durable};

const ROUNDS: u64 = 3;
const DIRECTORY: &str = "STORAGE_CRASH_DIRECTORY";
const ENGINE: &str = "STORAGE_CRASH_ENGINE";
const ENTRIES: Table = Table(7);
const PROGRESS: Table = Table(8);
const KEYS: u64 = 97;

#[test]
fn what_was_committed_is_there_after_a_kill() {
    for engine in durable() {
        let directory = tempfile::tempdir().unwrap();
        let mut random = Random(42);
        let mut before = 0;
        for round in 0..ROUNDS {
            // Sometimes while it opens the store.
            for _ in 0..2 {
                let mut child = child(engine.name, directory.path());
                thread::sleep(Duration::from_millis(random.below(20)));
                child.kill().unwrap();
                child.wait().unwrap();
            }
            let committed = kill_in_the_middle(engine.name, directory.path(), 40 + random.below(200));
            let store = (engine.open)(directory.path()).unwrap();
            let reached = progress(&*store);
            println!("{}, round {round}: {committed} committed, {reached} there", engine.name);
            assert!(committed > before, "{}: the child got nowhere", engine.name);
            assert!(
                reached >= committed,
                "{}: {committed} committed, {reached} there",
                engine.name
            );
            assert_holds(&*store, reached);
            before = reached;
        }
    }
}

/// Runs the child for some time after its first commit; returns the last batch that it said was committed.
fn kill_in_the_middle(engine: &str, directory: &Path, millis: u64) -> u64 {
    let mut child = child(engine, directory);
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let number = |line: String| line.strip_prefix("committed ")?.parse().ok();
    let first: u64 = lines.by_ref().find_map(number).unwrap();
    let reader = thread::spawn(move || lines.filter_map(number).last());
    thread::sleep(Duration::from_millis(millis));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap().unwrap_or(first)
}

fn child(engine: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_writes_until_it_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ENGINE, engine)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn child_writes_until_it_is_killed() {
    let (Ok(directory), Ok(name)) = (std::env::var(DIRECTORY), std::env::var(ENGINE)) else {
        return;
    };
    let engine = ENGINES.iter().find(|engine| engine.name == name).unwrap();
    let mut store = (engine.open)(Path::new(&directory)).unwrap();
    println!();
    for step in progress(&*store) + 1.. {
        store.apply(&batch(step)).unwrap();
        if step % 7 == 0 {
            store.commit(Durability::Power).unwrap();
            println!("committed {step}");
        }
        if step % 100 == 0 {
            store.maintain().unwrap();
        }
    }
}

fn progress(store: &dyn Store) -> u64 {
    let step = store.get(PROGRESS, b"step").unwrap();
    step.map_or(0, |step| u64::from_be_bytes(step[..].try_into().unwrap()))
}

/// Each batch puts one key anew, removes another and says its number.
fn batch(step: u64) -> Batch {
    let mut batch = Batch::default();
    batch.put(ENTRIES, &key(step), &value(step));
    batch.remove(ENTRIES, &key(step + KEYS / 2));
    batch.put(PROGRESS, b"step", &step.to_be_bytes());
    batch
}

fn key(step: u64) -> [u8; 8] {
    (step % KEYS).to_be_bytes()
}

/// One in fifty is large.
fn value(step: u64) -> Vec<u8> {
    let len = if step.is_multiple_of(50) {
        200_000
    } else {
        100 + step % 400
    };
    (0..len).map(|at| (step * 31 + at) as u8).collect()
}

/// The state is exactly that after batch `step`: the last half of a round over the keys, each with its last value.
fn assert_holds(store: &dyn Store, step: u64) {
    let first = (step + 1).saturating_sub(KEYS - KEYS / 2).max(1);
    let mut wanted: Vec<([u8; 8], Vec<u8>)> = (first..=step).map(|step| (key(step), value(step))).collect();
    wanted.sort();
    let found = store.scan(ENTRIES, b"", None, EVERYTHING).unwrap();
    let found_keys: Vec<&[u8]> = found.iter().map(|(key, _)| &key[..]).collect();
    let wanted_keys: Vec<&[u8]> = wanted.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(found_keys, wanted_keys, "after batch {step}");
    assert!(
        found.iter().zip(&wanted).all(|(found, wanted)| found.1 == wanted.1),
        "after batch {step}"
    );
}
