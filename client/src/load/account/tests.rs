use super::*;

fn account(publishers: Range<u32>, topics: u32) -> Account {
    let ear = Ear {
        publishers,
        topics: 0..topics,
    };
    Account::new(&ear, topics, |_, _| true)
}

fn mark(publisher: u32, sequence: u32) -> Mark {
    Mark {
        publisher,
        sequence,
        due_ns: 0,
    }
}

const FRESH: Heard = Heard::Fresh { skipped: 0 };

#[test]
fn messages_in_order_are_fresh() {
    let mut account = account(2..4, 1);
    for (publisher, sequence) in [(2, 0), (3, 0), (2, 1), (2, 2), (3, 1)] {
        assert_eq!(account.hear(mark(publisher, sequence)), FRESH);
    }
}

#[test]
fn a_loss_shows_as_skipped_and_a_repetition_as_stale() {
    let mut account = account(0..1, 1);
    assert_eq!(account.hear(mark(0, 0)), FRESH);
    assert_eq!(account.hear(mark(0, 3)), Heard::Fresh { skipped: 2 });
    assert_eq!(account.hear(mark(0, 3)), Heard::Stale);
    assert_eq!(account.hear(mark(0, 0)), Heard::Stale);
    assert_eq!(account.hear(mark(0, 4)), FRESH);
}

#[test]
fn what_was_skipped_comes_late_once_and_is_stale_after_that() {
    let mut account = account(0..1, 1);
    assert_eq!(account.hear(mark(0, 5)), Heard::Fresh { skipped: 5 });
    for sequence in [2, 0, 4, 3, 1] {
        assert_eq!(account.hear(mark(0, sequence)), Heard::Late, "{sequence}");
        assert_eq!(account.hear(mark(0, sequence)), Heard::Stale, "{sequence}");
    }
}

#[test]
fn order_counts_within_a_topic_only() {
    // Messages 0, 2, 4 go to the one topic, 1, 3, 5 to the other.
    let mut account = account(0..1, 2);
    for sequence in [1, 3, 0, 2, 5, 4] {
        assert_eq!(account.hear(mark(0, sequence)), FRESH, "{sequence}");
    }
    assert_eq!(account.hear(mark(0, 8)), Heard::Fresh { skipped: 1 });
}

#[test]
fn a_message_for_somebody_else_is_stale() {
    let mut one = account(2..4, 1);
    assert_eq!(one.hear(mark(1, 0)), Heard::Stale);
    assert_eq!(one.hear(mark(4, 0)), Heard::Stale);
    let ear = Ear {
        publishers: 0..1,
        topics: 0..2,
    };
    let mut picky = Account::new(&ear, 2, |_, place| place == 1);
    assert_eq!(picky.hear(mark(0, 0)), Heard::Stale);
    assert_eq!(picky.hear(mark(0, 1)), FRESH);
}

#[test]
fn the_memory_for_gaps_is_bounded() {
    let mut account = account(0..1, 1);
    for step in 0..10_000 {
        assert_eq!(account.hear(mark(0, step * 2 + 1)), Heard::Fresh { skipped: 1 });
    }
    assert_eq!(account.hear(mark(0, 0)), Heard::Stale, "given up");
    assert_eq!(account.hear(mark(0, 19_998)), Heard::Late, "remembered");
}
