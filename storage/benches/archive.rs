//! What a delivery costs in records: written and removed again, in CPU time of this thread.
//!
//! `cargo bench -p strowger-storage --bench archive`. Batches of 64 deliveries with a payload of 64 bytes, applied to a
//! store in memory; "records alone" counts the changes without applying them, which is what the records add to whatever
//! store is below. The figures are medians of 31 rounds.

#![allow(clippy::unwrap_used, reason = "a benchmark that fails should stop at once")]

use std::hint::black_box;

use mqtt_codec::{PacketId, QoS};
use storage::archive::{Archive, Holding};
use storage::record::{ContentRef, EntryRef, MessageId, MessageRef, Place, SessionId};
use storage::{MemoryStore, ScanLimit};

const ROUNDS: usize = 31;
const BATCHES: u64 = 400;
const BATCH: u64 = 64;
const RECEIVERS: u64 = 10;

const MESSAGE: MessageRef<'_> = MessageRef {
    topic: "plant/7/line/3/temperature",
    payload: &[b'x'; 64],
    qos: QoS::AtLeastOnce,
    retain: false,
    properties: None,
    expires_at: None,
};

fn entry(content: ContentRef<'_>) -> EntryRef<'_> {
    EntryRef {
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: &[],
        packet_id: Some(PacketId::MIN),
        group: None,
        cost_bytes: 250,
        content,
    }
}

/// Nanoseconds that this thread has run.
fn cpu_nanos() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

/// Prints the median of what `round` takes for each of `count` things.
fn measure(name: &str, count: u64, mut round: impl FnMut()) {
    round();
    let mut nanos: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let before = cpu_nanos();
            round();
            cpu_nanos() - before
        })
        .collect();
    nanos.sort_unstable();
    let median = nanos.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{name:<44} {:>6} ns", median / count);
}

fn archive() -> Archive<MemoryStore> {
    Archive::new(MemoryStore::new(usize::MAX), "memory", MessageId(0))
}

/// A batch of deliveries of their own, then a batch of their acknowledgements. `finish` applies a batch or drops it.
fn inline(name: &str, finish: impl Fn(&mut Archive<MemoryStore>)) {
    let mut archive = archive();
    let mut next = 0;
    measure(name, BATCHES * BATCH, || {
        for _ in 0..BATCHES {
            for place in next..next + BATCH {
                let entry = entry(ContentRef::Inline(black_box(MESSAGE)));
                archive.enqueue(SessionId(place % 50), Place(place), entry).unwrap();
            }
            finish(&mut archive);
            for place in next..next + BATCH {
                archive
                    .done(SessionId(place % 50), Place(place), Holding::queued(None))
                    .unwrap();
            }
            finish(&mut archive);
            next += BATCH;
        }
    });
}

/// The same with messages for ten sessions each.
fn shared(name: &str, finish: impl Fn(&mut Archive<MemoryStore>)) {
    let mut archive = archive();
    let mut next = 0;
    measure(name, BATCHES * BATCH * RECEIVERS, || {
        for _ in 0..BATCHES {
            for id in next..next + BATCH {
                for session in 0..RECEIVERS {
                    let entry = entry(ContentRef::Shared(MessageId(id), black_box(MESSAGE)));
                    archive.enqueue(SessionId(session), Place(id), entry).unwrap();
                }
            }
            finish(&mut archive);
            for id in next..next + BATCH {
                for session in 0..RECEIVERS {
                    let holding = Holding::queued(Some(MessageId(id)));
                    archive.done(SessionId(session), Place(id), holding).unwrap();
                }
            }
            finish(&mut archive);
            next += BATCH;
        }
    });
}

/// Each session acknowledges in a batch of its own: a count is written ten times.
fn shared_one_by_one(name: &str) {
    let mut archive = archive();
    let mut next = 0;
    measure(name, BATCHES * BATCH * RECEIVERS, || {
        for _ in 0..BATCHES {
            for id in next..next + BATCH {
                for session in 0..RECEIVERS {
                    let entry = entry(ContentRef::Shared(MessageId(id), black_box(MESSAGE)));
                    archive.enqueue(SessionId(session), Place(id), entry).unwrap();
                }
            }
            archive.apply().unwrap();
            for session in 0..RECEIVERS {
                for id in next..next + BATCH {
                    let holding = Holding::queued(Some(MessageId(id)));
                    archive.done(SessionId(session), Place(id), holding).unwrap();
                }
                archive.apply().unwrap();
            }
            next += BATCH;
        }
    });
}

/// A queue of 10,000 read back in windows of 100.
fn windows(name: &str) {
    const LIMIT: ScanLimit = ScanLimit {
        entries_max: 100,
        bytes_max: 1 << 20,
    };
    const QUEUED: u64 = 10_000;
    let mut archive = archive();
    for place in 1..=QUEUED {
        let mut entry = entry(ContentRef::Inline(MESSAGE));
        entry.packet_id = None;
        archive.enqueue(SessionId(1), Place(place), entry).unwrap();
    }
    archive.apply().unwrap();
    measure(name, QUEUED, || {
        let mut after = Place(0);
        loop {
            let window = archive.window(SessionId(1), after, LIMIT).unwrap();
            after = window.entries.last().map_or(after, |queued| queued.place);
            black_box(&window);
            if !window.more {
                break;
            }
        }
    });
}

fn main() {
    let apply = |archive: &mut Archive<MemoryStore>| archive.apply().unwrap();
    inline("inline: enqueue + done", apply);
    inline("inline: records alone", Archive::discard);
    shared("shared by 10: enqueue + done", apply);
    shared("shared by 10: records alone", Archive::discard);
    shared_one_by_one("shared by 10, done one by one");
    windows("inline: read back in windows of 100");
}
