//! A store without room, and one that has failed.

use broker::durable::{Durability, Health};
use broker::effect::Cause;
use broker::exchange::Refusal;
use mqtt_codec::{ConnackReason, Packet, PacketKind, PubackReason, PubrecReason, QoS, Version};

use super::{kept, kinds, publish_as, resume};
use crate::world::packets::{self, filter};
use crate::world::store::{Pace, Survive};
use crate::world::{Config, World};

/// Nothing is acknowledged and then dropped: 0x97 in 5.0, the end of the connection in 3.x.
#[test]
fn a_full_store_refuses_aloud_and_takes_again_when_there_is_room() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    let old = world.client("old").version(Version::V311).connect();
    world.store_is(Health::Full);
    publish_as(&mut world, sensor, 1, "t", "a", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "t", "b", QoS::ExactlyOnce);
    let reasons: Vec<_> = world.received(sensor);
    assert!(matches!(&reasons[0], Packet::Puback(packet) if packet.reason == PubackReason::QuotaExceeded));
    assert!(matches!(&reasons[1], Packet::Pubrec(packet) if packet.reason == PubrecReason::QuotaExceeded));
    publish_as(&mut world, old, 1, "t", "c", QoS::AtLeastOnce);
    assert_eq!(world.cause(old), Some(Cause::Refused(Refusal::QuotaExceeded)));
    assert_eq!(world.payloads(reader), [""; 0]);

    world.publish(sensor, "t", "d", QoS::AtMostOnce);
    publish_as(&mut world, sensor, 3, "nobody", "e", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
    assert_eq!(world.payloads(reader), ["d"], "QoS 0 goes on");
    world.store_is(Health::Well);
    publish_as(&mut world, sensor, 1, "t", "f", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
    assert_eq!(world.payloads(reader), ["f"]);
}

/// What is to be kept in memory alone needs no room.
#[test]
fn a_full_store_is_no_matter_for_the_class_memory() {
    let mut config = Config::default();
    config.limits.durability = Durability::Disk;
    config.limits.durability_rules = vec![(filter("telemetry/#"), Durability::Memory)];
    let mut world = World::with(config);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "telemetry/#", QoS::AtLeastOnce);
    let sensor = world.client("sensor").connect();
    world.store_is(Health::Full);
    world.publish(sensor, "telemetry/1", "m", QoS::AtLeastOnce);
    assert!(matches!(&world.received(sensor)[..], [Packet::Puback(packet)] if !packet.reason.is_error()));
    assert_eq!(world.payloads(reader), ["m"]);
}

/// What frees room is taken by a store without room, or there never would be any.
#[test]
fn acknowledgements_free_room_in_a_full_store() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    let publish = world.publishes(reader).remove(0);
    world.store_is(Health::Full);
    world.acknowledge(reader, &publish);
    assert_eq!(kinds(&mut world, reader), [PacketKind::Pubrel]);
    assert!(world.store.image().session_of("reader").unwrap().queue.is_empty());
}

/// After a failure nothing is promised: no acknowledgement leaves, not even one that waited.
#[test]
fn no_acknowledgement_leaves_after_the_store_has_failed() {
    let (mut world, reader, sensor) = kept("t", QoS::AtLeastOnce);
    world.set_pace(Pace::Held);
    publish_as(&mut world, sensor, 1, "nobody", "a", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "t", "b", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
    world.store_is(Health::Failed);
    assert!(
        !world.is_connected(sensor),
        "it waited for an answer that it will not get"
    );
    assert!(!world.is_connected(reader), "its session is kept no more");
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Disconnect]);
}

/// QoS 1 and 2 are refused until the broker is started again; QoS 0 promises nothing and goes on.
#[test]
fn a_failed_store_refuses_what_is_to_be_acknowledged_and_lets_qos_0_pass() {
    let mut world = World::keeping(Durability::Disk);
    let listener = world.client("listener").connect();
    world.subscribe(listener, "t", QoS::AtLeastOnce);
    let sensor = world.client("sensor").connect();
    let old = world.client("old").version(Version::V311).connect();
    world.store_is(Health::Failed);
    assert!(world.is_connected(sensor) && world.is_connected(listener));
    world.publish(sensor, "t", "a", QoS::AtMostOnce);
    assert_eq!(world.payloads(listener), ["a"]);
    publish_as(&mut world, sensor, 1, "t", "b", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "t", "c", QoS::ExactlyOnce);
    for packet in world.received(sensor) {
        let refused = matches!(&packet, Packet::Puback(packet) if packet.reason.is_error())
            || matches!(&packet, Packet::Pubrec(packet) if packet.reason.is_error());
        assert!(refused, "{packet:?}");
    }
    publish_as(&mut world, old, 1, "t", "d", QoS::AtLeastOnce);
    assert_eq!(world.cause(old), Some(Cause::Refused(Refusal::ServerUnavailable)));
    assert_eq!(world.payloads(listener), [""; 0]);
}

/// A session that is to be kept cannot be: 0x88 in 5.0, return code 3 in 3.1.1. Others come in.
#[test]
fn a_failed_store_refuses_sessions_that_it_would_have_to_keep() {
    let mut world = World::keeping(Durability::Disk);
    world.store_is(Health::Failed);
    for version in [Version::V311, Version::V5] {
        let (_, connack) = world.client("reader").version(version).persistent().try_connect();
        assert_eq!(connack.unwrap().reason, ConnackReason::ServerUnavailable, "{version:?}");
    }
    world.client("fleeting").connect();
}

/// There is no way back from a failure but a start: what was acknowledged before is there then.
#[test]
fn a_failure_is_for_good_until_the_broker_starts_again() {
    let (mut world, _, sensor) = kept("t", QoS::AtLeastOnce);
    world.publish(sensor, "t", "m", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
    world.store_is(Health::Failed);
    world.store_is(Health::Well);
    let (_, connack) = world.client("reader").persistent().try_connect();
    assert!(connack.unwrap().reason.is_error());
    world.crash(Survive::Synced);
    let reader = resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["m"]);
    world.send(reader, packets::puback(packets::id(1)));
}
