//! CONNECT and CONNACK of those who are let in: chapters 3.1 and 3.2.

use broker::effect::Cause;
use broker::exchange::{Ask, Ended, Exchange, Overseer, Refusal, Request, Verdict, phase};
use mqtt_codec::{ClientId, Connect, DisconnectReason, Packet, QoS, Version, decode_connect};

use crate::world::packets::{id, pubrel};
use crate::world::{Config, World, secs};

use Version::{V5, V31, V311};

/// [MQTT-3.1.4-5] in 5.0, [MQTT-3.2.0-1] in 5.0, [MQTT-3.2.0-2] in 5.0, [MQTT-3.1.4-4] in 3.1.1,
/// [MQTT-3.2.0-1] in 3.1.1: a client that is let in hears one CONNACK, before all that waited for it.
#[test]
fn v5_3_2_0_1_connack_comes_first_and_once() {
    for version in Version::ALL {
        let mut world = World::new();
        let away = world.client("reader").version(version).persistent().connect();
        world.subscribe(away, "news", QoS::AtLeastOnce);
        world.drop_connection(away);
        let editor = world.client("editor").connect();
        world.publish(editor, "news", "one", QoS::AtLeastOnce);

        let mut connect = Connect::new(version, ClientId::new("reader").unwrap());
        connect.clean_start = false;
        let reader = world.connect(connect);
        world.publish(editor, "news", "two", QoS::AtLeastOnce);
        world.send(reader, Packet::Pingreq);

        let received = world.received(reader);
        let connacks: Vec<usize> = received
            .iter()
            .enumerate()
            .filter_map(|(at, packet)| is_success(packet).then_some(at))
            .collect();
        assert_eq!(connacks, [0], "{version:?}: {received:?}");
        assert_eq!(received.len(), 4, "{version:?}: {received:?}");
    }
}

fn is_success(packet: &Packet) -> bool {
    matches!(packet, Packet::Connack(connack) if !connack.reason.is_error())
}

/// [MQTT-3.1.3-5] in 5.0, [MQTT-3.1.3-5] in 3.1.1: identifiers of 1 to 23 letters and digits are good in every version.
#[test]
fn v5_3_1_3_5_short_plain_client_ids_are_accepted() {
    for version in Version::ALL {
        let mut world = World::new();
        for id in [
            "0",
            "Z",
            "0123456789abcdefghijklm",
            "nopqrstuvwxyzABCDEFGHIJ",
            "KLMNOPQRSTUVWXYZ",
        ] {
            let (client, connack) = world.client(id).version(version).try_connect();
            assert!(
                connack.is_some_and(|connack| !connack.reason.is_error()),
                "{version:?} {id}"
            );
            assert!(world.is_connected(client), "{version:?} {id}");
        }
        assert_eq!(world.counters().connected, 5);
    }
}

/// [MQTT-3.1.3-6] in 5.0, [MQTT-3.1.3-7] in 5.0, [MQTT-3.2.2-16] in 5.0: who comes without a name gets one that nobody
/// has, is told so, and finds his session under it.
#[test]
fn v5_3_1_3_7_an_assigned_client_id_is_told_and_holds_a_session() {
    let mut world = World::new();
    let mut names = Vec::new();
    for _ in 0..8 {
        let (_, connack) = world.client("").expiry(60).connect_with_connack();
        names.push(connack.properties.assigned_client_id.unwrap());
    }
    assert_eq!(world.counters().connected, 8, "nobody displaced another");
    let mut distinct = names.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 8);
    assert!(names.iter().all(|name| !name.is_empty()));

    let (_, connack) = world.client(&names[3]).clean(false).connect_with_connack();
    assert!(connack.session_present);
    assert_eq!(connack.properties.assigned_client_id, None, "it came with a name");
}

/// [MQTT-3.2.2-16] in 5.0: a name that some session has already is not given out, whether its client is there or away.
#[test]
fn v5_3_2_2_16_an_assigned_client_id_is_no_sessions_name() {
    // A twin of this world tells what its third guest would be called.
    let mut twin = World::new();
    twin.client("first").connect();
    twin.client("second").connect();
    let (_, connack) = twin.client("").connect_with_connack();
    let wanted = connack.properties.assigned_client_id.unwrap();

    let mut world = World::new();
    let first = world.client(&wanted).expiry(60).connect();
    world.drop_connection(first);
    world.client("second").connect();

    let (_, connack) = world.client("").connect_with_connack();
    let assigned = connack.properties.assigned_client_id.unwrap();
    assert_ne!(assigned, wanted);
    assert!(!connack.session_present);
    let (_, connack) = world.client(&wanted).clean(false).connect_with_connack();
    assert!(connack.session_present, "the first one's session is untouched");
}

/// [MQTT-3.1.3-6] in 3.1.1, [MQTT-3.1.3-7] in 3.1.1: with a clean session, clients without a name are clients of their
/// own.
#[test]
fn v311_3_1_3_6_nameless_clients_do_not_share_a_session() {
    let mut world = World::new();
    let one = world.client("").version(V311).connect();
    let other = world.client("").version(V311).connect();
    world.subscribe(one, "a", QoS::AtMostOnce);
    world.subscribe(other, "b", QoS::AtMostOnce);
    world.publish(one, "b", "for the other", QoS::AtMostOnce);
    assert_eq!(world.payloads(other), ["for the other"]);
    assert!(world.payloads(one).is_empty());
}

/// [MQTT-3.1.2-28] in 5.0: Response Information is told to those who ask, and to nobody else.
#[test]
fn v5_3_1_2_28_response_information_only_on_request() {
    let mut world = World::new();
    let (_, connack) = world.client("mute").connect_with_connack();
    assert_eq!(connack.properties.response_information, None);
    let (_, connack) = world
        .client("asker")
        .change(|connect| connect.properties.request_response_information = true)
        .connect_with_connack();
    assert_eq!(
        connack.properties.response_information.as_deref(),
        Some("response/asker")
    );

    let mut world = World::limited(|limits| limits.response_prefix.clear());
    let (_, connack) = world
        .client("asker")
        .change(|connect| connect.properties.request_response_information = true)
        .connect_with_connack();
    assert_eq!(connack.properties.response_information, None, "the operator gave none");
}

/// [MQTT-3.2.2-9] in 5.0: trap 14. The broker takes every QoS and says so by leaving Maximum QoS out; a 2 there would
/// be a protocol error.
#[test]
fn v5_3_2_2_9_no_maximum_qos_and_qos_2_works() {
    let mut world = World::new();
    let (client, connack) = world.client("sensor").connect_with_connack();
    assert_eq!(connack.properties.qos_max, None);
    assert_eq!(connack.properties.retain_available, None);
    world.publish(client, "t", "exactly once", QoS::ExactlyOnce);
    world.send(client, pubrel(id(1)));
    let received = world.received(client);
    assert!(
        matches!(&received[..], [Packet::Pubrec(_), Packet::Pubcomp(_)]),
        "{received:?}"
    );
}

/// The limits in CONNACK (sections 3.2.2.3.3 to 3.2.2.3.8 in 5.0) are the ones that are kept.
#[test]
fn v5_connack_tells_the_limits() {
    let mut world = World::limited(|limits| {
        limits.receive_max = 7;
        limits.packet_bytes_max = 9000;
        limits.alias_max = 3;
        limits.expiry_secs_max = 100;
    });
    let (_, connack) = world.client("a").expiry(u32::MAX).connect_with_connack();
    let properties = connack.properties;
    assert_eq!(properties.receive_maximum.map(u16::from), Some(7));
    assert_eq!(properties.packet_size_max.map(u32::from), Some(9000));
    assert_eq!(properties.topic_alias_max, Some(3));
    assert_eq!(properties.session_expiry_secs, Some(100));
    let (_, connack) = world.client("b").expiry(99).connect_with_connack();
    assert_eq!(
        connack.properties.session_expiry_secs, None,
        "what was asked is granted"
    );
}

/// [MQTT-3.1.2-24] in 5.0, [MQTT-3.2.2-19] in 5.0, [MQTT-3.2.2-20] in 5.0: CONNACK carries no words that could break the
/// client's Maximum Packet Size, and one that is too large even so is not sent.
#[test]
fn v5_3_2_2_19_connack_keeps_the_clients_packet_size() {
    let mut world = World::new();
    let (_, connack) = world.client("probe").packet_size_max(1000).connect_with_connack();
    let len = u32::try_from(connack.encoded_len(V5)).unwrap();

    let (client, connack) = world.client("exact").packet_size_max(len).try_connect();
    let connack = connack.unwrap();
    assert!(world.is_connected(client));
    assert_eq!(connack.properties.reason_string, None);
    assert!(connack.properties.user_properties.is_empty());

    let (client, connack) = world.client("short").packet_size_max(len - 1).try_connect();
    assert_eq!(connack, None);
    assert!(!world.is_connected(client));
    assert!(world.received(client).is_empty());
}

/// [MQTT-3.1.3-1] in 5.0, [MQTT-3.1.3-1] in 3.1.1: identifier, will, user name and password are read in this order.
#[test]
fn v5_3_1_3_1_payload_fields_in_their_order() {
    let payload = b"\x00\x02id\x00\x04will\x00\x04gone\x00\x04user\x00\x04word";
    let payload_v5 = b"\x00\x02id\x00\x00\x04will\x00\x04gone\x00\x04user\x00\x04word";
    let flags = 0b1100_0110;
    for (version, payload) in [(V31, &payload[..]), (V311, &payload[..]), (V5, &payload_v5[..])] {
        let name = version.protocol_name();
        let mut body = vec![0, name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&[version.level(), flags, 0, 0]);
        if version == V5 {
            body.push(0);
        }
        body.extend_from_slice(payload);
        let mut bytes = vec![0x10, body.len() as u8];
        bytes.extend_from_slice(&body);
        let connect = decode_connect(&mut bytes.into(), 1000).unwrap().unwrap();

        let mut world = World::with(Config {
            overseer: || Box::new(Doorman),
            ..Default::default()
        });
        let watcher = world.client("watcher").change(give_password).connect();
        world.subscribe(watcher, "will", QoS::AtMostOnce);
        let client = world.connect(connect);
        assert!(
            world.is_connected(client),
            "{version:?}: user name and password were found"
        );
        world.drop_connection(client);
        assert_eq!(world.payloads(watcher), ["gone"], "{version:?}");
        assert_eq!(
            &*world.connections[client.0].closed.as_ref().unwrap().client_id,
            "id",
            "{version:?}"
        );
    }
}

fn give_password(connect: &mut Connect) {
    connect.username = Some("user".into());
    connect.password = Some("word".into());
}

/// Lets in who knows the word.
struct Doorman;

impl Overseer for Doorman {
    fn on_running(&mut self, _: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        let Ask::Connect(connect) = request.ask else {
            return Verdict::Proceed;
        };
        let knows = request.username() == Some("user") && connect.password.as_deref() == Some(b"word".as_slice());
        if knows {
            Verdict::Proceed
        } else {
            Verdict::Stop(Refusal::BadCredentials)
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}

/// [MQTT-4.12.0-6] in 5.0: without a method in CONNECT there is none in CONNACK, and AUTH never comes.
#[test]
fn v5_4_12_0_6_no_method_no_auth() {
    let mut world = World::new();
    let connect = Connect {
        keep_alive_secs: 10,
        ..Connect::new(V5, ClientId::new("plain").unwrap())
    };
    let client = world.connect(connect);
    world.subscribe(client, "t", QoS::ExactlyOnce);
    world.publish(client, "t", "hello", QoS::ExactlyOnce);
    world.pass(secs(60));
    let received = world.received(client);
    let Packet::Connack(connack) = &received[0] else {
        panic!("{received:?}")
    };
    assert_eq!(connack.properties.authentication_method, None);
    assert_eq!(connack.properties.authentication_data, None);
    assert!(
        !received.iter().any(|packet| matches!(packet, Packet::Auth(_))),
        "{received:?}"
    );
    assert_eq!(
        world.cause(client),
        Some(Cause::KeepAliveTimeout),
        "the whole life of a connection was seen"
    );
}

/// [MQTT-4.12.0-7] in 5.0: AUTH from a client that named no method is a protocol error.
#[test]
fn v5_4_12_0_7_auth_without_a_method_ends_the_connection() {
    for reason in [0x18, 0x19] {
        let mut world = World::new();
        let client = world.client("eager").connect();
        // AUTH with the method "m".
        world.send_bytes(client, &[0xF0, 6, reason, 4, 0x15, 0, 1, b'm']);
        assert_eq!(
            world.goodbye(client),
            Some(DisconnectReason::ProtocolError),
            "{reason:#x}"
        );
    }
}

/// [MQTT-3.1.0-2] in 5.0, [MQTT-3.1.0-2] in 3.1.1, [MQTT-3.2.0-2] in 5.0: a second CONNECT ends the connection, and is
/// not answered by a second CONNACK.
#[test]
fn v5_3_1_0_2_a_second_connect_ends_the_connection() {
    for version in Version::ALL {
        let mut world = World::new();
        let client = world.client("twice").version(version).connect();
        world.send(
            client,
            Packet::Connect(Box::new(Connect::new(version, ClientId::new("twice").unwrap()))),
        );
        assert!(!world.is_connected(client));
        let received = world.received(client);
        if version == V5 {
            let [Packet::Disconnect(packet)] = &received[..] else {
                panic!("{received:?}")
            };
            assert_eq!(packet.reason, DisconnectReason::ProtocolError);
        } else {
            assert!(received.is_empty(), "{version:?}: {received:?}");
        }
    }
}

/// [MQTT-3.1.2-25] in 5.0: a Maximum Packet Size of any value is kept for the life of the connection.
#[test]
fn v5_3_1_2_25_packet_size_is_the_connections_not_the_sessions() {
    let mut world = World::new();
    let sensor = world.client("sensor").connect();
    let small = world.client("reader").persistent().packet_size_max(40).connect();
    world.subscribe(small, "t", QoS::AtLeastOnce);
    world.publish(sensor, "t", &"x".repeat(100), QoS::AtLeastOnce);
    world.publish(sensor, "t", "short", QoS::AtLeastOnce);
    assert_eq!(
        world.payloads(small),
        ["short"],
        "the long one was dropped and the next came"
    );
    world.drop_connection(small);

    let large = world.client("reader").persistent().packet_size_max(400).connect();
    world.publish(sensor, "t", &"y".repeat(100), QoS::AtLeastOnce);
    assert_eq!(world.payloads(large), ["short".to_owned(), "y".repeat(100)]);
}
