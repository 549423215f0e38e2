//! Retained messages: stored, cleared, found.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::TopicName;

use super::super::{Retained, RetainedLimits, RetainedRefusal, ScanBudget};
use super::model;
use super::random::{Random, seed};
use super::*;
use crate::message::{Message, Millis};

const NOW: Millis = Millis(1_000_000);
const ALL: ScanBudget = ScanBudget {
    found_max: usize::MAX,
    examine_max: usize::MAX,
};

fn store() -> Retained {
    Retained::new(RetainedLimits {
        messages_max: 1_000,
        payload_bytes_max: 100,
    })
}

fn message(topic: &str, payload: &str, expires_at: Option<Millis>) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new(topic.to_owned()).expect("a valid topic"),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: None,
        expires_at,
        publisher: None,
        id: 0,
        arrived_micros: 0,
        trace: None,
    })
}

fn retained(topics: &[&str]) -> Retained {
    let mut store = store();
    for topic in topics {
        store.apply(&message(topic, "x", None)).expect("within limits");
    }
    store
}

/// All topics that a scan finds, in calls of this budget.
fn scan(store: &Retained, filter: &str, budget: ScanBudget) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let before = found.len();
        cursor = store.scan(filter, cursor.as_ref(), budget, NOW, &mut found);
        assert!(found.len() - before <= budget.found_max);
        if cursor.is_none() {
            return found.iter().map(|message| message.topic.to_string()).collect();
        }
    }
}

/// [MQTT-3.3.1-5] in 3.1.1, [MQTT-3.3.1-5] in 5.0: the latest message of a topic takes the place of the one before.
#[test]
fn v311_3_3_1_5_a_topic_keeps_its_latest_message() {
    let mut store = store();
    store.apply(&message("a", "old", None)).expect("within limits");
    let old = store.bytes();
    store.apply(&message("a", "newer", Some(NOW))).expect("within limits");

    assert_eq!(store.len(), 1);
    assert_eq!(store.get("a").expect("kept").payload, "newer");
    assert_eq!(store.bytes(), old + 2);
}

/// [MQTT-3.3.1-10] in 3.1.1, [MQTT-3.3.1-11] in 3.1.1, [MQTT-3.3.1-6] in 5.0, [MQTT-3.3.1-7] in 5.0: an empty payload
/// clears the topic and is not kept.
#[test]
fn v5_3_3_1_7_an_empty_payload_clears_and_is_not_kept() {
    let mut store = retained(&["a", "b"]);
    store
        .apply(&message("a", "", None))
        .expect("clearing is always possible");
    store
        .apply(&message("never/there", "", None))
        .expect("clearing is always possible");

    assert_eq!(scan(&store, "#", ALL), ["b"]);
    store
        .apply(&message("b", "", None))
        .expect("clearing is always possible");
    assert!(store.is_empty());
    assert_eq!(store.bytes(), 0);
}

#[test]
fn beyond_a_limit_the_topic_keeps_what_it_had() {
    let mut store = Retained::new(RetainedLimits {
        messages_max: 2,
        payload_bytes_max: 3,
    });
    store.apply(&message("a", "1", None)).expect("within limits");
    store.apply(&message("b", "1", None)).expect("within limits");

    assert_eq!(store.apply(&message("c", "1", None)), Err(RetainedRefusal::TooMany));
    assert_eq!(store.apply(&message("a", "1234", None)), Err(RetainedRefusal::TooLarge));
    assert_eq!(store.get("a").expect("kept").payload, "1");
    assert_eq!(store.apply(&message("a", "123", None)), Ok(()));
    assert_eq!(store.apply(&message("b", "", None)), Ok(()));
    assert_eq!(store.apply(&message("c", "1", None)), Ok(()));
}

#[test]
fn expired_messages_are_neither_found_nor_kept_for_long() {
    let mut store = store();
    for number in 0..100 {
        let expires_at = match number % 4 {
            0 => Some(NOW),
            1 => Some(NOW.plus(1)),
            _ => None,
        };
        store
            .apply(&message(&format!("t/{number:02}"), "x", expires_at))
            .expect("within limits");
    }
    assert_eq!(scan(&store, "t/#", ALL).len(), 75);
    assert_eq!(scan(&store, "t/00", ALL).len(), 0);

    // 100 entries by 30: the fourth call gets to the end.
    let removed: Vec<usize> = (0..4).map(|_| store.remove_expired(NOW, 30).len()).collect();
    assert_eq!(removed, [8, 7, 8, 2]);
    assert_eq!(store.len(), 75);
    assert_eq!(store.remove_expired(NOW, 1_000).len(), 0);
    assert_eq!(store.remove_expired(NOW.plus(1), 1_000).len(), 25);
    assert_eq!(store.remove_expired(Millis(u64::MAX), 1_000).len(), 0);
    assert_eq!(store.len(), 50);
}

/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0: retained `$`-topics are hidden from leading wildcards too.
#[test]
fn v311_4_7_2_1_retained_dollar_topics_are_hidden_from_leading_wildcards() {
    let store = retained(&["!", "$SYS/a", "$SYS/b", "a", "a/b"]);

    assert_eq!(scan(&store, "#", ALL), ["!", "a", "a/b"]);
    assert_eq!(scan(&store, "+/b", ALL), ["a/b"]);
    assert_eq!(scan(&store, "$SYS/#", ALL), ["$SYS/a", "$SYS/b"]);
    assert_eq!(scan(&store, "$SYS/+", ALL), ["$SYS/a", "$SYS/b"]);
}

/// A filter over a few of many topics gets to them without a look at each.
#[test]
fn a_search_jumps_over_what_cannot_match() {
    let mut store = Retained::new(RetainedLimits {
        messages_max: 100_000,
        payload_bytes_max: 10,
    });
    for site in ["east", "north", "south", "west"] {
        for number in 0..5_000 {
            store
                .apply(&message(&format!("{site}/meter/{number}"), "x", None))
                .expect("within limits");
        }
        store
            .apply(&message(&format!("{site}/status"), "x", None))
            .expect("within limits");
    }
    let mut found = Vec::new();
    let budget = ScanBudget {
        found_max: 10,
        examine_max: 200,
    };

    assert_eq!(store.scan("+/status", None, budget, NOW, &mut found), None);
    assert_eq!(found.len(), 4);
    assert_eq!(
        store
            .scan(
                "+/+/+/#",
                None,
                ScanBudget {
                    found_max: 1,
                    examine_max: 1
                },
                NOW,
                &mut found
            )
            .as_deref(),
        Some("east/meter/0")
    );
    assert_eq!(store.scan("/#", None, budget, NOW, &mut found), None);
}

#[test]
fn a_budget_of_nothing_still_gets_ahead() {
    let store = retained(&["a", "b", "c"]);
    let mut found = Vec::new();
    let nothing = ScanBudget {
        found_max: 0,
        examine_max: 0,
    };
    let mut cursor = None;
    for expected in ["a", "b", "c"] {
        cursor = store.scan("#", cursor.as_ref(), nothing, NOW, &mut found);
        assert_eq!(cursor.as_deref(), Some(expected));
    }
    assert_eq!(store.scan("#", cursor.as_ref(), nothing, NOW, &mut found), None);
    assert_eq!(found.len(), 3);
}

#[test]
fn a_retained_topic_of_65535_bytes_is_found() {
    let deep = "/".repeat(65_535);
    let store = retained(&[&deep]);
    assert_eq!(scan(&store, "#", ALL).len(), 1);
    assert_eq!(scan(&store, &("+/".repeat(32_000) + "#"), ALL).len(), 1);
    assert_eq!(scan(&store, "+/+", ALL).len(), 0);
}

/// Bytes around `/` in the order of topics, where a jump would land wrongly if it could.
const LEVELS: &[&str] = &["", "a", "b", "$x", "a!", "a0", "!", "0", "\u{e9}"];
const WANTED: &[&str] = &["", "a", "b", "$x", "a!", "a0", "+", "+", "+"];

/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0: 20,000 searches over random topics, in pieces, find what the model
/// finds.
#[test]
fn twenty_thousand_retained_searches_agree_with_the_model() {
    let seed = seed();
    for world in 0..200 {
        let mut random = Random::new(seed.wrapping_add(world));
        let mut store = store();
        let mut topics = BTreeSet::new();
        for _ in 0..random.below(400) {
            let topic = random.levels(LEVELS);
            let clears = random.one_in(8);
            store
                .apply(&message(&topic, if clears { "" } else { "x" }, None))
                .expect("within limits");
            if clears {
                topics.remove(&topic)
            } else {
                topics.insert(topic)
            };
        }
        assert_eq!(store.len(), topics.len());
        for _ in 0..100 {
            let wanted = random.filter(WANTED);
            let budget = ScanBudget {
                found_max: 1 + random.below(50),
                examine_max: 1 + random.below(100),
            };
            let expected: Vec<_> = topics
                .iter()
                .filter(|topic| model::matches(&wanted, topic))
                .cloned()
                .collect();
            assert_eq!(scan(&store, &wanted, budget), expected, "{wanted:?} {budget:?}");
        }
    }
}
