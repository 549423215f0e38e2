//! The law of conservation, and how long deliveries take. That the law holds is looked at after every step of every
//! test: here is what it counts, and that it notices.

use broker::classes::{ClassCount, Classes, ClientGroup};
use mqtt_codec::{QoS, TopicFilter, Version};

use crate::world::{World, millis, secs};

#[test]
fn a_message_for_two_is_two_copies_and_each_ends_once() {
    let mut world = World::new();
    let one = world.client("one").connect();
    let two = world.client("two").connect();
    let publisher = world.client("publisher").connect();
    for client in [one, two] {
        world.subscribe(client, "a", QoS::AtMostOnce);
    }
    world.publish(publisher, "a", "x", QoS::AtMostOnce);

    let law = world.counters().law();
    assert_eq!((law.received, law.answered), (1, 1));
    assert_eq!((law.copies.made, law.delivered), (2, 2));
    assert_eq!(law.copies.forwarded_out, law.copies.forwarded_in);
}

#[test]
fn a_delivery_is_timed_from_its_publish_to_its_write_however_long_it_waits() {
    let mut world = World::new();
    let subscriber = world.client("subscriber").version(Version::V5).connect();
    let publisher = world.client("publisher").connect();
    world.subscribe(subscriber, "a", QoS::AtMostOnce);
    world.stall(subscriber, true);
    world.publish(publisher, "a", "x", QoS::AtMostOnce);
    assert_eq!(world.counters().delivery.cumulated().1, 0, "nothing is written yet");

    world.pass(millis(70));
    world.stall(subscriber, false);
    let delivery = world.counters().delivery;
    assert_eq!((delivery.cumulated().1, delivery.sum_micros()), (1, 70_000));

    world.publish(publisher, "a", "y", QoS::AtMostOnce);
    let delivery = world.counters().delivery;
    assert_eq!((delivery.cumulated().1, delivery.sum_micros()), (2, 70_000));
}

#[test]
fn what_waits_for_an_absent_client_is_timed_when_it_is_sent() {
    let mut world = World::new();
    let subscriber = world.client("subscriber").persistent().connect();
    let publisher = world.client("publisher").connect();
    world.subscribe(subscriber, "a", QoS::AtLeastOnce);
    world.drop_connection(subscriber);
    world.publish(publisher, "a", "x", QoS::AtLeastOnce);
    world.pass(secs(5));
    world.client("subscriber").persistent().connect();
    let delivery = world.counters().delivery;
    assert_eq!((delivery.cumulated().1, delivery.sum_micros()), (1, 5_000_000));
}

/// What the operator names is counted apart: where it is published, and where it is sent, on whatever line and however
/// late.
#[test]
fn messages_are_counted_by_the_filters_and_groups_that_are_named() {
    let named = |name: &str| Box::from(name);
    let mut world = World::limited(|limits| {
        limits.classes = Classes {
            filters: vec![
                (named("all"), TopicFilter::new("#").unwrap()),
                (named("a"), TopicFilter::new("a/+").unwrap()),
            ],
            groups: vec![(named("meters"), ClientGroup::ClientIdStart("meter-".into()))],
        };
    });
    let meter = world.client("meter-1").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "#", QoS::AtLeastOnce);
    world.publish(meter, "a/b", "four", QoS::AtMostOnce);
    world.drop_connection(reader);
    world.publish(meter, "c", "seven77", QoS::AtLeastOnce);
    world.client("reader").persistent().connect();

    let counters = world.counters();
    let expected = |messages: [u64; 2], bytes: [u64; 2]| ClassCount { messages, bytes };
    assert_eq!(
        counters.of_filters,
        [expected([2, 2], [11, 11]), expected([1, 1], [4, 4])]
    );
    assert_eq!(counters.of_groups, [expected([2, 0], [11, 0])]);
}

#[cfg(feature = "faults")]
#[test]
fn a_delivery_that_is_lost_is_noticed() {
    let mut world = World::new();
    world.lawless = true;
    let subscriber = world.client("subscriber").connect();
    let publisher = world.client("publisher").connect();
    world.subscribe(subscriber, "a", QoS::AtMostOnce);
    for line in &mut world.lines {
        line.lose_every(3);
    }
    for _ in 0..7 {
        world.publish(publisher, "a", "x", QoS::AtMostOnce);
    }
    assert_eq!(world.publishes(subscriber).len(), 5);
    assert_eq!(world.counters().law().unaccounted(), 2);
}
