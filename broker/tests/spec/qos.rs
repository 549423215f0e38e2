//! QoS 1 and 2: what the broker answers as receiver, and what it owes as sender until the last acknowledgement.

use broker::effect::Cause;
use mqtt_codec::{
    DisconnectReason, Packet, PacketId, Puback, PubackReason, Pubcomp, PubcompReason, Publish, PublishProperties,
    Pubrec, PubrecReason, Pubrel, PubrelReason, QoS, Version,
};

use crate::world::packets::{id, puback, pubcomp, publish, publish_as, pubrec, pubrel};
use crate::world::{Client, World, secs};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// A world with a reader of `news` at QoS 2 whose session stays, and a sender.
fn newsroom(version: Version) -> (World, Client, Client) {
    let mut world = World::new();
    let sender = world.client("sender").version(version).clean(false).connect();
    let reader = world.client("reader").version(version).persistent().connect();
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    (world, sender, reader)
}

fn return_of_reader(world: &mut World, version: Version) -> Client {
    world.client("reader").version(version).persistent().connect()
}

/// What of a PUBLISH matters here.
fn marks(publishes: &[Publish]) -> Vec<(u16, QoS, bool)> {
    publishes
        .iter()
        .map(|got| (got.packet_id.map_or(0, PacketId::get), got.qos, got.dup))
        .collect()
}

/// [MQTT-3.3.4-1] in 3.1.1, [MQTT-3.3.4-1] in 5.0, [MQTT-4.3.2-2] in 3.1.1, [MQTT-4.3.2-4] in 5.0,
/// [MQTT-4.3.3-8] in 5.0, [MQTT-2.3.1-6] in 3.1.1, [MQTT-2.2.1-5] in 5.0: each QoS has its answer, under the id of the
/// PUBLISH, and the message is on its way.
#[test]
fn v5_3_3_4_1_each_qos_has_its_answer() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        world.send(sender, Packet::Publish(publish("news", "0", QoS::AtMostOnce)));
        assert_eq!(world.received(sender), []);
        world.send(sender, Packet::Publish(publish_as(258, "news", "1", QoS::AtLeastOnce)));
        assert_eq!(world.received(sender), [puback(id(258))]);
        world.send(
            sender,
            Packet::Publish(publish_as(65_535, "news", "2", QoS::ExactlyOnce)),
        );
        assert_eq!(world.received(sender), [pubrec(id(65_535))]);
        assert_eq!(world.payloads(reader), ["0", "1", "2"]);
    }
}

/// [MQTT-3.4.2-1] in 5.0, [MQTT-3.5.2-1] in 5.0: where nobody listens, 5.0 is told so; 3.1.1 has no word for it.
#[test]
fn v5_3_4_2_1_a_publisher_learns_that_nobody_listens() {
    let mut world = World::new();
    let new = world.client("new").connect();
    let old = world.client("old").version(Version::V311).connect();
    for client in [new, old] {
        world.send(client, Packet::Publish(publish_as(1, "void", "", QoS::AtLeastOnce)));
        world.send(client, Packet::Publish(publish_as(2, "void", "", QoS::ExactlyOnce)));
    }
    let nobody = [
        Packet::Puback(Puback::new(id(1), PubackReason::NoMatchingSubscribers)),
        Packet::Pubrec(Pubrec::new(id(2), PubrecReason::NoMatchingSubscribers)),
    ];
    assert_eq!(world.received(new), nobody);
    assert_eq!(world.received(old), [puback(id(1)), pubrec(id(2))]);
}

/// [MQTT-4.3.2-5] in 5.0, [MQTT-4.3.2-2] in 3.1.1: after PUBACK the id means another message, whatever DUP says.
#[test]
fn v5_4_3_2_5_after_puback_the_id_means_another_message() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        for dup in [false, true] {
            let packet = Publish {
                dup,
                ..publish_as(9, "news", "n", QoS::AtLeastOnce)
            };
            world.send(sender, Packet::Publish(packet));
        }
        assert_eq!(world.received(sender), [puback(id(9)), puback(id(9))]);
        assert_eq!(world.payloads(reader), ["n", "n"]);
    }
}

/// [MQTT-4.3.3-10] in 5.0, [MQTT-4.3.3-11] in 5.0, [MQTT-4.3.3-12] in 5.0, [MQTT-4.3.3-2] in 3.1.1: until PUBREL a repeat
/// is answered and not passed on; after PUBCOMP the id means another message. [MQTT-2.3.1-2] in 3.1.1: a client that
/// gives an id in use to another message is taken at its word that it is the same.
#[test]
fn v5_4_3_3_10_a_repeated_qos_2_message_is_delivered_once() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        for dup in [false, true, true] {
            let packet = Publish {
                dup,
                ..publish_as(9, "news", "once", QoS::ExactlyOnce)
            };
            world.send(sender, Packet::Publish(packet));
            assert_eq!(world.received(sender), [pubrec(id(9))]);
        }
        world.send(sender, pubrel(id(9)));
        assert_eq!(world.received(sender), [pubcomp(id(9))]);

        world.send(
            sender,
            Packet::Publish(publish_as(9, "news", "another", QoS::ExactlyOnce)),
        );
        assert_eq!(world.received(sender), [pubrec(id(9))]);
        assert_eq!(world.payloads(reader), ["once", "another"]);
    }
}

/// [MQTT-4.3.3-10] in 5.0, [MQTT-4.3.3-2] in 3.1.1: the same where the repeat comes on another connection.
#[test]
fn v5_4_3_3_10_a_qos_2_message_repeated_after_a_return_is_delivered_once() {
    for version in BOTH {
        let (mut world, _, reader) = newsroom(version);
        let sender = world.client("meter").version(version).persistent().connect();
        world.send(sender, Packet::Publish(publish_as(9, "news", "once", QoS::ExactlyOnce)));
        world.drop_connection(sender);

        let sender = world.client("meter").version(version).persistent().connect();
        let again = Publish {
            dup: true,
            ..publish_as(9, "news", "once", QoS::ExactlyOnce)
        };
        world.send(sender, Packet::Publish(again));
        world.send(sender, pubrel(id(9)));
        assert_eq!(world.received(sender), [pubrec(id(9)), pubcomp(id(9))]);
        assert_eq!(world.payloads(reader), ["once"]);
    }
}

/// [MQTT-4.3.3-11] in 5.0, [MQTT-4.3.3-2] in 3.1.1: a PUBREL that comes again, because its PUBCOMP was lost with the
/// connection, is answered as the first one was.
#[test]
fn v5_4_3_3_11_a_pubrel_repeated_after_a_return_is_completed() {
    for version in BOTH {
        let (mut world, _, _) = newsroom(version);
        let sender = world.client("meter").version(version).persistent().connect();
        world.send(sender, Packet::Publish(publish_as(9, "news", "n", QoS::ExactlyOnce)));
        world.send(sender, pubrel(id(9)));
        world.drop_connection(sender);

        let sender = world.client("meter").version(version).persistent().connect();
        world.send(sender, pubrel(id(9)));
        assert_eq!(world.received(sender), [pubcomp(id(9))]);
    }
}

/// [MQTT-3.7.2-1] in 5.0, [MQTT-4.3.3-11] in 5.0: a PUBREL for nothing is answered too; 5.0 says that the id is unknown.
#[test]
fn v5_3_7_2_1_a_pubrel_for_nothing_is_answered() {
    let mut world = World::new();
    let new = world.client("new").connect();
    let old = world.client("old").version(Version::V311).connect();
    for client in [new, old] {
        world.send(client, pubrel(id(9)));
    }
    let unknown = Pubcomp::new(id(9), PubcompReason::PacketIdentifierNotFound);
    assert_eq!(world.received(new), [Packet::Pubcomp(unknown)]);
    assert_eq!(world.received(old), [pubcomp(id(9))]);
}

/// [MQTT-4.3.3-9] in 5.0: a refused QoS 2 message leaves its id free for another.
#[test]
fn v5_4_3_3_9_a_refused_qos_2_message_frees_its_id() {
    let (mut world, sender, reader) = newsroom(Version::V5);
    world.send(
        sender,
        Packet::Publish(publish_as(9, "$SYS/broker", "forged", QoS::ExactlyOnce)),
    );
    let refused = Pubrec::new(id(9), PubrecReason::TopicNameInvalid);
    assert_eq!(world.received(sender), [Packet::Pubrec(refused)]);

    world.send(sender, Packet::Publish(publish_as(9, "news", "true", QoS::ExactlyOnce)));
    assert_eq!(world.received(sender), [pubrec(id(9))]);
    assert_eq!(world.payloads(reader), ["true"]);
}

/// [MQTT-4.3.2-1] in 5.0, [MQTT-4.3.2-2] in 5.0, [MQTT-4.3.3-1] in 5.0, [MQTT-4.3.3-2] in 5.0, [MQTT-2.2.1-4] in 5.0,
/// [MQTT-4.3.2-1] in 3.1.1, [MQTT-2.3.1-4] in 3.1.1: each delivery has an id of its own and is first sent without DUP.
#[test]
fn v5_4_3_2_1_each_delivery_has_an_unused_id() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        for (number, qos) in (1..=6).zip([QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().cycle()) {
            world.send(sender, Packet::Publish(publish_as(number, "news", "n", qos)));
        }
        let got = world.publishes(reader);
        let mut ids: Vec<u16> = marks(&got).iter().map(|(id, _, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6);
        assert!(ids.iter().all(|id| *id > 0) && got.iter().all(|got| !got.dup));
    }
}

/// [MQTT-4.3.2-3] in 5.0, [MQTT-4.4.0-1] in 5.0, [MQTT-3.3.1-1] in 5.0, [MQTT-4.3.2-1] in 3.1.1, [MQTT-4.4.0-1] in 3.1.1,
/// [MQTT-3.3.1-1] in 3.1.1, [MQTT-2.3.1-3] in 3.1.1: a QoS 1 message is owed until its PUBACK: sent again with DUP under
/// its old id when the client returns, and at no other time.
#[test]
fn v5_4_4_0_1_an_unacknowledged_qos_1_message_is_sent_again() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        world.publish(sender, "news", "first", QoS::AtLeastOnce);
        world.publish(sender, "news", "second", QoS::AtLeastOnce);
        let sent = world.publishes(reader);
        let second = sent[1].packet_id.unwrap();
        world.acknowledge(reader, &sent[0]);
        world.pass(secs(3_000));
        assert_eq!(world.publishes(reader), []);
        world.drop_connection(reader);

        for _ in 0..2 {
            let reader = return_of_reader(&mut world, version);
            let again = world.publishes(reader);
            assert_eq!(marks(&again), [(second.get(), QoS::AtLeastOnce, true)]);
            assert_eq!(again[0].payload, sent[1].payload);
            world.drop_connection(reader);
        }

        let reader = return_of_reader(&mut world, version);
        let owed = world.publishes(reader).remove(0);
        world.publish(sender, "news", "third", QoS::AtLeastOnce);
        let third = world.publishes(reader).remove(0);
        assert_ne!(third.packet_id, Some(second));
        world.acknowledge(reader, &owed);
        world.acknowledge(reader, &third);
        world.drop_connection(reader);
        let reader = return_of_reader(&mut world, version);
        assert_eq!(world.publishes(reader), []);
    }
}

/// [MQTT-4.3.3-3] in 5.0, [MQTT-4.3.3-4] in 5.0, [MQTT-4.3.3-5] in 5.0, [MQTT-4.3.3-6] in 5.0, [MQTT-4.3.3-1] in 3.1.1,
/// [MQTT-4.4.0-1] in 3.1.1, [MQTT-4.4.0-1] in 5.0: PUBLISH is owed until PUBREC, then PUBREL until PUBCOMP, and never the
/// PUBLISH again.
#[test]
fn v5_4_3_3_6_after_pubrec_only_the_pubrel_is_owed() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        world.publish(sender, "news", "n", QoS::ExactlyOnce);
        let sent = world.publishes(reader).remove(0);
        let number = sent.packet_id.unwrap();
        world.drop_connection(reader);

        let reader = return_of_reader(&mut world, version);
        assert_eq!(world.received(reader), [Packet::Publish(Publish { dup: true, ..sent })]);
        world.send(reader, pubrec(number));
        assert_eq!(world.received(reader), [pubrel(number)]);
        // The PUBREL may have been lost on its way: a second PUBREC is answered as the first.
        world.send(reader, pubrec(number));
        assert_eq!(world.received(reader), [pubrel(number)]);
        world.drop_connection(reader);

        let reader = return_of_reader(&mut world, version);
        assert_eq!(world.received(reader), [pubrel(number)]);
        world.send(reader, pubcomp(number));
        world.drop_connection(reader);

        let reader = return_of_reader(&mut world, version);
        assert_eq!(world.received(reader), []);
        assert_eq!(world.counters().inflight, 0);
    }
}

/// [MQTT-4.4.0-2] in 5.0: an error in PUBACK or PUBREC ends the delivery; it is not tried again and no PUBREL follows.
#[test]
fn v5_4_4_0_2_an_error_acknowledgement_ends_the_delivery() {
    let (mut world, sender, reader) = newsroom(Version::V5);
    world.publish(sender, "news", "1", QoS::AtLeastOnce);
    world.publish(sender, "news", "2", QoS::ExactlyOnce);
    let sent = world.publishes(reader);
    let [one, two] = [0, 1].map(|place| sent[place].packet_id.unwrap());
    world.send(reader, Packet::Puback(Puback::new(one, PubackReason::NotAuthorized)));
    world.send(reader, Packet::Pubrec(Pubrec::new(two, PubrecReason::QuotaExceeded)));
    assert_eq!(world.received(reader), []);
    assert_eq!(world.counters().inflight, 0);
    world.drop_connection(reader);

    let reader = return_of_reader(&mut world, Version::V5);
    assert_eq!(world.received(reader), []);
}

/// [MQTT-4.3.3-7] in 5.0: once sent, a QoS 2 message does not expire, neither before its PUBREC nor after it.
#[test]
fn v5_4_3_3_7_a_sent_qos_2_message_does_not_expire() {
    let (mut world, sender, reader) = newsroom(Version::V5);
    for number in [1, 2] {
        let properties = PublishProperties {
            message_expiry_secs: Some(5),
            ..PublishProperties::default()
        };
        let packet = publish_as(number, "news", "n", QoS::ExactlyOnce);
        world.send(
            sender,
            Packet::Publish(Publish {
                properties: Some(Box::new(properties)),
                ..packet
            }),
        );
    }
    let sent = world.publishes(reader);
    let [waits, received] = [0, 1].map(|place| sent[place].packet_id.unwrap());
    world.send(reader, pubrec(received));
    world.drop_connection(reader);

    world.pass(secs(60));
    let reader = return_of_reader(&mut world, Version::V5);
    let owed = world.received(reader);
    assert!(matches!(&owed[0], Packet::Publish(again) if again.packet_id == Some(waits) && again.dup));
    assert_eq!(owed[1..], [pubrel(received)]);
    world.send(reader, pubrec(waits));
    world.send(reader, pubcomp(waits));
    world.send(reader, pubcomp(received));
    assert_eq!(world.counters().inflight, 0);
}

/// [MQTT-3.6.2-1] in 5.0: a PUBREC for nothing is answered with a PUBREL that says so; one with an error is the end.
#[test]
fn v5_3_6_2_1_a_pubrec_for_nothing_is_told_so() {
    let mut world = World::new();
    let new = world.client("new").connect();
    let old = world.client("old").version(Version::V311).connect();
    world.send(new, pubrec(id(77)));
    world.send(new, Packet::Pubrec(Pubrec::new(id(78), PubrecReason::UnspecifiedError)));
    world.send(old, pubrec(id(77)));
    let unknown = Packet::Pubrel(Pubrel::new(id(77), PubrelReason::PacketIdentifierNotFound));
    assert_eq!(world.received(new), [unknown]);
    assert_eq!(world.received(old), [pubrel(id(77))]);
}

/// [MQTT-4.13.1-1] in 5.0, [MQTT-4.8.0-1] in 3.1.1: an acknowledgement that does not fit its message ends the connection.
#[test]
fn v5_4_13_1_1_an_unfitting_acknowledgement_ends_the_connection() {
    type Answer = fn(PacketId) -> Packet;
    let wrong: [(QoS, Answer); 3] = [
        (QoS::AtLeastOnce, pubrec),
        (QoS::ExactlyOnce, puback),
        (QoS::ExactlyOnce, pubcomp),
    ];
    for version in BOTH {
        for (qos, answer) in wrong {
            let (mut world, sender, reader) = newsroom(version);
            world.publish(sender, "news", "n", qos);
            let sent = world.publishes(reader).remove(0);
            world.send(reader, answer(sent.packet_id.unwrap()));
            assert!(matches!(world.cause(reader), Some(Cause::Violation(_))));
            assert_eq!(
                world.goodbye(reader),
                (version == Version::V5).then_some(DisconnectReason::ProtocolError)
            );
        }
    }
}

/// A late answer to a message of a session that is gone harms nobody.
#[test]
fn an_acknowledgement_for_nothing_is_ignored() {
    for version in BOTH {
        let mut world = World::new();
        let client = world.client("client").version(version).connect();
        world.send(client, puback(id(5)));
        world.send(client, pubcomp(id(5)));
        assert_eq!(world.received(client), []);
        assert!(world.is_connected(client));
    }
}

/// [MQTT-4.6.0-5] in 5.0, [MQTT-4.6.0-6] in 5.0, [MQTT-4.6.0-5] in 3.1.1, [MQTT-4.6.0-6] in 3.1.1: messages of one client
/// arrive in their order, through the window and the queue and across lines.
#[test]
fn v5_4_6_0_5_order_is_kept() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.inflight_max_v3 = 2);
        let sender = world.client("sender").connect();
        let readers: Vec<Client> = ["a", "b", "c"]
            .map(|id| world.client(id).version(version).receive_maximum(2).connect())
            .into();
        for reader in &readers {
            world.subscribe(*reader, "news", QoS::AtLeastOnce);
        }
        let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        for text in &texts {
            world.publish(sender, "news", text, QoS::AtLeastOnce);
        }
        for reader in readers {
            let mut got = Vec::new();
            loop {
                let publishes = world.publishes(reader);
                let Some(last) = publishes.last() else { break };
                assert!(publishes.len() <= 2);
                got.extend(
                    publishes
                        .iter()
                        .map(|publish| String::from_utf8_lossy(&publish.payload).into_owned()),
                );
                // Out of order, as a client may do: the newest first.
                world.acknowledge(reader, last);
                publishes
                    .iter()
                    .rev()
                    .skip(1)
                    .for_each(|publish| world.acknowledge(reader, publish));
            }
            assert_eq!(got, texts);
        }
    }
}

/// [MQTT-4.6.0-1] in 3.1.1, [MQTT-4.6.0-5] in 5.0: what is owed goes first and in its old order, then what came while
/// the client was away.
#[test]
fn v311_4_6_0_1_repeats_keep_their_order() {
    for version in BOTH {
        let (mut world, sender, reader) = newsroom(version);
        for (number, qos) in [
            (1, QoS::AtLeastOnce),
            (2, QoS::ExactlyOnce),
            (3, QoS::AtLeastOnce),
            (4, QoS::ExactlyOnce),
        ] {
            world.send(
                sender,
                Packet::Publish(publish_as(number, "news", &number.to_string(), qos)),
            );
        }
        let sent = world.publishes(reader);
        world.send(reader, pubrec(sent[1].packet_id.unwrap()));
        world.drop_connection(reader);
        world.publish(sender, "news", "5", QoS::AtLeastOnce);

        let reader = return_of_reader(&mut world, version);
        let resent = |place: usize| {
            Packet::Publish(Publish {
                dup: true,
                ..sent[place].clone()
            })
        };
        let mut got = world.received(reader);
        let fresh = got.pop();
        assert_eq!(
            got,
            [resent(0), pubrel(sent[1].packet_id.unwrap()), resent(2), resent(3)]
        );
        assert!(matches!(fresh, Some(Packet::Publish(fifth)) if fifth.payload == "5" && !fifth.dup));
    }
}

/// [MQTT-4.5.0-1] in 3.1.1, [MQTT-4.5.0-1] in 5.0: a message that was taken over is owed to every matching session, with
/// a connection or without.
#[test]
fn v5_4_5_0_1_a_message_joins_every_matching_session() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        for id in ["a", "b", "c", "d"] {
            let reader = world.client(id).version(version).persistent().connect();
            world.subscribe(reader, "news/#", QoS::AtLeastOnce);
            if id < "c" {
                world.drop_connection(reader);
            }
        }
        world.publish(sender, "news/today", "n", QoS::ExactlyOnce);
        assert_eq!(world.received(sender), [pubrec(id(1))]);
        for id in ["a", "b", "c", "d"] {
            let reader = world.client(id).version(version).persistent().connect();
            assert_eq!(world.payloads(reader), ["n"], "{id}");
        }
    }
}
