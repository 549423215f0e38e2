//! The process is killed, or the power goes, at each thing that is done to the medium or the engine.

use storage::faulty::Faults;
use storage::{Durability, Store};

use crate::world::World;

const STEPS: usize = 150;

/// Histories, unless `STROWGER_TEST_HISTORIES` says how many, or `STROWGER_TEST_SEED` which one.
const HISTORIES: u64 = 4;

fn seeds() -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok()?.parse().ok();
    let histories = number("STROWGER_TEST_HISTORIES").unwrap_or(HISTORIES);
    number("STROWGER_TEST_SEED").map_or(0..histories, |seed: u64| seed..seed + 1)
}

/// Runs a history until something fails or it ends.
fn run(world: &mut World) {
    if world.open().is_err() {
        return;
    }
    for _ in 0..STEPS {
        // A batch can be taken while the engine behind it fails.
        if world.step().is_err() || world.faults.is_power_off() {
            break;
        }
    }
}

/// Opens what a crash left and checks that it is a state of the history, at or after what was promised. Then lets the
/// power go again while it is opened, and goes on.
fn check_reopened(mut found: World, before: &World, promised: usize, context: &str) {
    let seed = found.random.0;
    let (medium, engine) = (found.medium.clone(), found.engine.clone());
    found.open().unwrap_or_else(|error| panic!("{context}: {error}"));
    let state = found.read_all();
    let allowed = &before.states[promised..];
    assert!(
        allowed.contains(&state),
        "{context}: {} batches applied, {promised} promised, torn {:?}, found {:?}, wanted one of {allowed:?}",
        before.states.len() - 1,
        found.recovery.torn,
        state,
    );
    found.states = vec![state];
    // The second crash hits the recovery itself.
    let faults = Faults::none();
    let mut again = World::on(
        seed,
        medium.after_power_cut(None, &faults),
        engine.after_power_cut(None, &faults),
        faults.clone(),
    );
    faults.cut_power_at(1 + seed % 9);
    let _ = again.open();
    let calm = Faults::none();
    let mut third = World::on(
        seed,
        again.medium.after_power_cut(Some(seed), &calm),
        again.engine.after_power_cut(Some(seed), &calm),
        calm,
    );
    third
        .open()
        .unwrap_or_else(|error| panic!("{context}, then at opening: {error}"));
    assert!(allowed.contains(&third.read_all()), "{context}, then at opening");
    // What was recovered is a state to go on from.
    for _ in 0..40 {
        found
            .step()
            .unwrap_or_else(|error| panic!("{context}, going on: {error}"));
    }
    found.check();
}

#[test]
fn whatever_the_power_cut_hits_what_was_promised_is_there_and_batches_are_whole() {
    for seed in seeds() {
        let mut whole = World::new(seed);
        run(&mut whole);
        whole.check();
        assert!(whole.states.len() > 20, "a history that does something");
        for cut in 1..=whole.faults.operations() {
            let mut world = World::new(seed);
            world.faults.cut_power_at(cut);
            run(&mut world);
            for survivors in [None, Some(seed * 1000 + cut), Some(!cut)] {
                let calm = Faults::none();
                let found = World::on(
                    cut,
                    world.medium.after_power_cut(survivors, &calm),
                    world.engine.after_power_cut(survivors, &calm),
                    calm,
                );
                let context = format!("seed {seed}, power cut at {cut}, survivors {survivors:?}");
                check_reopened(found, &world, world.at_power, &context);
            }
        }
    }
}

#[test]
fn whenever_the_process_is_killed_what_was_written_is_there() {
    for seed in seeds() {
        for steps in (0..STEPS).step_by(3) {
            let mut world = World::new(seed).opened();
            for _ in 0..steps {
                world.step().unwrap();
            }
            let calm = Faults::none();
            let found = World::on(
                seed,
                world.medium.after_kill(&calm),
                world.engine.after_power_cut(Some(seed), &calm),
                calm,
            );
            check_reopened(
                found,
                &world,
                world.at_process,
                &format!("seed {seed}, killed after {steps}"),
            );
        }
    }
}

/// The medium promises nothing for what was written and not synced, in any order: a later block can be there while an
/// earlier one is not. That is a tail that tore, not damage.
#[test]
fn blocks_that_were_never_synced_may_be_lost_in_any_order() {
    let mut torn = 0;
    for seed in 0..200 {
        let mut world = World::new(seed).opened();
        let (batch, after) = world.draw();
        world.apply(&batch, after).unwrap();
        world.commit(Durability::Power).unwrap();
        for _ in 0..8 {
            let (batch, after) = world.draw();
            world.apply(&batch, after).unwrap();
            world.commit(Durability::Process).unwrap();
        }
        let calm = Faults::none();
        let mut found = World::on(
            seed,
            world.medium.after_power_cut(Some(seed), &calm),
            world.engine.clone(),
            calm,
        );
        found.open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(world.states[1..].contains(&found.read_all()), "seed {seed}");
        torn += usize::from(found.recovery.torn.is_some());
    }
    assert!(torn > 50, "{torn} of 200 tore");
}

/// The stamp comes back, and never goes back.
#[test]
fn time_and_number_come_back_as_they_were_committed() {
    let mut world = World::new(1).opened();
    let stamp = storage::Stamp {
        time_ms: 1_000_000,
        number: 77,
    };
    world.shard().raise_stamp(stamp);
    world.shard().raise_stamp(storage::Stamp { time_ms: 5, number: 78 });
    let wanted = storage::Stamp { number: 78, ..stamp };
    let (batch, after) = world.draw();
    world.apply(&batch, after).unwrap();
    world.commit(Durability::Power).unwrap();
    let calm = Faults::none();
    let mut found = World::on(1, world.medium.after_power_cut(None, &calm), world.engine.clone(), calm).opened();
    assert_eq!((found.recovery.stamp, found.shard().stamp()), (wanted, wanted));
    // It outlives the segment that it was written in.
    for _ in 0..400 {
        let (batch, after) = found.draw();
        found.apply(&batch, after).unwrap();
        found.commit(Durability::Power).unwrap();
        while found.shard().maintain().unwrap() {}
    }
    let calm = Faults::none();
    let mut last = World::on(1, found.medium.after_power_cut(None, &calm), found.engine.clone(), calm).opened();
    assert_eq!(last.shard().stamp(), wanted);
    assert_eq!(last.read_all(), *found.model());
}
