//! Sessions: begun, resumed, thrown away and expired. Chapters 3.1, 3.2 and 4.1.

use mqtt_codec::{Disconnect, DisconnectReason, Packet, QoS, Version};

use crate::world::packets::{id, publish, pubrel};
use crate::world::{Client, World, secs};

use Version::{V5, V31, V311};

/// Publishes at QoS 1 from a client of its own.
fn tell(world: &mut World, topic: &str, payload: &str) {
    let editor = world.client("editor").connect();
    world.publish(editor, topic, payload, QoS::AtLeastOnce);
}

/// Connects as `reader` with a session that stays, and says whether there was one.
fn return_as_reader(world: &mut World, version: Version) -> (Client, bool) {
    let (client, connack) = world
        .client("reader")
        .version(version)
        .persistent()
        .connect_with_connack();
    (client, connack.session_present)
}

fn disconnect(world: &mut World, client: Client, session_expiry_secs: Option<u32>) {
    let packet = Disconnect {
        session_expiry_secs,
        ..Disconnect::new(DisconnectReason::NormalDisconnection)
    };
    world.send(client, Packet::Disconnect(packet));
}

/// [MQTT-3.1.2-5] in 5.0, [MQTT-3.2.2-3] in 5.0, [MQTT-3.1.2-23] in 5.0, [MQTT-3.1.4-4] in 5.0, [MQTT-3.1.2-4] in 3.1.1,
/// [MQTT-3.1.2-5] in 3.1.1, [MQTT-3.2.2-2] in 3.1.1, [MQTT-3.1.4-3] in 3.1.1, [MQTT-4.1.0-1] in 3.1.1: without a clean
/// start the session goes on, with its subscriptions and with what came meanwhile.
#[test]
fn v5_3_1_2_5_a_session_is_resumed() {
    for version in [V311, V5] {
        let mut world = World::new();
        let (reader, _) = return_as_reader(&mut world, version);
        world.subscribe(reader, "news", QoS::ExactlyOnce);
        world.drop_connection(reader);
        world.pass(secs(3599));
        tell(&mut world, "news", "while you were out");

        let (reader, present) = return_as_reader(&mut world, version);
        assert!(present, "{version:?}");
        assert_eq!(world.payloads(reader), ["while you were out"], "{version:?}");
        tell(&mut world, "news", "and live");
        assert_eq!(world.payloads(reader), ["and live"], "{version:?}");
    }
}

/// Sessions of MQTT 3.1 go on as well; its CONNACK cannot say so.
#[test]
fn v31_a_session_is_resumed_without_a_word() {
    let mut world = World::new();
    let (reader, _) = return_as_reader(&mut world, V31);
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.drop_connection(reader);
    tell(&mut world, "news", "old school");
    let (reader, present) = return_as_reader(&mut world, V31);
    assert!(!present);
    assert_eq!(world.payloads(reader), ["old school"]);
}

/// [MQTT-3.1.2-6] in 5.0, [MQTT-3.2.2-3] in 5.0, [MQTT-3.1.2-4] in 3.1.1, [MQTT-3.2.2-3] in 3.1.1: without a session
/// there is nothing to resume, and one begins that stays.
#[test]
fn v5_3_1_2_6_a_session_begins_where_none_was() {
    for version in [V311, V5] {
        let mut world = World::new();
        let (reader, present) = return_as_reader(&mut world, version);
        assert!(!present, "{version:?}");
        world.drop_connection(reader);
        let (_, present) = return_as_reader(&mut world, version);
        assert!(present, "{version:?}");
    }
}

/// [MQTT-3.1.2-4] in 5.0, [MQTT-3.1.4-4] in 5.0, [MQTT-3.2.2-2] in 5.0, [MQTT-3.1.2-6] in 3.1.1, [MQTT-3.1.4-3] in 3.1.1,
/// [MQTT-3.2.2-1] in 3.1.1: a clean start throws away subscriptions, queue and open conversations.
#[test]
fn v5_3_1_2_4_a_clean_start_forgets_everything() {
    for version in [V311, V5] {
        for away in [true, false] {
            let mut world = World::new();
            let (reader, _) = return_as_reader(&mut world, version);
            world.subscribe(reader, "news", QoS::ExactlyOnce);
            tell(&mut world, "news", "sent and not acknowledged");
            world.send(reader, Packet::Publish(publish("t", "not released", QoS::ExactlyOnce)));
            if away {
                world.drop_connection(reader);
                tell(&mut world, "news", "queued");
            }

            let (reader, connack) = world.client("reader").version(version).connect_with_connack();
            assert!(!connack.session_present, "{version:?} {away}");
            tell(&mut world, "news", "after");
            assert!(world.received(reader).is_empty(), "{version:?} {away}");
            let counters = world.counters();
            assert_eq!((counters.queued, counters.inflight), (0, 0), "{version:?} {away}");
        }
    }
}

/// [MQTT-3.1.2-6] in 3.1.1, [MQTT-3.2.2-3] in 3.1.1: a clean session is not there for a later connection, however its
/// own ended.
#[test]
fn v311_3_1_2_6_a_clean_session_ends_with_its_connection() {
    type Ending = fn(&mut World, Client);
    let endings: [Ending; 3] = [
        |world, client| world.drop_connection(client),
        |world, client| disconnect(world, client, None),
        |_, _| {}, // taken over
    ];
    for ending in endings {
        let mut world = World::new();
        let reader = world.client("reader").version(V311).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        ending(&mut world, reader);
        let (reader, present) = return_as_reader(&mut world, V311);
        assert!(!present);
        tell(&mut world, "news", "unheard");
        assert!(world.received(reader).is_empty());
    }
}

/// [MQTT-3.1.3-2] in 5.0, [MQTT-3.1.3-2] in 3.1.1: the identifier, all of it and as it is spelt, is what finds a session.
#[test]
fn v5_3_1_3_2_the_client_id_finds_the_session() {
    for version in [V311, V5] {
        let mut world = World::new();
        let (reader, _) = return_as_reader(&mut world, version);
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.drop_connection(reader);
        for other in ["Reader", "reade", "reader ", "readers"] {
            let (other, connack) = world.client(other).version(version).persistent().connect_with_connack();
            assert!(!connack.session_present);
            tell(&mut world, "news", "for one only");
            assert!(world.received(other).is_empty());
        }
        let (_, present) = return_as_reader(&mut world, version);
        assert!(present, "{version:?}");
    }
}

/// [MQTT-4.1.0-2] in 5.0, [MQTT-3.1.2-23] in 5.0: a session lives for its expiry after the connection, and not longer.
#[test]
fn v5_4_1_0_2_a_session_expires_to_the_second() {
    for (away, present) in [(9_999, true), (10_000, false)] {
        let mut world = World::new();
        let reader = world.client("reader").expiry(10).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        tell(&mut world, "news", "waits");
        world.drop_connection(reader);
        world.pass(away);
        let (reader, connack) = world.client("reader").clean(false).expiry(10).connect_with_connack();
        assert_eq!(connack.session_present, present, "after {away} ms");
        let expected: &[&str] = if present { &["waits"] } else { &[] };
        assert_eq!(world.payloads(reader), expected, "after {away} ms");
        tell(&mut world, "news", "subscribed?");
        assert_eq!(world.payloads(reader).len(), usize::from(present), "after {away} ms");
        assert_eq!(world.counters().sessions_expired, u64::from(!present));
    }
}

/// [MQTT-4.1.0-2] in 5.0: an expiry of 0, said or not, ends the session with its connection.
#[test]
fn v5_4_1_0_2_expiry_0_is_the_end() {
    for expiry in [None, Some(0)] {
        let mut world = World::new();
        let with = |connect: &mut mqtt_codec::Connect| connect.properties.session_expiry_secs = expiry;
        let reader = world.client("reader").clean(false).change(with).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.drop_connection(reader);
        assert_eq!(world.counters().sessions, 0);
        let (_, present) = return_as_reader(&mut world, V5);
        assert!(!present, "{expiry:?}");
    }
}

/// [MQTT-4.1.0-1] in 5.0, [MQTT-4.1.0-2] in 3.1.1: no session ends while its client is connected, however long.
#[test]
fn v5_4_1_0_1_a_session_lasts_as_long_as_its_connection() {
    for version in [V311, V5] {
        let mut world = World::new();
        let reader = world.client("reader").version(version).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        let keeper = world.client("keeper").version(version).persistent().connect();
        world.subscribe(keeper, "news", QoS::AtLeastOnce);
        // Twice the broker's cap on expiry.
        for _ in 0..2 * 7 * 24 {
            world.pass(secs(3600));
            world.send(reader, Packet::Pingreq);
            world.send(keeper, Packet::Pingreq);
        }
        tell(&mut world, "news", "still here");
        assert_eq!(world.payloads(reader), ["still here"], "{version:?}");
        assert_eq!(world.payloads(keeper), ["still here"], "{version:?}");
    }
}

/// [MQTT-4.1.0-2] in 5.0: the time runs from the last connection's end, not from an earlier one's.
#[test]
fn v5_4_1_0_2_expiry_starts_anew_with_each_connection() {
    let mut world = World::new();
    for _ in 0..4 {
        let reader = world.client("reader").clean(false).expiry(10).connect();
        world.drop_connection(reader);
        world.pass(secs(7));
    }
    let (_, connack) = world.client("reader").clean(false).expiry(2).connect_with_connack();
    assert!(connack.session_present);
    let reader = world.client("reader").clean(false).expiry(2).connect();
    world.drop_connection(reader);
    world.pass(secs(2));
    assert_eq!(world.counters().sessions, 0, "the last CONNECT's expiry counts");
}

/// [MQTT-3.1.2-5] in 3.1.1: a stored session of 3.1.1 collects for as long as the operator allows.
#[test]
fn v311_3_1_2_5_a_stored_session_collects_until_the_operators_cap() {
    for (away, present) in [(99, true), (100, false)] {
        let mut world = World::limited(|limits| limits.expiry_secs_max = 100);
        let (reader, _) = return_as_reader(&mut world, V311);
        world.subscribe(reader, "news", QoS::ExactlyOnce);
        disconnect(&mut world, reader, None);
        tell(&mut world, "news", "one");
        tell(&mut world, "news", "two");
        world.pass(secs(away));
        let (reader, found) = return_as_reader(&mut world, V311);
        assert_eq!(found, present);
        let expected: &[&str] = if present { &["one", "two"] } else { &[] };
        assert_eq!(world.payloads(reader), expected);
    }
}

/// DISCONNECT may change the expiry of a session that has one (section 3.14.2.2.2 in 5.0).
#[test]
fn v5_disconnect_changes_the_expiry() {
    for (changed, away, present) in [
        (Some(0), 0, false),
        (Some(100), 99, true),
        (Some(100), 100, false),
        (None, 9, true),
    ] {
        let mut world = World::new();
        let reader = world.client("reader").expiry(10).connect();
        disconnect(&mut world, reader, changed);
        world.pass(secs(away));
        let (_, found) = return_as_reader(&mut world, V5);
        assert_eq!(found, present, "{changed:?} after {away} s");
    }
}

/// A session that was to end with its connection cannot be given a life by DISCONNECT (section 3.14.2.2.2 in 5.0).
#[test]
fn v5_disconnect_cannot_raise_an_expiry_of_0() {
    let mut world = World::new();
    let reader = world
        .client("reader")
        .clean(false)
        .will("gone", "broken off", 0)
        .connect();
    let watcher = world.client("watcher").connect();
    world.subscribe(watcher, "gone", QoS::AtMostOnce);
    disconnect(&mut world, reader, Some(5));
    assert_eq!(world.goodbye(reader), Some(DisconnectReason::ProtocolError));
    assert_eq!(
        world.payloads(watcher),
        ["broken off"],
        "a protocol error is no good ending"
    );
    let (_, present) = return_as_reader(&mut world, V5);
    assert!(!present);
}

/// [MQTT-4.1.0-1] in 5.0, [MQTT-4.1.0-1] in 3.1.1: the client's own open QoS 2 conversations are part of its session.
/// The repeated PUBLISH is acknowledged and not passed on again, and its PUBREL ends it.
#[test]
fn v5_4_1_0_1_received_qos_2_ids_survive_the_connection() {
    for version in Version::ALL {
        let mut world = World::new();
        let watcher = world.client("watcher").connect();
        world.subscribe(watcher, "t", QoS::AtMostOnce);
        let sensor = world.client("sensor").version(version).persistent().connect();
        world.publish(sensor, "t", "once", QoS::ExactlyOnce);
        world.drop_connection(sensor);

        let sensor = world.client("sensor").version(version).persistent().connect();
        let again = mqtt_codec::Publish {
            dup: true,
            ..publish("t", "once", QoS::ExactlyOnce)
        };
        world.send(sensor, Packet::Publish(again));
        world.send(sensor, pubrel(id(1)));
        let received = world.received(sensor);
        let [Packet::Pubrec(pubrec), Packet::Pubcomp(pubcomp)] = &received[..] else {
            panic!("{received:?}")
        };
        assert!(!pubrec.reason.is_error() && !pubcomp.reason.is_error());
        assert_eq!(world.payloads(watcher), ["once"], "{version:?}");
    }
}
