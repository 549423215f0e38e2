//! The journal of what is gone gives its space back.

use storage::faulty::{Faults, FaultyMedium};
use storage::{Batch, Durability, MemoryStore, Shard, ShardOptions, Store, Table};

const TABLE: Table = Table(1);
const SEGMENT: u64 = 16 << 10;
const JOURNAL_MAX: u64 = 256 << 10;

fn opened(medium: &FaultyMedium) -> Shard {
    let options = ShardOptions {
        segment_bytes: SEGMENT,
        journal_bytes_max: JOURNAL_MAX,
        overlay_bytes_max: 1 << 20,
        free_bytes_min: 0,
        ..ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)))
    };
    Shard::open_on(Box::new(medium.clone()), options, false).unwrap().0
}

fn change(shard: &mut Shard, change: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::default();
    change(&mut batch);
    shard.apply(&batch).unwrap();
    shard.commit(Durability::Process).unwrap();
    while shard.maintain().unwrap() {}
}

/// What lives keeps its place up to the bound; when it goes, the journal shrinks to a quarter, also where the broker was
/// restarted meanwhile and cannot know what the engine has.
#[test]
fn a_journal_of_what_is_gone_shrinks() {
    for restarts in [false, true] {
        let medium = FaultyMedium::new(&Faults::none());
        let mut shard = opened(&medium);
        let keys: Vec<_> = (0..1000_u32).map(u32::to_be_bytes).collect();
        for key in &keys {
            change(&mut shard, |batch| _ = batch.put_new(TABLE, key, &[1; 150]));
        }
        let full = shard.journal_bytes();
        assert!(full > JOURNAL_MAX / 2, "{full} bytes");
        assert_eq!(shard.overlay_entries(), 1000, "nothing is settled yet");
        if restarts {
            drop(shard);
            shard = opened(&medium);
        }
        for key in &keys {
            change(&mut shard, |batch| _ = batch.remove(TABLE, key));
        }
        let rest = shard.journal_bytes();
        assert!(rest <= JOURNAL_MAX / 4, "{full} bytes, then {rest}");
    }
}
