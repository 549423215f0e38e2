//! Wills: all the ways in which a connection can end, and what becomes of its will. Chapters 3.1.2, 3.1.3 and 3.14.

use broker::line::Lost;
use mqtt_codec::{ConnackReason, Disconnect, DisconnectReason, Packet, PublishProperties, QoS, Version, Will};

use crate::world::packets::{publish, topic};
use crate::world::{Client, World, secs};

use Version::{V5, V31, V311};

/// A world with a client that hears every will, at any QoS. It is of 3.1.1, whose clients may be silent for ever.
pub(super) fn watched() -> (World, Client) {
    watched_in(V311)
}

fn watched_in(version: Version) -> (World, Client) {
    let mut world = World::new();
    let watcher = world.client("watcher").version(version).connect();
    world.subscribe(watcher, "gone/#", QoS::ExactlyOnce);
    (world, watcher)
}

/// Whether the watcher is still there to hear, and has heard nothing.
pub(super) fn hears_nothing(world: &mut World, watcher: Client) -> bool {
    world.is_connected(watcher) && world.received(watcher).is_empty()
}

fn leave(world: &mut World, client: Client, reason: DisconnectReason) {
    world.send(client, Packet::Disconnect(Disconnect::new(reason)));
}

fn will(retain: bool, qos: QoS) -> Will {
    Will {
        topic: topic("gone/a"),
        payload: "a is gone".into(),
        qos,
        retain,
        delay_secs: 0,
        properties: None,
    }
}

/// A way in which a connection ends, with its name.
type Ending = (&'static str, fn(&mut World, Client));

const LOSSES: [Ending; 5] = [
    ("the network breaks", |world, client| world.drop_connection(client)),
    ("keep alive runs out", |world, _| world.pass(secs(100))),
    ("a malformed packet", |world, client| {
        world.send_bytes(client, &[0x36, 0])
    }),
    ("a protocol error", |world, client| world.send(client, Packet::Pingresp)),
    ("another connection displaces it", |world, client| {
        let version = world.connections[client.0].version;
        world.client("a").version(version).connect();
    }),
];

/// [MQTT-3.1.2-7] in 5.0, [MQTT-3.1.2-8] in 5.0, [MQTT-3.1.2-8] in 3.1.1: trap 10. Every end without a goodbye publishes
/// the will, once, and not before.
#[test]
fn v5_3_1_2_8_the_will_follows_every_abnormal_end() {
    for version in Version::ALL {
        for (name, ending) in LOSSES {
            let (mut world, watcher) = watched();
            let client = world
                .client("a")
                .version(version)
                .keep_alive(secs(10))
                .will("gone/a", "a is gone", 0)
                .connect();
            world.pass(secs(9));
            assert!(hears_nothing(&mut world, watcher), "{version:?}: a will is for later");
            ending(&mut world, client);
            assert!(!world.is_connected(client), "{version:?}: {name}");
            assert_eq!(world.payloads(watcher), ["a is gone"], "{version:?}: {name}");
            world.pass(secs(9000));
            assert!(hears_nothing(&mut world, watcher), "{version:?}: {name}");
        }
    }
}

/// [MQTT-3.1.2-8] in 5.0, [MQTT-3.1.2-8] in 3.1.1: an error of the broker's own is no goodbye of the client's.
#[test]
fn v5_3_1_2_8_the_will_follows_a_panic() {
    // One line, so that the connection is where the test looks for it.
    let mut world = World::with(crate::world::Config {
        lines: 1,
        ..Default::default()
    });
    let watcher = world.client("watcher").connect();
    world.subscribe(watcher, "gone/#", QoS::ExactlyOnce);
    let connect = mqtt_codec::Connect {
        will: Some(will(false, QoS::AtMostOnce)),
        ..mqtt_codec::Connect::new(V5, mqtt_codec::ClientId::new("a").unwrap())
    };
    let arriving = broker::identity::Arriving {
        peer: broker::line::Peer::Local("raw".to_owned()),
        identity: std::sync::Arc::new(broker::identity::Identity::anonymous("test".into())),
        proof: None,
    };
    let broker::line::Admission::Admitted(key) = world.lines[0].admit(connect, arriving, 1, world.now) else {
        panic!("not admitted");
    };
    world.lines[0].lost(key, Lost::Panic, world.now);
    world.settle();
    assert_eq!(world.payloads(watcher), ["a is gone"]);
    assert_eq!(world.counters().panics, 1);
    assert!(world.is_connected(watcher), "it hurts no other");
}

/// [MQTT-3.14.4-3] in 5.0, [MQTT-3.1.2-10] in 5.0, [MQTT-3.14.4-3] in 3.1.1, [MQTT-3.1.2-10] in 3.1.1: a normal DISCONNECT
/// takes the will away, even of a session that stays and ends later.
#[test]
fn v5_3_14_4_3_disconnect_takes_the_will_away() {
    for version in Version::ALL {
        for delay_secs in [0, 5] {
            let (mut world, watcher) = watched();
            let client = world
                .client("a")
                .version(version)
                .persistent()
                .will("gone/a", "never", delay_secs)
                .connect();
            leave(&mut world, client, DisconnectReason::NormalDisconnection);
            world.pass(secs(8 * 24 * 3600));
            assert!(hears_nothing(&mut world, watcher), "{version:?}");
        }
    }
}

/// [MQTT-3.1.2-8] in 5.0: trap 10. DISCONNECT with any reason but 0x00 leaves the will to be published.
#[test]
fn v5_3_1_2_8_disconnect_with_another_reason_keeps_the_will() {
    for reason in DisconnectReason::ALL
        .iter()
        .copied()
        .filter(|reason| reason.allowed_from_client())
    {
        let (mut world, watcher) = watched();
        let client = world.client("a").will("gone/a", "a is gone", 0).connect();
        leave(&mut world, client, reason);
        let expected: &[&str] = if reason == DisconnectReason::NormalDisconnection {
            &[]
        } else {
            &["a is gone"]
        };
        assert_eq!(world.payloads(watcher), expected, "{reason}");
        assert!(world.received(client).is_empty(), "the client said the last word");
    }
}

/// [MQTT-3.1.2-12] in 3.1.1: a client without a will leaves no message behind, though an earlier connection of it had
/// one.
#[test]
fn v311_3_1_2_12_no_will_no_message() {
    for version in Version::ALL {
        for (name, ending) in LOSSES {
            let (mut world, watcher) = watched();
            let earlier = world
                .client("a")
                .version(version)
                .persistent()
                .will("gone/a", "earlier", 0)
                .connect();
            leave(&mut world, earlier, DisconnectReason::NormalDisconnection);
            let client = world
                .client("a")
                .version(version)
                .persistent()
                .keep_alive(secs(10))
                .connect();
            ending(&mut world, client);
            world.pass(secs(4000));
            assert!(hears_nothing(&mut world, watcher), "{version:?}: {name}");
        }
    }
}

/// [MQTT-3.1.2-10] in 5.0, [MQTT-3.1.2-10] in 3.1.1: a will that was published is gone from the session.
#[test]
fn v5_3_1_2_10_a_published_will_is_forgotten() {
    for (version, delay_secs) in [(V311, 0), (V5, 0), (V5, 5)] {
        let (mut world, watcher) = watched();
        let client = world
            .client("a")
            .version(version)
            .persistent()
            .will("gone/a", "once", delay_secs)
            .connect();
        world.drop_connection(client);
        world.pass(secs(6));
        assert_eq!(world.payloads(watcher), ["once"]);

        let client = world.client("a").version(version).persistent().connect();
        world.drop_connection(client);
        world.pass(secs(8 * 24 * 3600));
        assert!(hears_nothing(&mut world, watcher), "{version:?} {delay_secs}");
    }
}

/// [MQTT-3.1.2-14] in 5.0, [MQTT-3.1.2-15] in 5.0, [MQTT-3.1.2-16] in 3.1.1, [MQTT-3.1.2-17] in 3.1.1: a will is retained
/// exactly if it asked for it.
#[test]
fn v5_3_1_2_15_will_retain() {
    for version in Version::ALL {
        for retain in [true, false] {
            let (mut world, watcher) = watched();
            let client = world
                .client("a")
                .version(version)
                .will_packet(will(retain, QoS::AtLeastOnce))
                .connect();
            world.drop_connection(client);
            let live = world.publishes(watcher);
            assert_eq!(live.len(), 1);
            assert!(
                !live[0].retain,
                "{version:?}: to a standing subscription it is a message like any other"
            );

            let late = world.client("late").connect();
            world.subscribe(late, "gone/a", QoS::AtLeastOnce);
            let retained = world.publishes(late);
            assert_eq!(retained.len(), usize::from(retain), "{version:?} retain {retain}");
            assert!(
                retained
                    .iter()
                    .all(|publish| publish.retain && publish.payload == "a is gone")
            );
        }
    }
}

/// [MQTT-3.1.2-9] in 3.1.1: Will QoS is the QoS of the publication; the subscription may lower it.
#[test]
fn v311_3_1_2_9_will_qos() {
    for version in Version::ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut world, watcher) = watched();
            let modest = world.client("modest").connect();
            world.subscribe(modest, "gone/a", QoS::AtLeastOnce);
            let client = world
                .client("a")
                .version(version)
                .will_packet(will(false, qos))
                .connect();
            world.drop_connection(client);
            assert_eq!(world.publishes(watcher)[0].qos, qos, "{version:?}");
            assert_eq!(world.publishes(modest)[0].qos, qos.min(QoS::AtLeastOnce), "{version:?}");
        }
    }
}

/// [MQTT-3.1.3-10] in 5.0: all properties of a will reach its receivers, user properties in their order.
#[test]
fn v5_3_1_3_10_will_properties_are_passed_on() {
    let (mut world, watcher) = watched_in(V5);
    let pairs = [("b", "1"), ("a", "2"), ("b", "0"), ("a", "2")];
    let properties = PublishProperties {
        payload_format: Some(true),
        message_expiry_secs: Some(50),
        response_topic: Some(topic("answer")),
        correlation_data: Some("question".into()),
        user_properties: pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        content_type: Some("text/plain".into()),
        ..PublishProperties::default()
    };
    let message = Will {
        properties: Some(Box::new(properties.clone())),
        delay_secs: 10,
        ..will(false, QoS::AtMostOnce)
    };
    let client = world.client("a").persistent().will_packet(message).connect();
    world.drop_connection(client);
    world.pass(secs(10));
    let heard = world.publishes(watcher).remove(0);
    assert_eq!(
        *heard.properties.unwrap(),
        properties,
        "its time begins with its publication"
    );
}

/// [MQTT-3.1.2-8] in 3.1.1: a displaced connection ended without DISCONNECT.
#[test]
fn v311_3_1_2_8_a_takeover_publishes_the_will() {
    for (version, persistent) in [(V31, true), (V311, true), (V31, false), (V311, false)] {
        let (mut world, watcher) = watched();
        world
            .client("a")
            .version(version)
            .clean(!persistent)
            .will("gone/a", "elder", 0)
            .connect();
        world
            .client("a")
            .version(version)
            .clean(!persistent)
            .will("gone/a", "younger", 0)
            .connect();
        assert_eq!(world.payloads(watcher), ["elder"], "{version:?} {persistent}");
    }
}

/// [MQTT-3.1.2-7] in 5.0: each connection has the will of its own CONNECT, and none of an earlier one.
#[test]
fn v5_3_1_2_7_the_will_is_the_connections_own() {
    let (mut world, watcher) = watched();
    let first = world.client("a").persistent().will("gone/a", "first", 30).connect();
    world.drop_connection(first);
    let second = world.client("a").persistent().will("gone/b", "second", 0).connect();
    world.drop_connection(second);
    let heard = world.publishes(watcher);
    assert_eq!(heard.len(), 1);
    assert_eq!((&*heard[0].topic, &heard[0].payload[..]), ("gone/b", &b"second"[..]));
    world.pass(secs(60));
    assert!(hears_nothing(&mut world, watcher));
}

/// [MQTT-3.1.2-8] in 5.0, [MQTT-3.1.2-8] in 3.1.1: when the broker stops, wills reach those who are still connected,
/// delayed ones too, before these hear 0x8B.
#[test]
fn v5_3_1_2_8_a_stopping_broker_publishes_wills_first() {
    let (mut world, watcher) = watched_in(V5);
    world.client("a").persistent().will("gone/a", "connected", 0).connect();
    world
        .client("b")
        .version(V311)
        .will("gone/b", "connected, of 3.1.1", 0)
        .connect();
    let away = world
        .client("c")
        .persistent()
        .will("gone/c", "away, delayed", 600)
        .connect();
    world.drop_connection(away);
    let polite = world
        .client("d")
        .persistent()
        .will("gone/d", "said goodbye", 0)
        .connect();
    leave(&mut world, polite, DisconnectReason::NormalDisconnection);

    world.drain();
    let mut received = world.received(watcher);
    let Some(Packet::Disconnect(goodbye)) = received.pop() else {
        panic!("{received:?}")
    };
    assert_eq!(goodbye.reason, DisconnectReason::ServerShuttingDown);
    let payload = |packet: &Packet| {
        let Packet::Publish(publish) = packet else {
            panic!("{packet:?}")
        };
        String::from_utf8(publish.payload.to_vec()).unwrap()
    };
    let mut heard: Vec<String> = received.iter().map(payload).collect();
    heard.sort();
    assert_eq!(heard, ["away, delayed", "connected", "connected, of 3.1.1"]);
    assert_eq!(world.counters().connected, 0);
}

/// A will is published to all who want it, also when its publisher is one of them and away.
#[test]
fn v5_a_client_gets_its_own_will_when_it_is_back() {
    let mut world = World::new();
    let client = world.client("a").persistent().will("gone/a", "me?", 0).connect();
    world.subscribe(client, "gone/a", QoS::AtLeastOnce);
    world.drop_connection(client);
    let client = world.client("a").persistent().connect();
    assert_eq!(world.payloads(client), ["me?"]);
}

/// A will on one of the broker's own topics is refused before it can do harm: 0x90 in 5.0, the bare close in 3.x.
#[test]
fn v5_a_will_on_a_forbidden_topic_is_refused_at_connect() {
    for name in ["$SYS/broker/uptime".to_owned(), "x/".repeat(200)] {
        let mut world = World::new();
        let (client, connack) = world.client("a").will(&name, "forged", 0).try_connect();
        assert_eq!(connack.unwrap().reason, ConnackReason::TopicNameInvalid);
        assert!(!world.is_connected(client));
        let (client, connack) = world.client("a").version(V311).will(&name, "forged", 0).try_connect();
        assert_eq!(connack, None);
        assert!(!world.is_connected(client));
    }
}

/// The will is the last of what its client has to say.
#[test]
fn v5_the_will_comes_after_what_was_published() {
    let (mut world, watcher) = watched();
    let client = world.client("a").will("gone/a", "3", 0).connect();
    world.send(client, Packet::Publish(publish("gone/a", "1", QoS::AtMostOnce)));
    world.send(client, Packet::Publish(publish("gone/a", "2", QoS::AtLeastOnce)));
    world.drop_connection(client);
    assert_eq!(world.payloads(watcher), ["1", "2", "3"]);
}
