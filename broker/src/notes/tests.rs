use super::*;

fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

const DROPPED: Decision = Decision::Dropped(Drop::Slow);

#[test]
fn the_same_decision_is_noted_once_a_second_and_counted_meanwhile() {
    let mut notes = Notes::default();
    let slow = client("slow");
    assert_eq!(notes.take(&slow, &DROPPED, Millis(5000)), Some(1));
    for _ in 0..100 {
        assert_eq!(notes.take(&slow, &DROPPED, Millis(5999)), None);
    }
    assert_eq!(notes.take(&slow, &DROPPED, Millis(6000)), Some(101));
}

#[test]
fn another_client_and_another_decision_are_noted_at_once() {
    let mut notes = Notes::default();
    assert_eq!(notes.take(&client("a"), &DROPPED, Millis(1)), Some(1));
    assert_eq!(notes.take(&client("b"), &DROPPED, Millis(1)), Some(1));
    assert_eq!(
        notes.take(&client("a"), &Decision::Dropped(Drop::Away), Millis(1)),
        Some(1)
    );
}

#[test]
fn a_line_has_a_bound_of_notes_whatever_clients_do() {
    let mut notes = Notes::default();
    let noted = (0..10_000).filter(|n| notes.take(&client(&format!("c{n}")), &DROPPED, Millis(1)).is_some());
    assert_eq!(noted.count(), NOTES_MAX as usize);
    assert_eq!(notes.take(&client("late"), &DROPPED, Millis(1001)), Some(1));
}
