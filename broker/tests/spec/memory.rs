//! A process that is short of memory: what does not grow, who is told, and who notices nothing.

use broker::counters::Drop;
use broker::exchange::Refusal;
use broker::limits::{Limit, QueueFull};
use broker::memory::Memory;
use mqtt_codec::{ConnackReason, Packet, Puback, PubackReason, Publish, QoS, Version};

use crate::world::packets::{id, puback, publish, publish_as};
use crate::world::{Client, World};

/// A sender, a reader of `news` that is there, and a session that wants `mail` and is away.
fn house(queue_full: QueueFull) -> (World, Client, Client) {
    let mut world = World::limited(|limits| limits.queue_full = queue_full);
    let sender = world.client("sender").connect();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    let away = world.client("away").persistent().connect();
    world.subscribe(away, "mail", QoS::AtLeastOnce);
    world.subscribe(away, "$share/g/work", QoS::AtLeastOnce);
    world.drop_connection(away);
    (world, sender, reader)
}

fn memory_is(world: &mut World, memory: Memory) {
    world.lines.iter_mut().for_each(|line| line.memory_is(memory));
}

fn refused(number: u16) -> Packet {
    Packet::Puback(Puback::new(id(number), PubackReason::QuotaExceeded))
}

/// [MQTT-3.4.2-1] in 5.0: what would wait for somebody who is away is refused before it is acknowledged; who is there
/// gets everything.
#[test]
fn v5_3_4_2_1_tight_memory_refuses_what_would_wait() {
    let (mut world, sender, reader) = house(QueueFull::Refuse);
    memory_is(&mut world, Memory::Tight);
    for (number, topic) in [(1, "news"), (2, "mail"), (3, "work"), (4, "nobody")] {
        world.send(
            sender,
            Packet::Publish(publish_as(number, topic, "x", QoS::AtLeastOnce)),
        );
    }
    let answers = world.received(sender);
    assert_eq!(answers[..3], [puback(id(1)), refused(2), refused(3)]);
    assert!(matches!(&answers[3], Packet::Puback(packet) if !packet.reason.is_error()));
    world.publish(sender, "news", "0", QoS::AtMostOnce);
    assert_eq!(world.payloads(reader), ["x", "0"]);
    assert_eq!(world.counters().limited[Limit::Memory as usize], 2);
    assert_eq!(world.counters().queued, 0);

    let worker = world.client("worker").connect();
    world.subscribe(worker, "$share/g/work", QoS::AtLeastOnce);
    world.send(sender, Packet::Publish(publish_as(5, "work", "5", QoS::AtLeastOnce)));
    assert_eq!(world.received(sender), [puback(id(5))]);

    memory_is(&mut world, Memory::Ample);
    world.send(sender, Packet::Publish(publish_as(2, "mail", "x", QoS::AtLeastOnce)));
    assert_eq!(world.received(sender), [puback(id(2))]);
    let away = world.client("away").persistent().connect();
    assert_eq!(world.payloads(away), ["x"]);
}

/// [MQTT-3.3.5-2] in 3.1.1: a publisher of 3.1.1 is closed, and nothing is acknowledged.
#[test]
fn v311_3_3_5_2_tight_memory_ends_the_connection_of_the_publisher() {
    let (mut world, _, _) = house(QueueFull::Refuse);
    memory_is(&mut world, Memory::Tight);
    let old = world.client("old").version(Version::V311).connect();
    world.send(old, Packet::Publish(publish_as(1, "mail", "x", QoS::AtLeastOnce)));
    assert_eq!(world.received(old), []);
    assert!(!world.is_connected(old));
    assert_eq!(
        world.cause(old),
        Some(broker::effect::Cause::Refused(Refusal::QuotaExceeded))
    );
}

/// Where full queues drop, they drop with tight memory, too, and count it.
#[test]
fn tight_memory_drops_where_full_queues_do() {
    let (mut world, sender, _) = house(QueueFull::Drop);
    memory_is(&mut world, Memory::Tight);
    world.send(sender, Packet::Publish(publish_as(1, "mail", "x", QoS::AtLeastOnce)));
    assert_eq!(world.received(sender), [puback(id(1))]);
    assert_eq!(world.counters().dropped[Drop::Memory as usize], 1);
    assert_eq!(world.counters().queued, 0);
}

/// Retained messages are replaced and cleared, and none is added or made longer.
#[test]
fn tight_memory_retains_nothing_more() {
    let (mut world, sender, _) = house(QueueFull::Refuse);
    let retain = |world: &mut World, number: u16, topic: &str, payload: &str| {
        let packet = Publish {
            retain: true,
            ..publish_as(number, topic, payload, QoS::AtLeastOnce)
        };
        world.send(sender, Packet::Publish(packet));
        match &world.received(sender)[..] {
            [Packet::Puback(packet)] => !packet.reason.is_error(),
            other => panic!("one PUBACK, not {other:?}"),
        }
    };
    assert!(retain(&mut world, 1, "state", "four"));
    memory_is(&mut world, Memory::Tight);
    assert!(!retain(&mut world, 2, "other", "four"));
    assert!(retain(&mut world, 3, "state", "four"));
    assert!(!retain(&mut world, 4, "state", "longer"));
    assert!(retain(&mut world, 5, "state", ""));
    assert!(!retain(&mut world, 6, "state", "four"), "it is one more again");
    memory_is(&mut world, Memory::Ample);
    assert!(retain(&mut world, 7, "other", "four"));
}

/// [MQTT-3.1.4-2] in 5.0: with scarce memory newcomers are told 0x97, or 3 in 3.x. A client whose session is here comes
/// in: it takes away what waits for it.
#[test]
fn v5_3_1_4_2_scarce_memory_lets_in_only_who_has_a_session() {
    let (mut world, sender, _) = house(QueueFull::Refuse);
    world.publish(sender, "mail", "x", QoS::AtLeastOnce);
    memory_is(&mut world, Memory::Tight);
    world.client("tight").connect();
    memory_is(&mut world, Memory::Scarce);
    for (version, reason) in [
        (Version::V5, ConnackReason::QuotaExceeded),
        (Version::V311, ConnackReason::ServerUnavailable),
        (Version::V31, ConnackReason::ServerUnavailable),
    ] {
        let (_, connack) = world.client("new").version(version).try_connect();
        assert_eq!(connack.map(|connack| connack.reason), Some(reason));
    }
    let away = world.client("away").persistent().connect();
    assert_eq!(world.payloads(away), ["x"]);
    memory_is(&mut world, Memory::Tight);
    world.client("new").connect();
}

/// QoS 0 is dropped with scarce memory, and counted for each who would have had it; QoS 1 passes.
#[test]
fn scarce_memory_drops_qos_0() {
    let (mut world, sender, reader) = house(QueueFull::Refuse);
    memory_is(&mut world, Memory::Scarce);
    world.publish(sender, "news", "0", QoS::AtMostOnce);
    world.publish(sender, "news", "1", QoS::AtLeastOnce);
    assert_eq!(world.payloads(reader), ["1"]);
    assert_eq!(world.counters().dropped[Drop::Memory as usize], 1);
    assert!(world.is_connected(sender));
    assert_eq!(world.notices.len(), 1);
    assert_eq!(&*world.notices[0].client_id, "sender");
    let packet = publish("news", "", QoS::AtMostOnce);
    memory_is(&mut world, Memory::Ample);
    world.send(sender, Packet::Publish(packet));
    assert_eq!(world.payloads(reader), [""]);
}
