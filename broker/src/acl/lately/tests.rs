use super::*;

fn asked(slot: u32, bearer: u32, action: Action) -> Asked {
    Asked {
        session: SessionKey::new(0, slot, 0),
        bearer,
        action,
        qos: QoS::AtMostOnce,
        retain: false,
    }
}

fn lately(decisions_max: usize) -> Lately {
    Lately::new(decisions_max, FixedState::with_seed(7))
}

/// What `lately` says, and whether it had to ask.
fn ask(lately: &mut Lately, asked: Asked, topic: &str, truth: bool) -> (bool, bool) {
    let mut had_to = false;
    let said = lately.or_decide(asked, topic, || {
        had_to = true;
        truth
    });
    (said, had_to)
}

#[test]
fn what_was_decided_is_not_asked_again() {
    let mut lately = lately(100);
    let publish = asked(1, 1, Action::Publish);
    assert_eq!(ask(&mut lately, publish, "a", true), (true, true));
    assert_eq!(ask(&mut lately, publish, "a", false), (true, false));
    assert_eq!(ask(&mut lately, publish, "b", false), (false, true));
    assert_eq!(ask(&mut lately, publish, "b", true), (false, false));
}

#[test]
fn a_decision_is_for_one_client_one_identity_and_one_question() {
    let mut lately = lately(100);
    let first = asked(1, 1, Action::Publish);
    ask(&mut lately, first, "a", true);
    let others = [
        Asked {
            session: SessionKey::new(0, 2, 0),
            ..first
        },
        Asked {
            session: SessionKey::new(0, 1, 1),
            ..first
        },
        Asked { bearer: 2, ..first },
        Asked {
            action: Action::Receive,
            ..first
        },
        Asked {
            qos: QoS::AtLeastOnce,
            ..first
        },
        Asked { retain: true, ..first },
    ];
    for other in others {
        assert_eq!(ask(&mut lately, other, "a", false), (false, true), "{other:?}");
    }
}

#[test]
fn another_book_is_asked_anew() {
    let mut lately = lately(100);
    let publish = asked(1, 1, Action::Publish);
    ask(&mut lately, publish, "a", true);
    lately.clear();
    assert_eq!(ask(&mut lately, publish, "a", false), (false, true));
}

#[test]
fn no_more_than_the_bound_are_remembered_and_those_in_use_stay() {
    let mut lately = lately(100);
    let busy = asked(1, 1, Action::Publish);
    ask(&mut lately, busy, "busy", true);
    for count in 0..10_000 {
        ask(&mut lately, asked(2, 1, Action::Publish), &format!("t/{count}"), false);
        assert!(lately.len() <= 100);
        if count % 20 == 0 {
            assert_eq!(ask(&mut lately, busy, "busy", false), (true, false), "after {count}");
        }
    }
}

#[test]
fn long_topics_and_a_bound_of_nothing_are_asked_each_time() {
    let long = "x".repeat(TOPIC_BYTES_MAX + 1);
    let publish = asked(1, 1, Action::Publish);
    let mut some = lately(100);
    ask(&mut some, publish, &long, true);
    assert_eq!(ask(&mut some, publish, &long, false), (false, true));
    let mut none = lately(0);
    ask(&mut none, publish, "a", true);
    assert_eq!(ask(&mut none, publish, "a", false), (false, true));
}
