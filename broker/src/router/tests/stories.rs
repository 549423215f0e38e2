//! Matching, merging, limits and memory, one story each.

use super::super::{SubscribeRefusal, SubscriptionIds};
use super::*;

const SLASHES: usize = 65_535;

#[test]
fn plus_takes_one_level_and_hash_takes_the_rest_and_the_parent() {
    let router = subscribed(&[
        "sport/+/player",
        "sport/#",
        "sport/tennis",
        "+",
        "#",
        "/+",
        "+/+",
        "sport/+",
    ]);

    assert_eq!(slots(&router, "sport"), [1, 3, 4]);
    assert_eq!(slots(&router, "sport/tennis"), [1, 2, 4, 6, 7]);
    assert_eq!(slots(&router, "sport/tennis/player"), [0, 1, 4]);
    assert_eq!(slots(&router, "sport/"), [1, 4, 6, 7]);
    assert_eq!(slots(&router, "/finance"), [4, 5, 6]);
}

/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0: a wildcard at the front leaves `$`-topics out, one behind does not.
#[test]
fn v311_4_7_2_1_leading_wildcards_do_not_see_dollar_topics() {
    let router = subscribed(&["#", "+/uptime", "+/#", "$SYS/#", "$SYS/+", "$SYS/uptime"]);

    assert_eq!(slots(&router, "$SYS/uptime"), [3, 4, 5]);
    assert_eq!(slots(&router, "a/$SYS"), [0, 2]);
}

/// [MQTT-4.7.3-4] in 3.1.1, [MQTT-4.7.3-4] in 5.0: bytes decide; case, accents and spaces are not levelled.
#[test]
fn v311_4_7_3_4_text_is_compared_byte_by_byte() {
    let router = subscribed(&["a/b", "A/b", "a//b", "a/b/", "/a/b", "a/b ", "caf\u{e9}", "cafe\u{301}"]);

    assert_eq!(slots(&router, "a/b"), [0]);
    assert_eq!(slots(&router, "A/b"), [1]);
    assert_eq!(slots(&router, "a//b"), [2]);
    assert_eq!(slots(&router, "a/b/"), [3]);
    assert_eq!(slots(&router, "/a/b"), [4]);
    assert_eq!(slots(&router, "caf\u{e9}"), [6]);
}

/// [MQTT-3.3.5-1] in 3.1.1, [MQTT-3.3.4-2] in 5.0, [MQTT-3.3.4-4] in 5.0: overlapping subscriptions make one receiver
/// with the highest QoS and all identifiers.
#[test]
fn v5_3_3_4_4_overlapping_subscriptions_make_one_receiver() {
    let mut router = router();
    let wants = [
        (
            "a/#",
            SubscriptionOptions {
                id: id(9),
                ..options(QoS::AtMostOnce)
            },
        ),
        (
            "a/+",
            SubscriptionOptions {
                no_local: true,
                ..options(QoS::ExactlyOnce)
            },
        ),
        (
            "a/b",
            SubscriptionOptions {
                retain_as_published: true,
                id: id(2),
                ..options(QoS::AtLeastOnce)
            },
        ),
        (
            "c",
            SubscriptionOptions {
                no_local: true,
                id: id(2),
                ..options(QoS::AtLeastOnce)
            },
        ),
    ];
    for (text, options) in wants {
        router
            .subscribe(session(1), &filter(text), options)
            .expect("within limits");
    }

    let found = find(&router, "a/b");
    assert_eq!(found.receivers.len(), 1);
    let receiver = &found.receivers[0];
    assert_eq!((receiver.qos, receiver.no_local), (QoS::ExactlyOnce, NoLocal::Some));
    assert!(receiver.retain_as_published);
    assert_eq!(receiver.ids.as_slice(), [id(2).unwrap(), id(9).unwrap()]);

    let alone = &find(&router, "c").receivers[0];
    assert_eq!((alone.no_local, alone.retain_as_published), (NoLocal::All, false));
    assert_eq!(alone.ids, SubscriptionIds::One(id(2).unwrap()));
}

/// [MQTT-3.8.3-3] in 5.0: for the publisher itself only its subscriptions without No Local count.
#[test]
fn v5_3_8_3_3_a_publisher_keeps_what_it_wants_from_itself() {
    let mut router = router();
    let (publisher, other) = (session(1), session(2));
    let local = SubscriptionOptions {
        no_local: true,
        id: id(1),
        ..options(QoS::ExactlyOnce)
    };
    for who in [publisher, other] {
        router.subscribe(who, &filter("a/#"), local).expect("within limits");
        router
            .subscribe(who, &filter("a/b"), options(QoS::AtMostOnce))
            .expect("within limits");
    }
    let mut found = Matches::default();

    router.find_for_publisher("a/b", publisher, &mut found);
    found.receivers.sort_unstable_by_key(|receiver| receiver.session);
    let what: Vec<_> = found
        .receivers
        .iter()
        .map(|receiver| (receiver.session, receiver.qos))
        .collect();
    assert_eq!(what, [(publisher, QoS::AtMostOnce), (other, QoS::ExactlyOnce)]);

    router.find_for_publisher("a", publisher, &mut found);
    assert_eq!(
        found
            .receivers
            .iter()
            .map(|receiver| receiver.session)
            .collect::<Vec<_>>(),
        [other]
    );
}

/// [MQTT-3.8.4-3] in 3.1.1, [MQTT-3.8.4-3] in 5.0: the same filter again replaces the subscription.
#[test]
fn v311_3_8_4_3_the_same_filter_again_replaces_the_subscription() {
    let mut router = router();
    assert_eq!(
        router.subscribe(session(1), &filter("a/+"), options(QoS::AtMostOnce)),
        Ok(false)
    );
    assert_eq!(
        router.subscribe(session(1), &filter("a/+"), options(QoS::ExactlyOnce)),
        Ok(true)
    );

    assert_eq!(router.subscription_count(), 1);
    assert_eq!(find(&router, "a/b").receivers[0].qos, QoS::ExactlyOnce);
}

/// [MQTT-3.10.4-1] in 3.1.1, [MQTT-3.10.4-1] in 5.0: what is unsubscribed from is that filter, not what it matches.
#[test]
fn v311_3_10_4_1_only_the_exact_filter_is_unsubscribed() {
    let mut router = router();
    for text in ["a/+", "a/b", "a/#"] {
        router
            .subscribe(session(1), &filter(text), options(QoS::AtMostOnce))
            .expect("within limits");
    }
    assert!(!router.unsubscribe(session(1), &filter("+/b")));
    assert!(!router.unsubscribe(session(2), &filter("a/+")));
    assert!(!router.unsubscribe(session(1), &filter("a")));
    assert!(router.unsubscribe(session(1), &filter("a/+")));

    let mut left: Vec<String> = router
        .subscriptions(session(1))
        .iter()
        .map(|(text, _)| text.to_string())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["a/#", "a/b"]);
}

#[test]
fn the_version_counts_changes_only() {
    let mut router = router();
    let a = filter("a");
    router
        .subscribe(session(1), &a, options(QoS::AtMostOnce))
        .expect("within limits");
    let version = router.version();

    router
        .subscribe(session(1), &a, options(QoS::AtMostOnce))
        .expect("within limits");
    assert!(!router.unsubscribe(session(2), &a));
    assert_eq!(router.remove_session(session(2)), 0);
    assert_eq!(router.version(), version);

    router
        .subscribe(session(1), &a, options(QoS::AtLeastOnce))
        .expect("within limits");
    assert_eq!(router.version(), version + 1);
    assert!(router.unsubscribe(session(1), &a));
    assert_eq!(router.version(), version + 2);
}

#[test]
fn a_session_at_its_limit_may_replace_but_not_add() {
    let mut router = Router::new(RouterLimits {
        subscriptions_per_session_max: 2,
        ..limits()
    });
    for text in ["a", "$share/g/b"] {
        router
            .subscribe(session(1), &filter(text), options(QoS::AtMostOnce))
            .expect("within limits");
    }
    let more = |router: &mut Router, text| router.subscribe(session(1), &filter(text), options(QoS::AtLeastOnce));

    for text in ["c", "a/b", "$share/h/b", "b", "$share/g/a"] {
        assert_eq!(
            more(&mut router, text),
            Err(SubscribeRefusal::TooManySubscriptions),
            "{text}"
        );
    }
    assert_eq!(more(&mut router, "a"), Ok(true));
    assert_eq!(more(&mut router, "$share/g/b"), Ok(true));
    assert_eq!(router.subscription_count(), 2);
    assert_eq!(router.trie.node_count(), 3, "a refusal leaves nothing behind");
}

#[test]
fn a_filter_with_too_many_levels_is_refused_and_deep_topics_still_match() {
    let mut router = Router::new(RouterLimits {
        topic_levels_max: 3,
        ..limits()
    });
    let mut subscribe = |text| router.subscribe(session(1), &filter(text), options(QoS::AtMostOnce));

    assert_eq!(subscribe("a/b/c/d"), Err(SubscribeRefusal::TooManyLevels));
    assert_eq!(subscribe("$share/g/a/b/c/d"), Err(SubscribeRefusal::TooManyLevels));
    assert_eq!(subscribe("$share/g/a/b/c"), Ok(false));
    assert_eq!(subscribe("a/b/#"), Ok(false));
    assert_eq!(slots(&router, "a/b/c/d/e/f"), [1]);
}

#[test]
fn a_topic_of_65535_slashes_needs_no_stack() {
    let topic = "/".repeat(SLASHES);
    let deepest = "+/".repeat(usize::from(u16::MAX) / 2) + "#";
    let mut router = Router::new(RouterLimits {
        topic_levels_max: u16::MAX,
        ..limits()
    });
    for (number, text) in (0..).zip(["#", "/#", "+/+/#", &deepest, "/"]) {
        router
            .subscribe(session(number), &filter(text), options(QoS::AtMostOnce))
            .expect("within limits");
    }

    assert_eq!(slots(&router, &topic), [0, 1, 2, 3]);
    assert_eq!(router.subscriptions(session(3))[0].0, filter(&deepest));
    assert!(router.unsubscribe(session(3), &filter(&deepest)));
    assert_eq!(slots(&router, &topic), [0, 1, 2]);
    assert_eq!(router.trie.node_count(), 8);
}

/// Filters that share nothing but their wildcards make a search reach many nodes at once; it stays one pass per level.
#[test]
fn filters_that_multiply_paths_are_searched_in_one_pass_per_level() {
    let mut router = router();
    // Every filter of 8 levels out of `a` and `+`: 256 paths, all of which match.
    for bits in 0..256_u32 {
        let levels: Vec<&str> = (0..8).map(|bit| if bits >> bit & 1 == 1 { "+" } else { "a" }).collect();
        router
            .subscribe(session(1), &filter(&levels.join("/")), options(QoS::AtMostOnce))
            .expect("within limits");
    }
    assert_eq!(find(&router, "a/a/a/a/a/a/a/a").receivers.len(), 1);
    assert_eq!(find(&router, "a/a/a/a").receivers.len(), 0);
}

#[test]
fn memory_comes_back_when_sessions_leave() {
    let mut router = router();
    for who in 0..20 {
        for number in 0..1_000 {
            let text = filter(&format!("device/{who}-{number}/cmd"));
            router
                .subscribe(session(who), &text, options(QoS::AtMostOnce))
                .expect("within limits");
        }
    }
    let (nodes, edges) = router.trie.capacity();
    assert!(nodes >= 40_000 && edges >= 40_000);

    for who in 1..20 {
        assert_eq!(router.remove_session(session(who)), 1_000);
    }
    assert_eq!(router.trie.node_count(), 2 + 2_000);
    assert!(router.trie.capacity().0 <= 4 * 1_024, "{:?}", router.trie.capacity());

    assert_eq!(router.remove_session(session(0)), 1_000);
    let (nodes, edges) = router.trie.capacity();
    assert_eq!(router.trie.node_count(), 1);
    assert!(nodes <= 1_024, "{nodes}");
    assert!(edges <= 64 * 64, "{edges}");
}

fn assert_send<T: Send>() {}

#[test]
fn routers_and_what_they_find_may_cross_lines() {
    assert_send::<Router>();
    assert_send::<Matches>();
}
