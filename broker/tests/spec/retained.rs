//! Retained messages: stored, replaced, cleared, and sent to new subscriptions in full.

use broker::router::RetainedLimits;
use mqtt_codec::{
    Packet, Puback, PubackReason, Publish, PublishProperties, QoS, RetainHandling, Subscribe, SubscriptionId, Version,
};

use crate::world::packets::{id, puback, publish, subscribe};
use crate::world::{Client, Config, World};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

fn retained(name: &str, payload: &str, qos: QoS) -> Packet {
    Packet::Publish(Publish {
        retain: true,
        ..publish(name, payload, qos)
    })
}

/// What a fresh client gets on this subscription, as payload, QoS and RETAIN.
fn look(world: &mut World, version: Version, name: &str) -> Vec<(String, QoS, bool)> {
    let looker = world.client("looker").version(version).connect();
    world.subscribe(looker, name, QoS::ExactlyOnce);
    let of = |got: &Publish| (String::from_utf8_lossy(&got.payload).into_owned(), got.qos, got.retain);
    world.publishes(looker).iter().map(of).collect()
}

fn handling(name: &str, handling: RetainHandling) -> Subscribe {
    let mut packet = subscribe(1, name, QoS::AtLeastOnce);
    packet.filters[0].retain_handling = handling;
    packet
}

/// [MQTT-3.3.1-5] in 3.1.1, [MQTT-3.3.1-5] in 5.0, [MQTT-3.3.1-6] in 3.1.1, [MQTT-3.3.1-8] in 3.1.1,
/// [MQTT-3.3.1-9] in 5.0, [MQTT-3.3.1-7] in 3.1.1: the last retained message of a topic is kept with its QoS and greets
/// a subscription with RETAIN 1.
#[test]
fn v5_3_3_1_5_the_last_retained_message_is_kept() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").version(version).connect();
        let steps = [("1", QoS::ExactlyOnce), ("2", QoS::AtLeastOnce), ("3", QoS::AtMostOnce)];
        for (payload, qos) in steps {
            world.send(sender, retained("news", payload, qos));
            assert_eq!(look(&mut world, version, "news"), [(payload.to_owned(), qos, true)]);
        }
    }
}

/// [MQTT-3.3.1-6] in 3.1.1: each matching topic has its own.
#[test]
fn v311_3_3_1_6_each_matching_topic_has_its_own() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    for topic in ["a/1", "a/2", "a/2/x", "b/1", "a"] {
        world.retain(sender, topic, topic);
    }
    let payloads = |world: &mut World, name| {
        let mut got: Vec<String> = look(world, Version::V311, name)
            .into_iter()
            .map(|(payload, _, _)| payload)
            .collect();
        got.sort();
        got
    };
    assert_eq!(payloads(&mut world, "a/+"), ["a/1", "a/2"]);
    assert_eq!(payloads(&mut world, "a/#"), ["a", "a/1", "a/2", "a/2/x"]);
    assert_eq!(payloads(&mut world, "+/1"), ["a/1", "b/1"]);
    assert_eq!(payloads(&mut world, "a/2"), ["a/2"]);
    assert_eq!(payloads(&mut world, "c"), [""; 0]);
}

/// [MQTT-3.3.1-10] in 3.1.1, [MQTT-3.3.1-6] in 5.0, [MQTT-3.3.1-11] in 3.1.1, [MQTT-3.3.1-7] in 5.0: an empty payload
/// clears the topic, is delivered like any other, and is not kept.
#[test]
fn v5_3_3_1_6_an_empty_payload_clears_the_topic() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").version(version).connect();
        let reader = world.client("reader").version(version).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.retain(sender, "news", "old");
        for _ in 0..2 {
            world.send(sender, retained("news", "", QoS::AtLeastOnce));
            assert_eq!(look(&mut world, version, "news"), []);
        }
        assert_eq!(world.payloads(reader), ["old", "", ""]);
        assert!(world.tables.retained.borrow().is_empty());
    }
}

/// [MQTT-3.3.1-12] in 3.1.1, [MQTT-3.3.1-8] in 5.0: a message without RETAIN neither replaces nor clears.
#[test]
fn v5_3_3_1_8_a_message_without_retain_changes_nothing() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").version(version).connect();
        world.publish(sender, "fresh", "live", QoS::AtLeastOnce);
        world.retain(sender, "news", "kept");
        world.publish(sender, "news", "live", QoS::AtLeastOnce);
        world.publish(sender, "news", "", QoS::AtMostOnce);
        assert_eq!(
            look(&mut world, version, "#"),
            [("kept".to_owned(), QoS::AtMostOnce, true)]
        );
    }
}

/// [MQTT-3.1.2-7] in 3.1.1: retained messages outlive the session of their publisher.
#[test]
fn v311_3_1_2_7_retained_messages_outlive_their_publisher() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").version(version).connect();
        world.retain(sender, "news", "kept");
        world.drop_connection(sender);
        world.client("sender").version(version).connect();
        assert_eq!(
            look(&mut world, version, "news"),
            [("kept".to_owned(), QoS::AtMostOnce, true)]
        );
    }
}

/// [MQTT-3.3.1-9] in 5.0, [MQTT-3.3.1-10] in 5.0, [MQTT-3.3.1-11] in 5.0: Retain Handling 0 sends each time, 1 for a
/// subscription that is new, 2 never.
#[test]
fn v5_3_3_1_10_retain_handling() {
    let expected = [
        (RetainHandling::Send, [1, 1]),
        (RetainHandling::SendIfNew, [1, 0]),
        (RetainHandling::DoNotSend, [0, 0]),
    ];
    for (chosen, counts) in expected {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        world.retain(sender, "news", "kept");
        let reader = world.client("reader").connect();
        let got = [0, 1].map(|_| {
            world.subscribe_with(reader, handling("news", chosen));
            world.publishes(reader).len()
        });
        assert_eq!(got, counts, "{chosen:?}");
    }
}

/// [MQTT-3.3.1-10] in 5.0: a subscription that was dropped and comes back is new; one of a resumed session is not.
#[test]
fn v5_3_3_1_10_a_subscription_of_a_resumed_session_is_not_new() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    world.retain(sender, "news", "kept");
    let reader = world.client("reader").persistent().connect();
    world.subscribe_with(reader, handling("news", RetainHandling::SendIfNew));
    assert_eq!(world.payloads(reader), ["kept"]);
    world.drop_connection(reader);

    let reader = world.client("reader").persistent().connect();
    assert_eq!(
        world.payloads(reader),
        [""; 0],
        "a resumed session is not greeted again"
    );
    world.subscribe_with(reader, handling("news", RetainHandling::SendIfNew));
    assert_eq!(world.payloads(reader), [""; 0]);

    world.send(reader, crate::world::packets::unsubscribe(2, "news"));
    world.subscribe_with(reader, handling("news", RetainHandling::SendIfNew));
    assert_eq!(world.payloads(reader), ["kept"]);
}

/// [MQTT-3.8.4-8] in 5.0, [MQTT-3.8.4-6] in 3.1.1, [MQTT-3.3.4-3] in 5.0: a retained message comes at the lower QoS and
/// with the identifier of the subscription that asked.
#[test]
fn v5_3_3_4_3_a_retained_message_has_the_identifier_of_its_subscription() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    world.send(sender, retained("news", "kept", QoS::ExactlyOnce));
    let reader = world.client("reader").connect();
    let packet = subscribe(1, "news", QoS::AtLeastOnce);
    world.subscribe_with(
        reader,
        Subscribe {
            subscription_id: SubscriptionId::new(8),
            ..packet
        },
    );
    let got = world.publishes(reader).remove(0);
    assert_eq!((got.qos, got.retain, got.dup), (QoS::AtLeastOnce, true, false));
    let subscription_ids = vec![SubscriptionId::new(8).unwrap()];
    let properties = PublishProperties {
        subscription_ids,
        ..PublishProperties::default()
    };
    assert_eq!(got.properties, Some(Box::new(properties)));
}

/// Many retained messages reach a new subscription in full, however long its queue may be, within its window: each
/// acknowledgement lets one more out.
#[test]
fn many_retained_messages_arrive_in_full_at_the_readers_pace() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::limited(|limits| limits.queue_messages_max = 5);
        let sender = world.client("sender").connect();
        let topics: Vec<String> = (0..200).map(|number| format!("sensors/{number:03}")).collect();
        for topic in &topics {
            world.send(sender, retained(topic, topic, qos));
            world.send(sender, crate::world::packets::pubrel(id(1)));
        }
        let reader = world.client("reader").receive_maximum(3).connect();
        world.subscribe(reader, "sensors/+", QoS::ExactlyOnce);
        let mut got = Vec::new();
        loop {
            let batch = world.publishes(reader);
            assert!(batch.len() <= 3);
            if batch.is_empty() {
                break;
            }
            for publish in batch {
                got.push(publish.topic.as_str().to_owned());
                world.acknowledge(reader, &publish);
            }
        }
        got.sort();
        assert_eq!(got, topics);
        assert_eq!(world.counters().dropped_total(), 0);
        assert!(world.is_connected(reader));
    }
}

/// At QoS 0 it is the outgoing buffer that sets the pace: a reader that pauses misses nothing.
#[test]
fn a_paused_reader_gets_all_retained_messages_when_it_goes_on() {
    for payload_len in [10, 700, 3_000] {
        let mut world = World::limited(|limits| limits.out_bytes_max = 1_000);
        let sender = world.client("sender").connect();
        for number in 0..100 {
            world.retain(sender, &format!("sensors/{number}"), &"x".repeat(payload_len));
        }
        let reader = world.client("reader").connect();
        world.subscribe(reader, "other", QoS::AtMostOnce);
        world.stall(reader, true);
        world.publish(sender, "other", &"x".repeat(400), QoS::AtMostOnce);
        world.send(reader, Packet::Subscribe(subscribe(2, "sensors/#", QoS::AtMostOnce)));
        assert!(world.outbox_bytes(reader) <= 1_000 + payload_len);
        world.stall(reader, false);
        assert_eq!(world.publishes(reader).len(), 101, "payloads of {payload_len} bytes");
        assert_eq!(world.counters().dropped_total(), 0);
    }
}

/// Live messages go on while a long walk through retained ones waits for its reader.
#[test]
fn live_messages_pass_a_long_walk_through_retained_ones() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    for number in 0..50 {
        world.send(sender, retained(&format!("sensors/{number}"), "kept", QoS::AtLeastOnce));
    }
    let reader = world.client("reader").receive_maximum(2).connect();
    world.subscribe(reader, "#", QoS::AtLeastOnce);
    world.publish(sender, "live", "live", QoS::AtLeastOnce);
    let mut before = 0;
    loop {
        let batch = world.publishes(reader);
        batch.iter().for_each(|got| world.acknowledge(reader, got));
        if batch.iter().any(|got| got.payload == "live") {
            break;
        }
        before += batch.len();
        assert!(before < 10, "the live message waits behind the retained ones");
    }
}

/// A takeover does not greet a session again: the subscription is the same one.
#[test]
fn retained_messages_are_not_sent_again_after_a_takeover() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        world.retain(sender, "news", "kept");
        let reader = world.client("reader").version(version).persistent().connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        assert_eq!(world.payloads(reader), ["kept"]);
        let reader = world.client("reader").version(version).persistent().connect();
        assert_eq!(world.payloads(reader), [""; 0]);
    }
}

/// Members of a shared group are not greeted with retained messages (section 4.8.2 of 5.0).
#[test]
fn a_shared_subscription_gets_no_retained_messages() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    world.retain(sender, "news", "kept");
    let member = world.client("member").connect();
    world.subscribe(member, "$share/g/news", QoS::AtLeastOnce);
    assert_eq!(world.payloads(member), [""; 0]);
}

/// A world that keeps two retained messages of at most ten bytes.
fn narrow_store() -> (World, Client) {
    let retained = RetainedLimits {
        messages_max: 2,
        payload_bytes_max: 10,
    };
    let mut world = World::with(Config {
        retained,
        ..Config::default()
    });
    let sender = world.client("sender").connect();
    for topic in ["a", "b"] {
        world.retain(sender, topic, "kept");
    }
    (world, sender)
}

/// [MQTT-3.4.2-1] in 5.0: a retained message for which there is no room is refused before anyone gets it.
#[test]
fn v5_3_4_2_1_a_full_store_of_retained_messages_refuses_aloud() {
    for (name, payload) in [("c", "one more"), ("a", "longer than ten bytes")] {
        let (mut world, sender) = narrow_store();
        let reader = world.client("reader").connect();
        let mut packet = subscribe(1, "#", QoS::AtLeastOnce);
        packet.filters[0].retain_handling = RetainHandling::DoNotSend;
        world.subscribe_with(reader, packet);
        world.send(sender, retained(name, payload, QoS::AtLeastOnce));
        let refused = Puback::new(id(1), PubackReason::QuotaExceeded);
        assert_eq!(world.received(sender), [Packet::Puback(refused)]);
        assert_eq!(world.payloads(reader), [""; 0]);
        assert_eq!(look(&mut world, Version::V5, "a").len(), 1);
        assert_eq!(look(&mut world, Version::V5, "c"), []);
    }
}

/// A full store still lets a topic be replaced and cleared, and what is not retained pass.
#[test]
fn a_full_store_of_retained_messages_can_still_be_changed() {
    let (mut world, sender) = narrow_store();
    world.send(sender, retained("a", "replaced", QoS::AtLeastOnce));
    world.send(sender, retained("b", "", QoS::AtLeastOnce));
    world.send(sender, retained("c", "kept", QoS::AtLeastOnce));
    let nobody = Packet::Puback(Puback::new(id(1), PubackReason::NoMatchingSubscribers));
    assert!(
        world
            .received(sender)
            .iter()
            .all(|got| *got == nobody || *got == puback(id(1)))
    );
    let mut kept: Vec<String> = look(&mut world, Version::V5, "#")
        .into_iter()
        .map(|(payload, _, _)| payload)
        .collect();
    kept.sort();
    assert_eq!(kept, ["kept", "replaced"]);
}
