//! The bounds: what happens at each, who is told, and what is never lost to one.

use broker::counters::Drop;
use broker::effect::Cause;
use broker::exchange::Refusal;
use broker::limits::{Limit, QueueFull};
use broker::router::RouterLimits;
use mqtt_codec::{
    DisconnectReason, Packet, Puback, PubackReason, Publish, PublishProperties, Pubrec, PubrecReason, QoS,
    SubackReason, UnsubackReason, Version,
};

use crate::world::packets::{filter, id, puback, publish, publish_as, pubrec, pubrel, subscribe, unsubscribe};
use crate::world::{Client, Config, World, secs};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// A session `reader` that is away and wants `news` at QoS 2, with room for three messages, and a sender.
fn full_house(version: Version, queue_full: QueueFull) -> (World, Client) {
    let mut world = World::limited(|limits| {
        limits.queue_messages_max = 3;
        limits.queue_full = queue_full;
    });
    let sender = world.client("sender").version(version).connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::ExactlyOnce);
    world.drop_connection(reader);
    for number in 1..=3 {
        world.send(
            sender,
            Packet::Publish(publish_as(number, "news", &number.to_string(), QoS::AtLeastOnce)),
        );
        assert_eq!(world.received(sender), [puback(id(number))]);
    }
    (world, sender)
}

/// [MQTT-3.4.2-1] in 5.0, [MQTT-3.5.2-1] in 5.0: a message for a full queue is refused with 0x97 and given to nobody, so
/// that the publisher may try again; QoS 0 and other topics pass, and with room the same message is taken.
#[test]
fn v5_3_4_2_1_a_full_queue_refuses_aloud() {
    let (mut world, sender) = full_house(Version::V5, QueueFull::Refuse);
    let other = world.client("other").connect();
    world.subscribe(other, "#", QoS::AtMostOnce);
    world.send(sender, Packet::Publish(publish_as(4, "news", "4", QoS::AtLeastOnce)));
    world.send(sender, Packet::Publish(publish_as(5, "news", "5", QoS::ExactlyOnce)));
    let refused = [
        Packet::Puback(Puback::new(id(4), PubackReason::QuotaExceeded)),
        Packet::Pubrec(Pubrec::new(id(5), PubrecReason::QuotaExceeded)),
    ];
    assert_eq!(world.received(sender), refused);
    assert_eq!(told(&world), [Limit::Queue]);
    assert_eq!(&*world.notices[0].client_id, "sender");
    world.publish(sender, "news", "0", QoS::AtMostOnce);
    world.send(sender, Packet::Publish(publish_as(6, "else", "6", QoS::AtLeastOnce)));
    assert_eq!(world.received(sender), [puback(id(6))]);
    assert_eq!(world.payloads(other), ["0", "6"]);

    let reader = world.client("reader").persistent().connect();
    assert_eq!(world.payloads(reader), ["1", "2", "3"]);
    world.send(sender, Packet::Publish(publish_as(4, "news", "4", QoS::AtLeastOnce)));
    assert_eq!(world.received(sender), [puback(id(4))]);
    assert_eq!(world.payloads(reader), ["4"]);
}

/// [MQTT-4.8.0-2] in 3.1.1, [MQTT-3.3.5-2] in 3.1.1: 3.1.1 has no word for it: the connection ends and nothing is
/// acknowledged.
#[test]
fn v311_4_8_0_2_a_full_queue_ends_the_connection_of_the_publisher() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (mut world, sender) = full_house(Version::V311, QueueFull::Refuse);
        world.send(sender, Packet::Publish(publish_as(4, "news", "4", qos)));
        assert_eq!(world.received(sender), []);
        assert_eq!(world.cause(sender), Some(Cause::Refused(Refusal::QuotaExceeded)));
        let reader = world.client("reader").persistent().connect();
        assert_eq!(world.payloads(reader), ["1", "2", "3"]);
    }
}

/// The limits that the log was told of; each is counted, too.
fn told(world: &World) -> Vec<Limit> {
    let limits: Vec<Limit> = world.notices.iter().map(|reached| reached.limit).collect();
    let counted = world.counters().limited;
    assert!(limits.iter().all(|limit| counted[*limit as usize] > 0), "{counted:?}");
    limits
}

/// By another setting the receiver misses what does not fit, and the loss is counted.
#[test]
fn a_full_queue_may_drop_instead() {
    for version in BOTH {
        let (mut world, sender) = full_house(version, QueueFull::Drop);
        world.send(sender, Packet::Publish(publish_as(4, "news", "4", QoS::AtLeastOnce)));
        assert_eq!(world.received(sender), [puback(id(4))]);
        assert_eq!(world.counters().dropped[Drop::QueueFull as usize], 1);
        assert_eq!(told(&world), [Limit::Queue]);
        assert_eq!(&*world.notices[0].client_id, "reader");
        let reader = world.client("reader").persistent().connect();
        assert_eq!(world.payloads(reader), ["1", "2", "3"]);
    }
}

/// [MQTT-3.3.2-5] in 5.0: what expires in a full queue makes room, though its reader stays away.
#[test]
fn v5_3_3_2_5_expiry_makes_room_in_a_full_queue() {
    let mut world = World::limited(|limits| limits.queue_messages_max = 2);
    let sender = world.client("sender").connect();
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.drop_connection(reader);
    for expiry in [10, 20] {
        let properties = PublishProperties {
            message_expiry_secs: Some(expiry),
            ..PublishProperties::default()
        };
        let packet = publish("news", "old", QoS::AtLeastOnce);
        world.send(
            sender,
            Packet::Publish(Publish {
                properties: Some(Box::new(properties)),
                ..packet
            }),
        );
    }
    let refused = Packet::Puback(Puback::new(id(1), PubackReason::QuotaExceeded));
    let mut answers = Vec::new();
    for pause in [9, 1, 9, 1] {
        world.received(sender);
        world.pass(secs(pause));
        world.publish(sender, "news", "fresh", QoS::AtLeastOnce);
        answers.extend(world.received(sender));
    }
    assert_eq!(answers, [refused.clone(), puback(id(1)), refused, puback(id(1))]);
    let reader = world.client("reader").persistent().connect();
    assert_eq!(world.payloads(reader), ["fresh", "fresh"]);
    assert_eq!(world.counters().dropped[Drop::Expired as usize], 2);
}

/// The queue has a bound in bytes too, and properties count like payload.
#[test]
fn a_queue_is_bounded_in_bytes() {
    let pairs = (0..10)
        .map(|_| ("k".repeat(500).into(), "v".repeat(500).into()))
        .collect();
    let properties = PublishProperties {
        user_properties: pairs,
        ..PublishProperties::default()
    };
    let heavy = Publish {
        properties: Some(Box::new(properties)),
        ..publish("news", "", QoS::AtLeastOnce)
    };
    for packet in [heavy, publish("news", &"x".repeat(10_000), QoS::AtLeastOnce)] {
        let mut world = World::limited(|limits| limits.queue_bytes_max = 30_000);
        let sender = world.client("sender").connect();
        let reader = world.client("reader").persistent().connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.drop_connection(reader);
        (0..5).for_each(|_| world.send(sender, Packet::Publish(packet.clone())));
        assert_eq!(world.counters().queued, 3);
    }
}

/// A reader that does not take its bytes misses QoS 0, which is counted, and gets QoS 1 when it goes on.
#[test]
fn a_slow_reader_misses_qos_0_only() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.out_bytes_max = 500);
        let sender = world.client("sender").connect();
        let reader = world.client("reader").version(version).connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        world.stall(reader, true);
        for number in 0..40 {
            world.publish(sender, "news", &format!("a{number:0>90}"), QoS::AtMostOnce);
            world.publish(sender, "news", &format!("b{number:0>90}"), QoS::AtLeastOnce);
        }
        assert!(world.outbox_bytes(reader) <= 600);
        world.stall(reader, false);
        let (unacknowledged, acknowledged): (Vec<_>, Vec<_>) = world
            .payloads(reader)
            .into_iter()
            .partition(|text| text.starts_with('a'));
        let expected: Vec<String> = (0..40).map(|number| format!("b{number:0>90}")).collect();
        assert_eq!(acknowledged, expected);
        let lost = world.counters().dropped[Drop::Slow as usize];
        assert_eq!(lost as usize + unacknowledged.len(), 40);
        assert!(lost >= 30);
        assert_eq!(told(&world), [Limit::OutgoingBuffer]);
        assert_eq!(world.counters().limited[Limit::OutgoingBuffer as usize], lost);
    }
}

/// A single message that is larger than the buffer still arrives.
#[test]
fn a_message_larger_than_the_buffer_is_delivered() {
    let mut world = World::limited(|limits| limits.out_bytes_max = 500);
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        world.publish(sender, "news", &"x".repeat(20_000), qos);
        assert_eq!(world.payloads(reader), ["x".repeat(20_000)]);
    }
}

/// A connected reader whose queue overflows is the one who pays: it is told 0x97, its session keeps what was taken.
#[test]
fn a_reader_whose_queue_overflows_is_disconnected() {
    for version in BOTH {
        let mut world = World::limited(|limits| {
            limits.queue_messages_max = 3;
            limits.inflight_max_v3 = 1;
        });
        let sender = world.client("sender").connect();
        let reader = world
            .client("reader")
            .version(version)
            .persistent()
            .receive_maximum(1)
            .connect();
        world.subscribe(reader, "news", QoS::AtLeastOnce);
        for text in ["1", "2", "3"] {
            world.publish(sender, "news", text, QoS::AtLeastOnce);
        }
        assert!(world.is_connected(reader));
        world.publish(sender, "news", "4", QoS::AtLeastOnce);
        assert_eq!(world.cause(reader), Some(Cause::QueueFull));
        assert_eq!(
            world.goodbye(reader),
            (version == Version::V5).then_some(DisconnectReason::QuotaExceeded)
        );
        assert!(world.received(sender).iter().all(|answer| *answer == puback(id(1))));

        let reader = world.client("reader").version(version).persistent().connect();
        let mut kept = Vec::new();
        loop {
            let got = world.publishes(reader);
            if got.is_empty() {
                break;
            }
            got.iter().for_each(|publish| world.acknowledge(reader, publish));
            kept.extend(got.into_iter().map(|publish| publish.payload));
        }
        assert_eq!(kept, ["1", "2", "3", "4"]);
        assert_eq!(world.counters().dropped_total(), 0);
    }
}

/// A client that asks and does not read the answers is not read either; nothing of what it asked is lost.
#[test]
fn a_client_that_does_not_read_its_answers_is_not_read() {
    for version in BOTH {
        let mut world = World::limited(|limits| limits.out_bytes_max = 100);
        let client = world.client("client").version(version).connect();
        world.stall(client, true);
        (0..500).for_each(|_| world.send(client, Packet::Pingreq));
        assert!(world.outbox_bytes(client) <= 202);
        world.stall(client, false);
        assert_eq!(world.received(client), vec![Packet::Pingresp; 500]);
    }
}

/// Acknowledgements and answers are no data: a buffer full of messages drops none of them.
#[test]
fn answers_are_not_lost_to_a_full_buffer() {
    let mut world = World::limited(|limits| limits.out_bytes_max = 300);
    let sender = world.client("sender").connect();
    let client = world.client("client").connect();
    world.subscribe(client, "news", QoS::ExactlyOnce);
    world.publish(sender, "news", "2", QoS::ExactlyOnce);
    let number = world.publishes(client)[0].packet_id.unwrap();
    world.stall(client, true);
    (0..10).for_each(|_| world.publish(sender, "news", &"x".repeat(90), QoS::AtMostOnce));
    world.send(client, pubrec(number));
    world.send(client, Packet::Publish(publish_as(7, "else", "", QoS::ExactlyOnce)));
    world.send(client, pubrel(id(7)));
    world.send(client, unsubscribe(8, "news"));
    world.stall(client, false);
    world.publishes(client);
    let [first, recorded, completed, last] = &world.received(client)[..] else {
        panic!("four answers")
    };
    assert_eq!(*first, pubrel(number));
    assert!(matches!(recorded, Packet::Pubrec(packet) if packet.packet_id == id(7)));
    assert!(matches!(completed, Packet::Pubcomp(packet) if packet.packet_id == id(7)));
    assert!(matches!(last, Packet::Unsuback(packet) if packet.reasons == [UnsubackReason::Success]));
}

/// [MQTT-3.9.3-2] in 5.0, [MQTT-3.9.3-2] in 3.1.1: beyond the number of subscriptions SUBACK says 0x97, or 0x80; to
/// replace one is possible at the limit, and to drop one makes room.
#[test]
fn v5_3_9_3_2_subscriptions_beyond_the_limit_are_refused() {
    for version in BOTH {
        let router = RouterLimits {
            subscriptions_per_session_max: 2,
            topic_levels_max: 128,
            seed: 7,
        };
        let mut world = World::with(Config {
            router,
            ..Config::default()
        });
        let client = world.client("client").version(version).connect();
        let mut answer = |name: &str| {
            world
                .subscribe_with(client, subscribe(1, name, QoS::AtLeastOnce))
                .reasons[0]
        };
        let refused = if version == Version::V5 {
            SubackReason::QuotaExceeded
        } else {
            SubackReason::UnspecifiedError
        };
        let granted = SubackReason::GrantedQoS1;
        let names = ["a", "$share/g/b", "c", "a", "$share/g/b"];
        assert_eq!(names.map(&mut answer), [granted, granted, refused, granted, granted]);
        world.send(client, unsubscribe(2, "a"));
        let suback = world.subscribe_with(client, subscribe(1, "c", QoS::AtLeastOnce));
        assert_eq!(suback.reasons, [granted]);
        assert_eq!(told(&world), [Limit::Subscriptions]);
    }
}

/// Filters deeper than the setting are refused, and the rest of the SUBSCRIBE is carried out.
#[test]
fn filters_beyond_the_level_limit_are_refused() {
    let router = RouterLimits {
        subscriptions_per_session_max: 9,
        topic_levels_max: 3,
        seed: 7,
    };
    let mut world = World::with(Config {
        router,
        ..Config::default()
    });
    let client = world.client("client").connect();
    let mut packet = subscribe(1, "a/b/c/#", QoS::AtMostOnce);
    for name in ["a/b/#", "$share/g/a/b/c", "$share/g/a/b/c/d"] {
        packet
            .filters
            .push(mqtt_codec::SubscribeFilter::new(filter(name), QoS::AtMostOnce));
    }
    let (granted, refused) = (SubackReason::GrantedQoS0, SubackReason::TopicFilterInvalid);
    assert_eq!(
        world.subscribe_with(client, packet).reasons,
        [refused, granted, granted, refused]
    );
    assert_eq!(told(&world), [Limit::TopicSize]);
}

/// A client that sends more SUBSCRIBE packets than the router has answered waits; each gets its answer in order.
#[test]
fn requests_for_the_router_are_bounded() {
    let mut world = World::limited(|limits| limits.route_requests_max = 2);
    let client = world.client("client").connect();
    world.hold_routes = true;
    for number in 1..=5 {
        world.send(client, Packet::Subscribe(subscribe(number, "a", QoS::AtMostOnce)));
    }
    world.send(client, Packet::Pingreq);
    assert_eq!(world.received(client), []);
    world.release_routes();
    let got = world.received(client);
    assert!(got.contains(&Packet::Pingresp));
    let numbers: Vec<u16> = got
        .iter()
        .filter_map(|packet| {
            if let Packet::Suback(suback) = packet {
                Some(suback.packet_id.get())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}
