//! One connection for each client: chapter 3.1.4 in both versions.

use broker::effect::Cause;
use mqtt_codec::{DisconnectReason, Packet, Publish, QoS, Version};

use crate::world::packets::{id, publish, subscribe, unsubscribe};
use crate::world::{Client, World, secs};

use Version::{V5, V311};

/// Publishes at QoS 1 from a client of its own.
fn tell(world: &mut World, topic: &str, payload: &str) {
    let editor = world.client("editor").connect();
    world.publish(editor, topic, payload, QoS::AtLeastOnce);
}

/// [MQTT-3.1.4-3] in 5.0, [MQTT-4.13.2-1] in 5.0, [MQTT-3.14.4-1] in 5.0, [MQTT-3.14.4-2] in 5.0: the elder connection
/// hears 0x8E, is closed, and hears nothing more.
#[test]
fn v5_3_1_4_3_the_elder_connection_hears_0x8e() {
    let mut world = World::new();
    let old = world.client("reader").persistent().connect();
    world.subscribe(old, "news", QoS::AtLeastOnce);
    let new = world.client("reader").persistent().connect();
    let received = world.received(old);
    let [Packet::Disconnect(packet)] = &received[..] else {
        panic!("{received:?}")
    };
    assert_eq!(packet.reason, DisconnectReason::SessionTakenOver);
    assert_eq!(world.cause(old), Some(Cause::TakenOver));

    tell(&mut world, "news", "for the new one");
    assert!(world.received(old).is_empty());
    assert_eq!(world.payloads(new), ["for the new one"]);
}

/// [MQTT-3.1.4-2] in 3.1.1: the elder connection is closed, without a word because 3.1.1 has none.
#[test]
fn v311_3_1_4_2_the_elder_connection_is_closed() {
    let mut world = World::new();
    let old = world.client("reader").version(V311).persistent().connect();
    let new = world.client("reader").version(V311).persistent().connect();
    assert!(!world.is_connected(old));
    assert!(world.received(old).is_empty());
    assert!(world.is_connected(new));
}

/// [MQTT-3.1.4-3] in 5.0, [MQTT-3.1.4-2] in 3.1.1: trap 12. However often and in whatever version a client comes, one
/// connection of it is alive, and only that one gets its messages.
#[test]
fn v5_3_1_4_3_never_two_connections_of_one_client() {
    let mut world = World::new();
    let mut mine: Vec<Client> = Vec::new();
    for round in 0..12 {
        let version = Version::ALL[round % 3];
        let client = world
            .client("me")
            .version(version)
            .persistent()
            .clean(round % 4 == 3)
            .connect();
        world.subscribe(client, "news", QoS::AtMostOnce);
        mine.push(client);
        let alive: Vec<Client> = mine
            .iter()
            .copied()
            .filter(|client| world.is_connected(*client))
            .collect();
        assert_eq!(alive, [client], "round {round}");
        assert_eq!(world.counters().connected, 1, "round {round}");

        mine.iter().for_each(|client| drop(world.received(*client)));
        world.publish(client, "news", "hello", QoS::AtMostOnce);
        for elder in &mine[..round] {
            assert!(world.received(*elder).is_empty(), "round {round}");
        }
        assert_eq!(world.payloads(client), ["hello"], "round {round}");
    }
}

/// [MQTT-3.1.4-3] in 5.0: what still comes from the elder connection is not heard.
#[test]
fn v5_3_1_4_3_a_late_packet_of_the_elder_connection_is_ignored() {
    let mut world = World::with(crate::world::Config {
        lines: 1,
        ..Default::default()
    });
    let watcher = world.client("watcher").connect();
    world.subscribe(watcher, "#", QoS::AtMostOnce);
    let admit = |world: &mut World| {
        let connect = mqtt_codec::Connect::new(V5, mqtt_codec::ClientId::new("me").unwrap());
        let arriving = broker::identity::Arriving {
            peer: broker::line::Peer::Local("raw".to_owned()),
            identity: std::sync::Arc::new(broker::identity::Identity::anonymous("test".into())),
            proof: None,
        };
        let broker::line::Admission::Admitted(key) = world.lines[0].admit(connect, arriving, 1, world.now) else {
            panic!("not admitted");
        };
        key
    };
    let elder = admit(&mut world);
    let younger = admit(&mut world);
    let message = || Packet::Publish(publish("t", "late", QoS::AtMostOnce));
    assert_eq!(
        world.lines[0].receive(elder, message(), world.now),
        broker::line::Flow::Closed
    );
    world.lines[0].lost(elder, broker::line::Lost::Network("late too".to_owned()), world.now);
    world.settle();
    assert!(world.payloads(watcher).is_empty());

    assert_eq!(
        world.lines[0].receive(younger, message(), world.now),
        broker::line::Flow::Continue
    );
    world.settle();
    assert_eq!(world.payloads(watcher), ["late"]);
}

/// [MQTT-3.1.2-6] in 3.1.1, [MQTT-3.2.2-3] in 5.0: a session that lives as long as its connection ends when that is
/// displaced; the newcomer begins another.
#[test]
fn v5_3_2_2_3_a_displaced_clean_session_is_not_inherited() {
    for version in [V311, V5] {
        let mut world = World::new();
        let old = world.client("reader").version(version).connect();
        world.subscribe(old, "news", QoS::AtLeastOnce);
        let (new, connack) = world
            .client("reader")
            .version(version)
            .persistent()
            .connect_with_connack();
        assert!(!connack.session_present, "{version:?}");
        tell(&mut world, "news", "unheard");
        assert!(world.received(new).is_empty(), "{version:?}");
    }
}

/// [MQTT-4.4.0-1] in 5.0, [MQTT-4.4.0-1] in 3.1.1: trap 15. Nothing at QoS 1 is lost to a takeover: not what the elder
/// connection had not read, not what waited for its window, not what comes in that moment.
#[test]
fn v5_4_4_0_1_no_message_is_lost_in_a_takeover() {
    for version in [V311, V5] {
        let mut world = World::limited(|limits| limits.inflight_max_v3 = 4);
        let editor = world.client("editor").connect();
        let mut reader = world
            .client("reader")
            .version(version)
            .persistent()
            .receive_maximum(4)
            .connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.stall(reader, true);
        let mut told = Vec::new();
        for round in 0..5 {
            for number in 0..3 {
                told.push(format!("{round}.{number}"));
                world.publish(editor, "news", told.last().unwrap(), QoS::AtLeastOnce);
            }
            // Bytes on their way to the elder connection may never arrive: nobody acknowledges them.
            let (next, connack) = world
                .client("reader")
                .version(version)
                .persistent()
                .receive_maximum(4)
                .connect_with_connack();
            assert!(connack.session_present);
            world.stall(next, round < 4);
            reader = next;
        }
        assert_eq!(read_to_the_end(&mut world, reader), told, "{version:?}");
    }
}

/// Acknowledges all that comes, until nothing does; gives the payloads in the order of their coming.
fn read_to_the_end(world: &mut World, reader: Client) -> Vec<String> {
    let mut read = Vec::new();
    loop {
        let publishes: Vec<Publish> = world.publishes(reader);
        if publishes.is_empty() {
            return read;
        }
        for publish in publishes {
            read.push(String::from_utf8(publish.payload.to_vec()).unwrap());
            world.acknowledge(reader, &publish);
        }
    }
}

/// [MQTT-3.3.1-9] in 5.0, [MQTT-3.3.1-6] in 3.1.1: trap 16. Retained messages come in full however small the window,
/// go on after a takeover where they stopped, and none that was acknowledged comes again.
#[test]
fn v5_3_3_1_9_retained_messages_survive_a_takeover_and_come_once() {
    for version in [V311, V5] {
        let mut world = World::limited(|limits| {
            limits.inflight_max_v3 = 2;
            limits.queue_messages_max = 3;
        });
        let editor = world.client("editor").connect();
        let mut expected: Vec<String> = (0..20).map(|number| format!("{number:02}")).collect();
        for number in &expected {
            let message = Publish {
                retain: true,
                ..publish(&format!("state/{number}"), number, QoS::AtLeastOnce)
            };
            world.send(editor, Packet::Publish(message));
        }
        let reader = |world: &mut World| {
            world
                .client("reader")
                .version(version)
                .persistent()
                .receive_maximum(2)
                .connect()
        };
        let first = reader(&mut world);
        world.subscribe_with(first, subscribe(1, "state/+", QoS::AtLeastOnce));
        let mut read = Vec::new();
        for _ in 0..3 {
            for publish in world.publishes(first) {
                assert!(publish.retain);
                read.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                world.acknowledge(first, &publish);
            }
        }
        assert_eq!(read.len(), 6);

        world.received(first);
        let second = reader(&mut world);
        read.extend(read_to_the_end(&mut world, second));
        read.sort();
        expected.sort();
        assert_eq!(read, expected, "{version:?}");

        let third = reader(&mut world);
        world.pass(secs(1));
        assert!(world.received(third).is_empty(), "{version:?}: nothing again");
    }
}

/// [MQTT-3.10.4-2] in 5.0, [MQTT-3.10.4-2] in 3.1.1: retained messages that wait for the window are taken up no more once
/// their subscription is gone, and a repeated SUBSCRIBE starts over instead of adding up.
#[test]
fn v5_3_10_4_2_retained_messages_stop_with_their_subscription() {
    for version in [V311, V5] {
        let mut world = World::limited(|limits| limits.inflight_max_v3 = 1);
        let editor = world.client("editor").connect();
        for number in 0..9 {
            let name = format!("state/{number}");
            let message = Publish {
                retain: true,
                ..publish(&name, &name, QoS::AtLeastOnce)
            };
            world.send(editor, Packet::Publish(message));
        }
        let reader = world
            .client("reader")
            .version(version)
            .persistent()
            .receive_maximum(1)
            .connect();
        for number in 1..=3 {
            world.subscribe_with(reader, subscribe(number, "state/+", QoS::AtLeastOnce));
        }
        let first = world.publishes(reader);
        assert_eq!(first.len(), 1);
        world.acknowledge(reader, &first[0]);
        assert_eq!(
            read_to_the_end(&mut world, reader).len(),
            9,
            "{version:?}: all of them once more"
        );

        world.subscribe_with(reader, subscribe(4, "state/+", QoS::AtLeastOnce));
        world.send(reader, unsubscribe(5, "state/+"));
        assert_eq!(
            read_to_the_end(&mut world, reader).len(),
            1,
            "{version:?}: the one that was sent"
        );
    }
}

/// A SUBSCRIBE that was under way when its connection was displaced is not answered on the new one.
#[test]
fn v5_an_answer_does_not_go_to_another_connection() {
    let mut world = World::new();
    let old = world.client("reader").persistent().connect();
    world.hold_routes = true;
    world.send(old, Packet::Subscribe(subscribe(9, "news", QoS::AtLeastOnce)));
    let new = world.client("reader").persistent().connect();
    world.release_routes();
    assert_eq!(world.goodbye(old), Some(DisconnectReason::SessionTakenOver));
    assert!(world.received(new).is_empty());
    world.subscribe_with(new, subscribe(9, "other", QoS::AtLeastOnce));
    tell(&mut world, "other", "heard");
    let publishes = world.publishes(new);
    assert_eq!(publishes.len(), 1);
    assert_eq!(publishes[0].packet_id, Some(id(1)));
}
