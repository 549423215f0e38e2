//! UNSUBSCRIBE and UNSUBACK.

use mqtt_codec::{AckProperties, Packet, Publish, QoS, Unsuback, UnsubackReason, Unsubscribe, Version};

use crate::world::World;
use crate::world::packets::{filter, id, publish_as, pubrec, pubrel, unsubscribe};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

fn unsubscribe_all(packet_id: u16, filters: &[&str]) -> Packet {
    let filters = filters.iter().map(|name| filter(name)).collect();
    Packet::Unsubscribe(Unsubscribe {
        packet_id: id(packet_id),
        user_properties: Vec::new(),
        filters,
    })
}

/// The UNSUBACK that a version gets.
fn unsuback(version: Version, packet_id: u16, reasons: &[UnsubackReason]) -> Packet {
    let reasons = if version == Version::V5 {
        reasons.to_vec()
    } else {
        Vec::new()
    };
    Packet::Unsuback(Unsuback {
        packet_id: id(packet_id),
        properties: AckProperties::default(),
        reasons,
    })
}

/// [MQTT-3.10.4-4] in 5.0: the same for UNSUBACK: after it nothing comes.
#[test]
fn v5_3_10_4_4_unsuback_leaves_when_the_subscription_is_gone() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "news", QoS::AtMostOnce);
    world.hold_routes = true;
    world.send(reader, unsubscribe(4, "news"));
    world.publish(sender, "news", "still wanted", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), ["still wanted"]);
    assert_eq!(world.received(reader), []);

    world.release_routes();
    world.publish(sender, "news", "too late", QoS::AtMostOnce);
    assert_eq!(
        world.received(reader),
        [unsuback(Version::V5, 4, &[UnsubackReason::Success])]
    );
}

/// [MQTT-3.10.4-4] in 3.1.1, [MQTT-3.10.4-4] in 5.0, [MQTT-3.10.4-5] in 3.1.1, [MQTT-3.10.4-5] in 5.0,
/// [MQTT-3.10.4-6] in 3.1.1, [MQTT-3.10.4-6] in 5.0, [MQTT-3.11.3-1] in 5.0, [MQTT-3.11.3-2] in 5.0,
/// [MQTT-2.3.1-7] in 3.1.1, [MQTT-2.2.1-6] in 5.0: one UNSUBACK under the same id, with a code for each filter in its
/// place, held or not.
#[test]
fn v5_3_10_4_6_one_unsuback_answers_for_every_filter() {
    for version in BOTH {
        let mut world = World::new();
        let client = world.client("client").version(version).connect();
        for name in ["a", "b/+", "c"] {
            world.subscribe(client, name, QoS::AtMostOnce);
        }
        world.send(client, unsubscribe_all(1025, &["b/+", "never", "a", "a"]));
        let existed = UnsubackReason::Success;
        let not = UnsubackReason::NoSubscriptionExisted;
        assert_eq!(
            world.received(client),
            [unsuback(version, 1025, &[existed, not, existed, not])]
        );

        for topic in ["a", "b/x", "c"] {
            world.publish(client, topic, topic, QoS::AtMostOnce);
        }
        assert_eq!(world.payloads(client), ["c"]);
        world.send(client, unsubscribe(7, "a"));
        assert_eq!(world.received(client), [unsuback(version, 7, &[not])]);
    }
}

/// [MQTT-3.10.4-1] in 3.1.1, [MQTT-3.10.4-1] in 5.0: only the filter that is equal to the last byte goes.
#[test]
fn v5_3_10_4_1_unsubscribe_removes_the_equal_filter_only() {
    for version in BOTH {
        let mut world = World::new();
        let client = world.client("client").version(version).connect();
        world.subscribe(client, "news/#", QoS::AtMostOnce);
        for name in ["#", "news/+", "News/#", "news/1", "news"] {
            world.send(client, unsubscribe(2, name));
        }
        world.received(client);
        world.publish(client, "news/1", "n", QoS::AtMostOnce);
        assert_eq!(world.payloads(client), ["n"]);
    }
}

/// [MQTT-3.10.4-2] in 3.1.1, [MQTT-3.10.4-2] in 5.0: after UNSUBSCRIBE nothing is taken up for the filter.
/// [MQTT-3.10.4-3] in 3.1.1, [MQTT-3.10.4-3] in 5.0: what is under way is brought to its end.
#[test]
fn v5_3_10_4_3_deliveries_under_way_survive_unsubscribe() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let reader = world.client("reader").version(version).persistent().connect();
        world.subscribe(reader, "news", QoS::ExactlyOnce);
        world.send(sender, Packet::Publish(publish_as(1, "news", "1", QoS::AtLeastOnce)));
        world.send(sender, Packet::Publish(publish_as(2, "news", "2", QoS::ExactlyOnce)));
        let sent = world.publishes(reader);
        world.send(reader, unsubscribe(9, "news"));
        world.send(sender, Packet::Publish(publish_as(3, "news", "3", QoS::AtLeastOnce)));
        assert_eq!(world.publishes(reader), []);
        world.drop_connection(reader);

        let reader = world.client("reader").version(version).persistent().connect();
        let again: Vec<Publish> = sent
            .iter()
            .map(|sent| Publish {
                dup: true,
                ..sent.clone()
            })
            .collect();
        assert_eq!(world.publishes(reader), again);
        world.send(reader, pubrec(again[1].packet_id.unwrap()));
        assert_eq!(world.received(reader), [pubrel(again[1].packet_id.unwrap())]);
    }
}
