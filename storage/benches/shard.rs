//! CPU of this process per message that a shard takes and lets go again: one `put_new`, and one `remove` later.
//!
//! `cargo bench -p strowger-storage --bench shard -- DIRECTORY [power]`: records of 100 bytes, 64 a commit, 1,000
//! waiting at any time; with `power` each commit is synced. A thousandth of the messages is never removed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement that fails should stop at once"
)]

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use storage::{Batch, DataDirectory, Durability, MemoryStore, Shard, ShardOptions, Store, Table};

const COMMIT_RECORDS: u64 = 64;
const WAITING: u64 = 1000;
const TABLE: Table = Table(4);

fn time(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}

fn key(number: u64) -> [u8; 16] {
    // 50 sessions, each with ascending places, as queues are.
    let mut key = [0; 16];
    let (session, place) = key.split_at_mut(8);
    session.copy_from_slice(&(number % 50).to_be_bytes());
    place.copy_from_slice(&number.to_be_bytes());
    key
}

fn run(directory: &Path, durability: Durability, pairs: u64) {
    let name = "memory";
    let _ = std::fs::remove_dir_all(directory);
    let data = DataDirectory::open(directory, name).unwrap();
    let options = ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)));
    let (mut shard, _) = Shard::open(data, options).unwrap();
    let mut batch = Batch::default();
    let value = [7; 100];
    let (cpu, wall) = (time(ClockId::ProcessCPUTime), time(ClockId::Monotonic));
    for number in 0..pairs {
        batch.put_new(TABLE, &key(number), &value);
        if let Some(old) = number.checked_sub(WAITING).filter(|old| old % 1000 != 0) {
            batch.remove(TABLE, &key(old));
        }
        // A batch is what one line sends: some messages, not all of a commit.
        if number % 8 == 7 {
            shard.apply(&batch).unwrap();
            batch.clear();
        }
        if number % COMMIT_RECORDS == COMMIT_RECORDS - 1 {
            shard.commit(durability).unwrap();
            shard.maintain().unwrap();
        }
    }
    let (cpu, wall) = (time(ClockId::ProcessCPUTime) - cpu, time(ClockId::Monotonic) - wall);
    println!(
        "{durability:?}: {pairs} pairs, {:.3} us of CPU and {:.3} us in all per pair; journal {} KiB, overlay {} KiB in {} entries",
        cpu.as_secs_f64() * 1e6 / pairs as f64,
        wall.as_secs_f64() * 1e6 / pairs as f64,
        shard.journal_bytes() >> 10,
        shard.overlay_bytes() >> 10,
        shard.overlay_entries(),
    );
    drop(shard);
    std::fs::remove_dir_all(directory).unwrap();
}

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let place = arguments.first().map_or_else(std::env::temp_dir, Into::into);
    let directory = place.join("strowger-bench-shard");
    match arguments.get(1).map(String::as_str) {
        Some("power") => run(&directory, Durability::Power, 200_000),
        Some(other) => panic!("{other}: there is `power` and nothing else"),
        None => run(&directory, Durability::Process, 2_000_000),
    }
}
