use super::*;

#[test]
fn messages_are_evenly_spaced_over_all_publishers() {
    let schedule = Schedule::new(1_000, 1_000.0, 4);
    for (publisher, message, millis) in [(0, 0, 0), (3, 0, 3), (0, 1, 4), (2, 10, 42)] {
        assert_eq!(schedule.due_ns(publisher, message), 1_000 + millis * 1_000_000);
    }
}

#[test]
fn an_agenda_gives_each_publisher_its_turn() {
    let schedule = Schedule::new(0, 1_000.0, 4);
    // This thread has publishers 1 and 3 of 4.
    let mut agenda = Agenda::new(&schedule, [(0, 1), (1, 3)].into_iter());
    let mut due =
        |millis: u64| std::iter::from_fn(|| agenda.pop_due(&schedule, millis * 1_000_000)).collect::<Vec<_>>();
    assert_eq!(due(0), [0_usize; 0]);
    assert_eq!(due(1), [0]);
    assert_eq!(due(5), [1, 0]);
    assert_eq!(due(13), [1, 0, 1, 0], "after 8 ms away nothing is skipped");
    assert_eq!(agenda.next_ns(), Some(15_000_000));
}

#[test]
fn a_long_run_does_not_drift() {
    let schedule = Schedule::new(0, 3.0, 3);
    assert_eq!(schedule.due_ns(0, 1_000_000), 1_000_000 * 1_000_000_000);
}
