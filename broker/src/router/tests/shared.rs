//! Shared subscriptions.

use super::super::ShareKey;
use super::*;

fn key(share: &str, filter: &str) -> ShareKey {
    ShareKey {
        share: share.into(),
        filter: filter.into(),
    }
}

fn members(receivers: &[Receiver]) -> Vec<u32> {
    receivers.iter().map(|receiver| receiver.session.slot()).collect()
}

/// Share name and filter together make the group (section 4.8.2 of 5.0).
#[test]
fn the_same_name_with_another_filter_is_another_group() {
    let router = subscribed(&["$share/g/a/+", "$share/g/a/b", "$share/h/a/+", "$share/g/a/+", "a/b"]);
    let found = find(&router, "a/b");

    assert_eq!(members(&found.receivers), [4]);
    let mut groups: Vec<_> = found
        .groups
        .iter()
        .map(|group| (&*group.key.share, &*group.key.filter, members(&group.members)))
        .collect();
    groups.sort_unstable();
    assert_eq!(
        groups,
        [("g", "a/+", vec![0, 3]), ("g", "a/b", vec![1]), ("h", "a/+", vec![2])]
    );
}

/// [MQTT-4.7.2-1] in 5.0: the share name in front does not let a wildcard see `$`-topics.
#[test]
fn v5_4_7_2_1_a_shared_wildcard_does_not_see_dollar_topics() {
    let router = subscribed(&["$share/g/#", "$share/g/+/uptime", "$share/g/$SYS/#"]);
    let found = find(&router, "$SYS/uptime");

    assert_eq!(found.groups.len(), 1);
    assert_eq!(found.groups[0].key.filter.as_ref(), "$SYS/#");
}

#[test]
fn a_group_lasts_as_long_as_its_last_member() {
    let mut router = router();
    let shared = filter("$share/g/a");
    for number in 0..3 {
        router
            .subscribe(session(number), &shared, options(QoS::AtLeastOnce))
            .expect("within limits");
    }
    assert_eq!(members(&router.group(&key("g", "a"))), [0, 1, 2]);

    assert!(router.unsubscribe(session(0), &shared));
    assert!(!router.unsubscribe(session(0), &shared));
    assert!(
        !router.unsubscribe(session(1), &filter("a")),
        "the plain filter is another subscription"
    );
    assert_eq!(members(&router.group(&key("g", "a"))), [2, 1]);

    assert_eq!(router.remove_session(session(1)), 1);
    assert_eq!(router.remove_session(session(2)), 1);
    assert_eq!(router.group(&key("g", "a")), []);
    assert!(find(&router, "a").groups.is_empty());
    assert_eq!((router.trie.node_count(), router.groups.len()), (1, 0));
}

/// A session that is in a group and subscribed by itself too gets both.
#[test]
fn a_member_that_also_subscribed_by_itself_stands_in_both() {
    let mut router = router();
    router
        .subscribe(session(1), &filter("$share/g/a"), options(QoS::AtMostOnce))
        .expect("within limits");
    router
        .subscribe(session(1), &filter("a"), options(QoS::ExactlyOnce))
        .expect("within limits");
    let found = find(&router, "a");

    assert_eq!(found.receivers[0].qos, QoS::ExactlyOnce);
    assert_eq!(found.groups[0].members[0].qos, QoS::AtMostOnce);
    let listed = router.subscriptions(session(1));
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&(filter("$share/g/a"), options(QoS::AtMostOnce))));
}

#[test]
fn subscribing_to_a_group_again_replaces_the_options() {
    let mut router = router();
    let shared = filter("$share/g/a");
    assert_eq!(
        router.subscribe(session(1), &shared, options(QoS::AtMostOnce)),
        Ok(false)
    );
    assert_eq!(
        router.subscribe(session(1), &shared, options(QoS::AtLeastOnce)),
        Ok(true)
    );

    let group = router.group(&key("g", "a"));
    assert_eq!(group.len(), 1);
    assert_eq!(group[0].qos, QoS::AtLeastOnce);
    assert_eq!(router.subscription_count(), 1);
}
