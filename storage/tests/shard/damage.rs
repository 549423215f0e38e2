//! What was written comes back whole or not at all: every bit of every file, and every length of the last block.

use storage::faulty::Faults;
use storage::{Batch, Durability, Medium, Store, StoreError, Table};

use crate::world::{Model, World};

const TABLE: Table = Table(1);

/// A journal of three segments, with the state after each batch; each batch is a block and synced.
fn written() -> World {
    let mut world = World::new(3).opened();
    for number in 0..24_u32 {
        let mut batch = Batch::default();
        let mut after = world.model().clone();
        let key = number.to_be_bytes();
        let value = vec![number as u8; 150];
        batch.put_new(TABLE, &key, &value);
        after.insert((TABLE.0, key.to_vec()), value);
        if number % 3 == 2 {
            let old = (number - 1).to_be_bytes();
            batch.remove(TABLE, &old);
            after.remove(&(TABLE.0, old.to_vec()));
        }
        world.apply(&batch, after).unwrap();
        world.commit(Durability::Power).unwrap();
        if number % 8 == 0 {
            world.shard().maintain().unwrap();
        }
    }
    assert_eq!(world.medium.list().unwrap().len(), 4, "three segments and a spare one");
    world
}

/// Opens a copy in which one file has other bytes.
fn open_with(world: &World, name: &str, bytes: &[u8]) -> Result<World, StoreError> {
    let faults = Faults::none();
    let medium = world.medium.after_kill(&faults);
    medium.set_bytes(name, bytes);
    let mut found = World::on(1, medium, world.engine.after_power_cut(None, &faults), faults);
    found.open()?;
    Ok(found)
}

/// The names of the files, and of them the last that has blocks with the place where these end.
fn files(world: &World) -> (Vec<String>, String, usize) {
    let names = world.medium.list().unwrap();
    let used = |name: &&String| world.medium.bytes(name).unwrap()[36..].iter().any(|byte| *byte != 0);
    let last = names.iter().rev().find(used).unwrap().clone();
    let bytes = world.medium.bytes(&last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    (names, last, end)
}

/// Where the last block of a segment begins.
fn last_block(bytes: &[u8]) -> usize {
    bytes.windows(4).rposition(|window| window == b"SwBk").unwrap()
}

#[test]
fn a_bit_that_flips_anywhere_is_refused_or_costs_no_more_than_the_last_block() {
    let world = written();
    let (names, last, end) = files(&world);
    let tail = last_block(&world.medium.bytes(&last).unwrap());
    let newest = world.states.len() - 1;
    let (mut refused, mut cut) = (0, 0);
    for name in &names {
        let bytes = world.medium.bytes(name).unwrap();
        for offset in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[offset] ^= 1 << (offset % 8);
            let is_behind = *name > last || (*name == last && offset >= tail);
            match open_with(&world, name, &damaged) {
                Ok(mut found) => {
                    let state = found.read_all();
                    let lost = world
                        .states
                        .iter()
                        .rposition(|known| *known == state)
                        .map(|at| newest - at);
                    let is_zero_tail = *name > last || (*name == last && offset >= end);
                    // Zeros between segments are no data: a flip there is noticed where a tail could begin.
                    let is_gap = bytes[offset] == 0 && !is_behind;
                    match lost {
                        Some(0) => assert!(is_zero_tail || is_gap, "{name} {offset}: unnoticed"),
                        Some(1) => assert!(is_behind && !is_zero_tail, "{name} {offset}: one block lost"),
                        _ => panic!("{name} {offset}: {lost:?} blocks lost"),
                    }
                    cut += 1;
                }
                Err(StoreError::Damaged { file, .. }) => {
                    assert_eq!(file, world.medium.path(name), "at {offset}");
                    refused += 1;
                }
                Err(StoreError::Version { file, .. }) => {
                    assert!(file == world.medium.path(name) && (8..12).contains(&offset));
                }
                Err(error) => panic!("{name} {offset}: {error}"),
            }
        }
    }
    assert!(refused > 3000 && cut > 200, "{refused} refused, {cut} cut");
}

#[test]
fn a_tail_that_tore_at_any_byte_is_cut_and_reported() {
    let world = written();
    let (_, last, end) = files(&world);
    let bytes = world.medium.bytes(&last).unwrap();
    let start = last_block(&bytes);
    let newest = world.states.len() - 1;
    for torn in start..=end {
        let endings: [(&str, Vec<u8>); 3] = [
            ("zeros", vec![0; bytes.len() - torn]),
            ("garbage", vec![0xa5; bytes.len() - torn]),
            ("nothing", Vec::new()),
        ];
        for (ending, rest) in endings {
            let content = [&bytes[..torn], &rest].concat();
            let mut found = open_with(&world, &last, &content).unwrap();
            let is_whole = bytes[..end] == content[..end.min(content.len())];
            let kept = if is_whole { newest } else { newest - 1 };
            assert_eq!(found.read_all(), world.states[kept], "{ending} from {torn}");
            let reported = found.recovery.torn.clone().map(|torn| torn.offset);
            let is_torn = content[if is_whole { end } else { start }..]
                .iter()
                .any(|byte| *byte != 0);
            let wanted = is_torn.then_some(if is_whole { end } else { start } as u64);
            assert_eq!(reported, wanted, "{ending} from {torn}");
            // The next block stands where the torn one stood, and nothing of that shows behind it.
            found.states = vec![world.states[kept].clone()];
            let (batch, after) = found.draw();
            found.apply(&batch, after).unwrap();
            found.commit(Durability::Power).unwrap();
            let calm = Faults::none();
            let mut again =
                World::on(1, found.medium.after_power_cut(None, &calm), found.engine.clone(), calm).opened();
            assert_eq!(again.read_all(), *found.model());
            assert_eq!(again.recovery.torn, None);
        }
    }
}

/// The states that a reader could ever see are those of the history, whatever two things are damaged together.
#[test]
fn random_damage_never_shows_what_was_not_there() {
    let world = written();
    let (names, ..) = files(&world);
    let mut random = crate::world::Random(5);
    for round in 0..3000 {
        let name = &names[random.below(names.len() as u64) as usize];
        let mut bytes = world.medium.bytes(name).unwrap();
        let start = random.below(bytes.len() as u64) as usize;
        let end = (start + 1 + random.below(700) as usize).min(bytes.len());
        match random.below(3) {
            0 => bytes[start..end].fill(0),
            1 => bytes[start..end]
                .iter_mut()
                .for_each(|byte| *byte = random.below(256) as u8),
            _ => bytes.copy_within(start..end, random.below(200) as usize),
        }
        if let Ok(mut found) = open_with(&world, name, &bytes) {
            let state = found.read_all();
            assert!(world.states.contains(&state), "round {round}, {name}");
        }
    }
}

#[test]
fn a_segment_that_is_missing_is_damage() {
    let world = written();
    let (names, last, _) = files(&world);
    for name in names.iter().filter(|name| **name < last) {
        let faults = Faults::none();
        let mut medium = world.medium.after_kill(&faults);
        medium.remove(name).unwrap();
        let error = World::on(1, medium, world.engine.clone(), faults).open().unwrap_err();
        let StoreError::Damaged { file, what, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(
            (file, what.as_str()),
            (world.medium.path(name), "the segment is missing")
        );
    }
}

/// What lies in the segment that waits to be used is told once, and nothing of it is left for the blocks to come.
#[test]
fn garbage_in_the_spare_segment_is_told_once() {
    let world = written();
    let (names, ..) = files(&world);
    let spare = names.last().unwrap();
    let clean = world.medium.bytes(spare).unwrap();
    for start in [36, 200, clean.len() - 1] {
        let mut bytes = clean.clone();
        bytes[start..].fill(0xa5);
        let mut found = open_with(&world, spare, &bytes).unwrap();
        let torn = found.recovery.torn.clone().unwrap();
        assert_eq!((torn.file, torn.offset), (world.medium.path(spare), 36));
        assert_eq!(found.medium.bytes(spare).unwrap(), clean);
        assert_eq!(found.read_all(), *world.model());

        let calm = Faults::none();
        let medium = found.medium.after_power_cut(None, &calm);
        let mut again = World::on(1, medium, found.engine.clone(), calm).opened();
        assert_eq!(again.recovery.torn, None, "garbage from {start}");
        again.states = world.states.clone();
        for _ in 0..40 {
            let (batch, after) = again.draw();
            again.apply(&batch, after).unwrap();
            again.commit(Durability::Power).unwrap();
        }
        assert!(again.medium.bytes(spare).unwrap() != clean, "it is used");
        let calm = Faults::none();
        let medium = again.medium.after_power_cut(None, &calm);
        let mut last = World::on(1, medium, again.engine.clone(), calm).opened();
        assert_eq!((last.read_all(), last.recovery.torn), (again.model().clone(), None));
    }
}

/// A journal whose beginning is settled, and in which no block is whole.
#[test]
fn without_a_whole_block_the_first_of_the_lowest_segment_is_named() {
    let mut world = World::new(7).opened();
    for _ in 0..400 {
        let (batch, after) = world.draw();
        world.apply(&batch, after).unwrap();
        world.commit(Durability::Power).unwrap();
        while world.shard().maintain().unwrap() {}
    }
    let (names, ..) = files(&world);
    assert!(*names[0] > *"0000000000000002", "{names:?}");
    for (wrong, expected) in [
        (0x5a, "there is no block where one belongs"),
        (0, "there is no block where one belongs"),
        (b'S', "the head of the block is wrong"),
    ] {
        let faults = Faults::none();
        let medium = world.medium.after_kill(&faults);
        for name in &names {
            let mut bytes = world.medium.bytes(name).unwrap();
            match wrong {
                b'S' => bytes[40..].iter_mut().for_each(|byte| *byte ^= 1),
                wrong => bytes[36..].fill(wrong),
            }
            medium.set_bytes(name, &bytes);
        }
        let error = World::on(1, medium, world.engine.clone(), faults).open().unwrap_err();
        let StoreError::Damaged { file, offset, what } = error else {
            panic!("{error}");
        };
        assert_eq!(
            (file, offset, what.as_str()),
            (world.medium.path(&names[0]), Some(36), expected)
        );
    }
}

#[test]
fn a_segment_in_the_place_of_another_is_damage() {
    let world = written();
    let (names, ..) = files(&world);
    let second = world.medium.bytes(&names[1]).unwrap();
    assert!(matches!(
        open_with(&world, &names[0], &second),
        Err(StoreError::Damaged { .. })
    ));
    let other = written();
    let foreign = other.medium.bytes(&names[1]).unwrap();
    assert!(matches!(
        open_with(&world, &names[1], &foreign),
        Err(StoreError::Damaged { .. })
    ));
}

/// A block that is valid in itself, in the place of one of the same length.
#[test]
fn a_block_in_the_place_of_another_is_damage() {
    let world = written();
    let (names, last, end) = files(&world);
    let bytes = world.medium.bytes(&last).unwrap();
    let target = last_block(&bytes);
    let len = end - target;
    let mut tried = 0;
    for name in names.iter().filter(|name| **name <= last) {
        let source = world.medium.bytes(name).unwrap();
        let starts = (0..source.len() - len).filter(|start| source[*start..].starts_with(b"SwBk"));
        for start in starts.filter(|start| source[start + 4..start + 8] == bytes[target + 4..target + 8]) {
            if (name, start) == (&last, target) {
                continue;
            }
            let mut content = bytes.clone();
            content[target..end].copy_from_slice(&source[start..start + len]);
            let refused = open_with(&world, &last, &content).map(drop);
            let at = target as u64;
            assert!(matches!(refused, Err(StoreError::Damaged { offset: Some(offset), .. }) if offset == at));
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried} tried");
}

/// A client may send anything, even what looks like a block.
#[test]
fn what_a_client_sends_never_passes_for_a_block() {
    let source = written();
    let (names, ..) = files(&source);
    let image = source.medium.bytes(&names[0]).unwrap();
    let mut world = World::new(1).opened();
    let mut batch = Batch::default();
    batch.put(TABLE, b"image", &image[36..]);
    let mut after = Model::new();
    after.insert((TABLE.0, b"image".to_vec()), image[36..].to_vec());
    world.apply(&batch, after).unwrap();
    world.commit(Durability::Power).unwrap();
    let (_, last, end) = files(&world);
    let mut bytes = world.medium.bytes(&last).unwrap();
    bytes[end - 1] ^= 1;
    let mut found = open_with(&world, &last, &bytes).unwrap();
    assert_eq!(found.read_all(), Model::new());
    assert!(found.recovery.torn.is_some());
}

#[test]
fn another_version_is_named() {
    let world = written();
    let (names, ..) = files(&world);
    let mut bytes = world.medium.bytes(&names[0]).unwrap();
    bytes[8] = 2;
    let Err(error) = open_with(&world, &names[0], &bytes) else {
        panic!("it was opened");
    };
    assert!(
        matches!(error, StoreError::Version { found: 2, known: 1, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("format version 2, known up to 1"), "{error}");
}
