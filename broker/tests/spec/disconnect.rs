//! PINGREQ, DISCONNECT and the other ends of a connection: chapters 3.12, 3.14, 4.8 in 3.1.1 and 4.13 in 5.0.

use broker::effect::Cause;
use broker::exchange::Refusal;
use mqtt_codec::{Disconnect, DisconnectReason, Packet, Publish, QoS, Version};

use crate::world::packets::{id, puback, pubcomp, publish, pubrec, subscribe, unsubscribe};
use crate::world::{Client, World, secs};

use Version::{V5, V31, V311};

/// [MQTT-3.12.4-1] in 5.0, [MQTT-3.12.4-1] in 3.1.1: each PINGREQ is answered, also while a window is used up.
#[test]
fn v5_3_12_4_1_every_ping_is_answered() {
    for version in Version::ALL {
        let mut world = World::limited(|limits| limits.inflight_max_v3 = 1);
        let client = world.client("a").version(version).receive_maximum(1).connect();
        world.subscribe(client, "t", QoS::AtLeastOnce);
        world.publish(client, "t", "1", QoS::AtLeastOnce);
        world.publish(client, "t", "2", QoS::AtLeastOnce);
        world.received(client);
        for _ in 0..3 {
            world.send(client, Packet::Pingreq);
        }
        let received = world.received(client);
        assert!(
            matches!(received[..], [Packet::Pingresp, Packet::Pingresp, Packet::Pingresp]),
            "{received:?}"
        );
    }
}

/// A client's DISCONNECT is not answered, and what comes behind it is not looked at (section 3.14.4 in both versions).
#[test]
fn v5_3_14_disconnect_is_the_clients_last_word() {
    for version in Version::ALL {
        let mut world = World::new();
        let watcher = world.client("watcher").connect();
        world.subscribe(watcher, "#", QoS::AtMostOnce);
        let client = world.client("a").version(version).connect();
        // DISCONNECT and a PUBLISH at QoS 0 in one write: topic "t", payload "x".
        let properties: &[u8] = if version == V5 { &[0] } else { &[] };
        let mut bytes = vec![0xE0, 0, 0x30, 4 + properties.len() as u8, 0, 1, b't'];
        bytes.extend_from_slice(properties);
        bytes.push(b'x');
        world.send_bytes(client, &bytes);
        assert_eq!(world.cause(client), Some(Cause::ClientDisconnected), "{version:?}");
        assert!(world.received(client).is_empty(), "{version:?}");
        assert!(world.payloads(watcher).is_empty(), "{version:?}");
    }
}

/// A packet that a client must not send, by what it is, with the reason that 5.0 hears.
type Offence = (&'static str, &'static [u8], DisconnectReason);

const OFFENCES: [Offence; 9] = [
    ("DISCONNECT with flags", &[0xE1, 0], DisconnectReason::MalformedPacket),
    ("PINGREQ with flags", &[0xC3, 0], DisconnectReason::MalformedPacket),
    ("packet type 0", &[0x00, 0], DisconnectReason::MalformedPacket),
    (
        "PUBLISH with QoS 3",
        &[0x36, 5, 0, 1, b't', 0, 1],
        DisconnectReason::MalformedPacket,
    ),
    (
        "PUBLISH with packet id 0",
        &[0x32, 6, 0, 1, b't', 0, 0, 0],
        DisconnectReason::ProtocolError,
    ),
    (
        "a length of five bytes",
        &[0x30, 0x80, 0x80, 0x80, 0x80, 1],
        DisconnectReason::MalformedPacket,
    ),
    (
        "SUBSCRIBE without a filter",
        &[0x82, 3, 0, 1, 0],
        DisconnectReason::ProtocolError,
    ),
    ("PINGRESP", &[0xD0, 0], DisconnectReason::ProtocolError),
    (
        "a packet above Maximum Packet Size",
        &[0x30, 0xFF, 0xFF, 0xFF, 0x7F],
        DisconnectReason::PacketTooLarge,
    ),
];

/// [MQTT-4.13.1-1] in 5.0, [MQTT-4.13.2-1] in 5.0, [MQTT-3.14.1-1] in 5.0, [MQTT-3.14.4-2] in 5.0: an offence is named
/// and ends the connection it came on, and no other.
#[test]
fn v5_4_13_1_1_an_offence_is_named_and_ends_the_connection() {
    for (name, bytes, reason) in OFFENCES {
        let mut world = World::new();
        let neighbour = world.client("neighbour").connect();
        let client = world.client("a").connect();
        world.send_bytes(client, bytes);
        let received = world.received(client);
        let [Packet::Disconnect(packet)] = &received[..] else {
            panic!("{name}: {received:?}")
        };
        assert_eq!(packet.reason, reason, "{name}");
        assert!(matches!(world.cause(client), Some(Cause::Violation(_))), "{name}");
        assert!(world.is_connected(neighbour), "{name}");
        assert_eq!(world.counters().violations, 1, "{name}");
    }
}

/// [MQTT-4.8.0-1] in 3.1.1, [MQTT-3.14.1-1] in 3.1.1: in 3.x the close is all the answer.
#[test]
fn v311_4_8_0_1_an_offence_ends_the_connection_without_a_word() {
    for version in [V31, V311] {
        for (name, bytes, _) in OFFENCES
            .into_iter()
            .filter(|(name, _, _)| *name != "SUBSCRIBE without a filter")
        {
            let mut world = World::new();
            let neighbour = world.client("neighbour").version(version).connect();
            let client = world.client("a").version(version).connect();
            world.send_bytes(client, bytes);
            if version == V31 && name.ends_with("with flags") {
                // 3.1 calls these bits unused and has nobody look at them.
                continue;
            }
            assert!(!world.is_connected(client), "{version:?}: {name}");
            assert!(world.received(client).is_empty(), "{version:?}: {name}");
            assert!(world.is_connected(neighbour), "{version:?}: {name}");
        }
    }
}

/// [MQTT-3.14.2-1] in 5.0: a reason code that the table does not have, or has for servers only, is a protocol error.
#[test]
fn v5_3_14_2_1_a_foreign_disconnect_reason() {
    for code in [0x01, 0x05, 0x10, 0x84, 0xFF, 0x8B, 0x8E, 0x9D] {
        let mut world = World::new();
        let client = world.client("a").connect();
        world.send_bytes(client, &[0xE0, 1, code]);
        assert_eq!(
            world.goodbye(client),
            Some(DisconnectReason::ProtocolError),
            "{code:#x}"
        );
    }
}

/// A way in which the broker ends a connection, with its name and what the client hears.
type End = (&'static str, DisconnectReason, fn(&mut World, Client));

fn broker_side_ends() -> [End; 5] {
    [
        ("offence", DisconnectReason::MalformedPacket, |world, client| {
            world.send_bytes(client, &[0xE1, 0])
        }),
        ("takeover", DisconnectReason::SessionTakenOver, |world, _| {
            world.client("a").connect();
        }),
        ("silence", DisconnectReason::KeepAliveTimeout, |world, _| {
            world.pass(secs(20))
        }),
        ("stop", DisconnectReason::ServerShuttingDown, |world, _| world.drain()),
        ("slow", DisconnectReason::QuotaExceeded, |world, client| {
            world.subscribe(client, "t", QoS::AtLeastOnce);
            let editor = world.client("editor").connect();
            for _ in 0..8 {
                world.publish(editor, "t", "too much", QoS::AtLeastOnce);
            }
        }),
    ]
}

fn small_world() -> World {
    World::limited(|limits| limits.queue_messages_max = 3)
}

/// [MQTT-3.14.2-2] in 5.0, [MQTT-3.14.4-1] in 5.0, [MQTT-3.14.4-2] in 5.0, [MQTT-4.13.2-1] in 5.0: whatever makes the
/// broker say goodbye, its DISCONNECT has no Session Expiry Interval, is its last packet, and the close follows.
#[test]
fn v5_3_14_4_1_disconnect_is_the_brokers_last_word() {
    for (name, reason, end) in broker_side_ends() {
        let mut world = small_world();
        let client = world
            .client("a")
            .keep_alive(secs(10))
            .receive_maximum(1)
            .expiry(100)
            .connect();
        end(&mut world, client);
        let received = world.received(client);
        let place = received
            .iter()
            .position(|packet| matches!(packet, Packet::Disconnect(_)));
        assert_eq!(place, Some(received.len() - 1), "{name}: {received:?}");
        let Some(Packet::Disconnect(packet)) = received.last() else {
            panic!("{name}")
        };
        assert_eq!((packet.reason, packet.session_expiry_secs), (reason, None), "{name}");
        assert!(!world.is_connected(client), "{name}");
        world.pass(secs(5));
        assert!(world.received(client).is_empty(), "{name}");
    }
}

/// [MQTT-3.14.2-3] in 5.0, [MQTT-3.14.2-4] in 5.0: the words of a DISCONNECT give way to the client's Maximum Packet
/// Size; the reason code remains.
#[test]
fn v5_3_14_2_3_words_give_way_to_the_packet_size() {
    for (name, reason, end) in broker_side_ends() {
        for (packet_size_max, worded) in [(25, false), (1000, matches!(name, "offence" | "slow"))] {
            let mut world = small_world();
            let builder = world.client("a").keep_alive(secs(10)).receive_maximum(1);
            let client = builder.packet_size_max(packet_size_max).connect();
            end(&mut world, client);
            let received = world.received(client);
            let Some(Packet::Disconnect(packet)) = received.last() else {
                panic!("{name}: {received:?}")
            };
            assert_eq!(packet.reason, reason, "{name}");
            assert_eq!(
                packet.reason_string.is_some(),
                worded,
                "{name} in {packet_size_max} bytes"
            );
            assert!(packet.user_properties.is_empty());
        }
    }
}

/// [MQTT-4.8.0-2] in 3.1.1: a message that the broker has no room for ends a publisher of 3.1.1, because 3.1.1 has no
/// refusal and an acknowledgement would be a lie. In 5.0 it is refused aloud.
#[test]
fn v311_4_8_0_2_no_room_ends_the_connection_unacknowledged() {
    let mut world = small_world();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let old = world.client("old").version(V311).connect();
    for _ in 0..3 {
        world.publish(old, "t", "fits", QoS::AtLeastOnce);
    }
    assert_eq!(world.received(old).len(), 3);

    world.publish(old, "t", "does not fit", QoS::AtLeastOnce);
    assert!(world.received(old).is_empty());
    assert_eq!(world.cause(old), Some(Cause::Refused(Refusal::QuotaExceeded)));

    let modern = world.client("modern").connect();
    world.publish(modern, "t", "does not fit", QoS::AtLeastOnce);
    let received = world.received(modern);
    let [Packet::Puback(packet)] = &received[..] else {
        panic!("{received:?}")
    };
    assert_eq!(packet.reason.code(), 0x97);
    assert!(world.is_connected(modern));

    let reader = world.client("reader").persistent().connect();
    assert_eq!(
        world.payloads(reader),
        ["fits", "fits", "fits"],
        "nothing acknowledged was lost"
    );
}

/// [MQTT-4.9.0-3] in 5.0: trap 13. With queue, window and outgoing buffer full of messages, acknowledgements still come:
/// PUBREL, PUBCOMP, SUBACK, UNSUBACK and PINGRESP are no messages.
#[test]
fn v5_4_9_0_3_no_queue_limit_drops_an_acknowledgement() {
    for version in [V311, V5] {
        let mut world = World::limited(|limits| {
            limits.out_bytes_max = 600;
            limits.inflight_max_v3 = 3;
            limits.queue_messages_max = 50;
        });
        let editor = world.client("editor").connect();
        let reader = world.client("reader").version(version).receive_maximum(3).connect();
        world.subscribe(reader, "t", QoS::ExactlyOnce);
        world.subscribe_with(reader, subscribe(2, "noise", QoS::AtMostOnce));
        world.stall(reader, true);
        for number in 1..=10 {
            let message = Publish {
                packet_id: Some(id(number)),
                ..publish("t", &"x".repeat(200), QoS::ExactlyOnce)
            };
            world.send(editor, Packet::Publish(message));
            world.publish(editor, "noise", &"y".repeat(200), QoS::AtMostOnce);
        }
        assert!(world.outbox_bytes(reader) >= 600, "the buffer is full");

        world.send(reader, pubrec(id(1)));
        world.send(reader, pubcomp(id(1)));
        world.send(reader, pubrec(id(2)));
        world.send(reader, Packet::Publish(publish("u", "mine", QoS::ExactlyOnce)));
        world.send(reader, crate::world::packets::pubrel(id(1)));
        world.send(reader, Packet::Subscribe(subscribe(7, "v", QoS::AtMostOnce)));
        world.send(reader, unsubscribe(8, "v"));
        world.send(reader, Packet::Pingreq);
        world.stall(reader, false);

        let received = world.received(reader);
        let count = |which: fn(&Packet) -> bool| received.iter().filter(|packet| which(packet)).count();
        assert_eq!(count(|packet| matches!(packet, Packet::Pubrel(_))), 2, "{version:?}");
        assert_eq!(count(|packet| matches!(packet, Packet::Pubrec(_))), 1, "{version:?}");
        assert_eq!(count(|packet| matches!(packet, Packet::Pubcomp(_))), 1, "{version:?}");
        assert_eq!(count(|packet| matches!(packet, Packet::Suback(_))), 1, "{version:?}");
        assert_eq!(count(|packet| matches!(packet, Packet::Unsuback(_))), 1, "{version:?}");
        assert_eq!(count(|packet| matches!(packet, Packet::Pingresp)), 1, "{version:?}");
    }
}

/// An answer that fits no open conversation of the client's session does no harm; one to a conversation of another kind
/// is a protocol error.
#[test]
fn v5_answers_out_of_place() {
    for version in [V311, V5] {
        let mut world = World::new();
        let client = world.client("a").version(version).connect();
        for packet in [
            puback(id(9)),
            pubcomp(id(9)),
            Packet::Pubrec(mqtt_codec::Pubrec::new(id(9), mqtt_codec::PubrecReason::Success)),
        ] {
            world.send(client, packet);
            assert!(world.is_connected(client), "{version:?}");
        }
        world.subscribe(client, "t", QoS::ExactlyOnce);
        world.publish(client, "t", "two", QoS::ExactlyOnce);
        world.send(client, puback(id(1)));
        assert!(!world.is_connected(client), "{version:?}: PUBACK for a QoS 2 message");
    }
}

/// A client may leave with reasons of its own; the broker closes and answers nothing (section 3.14.4 in 5.0).
#[test]
fn v5_disconnect_with_properties() {
    let mut world = World::new();
    let client = world.client("a").connect();
    let packet = Disconnect {
        reason_string: Some("going home".into()),
        user_properties: vec![("mood".into(), "fine".into())],
        ..Disconnect::new(DisconnectReason::NormalDisconnection)
    };
    world.send(client, Packet::Disconnect(packet));
    assert_eq!(world.cause(client), Some(Cause::ClientDisconnected));
    assert!(world.received(client).is_empty());
}
