//! Faults of the medium and of the engine: what is refused, what ends the shard, and what comes back.

use storage::faulty::{Fault, Faults, Operation};
use storage::{Batch, Durability, Medium, Room, Store, StoreError, Table};

use crate::world::{Model, World};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const TABLE: Table = Table(1);

fn put(number: u32, model: &Model) -> (Batch, Model) {
    let mut batch = Batch::default();
    let mut after = model.clone();
    batch.put_new(TABLE, &number.to_be_bytes(), &[7; 100]);
    after.insert((TABLE.0, number.to_be_bytes().to_vec()), vec![7; 100]);
    (batch, after)
}

fn remove(number: u32, model: &Model) -> (Batch, Model) {
    let mut batch = Batch::default();
    let mut after = model.clone();
    batch.remove(TABLE, &number.to_be_bytes());
    after.remove(&(TABLE.0, number.to_be_bytes().to_vec()));
    (batch, after)
}

fn put_and_commit(world: &mut World, number: u32) -> Result<(), StoreError> {
    let (batch, after) = put(number, world.model());
    world.apply(&batch, after)?;
    world.commit(Durability::Power)
}

/// The same data after a power cut, on a medium without faults.
fn reopened(world: &World, seed: u64) -> World {
    let calm = Faults::none();
    let medium = world.medium.after_power_cut(Some(seed), &calm);
    World::on(seed, medium, world.engine.after_power_cut(Some(seed), &calm), calm).opened()
}

#[test]
fn a_short_write_is_gone_on_with() {
    let mut world = World::new(1).opened();
    world.faults.plan(Operation::Write, 1, Fault::Short);
    world.faults.plan(Operation::Write, 2, Fault::Short);
    put_and_commit(&mut world, 1).unwrap();
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}

#[test]
fn a_write_that_fails_ends_the_shard_and_keeps_what_was_promised() {
    for fault in [Fault::Error(EIO), Fault::Partial(EIO)] {
        let mut world = World::new(1).opened();
        put_and_commit(&mut world, 1).unwrap();
        world.faults.plan(Operation::Write, 1, fault);
        let error = put_and_commit(&mut world, 2).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot write faulty/0000000000000001.log: "),
            "{error}"
        );
        refuses_all(&mut world);
        assert_eq!(reopened(&world, 1).read_all(), world.states[1]);
    }
}

#[test]
fn a_sync_that_fails_ends_the_shard_though_the_next_would_succeed() {
    let mut world = World::new(1).opened();
    put_and_commit(&mut world, 1).unwrap();
    world.faults.plan(Operation::Sync, 1, Fault::Error(EIO));
    let error = put_and_commit(&mut world, 2).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot sync faulty/0000000000000001.log: "),
        "{error}"
    );
    refuses_all(&mut world);
    for seed in 0..20 {
        assert_eq!(
            reopened(&world, seed).read_all(),
            world.states[1],
            "what no sync covered is lost"
        );
    }
}

fn refuses_all(world: &mut World) {
    assert!(world.shard().has_failed());
    for number in 0..3 {
        let (batch, after) = put(100 + number, world.model());
        assert!(matches!(world.apply(&batch, after), Err(StoreError::Failed { .. })));
        for durability in [Durability::Memory, Durability::Process, Durability::Power] {
            assert!(matches!(world.commit(durability), Err(StoreError::Failed { .. })));
        }
        assert!(matches!(world.shard().maintain(), Err(StoreError::Failed { .. })));
    }
}

/// The kernel drops what a failed sync did not write, and yet goes on showing it. Opened in the same machine, that must
/// not become a promise that rests on nothing.
#[test]
fn what_is_found_after_a_failed_sync_is_on_the_medium_before_it_is_built_upon() {
    let mut world = World::new(1).opened();
    put_and_commit(&mut world, 1).unwrap();
    world.faults.plan(Operation::Sync, 1, Fault::Error(EIO));
    put_and_commit(&mut world, 2).unwrap_err();
    world.shard = None;
    world.open().unwrap();
    assert_eq!(world.read_all(), world.states[2], "the cache of the kernel has it");
    put_and_commit(&mut world, 3).unwrap();
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}

/// The same of the segment that waits to be used: blocks behind a head that is not on the medium would be lost with it.
#[test]
fn the_head_of_a_spare_segment_is_on_the_medium_before_blocks_are_behind_it() {
    let mut world = World::new(1).opened();
    put_and_commit(&mut world, 1).unwrap();
    world.faults.plan(Operation::Sync, 1, Fault::Error(EIO));
    world.shard().maintain().unwrap_err();
    assert_eq!(world.medium.list().unwrap().len(), 2, "it stays there");
    world.shard = None;
    world.open().unwrap();
    for number in 2..30 {
        put_and_commit(&mut world, number).unwrap();
    }
    assert!(world.medium.list().unwrap().len() >= 2);
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}

#[test]
fn a_write_without_room_is_tried_again_by_the_next_commit() {
    let mut world = World::new(1).opened();
    put_and_commit(&mut world, 1).unwrap();
    world.faults.plan(Operation::Write, 1, Fault::Partial(ENOSPC));
    let (batch, after) = put(2, world.model());
    world.apply(&batch, after).unwrap();
    assert!(matches!(world.commit(Durability::Power), Err(StoreError::Full { .. })));
    assert_eq!(world.shard().room(), Room::Low);
    assert_eq!(reopened(&world, 1).read_all(), world.states[1]);
    assert_eq!(world.read_all(), world.states[2], "what was taken is seen");
    world.commit(Durability::Power).unwrap();
    put_and_commit(&mut world, 3).unwrap();
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}

#[test]
fn a_full_medium_is_known_before_it_is_full_and_comes_back_with_space() {
    let mut world = World::new(1);
    world.overlay_bytes_max = 1 << 20;
    let mut world = world.opened();
    world.faults.limit_space(Some(5 * 2048));
    // The engine has no room either, from here on.
    for nth in 1..10_000 {
        world.faults.plan(Operation::Apply, nth, Fault::Error(ENOSPC));
    }
    let mut number = 0;
    while world.shard().room() == Room::Plenty {
        number += 1;
        put_and_commit(&mut world, number).unwrap();
        let _ = world.shard().maintain();
        assert!(number < 1000, "it never runs low");
    }
    assert!(number > 20, "low after {number}");
    // What removes still fits, and so do some more.
    for removed in 1..=5 {
        let (batch, after) = remove(removed, world.model());
        world.apply(&batch, after).unwrap();
        world.commit(Durability::Power).unwrap();
    }
    let error = loop {
        number += 1;
        match put_and_commit(&mut world, number) {
            Ok(()) => assert!(number < 1000, "it never gets full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(!world.shard().has_failed());
    world.check();
    assert_eq!(
        reopened(&world, 1).read_all(),
        *world.model(),
        "a refused batch leaves no trace"
    );
    world.faults.limit_space(None);
    let (medium, calm) = (world.medium.clone(), Faults::none());
    let engine = world.engine.after_power_cut(None, &calm);
    world.shard().replace_engine(|| Ok(Box::new(engine.clone()))).unwrap();
    world.engine = engine;
    for _ in 0..1000 {
        world.shard().maintain().unwrap();
    }
    assert_eq!(world.shard().room(), Room::Plenty);
    for more in 0..50 {
        put_and_commit(&mut world, 2000 + more).unwrap();
    }
    world.check();
    drop(medium);
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}

/// The medium and the engine are full, and then the engine is not: however full the last segment is, settling can
/// record that the oldest may go.
#[test]
fn a_journal_that_fills_the_medium_frees_itself() {
    for size in 0..150 {
        let mut world = World::new(1);
        world.overlay_bytes_max = 1 << 20;
        let mut world = world.opened();
        world.faults.limit_space(Some(3 * 2048));
        for nth in 1..=1000 {
            world.faults.plan(Operation::Apply, nth, Fault::Error(ENOSPC));
        }
        let faults = world.faults.clone();
        let mut number = 0_u32;
        let mut put = || {
            number += 1;
            let mut batch = Batch::default();
            batch.put(TABLE, &number.to_be_bytes(), &vec![7; 1 + size]);
            let taken = world.shard().apply(&batch);
            world.shard().commit(Durability::Power).unwrap();
            let _ = world.shard().maintain();
            taken
        };
        let full = (0..1000).find_map(|_| put().err());
        assert!(matches!(full, Some(StoreError::Full { .. })), "{size}: {full:?}");
        faults.clear();
        let refused = (0..100).filter(|_| put().is_err()).count();
        assert!(refused < 20 && put().is_ok(), "{size}: it stays full");
    }
}

#[test]
fn the_free_space_of_the_file_system_counts_too() {
    let faults = Faults::none();
    let mut world = World::new(1);
    world.faults = faults;
    let options = storage::ShardOptions {
        free_bytes_min: 10_000,
        ..crate::world::options(&world.engine)
    };
    let limit = Faults::none();
    limit.limit_space(Some(12_000));
    let medium = storage::faulty::FaultyMedium::new(&limit);
    let (mut shard, _) = storage::Shard::open_on(Box::new(medium), options, false).unwrap();
    assert_eq!(shard.room(), Room::Plenty);
    shard.maintain().unwrap();
    shard.maintain().unwrap();
    assert_eq!(shard.room(), Room::Low);
    limit.limit_space(Some(1 << 20));
    shard.maintain().unwrap();
    assert_eq!(shard.room(), Room::Plenty);
}

/// Whatever the engine does, nothing is lost and the shard goes on; when it was opened again it gets all.
#[test]
fn an_engine_that_fails_loses_nothing() {
    for seed in 0..40 {
        for (operation, fault) in [
            (Operation::Apply, Fault::Error(EIO)),
            (Operation::Apply, Fault::Error(ENOSPC)),
            (Operation::Commit, Fault::Error(EIO)),
            (Operation::Commit, Fault::Error(ENOSPC)),
        ] {
            let mut world = World::new(seed).opened();
            world.faults.plan(operation, 1 + seed % 5, fault);
            let mut failures = 0;
            for number in 0..150 {
                let (batch, after) = match number % 5 {
                    4 => remove(number - 2, world.model()),
                    _ => put(number, world.model()),
                };
                world.apply(&batch, after).unwrap();
                world.commit(Durability::Power).unwrap();
                for _ in 0..4 {
                    let Err(error) = world.shard().maintain() else { continue };
                    failures += 1;
                    assert!(!world.shard().has_failed());
                    if matches!(error, StoreError::Failed { .. }) {
                        let engine = world.engine.after_power_cut(Some(seed), &world.faults);
                        world.shard().replace_engine(|| Ok(Box::new(engine.clone()))).unwrap();
                        world.engine = engine;
                    }
                }
            }
            assert!(failures > 0, "seed {seed}: {operation:?} never failed");
            assert_eq!(world.read_all(), *world.model(), "seed {seed}");
            assert_eq!(reopened(&world, seed).read_all(), *world.model(), "seed {seed}");
        }
    }
}

/// An engine that cannot be opened again leaves a shard that refuses when its memory is used up, and says why.
#[test]
fn without_an_engine_the_shard_fills_up_and_says_why() {
    let mut world = World::new(1).opened();
    let failing = || {
        Err(StoreError::Full {
            what: "no engine".to_owned(),
        })
    };
    assert!(world.shard().replace_engine(failing).is_err());
    let error = (0..1000)
        .find_map(|number| put_and_commit(&mut world, number).err())
        .unwrap();
    assert!(matches!(error, StoreError::Full { .. }));
    assert!(error.to_string().contains("the engine takes nothing"), "{error}");
    let engine = world.engine.clone();
    world.shard().replace_engine(|| Ok(Box::new(engine))).unwrap();
    for number in 2000..2100 {
        put_and_commit(&mut world, number).unwrap();
    }
    assert_eq!(world.read_all(), *world.model());
}

#[test]
fn what_no_store_can_take_is_refused_whole() {
    let mut world = World::new(1).opened();
    let mut batch = Batch::default();
    batch
        .put(TABLE, b"fits", b"1")
        .put(TABLE, &[1; storage::KEY_BYTES_MAX + 1], b"2");
    let error = world.shard().apply(&batch).unwrap_err();
    assert_eq!(error.to_string(), "no room: a key of 1025 bytes, 1024 at most");
    assert_eq!(world.read_all(), Model::new());
}

/// One value can be larger than a segment and than the memory for changes: it gets a segment of its size.
#[test]
fn a_value_larger_than_everything_passes_through() {
    let mut world = World::new(1).opened();
    for number in 0..5_u8 {
        let mut batch = Batch::default();
        let value = vec![number; 100_000];
        batch.put(TABLE, &[number], &value);
        let mut after = world.model().clone();
        after.insert((TABLE.0, vec![number]), value);
        world.apply(&batch, after).unwrap();
        world.commit(Durability::Power).unwrap();
        assert_eq!(reopened(&world, 1).read_all(), *world.model());
    }
    while world.shard().maintain().unwrap() {}
    assert!(world.shard().overlay_bytes() < 10 << 10);
    assert!(world.shard().journal_bytes() <= 4 * 2048);
    assert_eq!(world.read_all(), *world.model());
    assert_eq!(reopened(&world, 1).read_all(), *world.model());
}
