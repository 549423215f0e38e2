//! What is not kept, beside what is: ids and places of one session are shared by both.

use broker::durable::Durability;
use mqtt_codec::QoS;

use super::{id_on, kept, publish_as, resume, sent};
use crate::world::packets::filter;
use crate::world::store::{Pace, Survive};
use crate::world::{Config, World};

/// A client remembers the id of a QoS 2 message that it has seen until PUBREL: the broker may not give it to another
/// message, whatever the class of the first.
#[test]
fn the_id_of_a_qos_2_message_of_a_lower_class_is_not_given_to_another_after_a_crash() {
    for class in [Durability::Memory, Durability::Os] {
        let mut config = Config::default();
        config.limits.durability = Durability::Disk;
        config.limits.durability_rules = vec![(filter("telemetry/#"), class)];
        let mut world = World::with(config);
        let reader = world.client("reader").persistent().connect();
        world.subscribe(reader, "#", QoS::ExactlyOnce);
        let sensor = world.client("sensor").connect();
        world.publish(sensor, "telemetry/1", "light", QoS::ExactlyOnce);
        let seen = sent(&world.publishes(reader));
        assert_eq!(seen.len(), 1, "{class:?}");
        world.crash(Survive::Synced);
        let sensor = world.client("sensor").connect();
        world.publish(sensor, "vital", "grave", QoS::ExactlyOnce);
        let reader = resume(&mut world, "reader");
        let grave: Vec<_> = sent(&world.publishes(reader))
            .into_iter()
            .filter(|(payload, ..)| payload == "grave")
            .collect();
        assert_eq!(grave.len(), 1, "{class:?}");
        assert_ne!(
            grave[0].1, seen[0].1,
            "{class:?}: the client would take it for a repeat"
        );
    }
}

/// The order of one publisher's messages on a topic, kept by queue, window and crash alike.
#[test]
fn messages_of_one_publisher_stay_in_order_through_crashes_at_any_point() {
    let (near, far) = (id_on(0, 2, "sensor"), id_on(1, 2, "reader"));
    for kept_batches in 0..10 {
        let mut world = World::limited(|limits| {
            limits.durability = Durability::Disk;
            limits.queue_memory_messages = 2;
        });
        let reader = world.client(&far).persistent().connect();
        world.subscribe(reader, "t", QoS::AtLeastOnce);
        let sensor = world.client(&near).connect();
        world.set_pace(Pace::Held);
        for number in 1..8 {
            publish_as(&mut world, sensor, number, "t", &number.to_string(), QoS::AtLeastOnce);
        }
        world.commit(kept_batches, Durability::Disk);
        let acknowledged = world.received(sensor).len();
        world.crash(Survive::Synced);
        let sensor = world.client(&near).connect();
        for number in acknowledged + 1..8 {
            let number = number as u16;
            publish_as(&mut world, sensor, number, "t", &number.to_string(), QoS::AtLeastOnce);
        }
        let reader = resume(&mut world, &far);
        let mut got: Vec<String> = sent(&world.publishes(reader))
            .into_iter()
            .map(|(payload, ..)| payload)
            .collect();
        got.dedup();
        let expected: Vec<String> = (1..8).map(|number: u16| number.to_string()).collect();
        assert_eq!(got, expected, "{kept_batches} batches were kept");
    }
}

/// The queue's order holds where retained messages and live ones come together.
#[test]
fn retained_messages_for_a_new_subscription_survive_with_what_comes_after_them() {
    let (mut world, reader, sensor) = kept("live", QoS::AtLeastOnce);
    for topic in ["state/1", "state/2", "state/3"] {
        world.retain(sensor, topic, topic);
    }
    world.drop_connection(reader);
    let reader = world.client("reader").persistent().receive_maximum(2).connect();
    let packet = crate::world::packets::subscribe(2, "state/#", QoS::AtLeastOnce);
    world.subscribe_with(reader, packet);
    world.publish(sensor, "live", "live", QoS::AtLeastOnce);
    world.crash(Survive::All);
    let reader = resume(&mut world, "reader");
    let got = sent(&world.publishes(reader));
    let all = got.iter().map(|(payload, ..)| payload.as_str());
    assert!(all.clone().any(|payload| payload == "live"), "{got:?}");
}
