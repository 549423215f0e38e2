//! Which packets wait for the store, and for how much of it.

use broker::durable::Durability;
use mqtt_codec::{Packet, PacketKind, Publish, QoS};

use super::{id_on, kept, kinds, publish_as};
use crate::world::packets::{self, filter};
use crate::world::store::{Pace, Survive};
use crate::world::{Config, World};

/// [MQTT-4.3.2-4] in 5.0: the receiver takes ownership with its PUBACK, so that it has to have the message by then.
#[test]
fn a_puback_waits_for_the_store_and_leaves_with_it() {
    let (mut world, reader, sensor) = kept("t", QoS::AtLeastOnce);
    world.set_pace(Pace::Held);
    world.publish(sensor, "t", "m", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), []);
    assert_eq!(
        world.payloads(reader),
        ["m"],
        "QoS 1 need not wait: a second copy is allowed"
    );

    world.commit(1, Durability::Os);
    assert_eq!(kinds(&mut world, sensor), [], "the kernel's word is not enough");
    world.commit(1, Durability::Disk);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
}

/// The class `os` survives the end of the process: the kernel's word is enough.
#[test]
fn the_answer_of_the_class_os_leaves_when_the_kernel_has_the_message() {
    let mut world = World::keeping(Durability::Os);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    let sensor = world.client("sensor").connect();
    world.set_pace(Pace::Held);
    world.publish(sensor, "t", "m", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), []);
    world.commit(1, Durability::Os);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);

    world.crash(Survive::Written);
    let reader = super::resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["m"]);
}

/// Without a receiver that is kept and without a retained message there is nothing to keep: no batch, no wait.
#[test]
fn nothing_waits_and_nothing_is_stored_when_no_receiver_is_kept() {
    let (mut world, _, sensor) = kept("elsewhere/#", QoS::ExactlyOnce);
    let fleeting = world.client("fleeting").connect();
    world.subscribe(fleeting, "t", QoS::ExactlyOnce);
    world.set_pace(Pace::Held);
    let batches = world.store.batches;
    world.publish(sensor, "t", "a", QoS::AtMostOnce);
    publish_as(&mut world, sensor, 1, "t", "b", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "t", "c", QoS::ExactlyOnce);
    publish_as(&mut world, sensor, 3, "nobody", "d", QoS::ExactlyOnce);
    world.send(sensor, packets::pubrel(packets::id(2)));
    world.send(sensor, packets::pubrel(packets::id(3)));
    let answers = [
        PacketKind::Puback,
        PacketKind::Pubrec,
        PacketKind::Pubrec,
        PacketKind::Pubcomp,
        PacketKind::Pubcomp,
    ];
    assert_eq!(kinds(&mut world, sensor), answers);
    for publish in world.publishes(fleeting) {
        world.acknowledge(fleeting, &publish);
    }
    assert_eq!(world.store.batches, batches);
}

/// The publisher's own session is kept; its QoS 2 ids need not be, where the message is not.
#[test]
fn a_kept_publisher_of_what_nobody_keeps_stores_nothing() {
    let mut world = World::keeping(Durability::Disk);
    let sensor = world.client("sensor").persistent().connect();
    let fleeting = world.client("fleeting").connect();
    world.subscribe(fleeting, "t", QoS::ExactlyOnce);
    world.set_pace(Pace::Held);
    let batches = world.store.batches;
    publish_as(&mut world, sensor, 1, "t", "m", QoS::ExactlyOnce);
    world.send(sensor, packets::pubrel(packets::id(1)));
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubrec, PacketKind::Pubcomp]);
    assert_eq!(world.store.batches, batches);
}

/// A retained message is kept whoever listens, and its answer waits.
#[test]
fn a_retained_message_waits_for_the_store_even_if_nobody_listens() {
    let mut world = World::keeping(Durability::Disk);
    let sensor = world.client("sensor").connect();
    world.set_pace(Pace::Held);
    let publish = Publish {
        retain: true,
        ..packets::publish("t", "m", QoS::AtLeastOnce)
    };
    world.send(sensor, Packet::Publish(publish));
    assert_eq!(kinds(&mut world, sensor), []);
    world.set_pace(Pace::AsAsked);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);

    world.crash(Survive::Synced);
    let late = world.client("late").connect();
    world.subscribe(late, "t", QoS::AtLeastOnce);
    assert_eq!(world.payloads(late), ["m"]);
}

/// What a retained message was replaced by, and that one was cleared, survives as well.
#[test]
fn the_last_retained_message_survives_and_a_cleared_one_does_not() {
    let mut world = World::keeping(Durability::Disk);
    let sensor = world.client("sensor").connect();
    for (topic, payload) in [("t/1", "a"), ("t/1", "b"), ("t/2", "c"), ("t/2", "")] {
        world.retain(sensor, topic, payload);
    }
    world.crash(Survive::All);
    let late = world.client("late").connect();
    world.subscribe(late, "t/#", QoS::AtLeastOnce);
    assert_eq!(world.payloads(late), ["b"]);
}

/// The class of a topic decides for its messages, whatever sessions survive.
#[test]
fn the_first_rule_that_matches_a_topic_says_what_its_messages_survive() {
    let mut config = Config::default();
    config.limits.durability = Durability::Disk;
    config.limits.durability_rules = vec![
        (filter("telemetry/vital/#"), Durability::Disk),
        (filter("telemetry/fair/#"), Durability::Os),
        (filter("telemetry/#"), Durability::Memory),
    ];
    let mut world = World::with(config);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "#", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sensor = world.client("sensor").connect();
    world.set_pace(Pace::Held);
    publish_as(&mut world, sensor, 1, "telemetry/lost", "memory", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback], "no promise, no wait");
    publish_as(&mut world, sensor, 2, "telemetry/fair/1", "os", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), []);
    world.commit(usize::MAX, Durability::Os);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);
    publish_as(&mut world, sensor, 3, "telemetry/vital/1", "disk", QoS::AtLeastOnce);
    world.commit(usize::MAX, Durability::Os);
    assert_eq!(kinds(&mut world, sensor), []);
    world.commit(usize::MAX, Durability::Disk);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);

    world.crash(Survive::Synced);
    let reader = super::resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["os", "disk"]);
}

/// [MQTT-4.6.0-2] in 5.0 and in 3.1.1: PUBACKs go in the order of their PUBLISH packets, also where the first waits and the second need not.
#[test]
fn an_answer_that_need_not_wait_does_not_overtake_one_that_has_to() {
    let (mut world, _, sensor) = kept("t", QoS::AtLeastOnce);
    world.set_pace(Pace::Held);
    publish_as(&mut world, sensor, 7, "nobody", "a", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 8, "t", "b", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 9, "nobody", "c", QoS::AtLeastOnce);
    assert_eq!(
        kinds(&mut world, sensor),
        [PacketKind::Puback],
        "7 is out, 9 waits with 8"
    );
    world.set_pace(Pace::AsAsked);
    let acks = world.received(sensor);
    let is_for = |ack: &Packet, id| matches!(ack, Packet::Puback(packet) if packet.packet_id.get() == id);
    assert!(
        acks.len() == 2 && is_for(&acks[0], 8) && is_for(&acks[1], 9),
        "{acks:?}"
    );
}

/// CONNACK says that there is a session, SUBACK that it has a subscription, UNSUBACK that it has it no more.
#[test]
fn connack_suback_and_unsuback_of_a_kept_session_wait_for_the_store() {
    let mut world = World::keeping(Durability::Disk);
    world.set_pace(Pace::Held);
    let (reader, connack) = world.client("reader").persistent().try_connect();
    assert!(connack.is_none(), "{connack:?}");
    world.set_pace(Pace::AsAsked);
    assert_eq!(kinds(&mut world, reader), [PacketKind::Connack]);
    for request in [
        Packet::Subscribe(packets::subscribe(1, "t", QoS::AtLeastOnce)),
        packets::unsubscribe(2, "t"),
    ] {
        world.set_pace(Pace::Held);
        world.send(reader, request.clone());
        assert_eq!(kinds(&mut world, reader), [], "{request:?}");
        world.set_pace(Pace::AsAsked);
        assert_eq!(kinds(&mut world, reader).len(), 1, "{request:?}");
    }
}

/// A session that ends with its connection promises nothing.
#[test]
fn connack_and_suback_of_a_session_that_is_not_kept_do_not_wait() {
    let mut world = World::keeping(Durability::Disk);
    world.set_pace(Pace::Held);
    let fleeting = world.client("fleeting").connect();
    world.subscribe(fleeting, "t", QoS::ExactlyOnce);
    assert_eq!(world.store.batches, 0);
}

/// [MQTT-4.3.3-4] in 5.0: after PUBREC the message is not sent again, so that the store has to know of it before PUBREL.
#[test]
fn a_qos_2_publish_its_pubrel_and_its_pubcomp_wait_for_the_store() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    world.set_pace(Pace::Held);
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    assert_eq!(kinds(&mut world, sensor), []);
    assert_eq!(
        kinds(&mut world, reader),
        [],
        "under another id it would be another message to the client"
    );
    world.commit(usize::MAX, Durability::Disk);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubrec]);
    assert_eq!(kinds(&mut world, reader), [PacketKind::Publish]);

    world.send(reader, packets::pubrec(packets::id(1)));
    assert_eq!(kinds(&mut world, reader), []);
    world.commit(usize::MAX, Durability::Disk);
    assert_eq!(kinds(&mut world, reader), [PacketKind::Pubrel]);
}

/// [MQTT-4.3.3-2] in 3.1.1, [MQTT-4.3.3-8] in 5.0: with PUBCOMP the id is the client's to use again.
#[test]
fn a_pubcomp_waits_until_the_store_has_forgotten_the_id() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    let sensor = world.client("sensor").persistent().connect();
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubrec]);
    world.set_pace(Pace::Held);
    world.send(sensor, packets::pubrel(packets::id(1)));
    assert_eq!(kinds(&mut world, sensor), []);
    world.commit(usize::MAX, Durability::Disk);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubcomp]);
}

/// Promises that were not made good are not given, and those in front of them are.
#[test]
fn a_connection_that_closes_keeps_its_word_in_front_of_the_gate_and_loses_what_is_behind() {
    let (mut world, _, sensor) = kept("t", QoS::AtLeastOnce);
    world.set_pace(Pace::Held);
    world.stall(sensor, true);
    publish_as(&mut world, sensor, 1, "nobody", "a", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "t", "b", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 3, "nobody", "c", QoS::AtLeastOnce);
    let waits = world.outbox_bytes(sensor);
    assert!(waits > 4, "{waits} bytes");
    // The same client from elsewhere: the old connection is told and closed.
    let again = world.client("sensor").connect();
    let packets = world.received(sensor);
    let kinds: Vec<PacketKind> = packets.iter().map(Packet::kind).collect();
    assert_eq!(kinds, [PacketKind::Puback, PacketKind::Disconnect], "{packets:?}");
    assert!(matches!(&packets[0], Packet::Puback(packet) if packet.packet_id.get() == 1));

    world.set_pace(Pace::AsAsked);
    assert_eq!(
        super::kinds(&mut world, again),
        [],
        "an acknowledgement for a connection that is gone"
    );
    assert_eq!(super::kinds(&mut world, sensor), []);
}

/// The line that has the message from its publisher answers for it until the receiver's line has taken it over.
#[test]
fn a_puback_for_a_message_to_another_line_waits_for_the_store_and_not_for_that_line() {
    let (near, far) = (id_on(0, 2, "sensor"), id_on(1, 2, "reader"));
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client(&far).persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sensor = world.client(&near).connect();
    assert_ne!(world.line_of(reader), world.line_of(sensor));
    world.set_pace(Pace::Held);
    world.publish(sensor, "t", "m", QoS::AtLeastOnce);
    assert_eq!(kinds(&mut world, sensor), []);
    assert_eq!(world.store.unsynced(), 2, "one of each line");
    world.commit(1, Durability::Disk);
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Puback]);

    world.crash(Survive::Synced);
    let reader = super::resume(&mut world, &far);
    assert_eq!(world.payloads(reader), ["m"]);
    assert!(world.store.image().transfers.is_empty());
}
