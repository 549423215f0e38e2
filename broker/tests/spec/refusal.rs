//! CONNECT of those who are not let in: chapters 3.1, 3.2, 4.12 and 4.13.

use broker::exchange::{Ask, Ended, Exchange, Overseer, Refusal, Request, Verdict, phase};
use bytes::{Bytes, BytesMut};
use mqtt_codec::{ClientId, Connack, ConnackReason, Connect, Packet, QoS, Version, decode, decode_connect};

use crate::world::packets::{id, publish, pubrec, pubrel, subscribe, unsubscribe};
use crate::world::{Client, Config, World};

use Version::{V5, V31, V311};

/// Refuses each client for the reason whose place in [`Refusal::ALL`] is its name, and every request of the others
/// that has an answer.
struct Strict;

impl Overseer for Strict {
    fn on_running(&mut self, _: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        let place: Option<usize> = request.client_id.parse().ok();
        match (request.ask, place) {
            (Ask::Connect(_), Some(place)) => Verdict::Stop(Refusal::ALL[place]),
            (Ask::Publish(_) | Ask::Subscribe(_) | Ask::Unsubscribe(_), _) => Verdict::Stop(Refusal::NotAuthorized),
            (Ask::Connect(_) | Ask::Deliver(_) | Ask::Will(_), _) => Verdict::Proceed,
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}

fn strict() -> World {
    World::with(Config {
        overseer: || Box::new(Strict),
        ..Config::default()
    })
}

/// [MQTT-3.1.4-2] in 5.0, [MQTT-3.2.2-6] in 5.0, [MQTT-3.2.2-7] in 5.0, [MQTT-3.2.2-8] in 5.0, [MQTT-4.13.2-1] in 5.0:
/// whatever the reason, the refusal comes from CONNACK's own table, knows no session, and is the end.
#[test]
fn v5_3_2_2_7_every_refusal_is_a_connack_and_the_close() {
    let mut world = strict();
    for place in 0..Refusal::ALL.len() {
        let (client, connack) = world.client(&place.to_string()).clean(false).try_connect();
        let connack = connack.unwrap();
        assert!(connack.reason.is_error(), "{connack:?}");
        assert!(ConnackReason::from_code(connack.reason.code()).is_some());
        assert!(!connack.session_present);
        assert_is_out(&mut world, client);
    }
    assert_eq!(world.counters().connected, 0);
    assert_eq!(world.counters().sessions, 0, "a refusal leaves nothing behind");
}

/// [MQTT-3.2.2-4] in 3.1.1, [MQTT-3.2.2-5] in 3.1.1, [MQTT-3.2.2-6] in 3.1.1: a refusal has a return code of the
/// standard's table, or there is no CONNACK at all; the connection ends either way.
#[test]
fn v311_3_2_2_6_a_refusal_without_a_return_code_is_only_the_close() {
    let expected = |refusal| match refusal {
        Refusal::ClientIdInvalid => Some(ConnackReason::ClientIdentifierNotValid),
        Refusal::ServerUnavailable | Refusal::ConnectionRateExceeded => Some(ConnackReason::ServerUnavailable),
        Refusal::BadCredentials => Some(ConnackReason::BadUserNameOrPassword),
        Refusal::NotAuthorized => Some(ConnackReason::NotAuthorized),
        Refusal::BadAuthenticationMethod
        | Refusal::Banned
        | Refusal::TopicNameInvalid
        | Refusal::TopicFilterInvalid
        | Refusal::QuotaExceeded
        | Refusal::PacketTooLarge
        | Refusal::Unspecified => None,
    };
    for version in [V31, V311] {
        let mut world = strict();
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            let (client, connack) = world
                .client(&place.to_string())
                .version(version)
                .clean(false)
                .try_connect();
            assert!(
                !connack.as_ref().is_some_and(|connack| connack.session_present),
                "{refusal:?}"
            );
            assert_eq!(connack.map(|connack| connack.reason), expected(refusal), "{refusal:?}");
            assert_is_out(&mut world, client);
        }
        assert_eq!(world.counters().sessions, 0);
    }
}

/// [MQTT-3.2.2-6] in 5.0, [MQTT-3.2.2-4] in 3.1.1: a refused client is not told of its session, and keeps it.
#[test]
fn v5_3_2_2_6_a_refused_takeover_leaves_the_session_alone() {
    for version in [V311, V5] {
        let mut world = World::new();
        let client = world.client("a").version(version).persistent().connect();
        let refused = world.client("a").version(version).persistent();
        let will = mqtt_codec::Will {
            topic: crate::world::packets::topic("$SYS/forged"),
            payload: Bytes::new(),
            qos: QoS::AtMostOnce,
            retain: false,
            delay_secs: 0,
            properties: None,
        };
        let (refused, connack) = refused.will_packet(will).try_connect();
        match version {
            V5 => {
                let connack = connack.unwrap();
                assert_eq!(connack.reason, ConnackReason::TopicNameInvalid);
                assert!(!connack.session_present);
            }
            V31 | V311 => assert_eq!(connack, None),
        }
        assert_is_out(&mut world, refused);
        assert!(world.is_connected(client), "who was refused takes nothing over");
    }
}

fn assert_is_out(world: &mut World, client: Client) {
    assert!(!world.is_connected(client));
    assert!(world.received(client).is_empty(), "a refusal is the last word");
}

/// [MQTT-3.1.3-8] in 3.1.1, [MQTT-3.1.3-9] in 3.1.1, [MQTT-3.1.3-8] in 5.0: trap 17. Without a name there is no session
/// to keep: 0x02 in 3.1.1, 0x85 in 5.0.
#[test]
fn v311_3_1_3_8_no_client_id_and_no_clean_start() {
    for version in Version::ALL {
        let mut world = World::new();
        let (client, connack) = world.client("").version(version).clean(false).try_connect();
        // 0x02 in 3.x is the same reason.
        assert_eq!(
            connack.unwrap().reason,
            ConnackReason::ClientIdentifierNotValid,
            "{version:?}"
        );
        assert_is_out(&mut world, client);
        assert_eq!(world.counters().sessions, 0);
    }
}

/// [MQTT-3.1.3-9] in 3.1.1, [MQTT-3.1.3-8] in 5.0: an identifier longer than this broker takes, or than 3.1 allows.
#[test]
fn v5_3_1_3_8_a_client_id_that_is_too_long() {
    for (version, longest) in [(V31, 23), (V311, 256), (V5, 256)] {
        let mut world = World::new();
        let (client, connack) = world.client(&"n".repeat(longest)).version(version).try_connect();
        assert_eq!(connack.unwrap().reason, ConnackReason::Success, "{version:?}");
        assert!(world.is_connected(client));
        let (client, connack) = world.client(&"n".repeat(longest + 1)).version(version).try_connect();
        assert_eq!(
            connack.unwrap().reason,
            ConnackReason::ClientIdentifierNotValid,
            "{version:?}"
        );
        assert_is_out(&mut world, client);
    }
}

/// [MQTT-4.12.0-1] in 5.0, [MQTT-4.12.0-4] in 5.0, [MQTT-3.1.2-30] in 5.0: no method is offered, so one is refused at
/// once, and what the client sends behind its CONNECT is not looked at.
#[test]
fn v5_4_12_0_1_an_authentication_method_is_refused() {
    let mut world = World::new();
    let watcher = world.client("watcher").connect();
    world.subscribe(watcher, "#", QoS::AtMostOnce);
    let named = |connect: &mut Connect| connect.properties.authentication_method = Some("SCRAM-SHA-1".into());
    let (client, connack) = world.client("scram").will("t", "gone", 0).change(named).try_connect();
    let connack = connack.unwrap();
    assert_eq!(connack.reason, ConnackReason::BadAuthenticationMethod);
    assert_eq!(connack.properties.authentication_method, None);
    world.send(client, Packet::Publish(publish("t", "too early", QoS::AtMostOnce)));
    assert_is_out(&mut world, client);
    assert!(world.payloads(watcher).is_empty(), "neither its message nor its will");
}

/// [MQTT-3.1.2-29] in 5.0: who asks for no problem information gets codes and no words. The broker has none for these
/// packets in any case.
#[test]
fn v5_3_1_2_29_no_problem_information() {
    for asked in [false, true] {
        let mut world = strict();
        let ask = |connect: &mut Connect| connect.properties.request_problem_information = asked;
        let client = world.client("a").change(ask).connect();
        world.send(client, Packet::Publish(publish("t", "1", QoS::AtLeastOnce)));
        world.send(client, Packet::Publish(publish("t", "2", QoS::ExactlyOnce)));
        world.send(client, Packet::Subscribe(subscribe(2, "t", QoS::AtMostOnce)));
        world.send(client, unsubscribe(3, "t"));
        world.send(client, pubrel(id(4)));
        world.send(client, pubrec(id(5)));
        let codes: Vec<u8> = world.received(client).iter().map(code_without_words).collect();
        assert_eq!(codes, [0x87, 0x87, 0x87, 0x87, 0x92, 0x92]);
    }
}

/// The reason code of an answer, which has to come without Reason String and user properties.
#[allow(clippy::wildcard_enum_match_arm, reason = "any other packet ends the test")]
fn code_without_words(packet: &Packet) -> u8 {
    match packet {
        Packet::Puback(packet) => {
            assert_eq!(packet.properties, None);
            packet.reason.code()
        }
        Packet::Pubrec(packet) => {
            assert_eq!(packet.properties, None);
            packet.reason.code()
        }
        Packet::Pubrel(packet) => {
            assert_eq!(packet.properties, None);
            packet.reason.code()
        }
        Packet::Pubcomp(packet) => {
            assert_eq!(packet.properties, None);
            packet.reason.code()
        }
        Packet::Suback(packet) => {
            assert_eq!(packet.properties, mqtt_codec::AckProperties::default());
            packet.reasons[0].code()
        }
        Packet::Unsuback(packet) => {
            assert_eq!(packet.properties, mqtt_codec::AckProperties::default());
            packet.reasons[0].code()
        }
        other => panic!("{other:?}"),
    }
}

/// A CONNECT of the client "a", as bytes.
fn connect_bytes(version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    let connect = Connect::new(version, ClientId::new("a").unwrap());
    Packet::Connect(Box::new(connect)).encode(version, &mut bytes).unwrap();
    bytes
}

/// What the broker says to a CONNECT that cannot be read.
fn answer_to(bytes: BytesMut) -> BytesMut {
    let mut world = World::new();
    let violation = decode_connect(&mut bytes.clone().freeze(), 1000).unwrap_err();
    let answer = world.lines[0].refuse_violation(&violation, &bytes);
    assert_eq!(world.counters().violations, 1);
    assert_eq!(world.counters().sessions, 0);
    answer
}

fn connack_of(bytes: BytesMut, version: Version) -> Connack {
    let mut bytes = bytes.freeze();
    let packet = decode(&mut bytes, version, 1000).unwrap().unwrap();
    assert!(bytes.is_empty(), "one packet and no more");
    let Packet::Connack(connack) = packet else {
        panic!("{packet:?}")
    };
    *connack
}

/// [MQTT-3.1.2-2] in 5.0, [MQTT-3.1.2-3] in 5.0, [MQTT-3.1.4-1] in 5.0, [MQTT-3.14.0-1] in 5.0:
/// a CONNECT of the wrong form hears why by CONNACK, never by DISCONNECT.
#[test]
fn v5_3_1_4_1_a_misshapen_connect_hears_why_in_connack() {
    // Byte of the packet, its wrong value, the answer. Name from byte 4, level 8, flags 9, properties' length 12.
    let cases = [
        (8, 6, ConnackReason::UnsupportedProtocolVersion),
        (9, 0b0000_0011, ConnackReason::MalformedPacket),
        (9, 0b0001_1110, ConnackReason::MalformedPacket),
        (9, 0b0010_0010, ConnackReason::MalformedPacket),
        (12, 0x7F, ConnackReason::MalformedPacket),
    ];
    for (at, value, reason) in cases {
        let mut bytes = connect_bytes(V5);
        bytes[at] = value;
        let connack = connack_of(answer_to(bytes), V5);
        assert_eq!(connack.reason, reason, "byte {at} {value:#x}");
        assert!(!connack.session_present);
    }
}

/// [MQTT-3.1.2-2] in 3.1.1: an unknown level hears return code 1, in the form that its speaker knows.
#[test]
fn v311_3_1_2_2_an_unknown_level_hears_return_code_1() {
    let mut bytes = connect_bytes(V311);
    bytes[8] = 2;
    let answer = answer_to(bytes);
    assert_eq!(&answer[..], [0x20, 2, 0, 1]);
}

/// [MQTT-3.1.4-1] in 3.1.1, [MQTT-3.1.2-3] in 3.1.1, [MQTT-3.1.2-1] in 3.1.1: a CONNECT of the wrong form gets no
/// CONNACK.
#[test]
fn v311_3_1_4_1_a_misshapen_connect_hears_nothing() {
    for (at, value) in [
        (4, b'm'),
        (9, 0b0000_0011),
        (9, 0b0001_1110),
        (9, 0b0100_0010),
        (0, 0x11),
    ] {
        let mut bytes = connect_bytes(V311);
        bytes[at] = value;
        assert!(answer_to(bytes).is_empty(), "byte {at} {value:#x}");
    }
}

/// [MQTT-3.2.2-1] in 5.0: only bit 0 of the acknowledge flags is ever set, in accepting and refusing.
#[test]
fn v5_3_2_2_1_reserved_acknowledge_flags_are_0() {
    let mut world = World::with(Config {
        lines: 1,
        ..Config::default()
    });
    let client = world.client("a").persistent().connect();
    world.drop_connection(client);
    let flags: Vec<u8> = [false, true]
        .into_iter()
        .map(|clean| acknowledge_flags(&mut world, "a", clean))
        .collect();
    assert_eq!(flags, [1, 0]);
    assert_eq!(
        answer_to({
            let mut bytes = connect_bytes(V5);
            bytes[8] = 9;
            bytes
        })[2],
        0
    );
}

/// The third byte of what the broker answers.
fn acknowledge_flags(world: &mut World, client_id: &str, clean_start: bool) -> u8 {
    let connect = Connect {
        clean_start,
        ..Connect::new(V5, ClientId::new(client_id).unwrap())
    };
    let arriving = broker::identity::Arriving {
        peer: broker::line::Peer::Local("raw".to_owned()),
        identity: std::sync::Arc::new(broker::identity::Identity::anonymous("test".into())),
        proof: None,
    };
    let broker::line::Admission::Admitted(key) = world.lines[0].admit(connect, arriving, 1, world.now) else {
        panic!("not admitted");
    };
    let (_, out) = world.lines[0].outbox(key.slot).unwrap();
    let mut slices = [std::io::IoSlice::new(&[]); 1];
    assert_eq!(out.gather(&mut slices), 1);
    assert_eq!(slices[0][0], 0x20, "CONNACK");
    slices[0][2]
}
