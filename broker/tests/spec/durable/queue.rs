//! Queues longer than memory's share, and sessions whose conversations are in the store alone.

use std::collections::VecDeque;

use broker::durable::Durability;
use mqtt_codec::{Packet, PacketKind, Publish, PublishProperties, QoS};

use super::{kinds, publish_as, resume, sent};
use crate::world::store::{Pace, Survive};
use crate::world::{Client, World, packets, secs};

const MEMORY: usize = 4;

fn small() -> (World, Client) {
    let mut world = World::limited(|limits| {
        limits.durability = Durability::Disk;
        limits.queue_memory_messages = MEMORY;
    });
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    world.drop_connection(reader);
    let sensor = world.client("sensor").connect();
    (world, sensor)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// The reader takes what comes until nothing does.
fn drain(world: &mut World, reader: Client) -> Vec<String> {
    let mut got = Vec::new();
    loop {
        let publishes = world.publishes(reader);
        if publishes.is_empty() {
            return got;
        }
        for publish in publishes {
            got.push(String::from_utf8_lossy(&publish.payload).into_owned());
            world.acknowledge(reader, &publish);
        }
    }
}

/// What is behind memory's share comes back in windows, in order, whatever the receiver's own window.
#[test]
fn a_queue_longer_than_memory_comes_back_in_order() {
    for window in [1, 2, 3, 100] {
        for crash in [false, true] {
            let (mut world, sensor) = small();
            for payload in numbers(0..50) {
                world.publish(sensor, "t", &payload, QoS::ExactlyOnce);
                world.send(sensor, packets::pubrel(packets::id(1)));
            }
            assert_eq!(world.counters().queued, 50);
            if crash {
                world.crash(Survive::Synced);
            }
            let reader = world.client("reader").persistent().receive_maximum(window).connect();
            assert_eq!(
                drain(&mut world, reader),
                numbers(0..50),
                "window {window}, crash {crash}"
            );
            assert_eq!((world.counters().queued, world.counters().inflight), (0, 0));
            let kept = world.store.image().session_of("reader").unwrap();
            assert!(kept.queue.is_empty(), "{:?}", kept.queue);
        }
    }
}

/// Messages that come while a window is being read stand behind it.
#[test]
fn messages_that_arrive_while_a_window_is_read_come_after_it() {
    let (mut world, sensor) = small();
    for payload in numbers(0..20) {
        world.publish(sensor, "t", &payload, QoS::AtLeastOnce);
    }
    let reader = world.client("reader").persistent().connect();
    let (mut got, mut inbox) = (Vec::new(), VecDeque::new());
    let mut next = 20;
    for round in 0..200 {
        // The store is slow every other time, so that what was asked for is under way when the next ones come.
        world.set_pace(if round % 2 == 0 { Pace::Asleep } else { Pace::AsAsked });
        if next < 60 {
            world.publish(sensor, "t", &next.to_string(), QoS::AtLeastOnce);
            next += 1;
        }
        inbox.extend(world.publishes(reader));
        for publish in inbox.drain(..inbox.len().min(2)) {
            got.push(String::from_utf8_lossy(&publish.payload).into_owned());
            world.acknowledge(reader, &publish);
        }
    }
    world.set_pace(Pace::AsAsked);
    for publish in inbox {
        got.push(String::from_utf8_lossy(&publish.payload).into_owned());
        world.acknowledge(reader, &publish);
    }
    got.extend(drain(&mut world, reader));
    assert_eq!(got, numbers(0..60));
    assert_eq!(world.counters().queued, 0);
}

/// A PUBLISH may be a repeat of one that the store alone remembers, so that nothing is read before it was asked.
#[test]
fn a_client_is_not_read_until_its_conversations_are_there() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    let sensor = world.client("sensor").persistent().connect();
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    world.crash(Survive::Synced);
    world.set_pace(Pace::Asleep);
    let (sensor, _) = world.client("sensor").persistent().try_connect();
    let again = Publish {
        dup: true,
        ..packets::publish("t", "m", QoS::ExactlyOnce)
    };
    world.send(sensor, Packet::Publish(again));
    assert!(!world.is_read(sensor));
    assert_eq!(kinds(&mut world, sensor), []);
    world.set_pace(Pace::AsAsked);
    assert!(world.is_read(sensor));
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Connack, PacketKind::Pubrec]);
    let reader = resume(&mut world, "reader");
    assert_eq!(
        sent(&world.publishes(reader)),
        [("m".to_owned(), 1, true)],
        "passed on once"
    );
}

/// A client that loses its connection before its conversations were there finds them the next time.
#[test]
fn a_client_that_leaves_again_while_its_session_sleeps_loses_nothing() {
    let (mut world, sensor) = small();
    for payload in numbers(0..10) {
        world.publish(sensor, "t", &payload, QoS::AtLeastOnce);
    }
    world.crash(Survive::Synced);
    for _ in 0..3 {
        world.set_pace(Pace::Asleep);
        let (reader, _) = world.client("reader").persistent().try_connect();
        world.drop_connection(reader);
        world.set_pace(Pace::AsAsked);
    }
    let sensor = world.client("sensor").connect();
    world.publish(sensor, "t", "10", QoS::AtLeastOnce);
    let reader = resume(&mut world, "reader");
    assert_eq!(drain(&mut world, reader), numbers(0..11));
}

/// Takeover while the answer of the store is under way.
#[test]
fn a_takeover_while_a_session_sleeps_loses_nothing_and_repeats_nothing() {
    let (mut world, sensor) = small();
    for payload in numbers(0..10) {
        world.publish(sensor, "t", &payload, QoS::ExactlyOnce);
        world.send(sensor, packets::pubrel(packets::id(1)));
    }
    world.crash(Survive::Synced);
    world.set_pace(Pace::Asleep);
    let (first, _) = world.client("reader").persistent().try_connect();
    let (second, _) = world.client("reader").persistent().try_connect();
    world.set_pace(Pace::AsAsked);
    assert!(!world.is_connected(first));
    world.received(first);
    assert_eq!(drain(&mut world, second), numbers(0..10));
}

/// [MQTT-3.3.2-5] in 5.0: also in the part of a queue that the store alone has.
#[test]
fn expired_messages_in_the_store_are_dropped_and_make_room() {
    let mut world = World::limited(|limits| {
        limits.durability = Durability::Disk;
        limits.queue_memory_messages = MEMORY;
        limits.queue_messages_max = 20;
    });
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sensor = world.client("sensor").connect();
    for number in 0..20 {
        world.send(
            sensor,
            Packet::Publish(Publish {
                properties: Some(Box::new(PublishProperties {
                    message_expiry_secs: Some(10),
                    ..PublishProperties::default()
                })),
                ..packets::publish("t", &number.to_string(), QoS::AtLeastOnce)
            }),
        );
    }
    world.received(sensor);
    publish_as(&mut world, sensor, 1, "t", "full", QoS::AtLeastOnce);
    assert!(matches!(&world.received(sensor)[..], [Packet::Puback(packet)] if packet.reason.is_error()));
    world.pass(secs(60));
    publish_as(&mut world, sensor, 1, "t", "room", QoS::AtLeastOnce);
    assert!(matches!(&world.received(sensor)[..], [Packet::Puback(packet)] if !packet.reason.is_error()));
    assert_eq!(world.counters().queued, 1);
    assert_eq!(world.counters().dropped[broker::counters::Drop::Expired as usize], 20);
    let reader = resume(&mut world, "reader");
    assert_eq!(drain(&mut world, reader), ["room"]);
    assert!(world.store.image().session_of("reader").unwrap().queue.is_empty());
}

/// A session that sleeps and whose queue turns out to be empty has conversations all the same, and wakes.
#[test]
fn a_sleeping_session_wakes_although_all_that_it_had_has_expired() {
    let (mut world, sensor) = small();
    let mortal = |payload: &str| {
        Packet::Publish(Publish {
            properties: Some(Box::new(PublishProperties {
                message_expiry_secs: Some(10),
                ..PublishProperties::default()
            })),
            ..packets::publish("t", payload, QoS::AtLeastOnce)
        })
    };
    world.send(sensor, mortal("old"));
    world.crash_for(Survive::Synced, secs(20));
    let sensor = world.client("sensor").connect();
    world.set_pace(Pace::Asleep);
    world.send(sensor, mortal("late"));
    world.pass(secs(20));
    world.set_pace(Pace::AsAsked);
    for payload in numbers(0..3) {
        world.publish(sensor, "t", &payload, QoS::AtLeastOnce);
    }
    let reader = resume(&mut world, "reader");
    assert_eq!(drain(&mut world, reader), numbers(0..3));
    assert!(world.is_read(reader));
}

/// A queue that was full before the broker's end is full after it.
#[test]
fn a_queue_that_was_full_refuses_after_a_crash() {
    let mut world = World::limited(|limits| {
        limits.durability = Durability::Disk;
        limits.queue_memory_messages = MEMORY;
        limits.queue_messages_max = 10;
    });
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sensor = world.client("sensor").connect();
    for number in 0..10 {
        world.publish(sensor, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    world.crash(Survive::Synced);
    let sensor = world.client("sensor").connect();
    // The first may be what has the queue counted.
    world.publish(sensor, "t", "10", QoS::AtLeastOnce);
    world.received(sensor);
    world.publish(sensor, "t", "11", QoS::AtLeastOnce);
    assert!(matches!(&world.received(sensor)[..], [Packet::Puback(packet)] if packet.reason.is_error()));
    let reader = resume(&mut world, "reader");
    assert_eq!(drain(&mut world, reader), numbers(0..11));
}
