//! SUBSCRIBE and SUBACK, requests that break a rule, and what the options of a subscription do.

use broker::effect::Cause;
use mqtt_codec::{
    AckProperties, DisconnectReason, Packet, Publish, QoS, RetainHandling, Suback, SubackReason, Subscribe,
    SubscribeFilter, SubscriptionId, Version,
};

use crate::world::packets::{filter, id, publish, subscribe};
use crate::world::{Client, World};

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// Several filters in one SUBSCRIBE.
fn subscribe_all(packet_id: u16, filters: &[(&str, QoS)]) -> Subscribe {
    let filters = filters
        .iter()
        .map(|(name, qos)| SubscribeFilter::new(filter(name), *qos))
        .collect();
    Subscribe {
        filters,
        ..subscribe(packet_id, "-", QoS::AtMostOnce)
    }
}

/// A subscription with other options.
fn with_options(name: &str, qos: QoS, change: impl FnOnce(&mut SubscribeFilter)) -> Subscribe {
    let mut packet = subscribe(1, name, qos);
    change(&mut packet.filters[0]);
    packet
}

fn subscription_ids(publish: &Publish) -> Vec<u32> {
    let mut ids: Vec<u32> = publish
        .properties
        .iter()
        .flat_map(|properties| &properties.subscription_ids)
        .map(|id| id.get())
        .collect();
    ids.sort_unstable();
    ids
}

/// [MQTT-3.8.4-1] in 3.1.1, [MQTT-3.8.4-1] in 5.0, [MQTT-3.8.4-2] in 3.1.1, [MQTT-3.8.4-2] in 5.0,
/// [MQTT-2.3.1-7] in 3.1.1, [MQTT-2.2.1-6] in 5.0, [MQTT-3.8.4-4] in 3.1.1, [MQTT-3.8.4-5] in 5.0,
/// [MQTT-3.8.4-5] in 3.1.1, [MQTT-3.8.4-6] in 5.0, [MQTT-3.8.4-7] in 5.0, [MQTT-3.9.3-1] in 3.1.1, [MQTT-3.9.3-1] in 5.0,
/// [MQTT-3.9.3-2] in 3.1.1, [MQTT-3.9.3-2] in 5.0: one SUBACK under the same id, with a code for each filter in its place.
#[test]
fn v5_3_8_4_5_one_suback_answers_for_every_filter() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.topic_bytes_max = 10);
        let client = world.client("client").version(version).connect();
        let wanted = [
            ("a", QoS::ExactlyOnce),
            ("far/too/long/a/filter", QoS::AtLeastOnce),
            ("c", QOS[0]),
            ("d/#", QOS[1]),
        ];
        world.send(client, Packet::Subscribe(subscribe_all(513, &wanted)));

        let refused = if version == Version::V5 {
            SubackReason::TopicFilterInvalid
        } else {
            SubackReason::UnspecifiedError
        };
        let reasons = vec![
            SubackReason::GrantedQoS2,
            refused,
            SubackReason::GrantedQoS0,
            SubackReason::GrantedQoS1,
        ];
        let suback = Suback {
            packet_id: id(513),
            properties: AckProperties::default(),
            reasons,
        };
        assert_eq!(world.received(client), [Packet::Suback(suback)]);

        for topic in ["a", "c", "d/e"] {
            world.publish(client, topic, topic, QoS::AtMostOnce);
        }
        assert_eq!(world.payloads(client), ["a", "c", "d/e"]);
    }
}

/// [MQTT-3.8.4-8] in 5.0, [MQTT-3.8.4-6] in 3.1.1: the lower of both QoS, and never nothing.
#[test]
fn v5_3_8_4_8_a_delivery_has_the_lower_qos() {
    for version in BOTH {
        for granted in QOS {
            let mut world = World::new();
            let sender = world.client("sender").connect();
            let reader = world.client("reader").version(version).connect();
            world.subscribe(reader, "news", granted);
            for (number, qos) in (1..).zip(QOS) {
                let packet_id = (qos != QOS[0]).then(|| id(number));
                world.send(
                    sender,
                    Packet::Publish(Publish {
                        packet_id,
                        ..publish("news", "", qos)
                    }),
                );
            }
            let got: Vec<QoS> = world.publishes(reader).iter().map(|got| got.qos).collect();
            assert_eq!(got, QOS.map(|published| published.min(granted)));
        }
    }
}

/// [MQTT-3.8.4-1] in 5.0: a subscription that has been acknowledged is in force: until then there is no SUBACK, and from
/// then on nothing is missed.
#[test]
fn v5_3_8_4_1_suback_leaves_when_the_subscription_is_in_force() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    world.publish(sender, "news", "before", QoS::AtMostOnce);
    world.hold_routes = true;
    world.send(reader, Packet::Subscribe(subscribe(3, "news", QoS::AtMostOnce)));
    world.publish(sender, "news", "too early", QoS::AtMostOnce);
    assert_eq!(world.received(reader), []);

    world.release_routes();
    assert!(matches!(&world.received(reader)[..], [Packet::Suback(suback)] if suback.packet_id == id(3)));
    world.publish(sender, "news", "in time", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), ["in time"]);
}

/// A client that leaves before its subscription is in force leaves no subscription behind.
#[test]
fn a_subscription_of_a_client_that_has_left_is_removed() {
    let mut world = World::new();
    let reader = world.client("reader").connect();
    world.hold_routes = true;
    world.send(reader, Packet::Subscribe(subscribe(3, "news", QoS::AtMostOnce)));
    world.drop_connection(reader);
    world.release_routes();
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
    assert_eq!(world.counters().open_exchanges(), 0);
}

/// [MQTT-3.8.4-3] in 3.1.1, [MQTT-3.8.4-3] in 5.0: the same filter again is the same subscription with another QoS.
#[test]
fn v5_3_8_4_3_subscribing_again_replaces_the_subscription() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let reader = world.client("reader").version(version).connect();
        for qos in [QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtLeastOnce] {
            world.subscribe(reader, "news/+", qos);
        }
        world.publish(sender, "news/1", "", QoS::ExactlyOnce);
        let got: Vec<QoS> = world.publishes(reader).iter().map(|got| got.qos).collect();
        assert_eq!(got, [QoS::AtLeastOnce]);
        assert_eq!(world.tables.router.borrow().subscription_count(), 1);
    }
}

/// [MQTT-3.8.4-4] in 5.0, [MQTT-3.8.4-3] in 3.1.1: retained messages come again, and what was under way still arrives.
#[test]
fn v5_3_8_4_4_a_replaced_subscription_misses_nothing() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.inflight_max_v3 = 1);
        let sender = world.client("sender").connect();
        world.retain(sender, "news/kept", "kept");
        let reader = world.client("reader").version(version).receive_maximum(1).connect();
        world.subscribe(reader, "news/#", QoS::AtLeastOnce);
        assert_eq!(world.payloads(reader), ["kept"]);

        for text in ["1", "2"] {
            world.publish(sender, "news/live", text, QoS::AtLeastOnce);
        }
        let first = world.publishes(reader).remove(0);
        world.hold_routes = true;
        world.send(reader, Packet::Subscribe(subscribe(2, "news/#", QoS::AtMostOnce)));
        world.publish(sender, "news/live", "3", QoS::AtLeastOnce);
        world.release_routes();
        world.acknowledge(reader, &first);
        let mut live = Vec::new();
        let mut retained = 0;
        loop {
            let batch = world.publishes(reader);
            if batch.is_empty() {
                break;
            }
            for got in batch {
                world.acknowledge(reader, &got);
                retained += u32::from(got.retain);
                live.extend((!got.retain).then_some(got.payload));
            }
        }
        assert_eq!(live, ["2", "3"]);
        assert_eq!(retained, 1);
    }
}

/// [MQTT-3.3.4-2] in 5.0, [MQTT-3.3.5-1] in 3.1.1: overlapping subscriptions deliver at the highest QoS among them.
/// [MQTT-3.3.4-3] in 5.0, [MQTT-3.3.4-4] in 5.0: with the identifiers of all that match and have one.
#[test]
fn v5_3_3_4_4_one_copy_has_the_identifiers_of_all_matching_subscriptions() {
    for version in BOTH {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let reader = world.client("reader").version(version).connect();
        let wanted = [
            ("news/#", 0, Some(7)),
            ("news/+", 2, Some(300)),
            ("+/1", 1, None),
            ("other", 2, Some(9)),
        ];
        for (name, qos, number) in wanted {
            let subscription_id = number.and_then(SubscriptionId::new).filter(|_| version == Version::V5);
            world.subscribe_with(
                reader,
                Subscribe {
                    subscription_id,
                    ..subscribe(1, name, QOS[qos])
                },
            );
        }
        world.publish(sender, "news/1", "", QoS::ExactlyOnce);
        let got = world.publishes(reader);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].qos, QoS::ExactlyOnce);
        let expected: &[u32] = if version == Version::V5 { &[7, 300] } else { &[] };
        assert_eq!(subscription_ids(&got[0]), expected);
    }
}

/// [MQTT-3.3.4-3] in 5.0: a replaced subscription has its identifier replaced, or none; a queue keeps it.
#[test]
fn v5_3_3_4_3_the_identifier_is_that_of_the_last_subscribe() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    let mut seen = Vec::new();
    for number in [Some(1), Some(SubscriptionId::MAX), None] {
        let packet = subscribe(1, "news", QoS::AtLeastOnce);
        world.subscribe_with(
            reader,
            Subscribe {
                subscription_id: number.and_then(SubscriptionId::new),
                ..packet
            },
        );
        world.publish(sender, "news", "", QoS::AtLeastOnce);
        seen.push(subscription_ids(&world.publishes(reader)[0]));
    }
    assert_eq!(seen, [vec![1], vec![SubscriptionId::MAX], vec![]]);

    let packet = subscribe(1, "news", QoS::AtLeastOnce);
    world.subscribe_with(
        reader,
        Subscribe {
            subscription_id: SubscriptionId::new(4),
            ..packet
        },
    );
    world.drop_connection(reader);
    world.publish(sender, "news", "queued", QoS::AtLeastOnce);
    let reader = world.client("reader").persistent().connect();
    let queued = world
        .publishes(reader)
        .into_iter()
        .find(|got| got.payload == "queued")
        .unwrap();
    assert_eq!(subscription_ids(&queued), [4]);
}

/// [MQTT-3.8.3-3] in 5.0: with No Local a client does not get its own messages, and others do.
#[test]
fn v5_3_8_3_3_no_local_leaves_out_the_clients_own_messages() {
    let mut world = World::new();
    let talker = world.client("talker").connect();
    let other = world.client("other").connect();
    for client in [talker, other] {
        world.subscribe_with(
            client,
            with_options("room", QoS::AtLeastOnce, |options| options.no_local = true),
        );
    }
    world.publish(talker, "room", "mine", QoS::AtLeastOnce);
    world.publish(other, "room", "theirs", QoS::AtLeastOnce);
    assert_eq!(world.payloads(talker), ["theirs"]);
    assert_eq!(world.payloads(other), ["mine"]);

    // Another subscription of the same client without the option still counts, with its own QoS and no more.
    world.subscribe(talker, "#", QoS::AtMostOnce);
    world.publish(talker, "room", "mine again", QoS::AtLeastOnce);
    let got = world.publishes(talker);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].qos, QoS::AtMostOnce);
}

/// [MQTT-3.3.1-12] in 5.0, [MQTT-3.3.1-13] in 5.0, [MQTT-3.3.1-9] in 3.1.1: a standing subscription gets RETAIN as it was
/// published if it asked for that, and else 0.
#[test]
fn v5_3_3_1_13_retain_as_published() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let old = world.client("old").version(Version::V311).connect();
    world.subscribe(old, "news", QoS::AtMostOnce);
    let (plain, faithful) = (world.client("plain").connect(), world.client("faithful").connect());
    world.subscribe(plain, "news", QoS::AtLeastOnce);
    world.subscribe_with(
        faithful,
        with_options("news", QOS[1], |options| options.retain_as_published = true),
    );

    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for retain in [true, false] {
            world.send(
                sender,
                Packet::Publish(Publish {
                    retain,
                    ..publish("news", "n", qos)
                }),
            );
        }
    }
    let flags = |world: &mut World, client| world.publishes(client).iter().map(|got| got.retain).collect::<Vec<_>>();
    assert_eq!(flags(&mut world, old), [false; 4]);
    assert_eq!(flags(&mut world, plain), [false; 4]);
    assert_eq!(flags(&mut world, faithful), [true, false, true, false]);
}

/// A SUBSCRIBE, UNSUBSCRIBE or PUBREL that breaks a rule of both versions; `properties` is the empty property set of 5.0.
fn broken_requests(properties: &[u8]) -> Vec<(&'static str, u8, Vec<u8>)> {
    let a = [0, 1, b'a'];
    vec![
        (
            "SUBSCRIBE with flags 0000",
            0x80,
            [&[0, 1], properties, &a, &[0]].concat(),
        ),
        ("SUBSCRIBE without a filter", 0x82, [&[0, 1], properties].concat()),
        ("SUBSCRIBE with QoS 3", 0x82, [&[0, 1], properties, &a, &[3]].concat()),
        (
            "SUBSCRIBE with reserved bits",
            0x82,
            [&[0, 1], properties, &a, &[0xC0]].concat(),
        ),
        (
            "SUBSCRIBE with an ill-formed filter",
            0x82,
            [&[0, 1], properties, &[0, 1, 0xFF, 0]].concat(),
        ),
        (
            "SUBSCRIBE with # in the middle",
            0x82,
            [&[0, 1], properties, &[0, 3, b'#', b'/', b'a', 0]].concat(),
        ),
        (
            "SUBSCRIBE with + in a level",
            0x82,
            [&[0, 1], properties, &[0, 2, b'a', b'+', 0]].concat(),
        ),
        (
            "SUBSCRIBE with an empty filter",
            0x82,
            [&[0, 1], properties, &[0, 0, 0]].concat(),
        ),
        (
            "SUBSCRIBE with packet id 0",
            0x82,
            [&[0, 0], properties, &a, &[0]].concat(),
        ),
        ("UNSUBSCRIBE with flags 0000", 0xA0, [&[0, 1], properties, &a].concat()),
        ("UNSUBSCRIBE without a filter", 0xA2, [&[0, 1], properties].concat()),
        (
            "UNSUBSCRIBE with an ill-formed filter",
            0xA2,
            [&[0, 1], properties, &[0, 1, 0xFF]].concat(),
        ),
        ("PUBREL with flags 0000", 0x60, vec![0, 1]),
    ]
}

/// [MQTT-3.8.1-1] in 3.1.1, [MQTT-3.8.1-1] in 5.0, [MQTT-3.8.3-3] in 3.1.1, [MQTT-3.8.3-2] in 5.0,
/// [MQTT-3.8.3-4] in 3.1.1, [MQTT-3.8.3-5] in 5.0, [MQTT-3.8.3-1] in 3.1.1, [MQTT-3.8.3-1] in 5.0,
/// [MQTT-4.7.1-2] in 3.1.1, [MQTT-4.7.1-1] in 5.0, [MQTT-4.7.1-3] in 3.1.1, [MQTT-4.7.1-2] in 5.0,
/// [MQTT-4.7.3-1] in 3.1.1, [MQTT-4.7.3-1] in 5.0, [MQTT-2.3.1-1] in 3.1.1, [MQTT-2.2.1-3] in 5.0,
/// [MQTT-3.10.1-1] in 3.1.1, [MQTT-3.10.1-1] in 5.0, [MQTT-3.10.3-2] in 3.1.1, [MQTT-3.10.3-2] in 5.0,
/// [MQTT-3.10.3-1] in 3.1.1, [MQTT-3.10.3-1] in 5.0, [MQTT-3.6.1-1] in 3.1.1, [MQTT-3.6.1-1] in 5.0,
/// [MQTT-2.2.2-1] in 3.1.1, [MQTT-2.2.2-2] in 3.1.1, [MQTT-2.1.3-1] in 5.0: a broken request ends its connection and
/// changes nothing.
#[test]
fn v5_3_8_3_2_a_broken_request_ends_its_connection() {
    for version in BOTH {
        let properties: &[u8] = if version == Version::V5 { &[0] } else { &[] };
        for (what, first, body) in broken_requests(properties) {
            let mut world = World::new();
            let client = world.client("client").version(version).connect();
            world.send_bytes(client, &[&[first, body.len() as u8], &body[..]].concat());
            assert!(matches!(world.cause(client), Some(Cause::Violation(_))), "{what}");
            let said = world.goodbye(client);
            assert!(
                said.is_none_or(DisconnectReason::is_error) && said.is_some() == (version == Version::V5),
                "{what}"
            );
            assert_eq!(world.tables.router.borrow().subscription_count(), 0, "{what}");
        }
    }
}

/// [MQTT-3.8.3-4] in 5.0: No Local makes no sense where another member may get the message.
#[test]
fn v5_3_8_3_4_no_local_on_a_shared_subscription_is_a_protocol_error() {
    let mut world = World::new();
    let client = world.client("client").connect();
    let packet = with_options("$share/g/news", QoS::AtMostOnce, |options| options.no_local = true);
    world.send(client, Packet::Subscribe(packet));
    assert_eq!(world.goodbye(client), Some(DisconnectReason::ProtocolError));
}

/// [MQTT-3.12.4-1] in 3.1.1, [MQTT-3.12.4-1] in 5.0: PINGREQ is answered, also while SUBSCRIBE waits for the router.
#[test]
fn v5_3_12_4_1_pingreq_is_answered() {
    for version in BOTH {
        let mut world = World::new();
        let client: Client = world.client("client").version(version).connect();
        world.hold_routes = true;
        let packet = with_options("a", QoS::AtMostOnce, |options| {
            options.retain_handling = RetainHandling::Send
        });
        world.send(client, Packet::Subscribe(packet));
        world.send(client, Packet::Pingreq);
        assert_eq!(world.received(client), [Packet::Pingresp]);
    }
}
