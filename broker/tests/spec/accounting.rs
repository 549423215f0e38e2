//! The books: every exchange that starts ends once, and every message that came in is somewhere.

use broker::counters::Drop;
use broker::exchange::Kind;
use mqtt_codec::{Packet, Publish, PublishProperties, QoS, Version};

use crate::world::packets::{id, publish, publish_as, pubrel, subscribe, unsubscribe};
use crate::world::{Client, World, secs};

/// A message to one reader is delivered, queued, dropped for a reason (expiry is one) or refused for a reason.
fn assert_balanced(world: &World, when: &str) {
    let counters = world.counters();
    let received: u64 = counters.publish_in.iter().sum();
    let delivered: u64 = counters.publish_out.iter().sum();
    let refused: u64 = counters.stopped[Kind::Publish as usize].iter().sum();
    let places = delivered + counters.queued + counters.dropped_total() + refused;
    assert_eq!(received, places, "{when}: {counters:?}");
}

fn lasting(expiry_secs: u32, packet: Publish) -> Packet {
    let properties = PublishProperties {
        message_expiry_secs: Some(expiry_secs),
        ..PublishProperties::default()
    };
    Packet::Publish(Publish {
        properties: Some(Box::new(properties)),
        ..packet
    })
}

/// received = delivered + queued + expired + dropped + refused, at any time.
#[test]
fn every_message_is_somewhere() {
    let mut world = World::limited(|limits| {
        limits.queue_messages_max = 6;
        limits.out_bytes_max = 300;
    });
    let sender = world.client("sender").connect();
    let reader = world
        .client("reader")
        .persistent()
        .receive_maximum(2)
        .packet_size_max(150)
        .connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);

    world.publish(sender, "news", "0", QoS::AtMostOnce);
    assert_balanced(&world, "delivered at QoS 0");
    for _ in 0..4 {
        world.publish(sender, "news", "1", QoS::AtLeastOnce);
    }
    assert_eq!((world.counters().queued, world.counters().inflight), (2, 2));
    assert_balanced(&world, "two under way and two queued");

    world.send(sender, lasting(1, publish("news", "short-lived", QoS::AtLeastOnce)));
    world.publish(sender, "news", &"x".repeat(200), QoS::AtLeastOnce);
    world.publish(sender, "news", &"x".repeat(200), QoS::AtMostOnce);
    world.publish(sender, "$SYS/forged", "", QoS::AtLeastOnce);
    world.pass(secs(1));
    assert_balanced(&world, "refused, too large");

    world.stall(reader, true);
    for _ in 0..5 {
        world.publish(sender, "news", &"x".repeat(100), QoS::AtMostOnce);
    }
    assert_balanced(&world, "slow");
    world.stall(reader, false);
    loop {
        let got = world.publishes(reader);
        if got.is_empty() {
            break;
        }
        got.iter().for_each(|publish| world.acknowledge(reader, publish));
        assert_balanced(&world, "acknowledged");
    }
    assert_eq!((world.counters().queued, world.counters().inflight), (0, 0));

    world.drop_connection(reader);
    world.publish(sender, "news", "away", QoS::AtMostOnce);
    for number in 1..=7 {
        world.send(
            sender,
            Packet::Publish(publish_as(number, "news", "kept", QoS::AtLeastOnce)),
        );
        assert_balanced(&world, "away");
    }
    world.client("reader").clean(true).connect();
    assert_balanced(&world, "session ended");

    let dropped = world.counters().dropped;
    let seen = [
        Drop::Away,
        Drop::Slow,
        Drop::TooLarge,
        Drop::Expired,
        Drop::SessionEnded,
    ]
    .map(|drop| dropped[drop as usize]);
    assert_eq!(seen, [1, 3, 2, 1, 6]);
    assert_eq!(world.counters().stopped[Kind::Publish as usize].iter().sum::<u64>(), 2);
}

/// What each client may have open, when nothing else is: its deliveries, its QoS 2 messages, its requests.
#[test]
fn every_exchange_that_started_is_open_or_has_ended_once() {
    for version in [Version::V311, Version::V5] {
        let mut world = World::new();
        let sender = world.client("sender").version(version).persistent().connect();
        let reader = world.client("reader").version(version).persistent().connect();
        world.subscribe(reader, "news", QoS::ExactlyOnce);
        let open = |world: &World| world.counters().open_exchanges();
        assert_eq!(open(&world), 0);

        world.send(sender, Packet::Pingreq);
        world.publish(sender, "news", "", QoS::AtMostOnce);
        assert_eq!(open(&world), 0);
        for number in 1..=3 {
            world.send(
                sender,
                Packet::Publish(publish_as(number, "news", "", QoS::ExactlyOnce)),
            );
        }
        assert_eq!(open(&world), 3 + 3, "three to be released, three to be acknowledged");
        world.send(sender, pubrel(id(2)));
        assert_eq!(open(&world), 2 + 3);

        world.hold_routes = true;
        world.send(reader, Packet::Subscribe(subscribe(9, "else", QoS::AtMostOnce)));
        world.send(reader, unsubscribe(10, "news"));
        assert_eq!(open(&world), 2 + 3 + 2);
        world.release_routes();
        assert_eq!(open(&world), 2 + 3);

        world.drop_connection(reader);
        world.drop_connection(sender);
        assert_eq!(open(&world), 2 + 3, "sessions keep what is open");
        let [sender, reader]: [Client; 2] =
            ["sender", "reader"].map(|name| world.client(name).version(version).clean(true).connect());
        assert_eq!(open(&world), 0, "and end it when they end");
        world.drop_connection(sender);
        world.drop_connection(reader);
        let counters = world.counters();
        assert_eq!(
            (
                counters.sessions,
                counters.connected,
                counters.queued,
                counters.inflight
            ),
            (0, 0, 0, 0)
        );
        assert_eq!(counters.started[Kind::Connect as usize], 4);
        assert_eq!(counters.finished[Kind::Connect as usize], 4);
    }
}
