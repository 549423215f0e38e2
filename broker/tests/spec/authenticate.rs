//! Enhanced authentication: section 4.12 of 5.0.

use std::sync::Arc;

use broker::effect::Cause;
use broker::exchange::Refusal;
use broker::identity::Identity;
use broker::line::{Heard, Proof, Proving};
use broker::message::Millis;
use bytes::Bytes;
use mqtt_codec::{
    Auth, AuthReason, ClientId, ConnackReason, Connect, Disconnect, DisconnectReason, Packet, PubackReason, QoS,
    SubackReason, Version, Violation, decode,
};

use crate::world::packets::{publish, subscribe};
use crate::world::{Client, Config, World, millis, secs};

const METHOD: &str = "PLAY";

/// What a client says is the verdict on it: `more`, `later` (nobody answers), `bad`, or the name that it proves.
fn judge(proving: &Proving) -> Option<Proof> {
    let said = str::from_utf8(&proving.data).unwrap();
    match said {
        "later" => None,
        "more" => Some(Proof::More(Bytes::from_static(b"what else?"))),
        "bad" => Some(Proof::Failed(Refusal::BadCredentials)),
        name => {
            let (name, secs) = name.split_once(' ').unwrap_or((name, ""));
            let identity = Identity {
                expires_at: secs.parse().ok().map(|secs: u64| Millis(1_000_000 + secs * 1000)),
                ..Identity::named(Some(name), "test".into())
            };
            Some(Proof::Given(Arc::new(identity), Bytes::from_static(b"so am I")))
        }
    }
}

fn theatre() -> World {
    World::with(Config {
        proven: |connect| {
            let method = connect.properties.authentication_method.as_ref();
            method.map(|_| Bytes::from_static(b"welcome"))
        },
        judge,
        ..Config::default()
    })
}

fn by_method(connect: &mut Connect) {
    connect.username = Some("ann".into());
    connect.properties.authentication_method = Some(METHOD.into());
    connect.properties.authentication_data = Some(Bytes::from_static(b"hello"));
}

fn connect() -> Connect {
    let mut connect = Connect::new(Version::V5, ClientId::new("a").unwrap());
    by_method(&mut connect);
    connect
}

fn auth(reason: AuthReason, method: &str, data: &'static str) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        method: Some(method.into()),
        data: Some(Bytes::from_static(data.as_bytes())),
        reason_string: None,
        user_properties: Vec::new(),
    }))
}

fn again(data: &'static str) -> Packet {
    auth(AuthReason::ReAuthenticate, METHOD, data)
}

fn on(data: &'static str) -> Packet {
    auth(AuthReason::ContinueAuthentication, METHOD, data)
}

/// The reasons and the data of the AUTH packets that a client has received, whose method has to be that of CONNECT.
fn answers(world: &mut World, client: Client) -> Vec<(u8, String)> {
    let said = |packet: &Packet| {
        let Packet::Auth(auth) = packet else { return None };
        assert_eq!(auth.method.as_deref(), Some(METHOD));
        let data = auth.data.as_deref().unwrap_or_default();
        Some((auth.reason.code(), String::from_utf8(data.to_vec()).unwrap()))
    };
    world.received(client).iter().filter_map(said).collect()
}

fn answer(reason: u8, data: &str) -> (u8, String) {
    (reason, data.to_owned())
}

/// [MQTT-4.12.0-2], [MQTT-4.12.0-5] in 5.0: the broker asks for more by AUTH 0x18 with the method of CONNECT, unless the
/// client takes no packet of this size.
#[test]
fn v5_4_12_0_2_the_broker_asks_by_auth_0x18() {
    let mut world = theatre();
    let mut connect = connect();
    let challenge = Bytes::from_static(b"who are you?");
    let asked = world.lines[0].challenge(&connect, challenge.clone()).unwrap();
    let packet = decode(&mut asked.clone().freeze(), Version::V5, 1000).unwrap().unwrap();
    assert_eq!(packet, on("who are you?"));
    for (room, fits) in [(asked.len(), true), (asked.len() - 1, false)] {
        connect.properties.packet_size_max = std::num::NonZeroU32::new(room as u32);
        let asked = world.lines[0].challenge(&connect, challenge.clone());
        assert_eq!(asked.is_ok(), fits);
    }
}

/// [MQTT-3.1.2-30], [MQTT-4.12.0-3], [MQTT-4.12.0-4] in 5.0: before the CONNACK, AUTH 0x18 with the same method goes on,
/// DISCONNECT ends, and everything else is a protocol error that a CONNACK tells of.
#[test]
fn v5_3_1_2_30_only_auth_and_disconnect_come_before_connack() {
    let mut world = theatre();
    let connect = connect();
    let Heard::Data(data) = world.lines[0].hear(&connect, &on("me")) else {
        panic!("AUTH goes on")
    };
    assert_eq!(&data[..], b"me");
    let left = Disconnect::new(DisconnectReason::NormalDisconnection);
    assert!(matches!(
        world.lines[0].hear(&connect, &Packet::Disconnect(left)),
        Heard::Left
    ));
    let wrong = [
        again("me"),
        auth(AuthReason::ContinueAuthentication, "OTHER", "me"),
        Packet::Publish(publish("t", "early", QoS::AtMostOnce)),
        Packet::Pingreq,
        Packet::Connect(Box::new(connect.clone())),
    ];
    for (count, packet) in wrong.iter().enumerate() {
        let Heard::Wrong(_, said) = world.lines[0].hear(&connect, packet) else {
            panic!("{packet:?}")
        };
        assert_eq!(connack_reason(said), ConnackReason::ProtocolError, "{packet:?}");
        assert_eq!(world.counters().violations, count as u64 + 1);
    }
    let broken: Violation = decode(&mut Bytes::from_static(&[0xF1, 0]), Version::V5, 100).unwrap_err();
    let Heard::Wrong(_, said) = world.lines[0].mishear(&broken) else {
        panic!("flags of AUTH")
    };
    assert_eq!(connack_reason(said), ConnackReason::MalformedPacket);
}

fn connack_reason(bytes: bytes::BytesMut) -> ConnackReason {
    match decode(&mut bytes.freeze(), Version::V5, 1000) {
        Ok(Some(Packet::Connack(connack))) => connack.reason,
        other => panic!("{other:?}"),
    }
}

/// [MQTT-4.12.0-5] in 5.0: the CONNACK has the method of CONNECT and the last word of the conversation.
#[test]
fn v5_4_12_0_5_connack_carries_the_method() {
    let mut world = theatre();
    let (_, connack) = world.client("a").change(by_method).connect_with_connack();
    assert_eq!(connack.properties.authentication_method.as_deref(), Some(METHOD));
    assert_eq!(connack.properties.authentication_data.as_deref(), Some(&b"welcome"[..]));
    let (_, connack) = world.client("b").connect_with_connack();
    assert_eq!(connack.properties.authentication_method, None);
}

/// [MQTT-4.12.0-6], [MQTT-4.12.0-7] in 5.0: a client that was known without a method is not known by one later.
#[test]
fn v5_4_12_0_7_no_method_no_re_authentication() {
    let mut world = theatre();
    let client = world.client("a").connect();
    world.send(client, again("ann"));
    assert_eq!(world.goodbye(client), Some(DisconnectReason::ProtocolError));
}

/// [MQTT-4.12.1-1] in 5.0: steps go to and fro with the method of CONNECT, and other packets flow meanwhile.
#[test]
fn v5_4_12_1_1_re_authentication_goes_on_while_other_packets_flow() {
    let mut world = theatre();
    let client = world.client("a").change(by_method).connect();
    world.subscribe(client, "t", QoS::AtMostOnce);
    for _ in 0..2 {
        world.send(client, again("more"));
        assert_eq!(answers(&mut world, client), [answer(0x18, "what else?")]);
        world.publish(client, "t", "meanwhile", QoS::AtMostOnce);
        assert_eq!(world.payloads(client), ["meanwhile"]);
        world.send(client, on("ann"));
        assert_eq!(answers(&mut world, client), [answer(0x00, "so am I")]);
    }
    world.pass(millis(11_000));
    assert!(world.is_connected(client), "what is settled has no time limit");
}

/// [MQTT-4.12.1-1] in 5.0: another method, and steps out of turn.
#[test]
fn v5_4_12_1_1_another_method_or_another_turn_is_a_protocol_error() {
    let told: [&[Packet]; 5] = [
        &[auth(AuthReason::ReAuthenticate, "OTHER", "ann")],
        &[again("more"), auth(AuthReason::ContinueAuthentication, "OTHER", "ann")],
        &[on("ann")],
        &[again("more"), again("ann")],
        &[again("later"), on("ann")],
    ];
    for packets in told {
        let mut world = theatre();
        let client = world.client("a").change(by_method).connect();
        packets.iter().for_each(|packet| world.send(client, packet.clone()));
        let said = world.goodbye(client);
        assert_eq!(said, Some(DisconnectReason::ProtocolError), "{packets:?}");
    }
}

/// [MQTT-4.12.1-2] in 5.0: a failure ends the connection with a reason; so does proving to be somebody else.
#[test]
fn v5_4_12_1_2_a_failed_re_authentication_ends_the_connection() {
    for (data, why) in [
        ("bad", "the proof is wrong"),
        ("bob", "the session belongs to another user"),
    ] {
        let mut world = theatre();
        let client = world.client("a").change(by_method).connect();
        world.send(client, again("more"));
        world.send(client, on(data));
        assert_eq!(world.cause(client), Some(Cause::NotProven(why)));
        assert_eq!(world.goodbye(client), Some(DisconnectReason::NotAuthorized));
    }
}

/// [MQTT-4.12.1-2] in 5.0: a proof has its time, and the verdict may not take longer either.
#[test]
fn v5_4_12_1_2_who_does_not_prove_itself_in_time_is_out() {
    for (data, is_late) in [("more", true), ("later", true), ("ann", false)] {
        let mut world = theatre();
        let client = world.client("a").change(by_method).connect();
        world.pass(secs(5));
        world.send(client, again(data));
        world.pass(millis(9_999));
        assert!(world.is_connected(client));
        world.pass(millis(1));
        assert_eq!(!world.is_connected(client), is_late, "{data}");
        if is_late {
            assert_eq!(world.goodbye(client), Some(DisconnectReason::NotAuthorized));
        }
    }
}

/// A verdict that comes when its connection is over, or when nothing was asked, changes nothing.
#[test]
fn a_verdict_that_nobody_awaits_changes_nothing() {
    let mut world = theatre();
    let client = world.client("a").change(by_method).connect();
    let line = world.line_of(client);
    let proof = |name| Proof::Given(Arc::new(Identity::named(Some(name), "test".into())), Bytes::new());
    let key = broker::line::ConnectionKey { slot: 0, epoch: 1 };
    world.lines[line].judged(key, proof("eve"), world.now);
    world.lines[line].judged(key, Proof::Failed(Refusal::Banned), world.now);
    world.settle();
    assert!(world.is_connected(client));
    assert_eq!(answers(&mut world, client), []);
}

/// The rights are those of the new identity at once: what it may not have is taken, and its time counts.
#[test]
fn a_new_identity_is_judged_anew() {
    let book = "user ann\nallow all #\nuser bob\nallow all b/#";
    let mut config = Config {
        proven: |_| Some(Bytes::new()),
        judge,
        ..Config::default()
    };
    config.limits.access.owned_sessions = false;
    config.limits.access.loss_disconnects = false;
    let mut world = World::with(config);
    world.set_rights(book);
    let client = world.client("a").change(by_method).connect();
    let granted = |world: &mut World| world.subscribe_with(client, subscribe(1, "a", QoS::AtMostOnce)).reasons;
    // The second time the decision is remembered, under the name before and not beyond it.
    let published = |world: &mut World| {
        world.publish(client, "a", "", QoS::AtLeastOnce);
        let packets = world.received(client);
        let reason = |packet: &Packet| {
            let Packet::Puback(puback) = packet else { return None };
            Some(puback.reason)
        };
        packets.iter().find_map(reason)
    };
    for _ in 0..2 {
        assert_eq!(published(&mut world), Some(PubackReason::NoMatchingSubscribers));
    }
    assert_eq!(granted(&mut world), [SubackReason::GrantedQoS0]);
    assert_eq!(published(&mut world), Some(PubackReason::Success));
    world.send(client, again("bob 20"));
    assert_eq!(answers(&mut world, client), [answer(0x00, "so am I")]);
    assert_eq!(granted(&mut world), [SubackReason::NotAuthorized]);
    assert_eq!(published(&mut world), Some(PubackReason::NotAuthorized));
    world.pass(secs(19));
    assert!(world.is_connected(client));
    world.send(client, again("ann 30"));
    world.pass(secs(10));
    assert!(world.is_connected(client), "the time of the identity before is no more");
    world.pass(secs(1));
    assert_eq!(world.cause(client), Some(Cause::IdentityExpired));
}

/// A subscription that the new identity may not have ends the connection where losing one does.
#[test]
fn a_subscription_that_is_lost_by_a_new_proof_ends_the_connection() {
    let mut config = Config {
        proven: |_| Some(Bytes::new()),
        judge,
        ..Config::default()
    };
    config.limits.access.owned_sessions = false;
    let mut world = World::with(config);
    world.set_rights("user ann\nallow all #\nuser bob\nallow all b/#");
    let client = world.client("a").change(by_method).connect();
    world.subscribe(client, "a", QoS::AtMostOnce);
    world.send(client, again("bob"));
    assert_eq!(world.cause(client), Some(Cause::RightLost));
}

/// Where the client's Maximum Packet Size has no room for the answer, it is not sent: [MQTT-3.1.2-24] in 5.0.
#[test]
fn v5_3_1_2_24_an_answer_that_is_too_large_is_not_sent() {
    let mut world = theatre();
    let client = world.client("a").change(by_method).packet_size_max(60).connect();
    let line = world.line_of(client);
    world.send(client, again("later"));
    let proof = Proof::More(Bytes::from(vec![b'x'; 60]));
    let key = broker::line::ConnectionKey { slot: 0, epoch: 1 };
    world.lines[line].judged(key, proof, world.now);
    world.settle();
    assert_eq!(world.goodbye(client), Some(DisconnectReason::PacketTooLarge));
}
