use mqtt_codec::{ClientId, TopicFilter};

use super::{Change, Durability, Gate, Health, Keeper, Progress, SessionId, SessionImage};
use crate::limits::Limits;

fn keeper() -> Keeper {
    let limits = Limits {
        durability: Durability::Disk,
        durability_rules: vec![
            (TopicFilter::new("light/grave/#").unwrap(), Durability::Disk),
            (TopicFilter::new("light/+").unwrap(), Durability::Memory),
            (TopicFilter::new("#").unwrap(), Durability::Os),
        ],
        ..Limits::default()
    };
    Keeper::new(3, &limits, 0)
}

fn ended(id: u64) -> Change {
    Change::EndSession(SessionId(id))
}

fn synced(number: u64) -> Progress {
    Progress {
        written: number,
        synced: number,
    }
}

#[test]
fn progress_opens_the_gates_of_its_class() {
    let progress = Progress { written: 5, synced: 3 };
    let opens = |number, durability| progress.opens(Gate { number, durability });
    assert!(opens(99, Durability::Memory));
    assert!(opens(5, Durability::Os) && !opens(6, Durability::Os));
    assert!(opens(3, Durability::Disk) && !opens(4, Durability::Disk));
}

#[test]
fn the_first_rule_that_matches_says_what_a_topic_survives() {
    let keeper = keeper();
    for (topic, durability) in [
        ("light/grave/1", Durability::Disk),
        ("light/1", Durability::Memory),
        ("light/1/2", Durability::Os),
        ("other", Durability::Os),
        ("$SYS/broker/uptime", Durability::Memory),
    ] {
        assert_eq!(keeper.durability_of(topic), durability, "{topic}");
    }
    let nothing = Keeper::new(0, &Limits::default(), 0);
    assert_eq!(nothing.durability_of("other"), Durability::Memory);
}

#[test]
fn numbers_of_lines_never_meet_and_go_on_behind_what_the_store_has_seen() {
    let limits = Limits::default();
    let mut lines: Vec<Keeper> = (0..3).map(|line| Keeper::new(line, &limits, 0)).collect();
    let mut seen: Vec<u64> = (0..5)
        .flat_map(|_| lines.iter_mut().map(|keeper| keeper.place().0).collect::<Vec<_>>())
        .collect();
    let highest = *seen.iter().max().unwrap();
    let mut later = Keeper::new(0, &limits, highest);
    assert!(later.session_id().0 > highest && later.message_id().0 > highest);
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

#[test]
fn a_turn_with_nothing_for_the_store_makes_no_batch() {
    let mut keeper = keeper();
    assert!(keeper.take_batch().is_none() && !keeper.has_batch());
    keeper.note(ended(1));
    assert!(keeper.has_batch());
    let batch = keeper.take_batch().unwrap();
    assert_eq!((batch.line, batch.number, batch.durability), (3, 1, Durability::Memory));
    assert!(keeper.take_batch().is_none());
    keeper.keep(ended(2), Durability::Os);
    keeper.keep(ended(3), Durability::Disk);
    let batch = keeper.take_batch().unwrap();
    assert_eq!(
        (batch.number, batch.durability, batch.changes.len()),
        (2, Durability::Disk, 2)
    );
}

/// A broker that stops waits for what is under way, and not for what clients go on sending.
#[test]
fn what_comes_behind_a_mark_is_not_waited_for() {
    let mut keeper = keeper();
    assert!(!keeper.awaits(keeper.mark()));
    keeper.keep(ended(1), Durability::Disk);
    let mark = keeper.mark();
    assert!(keeper.awaits(mark));
    let first = keeper.take_batch().unwrap();
    assert_eq!(first.number, mark);
    assert!(keeper.awaits(mark));
    keeper.keep(ended(2), Durability::Disk);
    keeper.advance(synced(first.number), &mut Vec::new());
    assert!(!keeper.awaits(mark) && keeper.awaits(u64::MAX));
    let second = keeper.take_batch().unwrap();
    assert!(!keeper.awaits(mark) && keeper.awaits(keeper.mark()));
    keeper.advance(synced(second.number), &mut Vec::new());
    assert!(!keeper.awaits(u64::MAX));
}

#[test]
fn an_answer_owes_what_its_own_request_asked_for() {
    let mut keeper = keeper();
    keeper.begin();
    keeper.keep(ended(1), Durability::Disk);
    assert_eq!(keeper.owed(), Some(keeper.gate(Durability::Disk)));
    keeper.begin();
    keeper.note(ended(2));
    assert_eq!(keeper.owed(), None, "nobody waits for what is noted");
    keeper.keep_aside(ended(3), Durability::Disk);
    assert_eq!(keeper.owed(), None, "others wait for it");
    keeper.owe(Durability::Os);
    assert_eq!(keeper.owed(), Some(keeper.gate(Durability::Os)));
}

#[test]
fn slots_are_told_when_their_gates_open() {
    let mut keeper = keeper();
    keeper.keep(ended(1), Durability::Disk);
    keeper.wait(keeper.gate(Durability::Disk), 7);
    keeper.wait(keeper.gate(Durability::Os), 8);
    _ = keeper.take_batch();
    keeper.keep(ended(2), Durability::Disk);
    keeper.wait(keeper.gate(Durability::Disk), 9);
    let mut opened = Vec::new();
    keeper.advance(Progress { written: 1, synced: 0 }, &mut opened);
    assert_eq!(opened, [8]);
    keeper.advance(synced(1), &mut opened);
    assert_eq!(opened, [8, 7]);
    keeper.advance(synced(2), &mut opened);
    assert_eq!(opened, [8, 7, 9]);
}

#[test]
fn a_failed_store_is_told_nothing_more() {
    let mut keeper = keeper();
    keeper.health = Health::Failed;
    let image = SessionImage {
        id: SessionId(1),
        client_id: ClientId::new("a").unwrap(),
        username: None,
        expiry_secs: 1,
        left_at: None,
        will: None,
    };
    keeper.keep(Change::Session(Box::new(image)), Durability::Disk);
    keeper.note(ended(1));
    assert!(!keeper.has_batch());
}
