//! What is there when the broker is back.

use broker::durable::Durability;
use mqtt_codec::{Packet, PacketKind, PubcompReason, Publish, QoS, UnsubackReason, Version};

use super::{id_on, kept, kinds, publish_as, resume, sent};
use crate::world::packets;
use crate::world::store::{Pace, Survive};
use crate::world::{World, secs};

/// [MQTT-3.1.2-5] in 5.0, [MQTT-4.1.0-1] in 3.1.1: session, subscriptions and queue are there, and in order.
#[test]
fn a_session_its_subscriptions_and_its_queue_survive_the_end_of_the_broker() {
    for version in [Version::V31, Version::V311, Version::V5] {
        let mut world = World::keeping(Durability::Disk);
        let reader = world.client("reader").version(version).persistent().connect();
        world.subscribe(reader, "t/+", QoS::AtLeastOnce);
        world.drop_connection(reader);
        let sensor = world.client("sensor").connect();
        let before: Vec<String> = (0..20).map(|number| format!("before {number}")).collect();
        for payload in &before {
            world.publish(sensor, "t/1", payload, QoS::AtLeastOnce);
        }
        world.crash(Survive::Synced);

        assert!(!world.is_connected(sensor));
        let sensor = world.client("sensor").connect();
        world.publish(sensor, "t/2", "after", QoS::AtLeastOnce);
        let (reader, connack) = world
            .client("reader")
            .version(version)
            .persistent()
            .connect_with_connack();
        assert_eq!(connack.session_present, version != Version::V31);
        let all: Vec<String> = before.into_iter().chain(["after".to_owned()]).collect();
        assert_eq!(world.payloads(reader), all, "{version:?}");
    }
}

/// A session that was to end with its connection ended with the broker.
#[test]
fn a_session_that_is_not_kept_is_gone_with_its_subscriptions() {
    let mut world = World::keeping(Durability::Disk);
    let fleeting = world.client("fleeting").connect();
    world.subscribe(fleeting, "t", QoS::ExactlyOnce);
    world.crash(Survive::All);
    assert_eq!(world.counters().sessions, 0);
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
    let (_, connack) = world.client("fleeting").persistent().connect_with_connack();
    assert!(!connack.session_present);
}

/// A subscription that was taken back stays taken back; the last options are in force.
#[test]
fn subscriptions_are_as_they_were_last_acknowledged() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "gone", QoS::AtLeastOnce);
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    let packet = mqtt_codec::Subscribe {
        subscription_id: mqtt_codec::SubscriptionId::new(42),
        ..packets::subscribe(2, "t", QoS::AtLeastOnce)
    };
    world.subscribe_with(reader, packet);
    world.send(reader, packets::unsubscribe(3, "gone"));
    world.crash(Survive::Synced);
    let sensor = world.client("sensor").connect();
    world.publish(sensor, "gone", "x", QoS::AtLeastOnce);
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    let reader = resume(&mut world, "reader");
    let publishes = world.publishes(reader);
    assert_eq!(publishes.len(), 1);
    let ids = &publishes[0].properties.as_ref().unwrap().subscription_ids;
    assert_eq!((publishes[0].qos, ids.len()), (QoS::AtLeastOnce, 1));
}

/// What a client asked for before it hung up is done, and is as lasting as what it waited for.
#[test]
fn requests_of_a_client_that_does_not_wait_for_the_answer_survive() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "gone", QoS::AtLeastOnce);
    world.hold_routes = true;
    world.send(reader, packets::unsubscribe(2, "gone"));
    let wanted = packets::subscribe(3, "wanted", QoS::AtLeastOnce);
    world.send(reader, Packet::Subscribe(wanted));
    world.drop_connection(reader);
    world.release_routes();
    world.crash(Survive::Synced);
    let sensor = world.client("sensor").connect();
    publish_as(&mut world, sensor, 1, "gone", "x", QoS::AtLeastOnce);
    publish_as(&mut world, sensor, 2, "wanted", "m", QoS::AtLeastOnce);
    let reader = resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["m"]);
}

/// The answer to an UNSUBSCRIBE that is sent again stands for the first one as well, of which the store need not know.
#[test]
fn an_unsubscribe_that_is_sent_again_is_acknowledged_when_the_store_knows() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "gone", QoS::AtLeastOnce);
    world.hold_routes = true;
    world.send(reader, packets::unsubscribe(2, "gone"));
    world.drop_connection(reader);
    let reader = resume(&mut world, "reader");
    world.set_pace(Pace::Held);
    world.release_routes();
    world.send(reader, packets::unsubscribe(3, "gone"));
    assert_eq!(world.received(reader), [], "before the store knows of the first");
    world.commit(usize::MAX, Durability::Disk);
    let answers = world.received(reader);
    let [Packet::Unsuback(answer)] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(answer.reasons, [UnsubackReason::NoSubscriptionExisted]);
    world.crash(Survive::Synced);
    let sensor = world.client("sensor").connect();
    publish_as(&mut world, sensor, 1, "gone", "x", QoS::AtLeastOnce);
    let reader = resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), [""; 0]);
}

/// [MQTT-4.4.0-1] in both: what was in flight comes again with DUP, under its id, in the order of the first sending.
#[test]
fn what_was_in_flight_is_sent_again_with_dup_and_under_the_same_ids() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for (number, qos) in qos.into_iter().enumerate() {
        publish_as(&mut world, sensor, number as u16 + 1, "t", &format!("m{number}"), qos);
    }
    assert_eq!(world.publishes(reader).len(), 4);
    world.send(reader, packets::puback(packets::id(1)));
    world.crash(Survive::All);

    let reader = resume(&mut world, "reader");
    let expected = [("m1", 2, true), ("m2", 3, true), ("m3", 4, true)];
    let expected = expected.map(|(payload, id, dup)| (payload.to_owned(), id, dup));
    assert_eq!(sent(&world.publishes(reader)), expected);
    let sensor = world.client("sensor").connect();
    world.publish(sensor, "t", "m4", QoS::AtLeastOnce);
    assert_eq!(sent(&world.publishes(reader)), [("m4".to_owned(), 5, false)]);
}

/// The same where a message waited in the queue before it was sent.
#[test]
fn what_was_sent_from_the_queue_keeps_its_id_as_well() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    world.drop_connection(reader);
    for payload in ["a", "b", "c"] {
        world.publish(sensor, "t", payload, QoS::AtLeastOnce);
    }
    let reader = world.client("reader").persistent().receive_maximum(2).connect();
    assert_eq!(
        sent(&world.publishes(reader)),
        [("a".to_owned(), 1, false), ("b".to_owned(), 2, false)]
    );
    world.crash(Survive::All);
    let reader = resume(&mut world, "reader");
    let expected = [("a", 1, true), ("b", 2, true), ("c", 3, false)];
    assert_eq!(
        sent(&world.publishes(reader)),
        expected.map(|(payload, id, dup)| (payload.to_owned(), id, dup))
    );
}

/// Packet ids go around from 65,535 to 1, and what is in flight on both sides of that keeps its order.
#[test]
fn packet_ids_around_the_end_of_their_space_keep_their_order_through_a_crash() {
    let (mut world, reader, sensor) = kept("t", QoS::AtLeastOnce);
    for number in 0..65_532_u32 {
        world.publish(sensor, "t", &format!("{number}"), QoS::AtLeastOnce);
        let publish = world.publishes(reader).remove(0);
        world.acknowledge(reader, &publish);
    }
    for payload in ["a", "b", "c", "d", "e", "f"] {
        world.publish(sensor, "t", payload, QoS::AtLeastOnce);
    }
    let ids = [65_533, 65_534, 65_535, 1, 2, 3];
    let told = |dup| {
        ["a", "b", "c", "d", "e", "f"]
            .into_iter()
            .zip(ids)
            .map(move |(p, id)| (p.to_owned(), id, dup))
    };
    let publishes = world.publishes(reader);
    assert_eq!(sent(&publishes), told(false).collect::<Vec<_>>());
    // One in the middle is over.
    world.acknowledge(reader, &publishes[2]);
    world.crash(Survive::All);
    let reader = resume(&mut world, "reader");
    let left: Vec<_> = told(true).filter(|(payload, ..)| payload != "c").collect();
    assert_eq!(sent(&world.publishes(reader)), left);
    let sensor = world.client("sensor").connect();
    world.publish(sensor, "t", "g", QoS::AtLeastOnce);
    assert_eq!(sent(&world.publishes(reader)), [("g".to_owned(), 4, false)]);
}

/// [MQTT-4.3.3-4] in 5.0: after PUBREC comes PUBREL, however often the broker ends in between.
#[test]
fn a_pubrel_is_sent_again_when_the_pubrec_was_recorded() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    let publish = world.publishes(reader).remove(0);
    world.send(reader, packets::pubrec(publish.packet_id.unwrap()));
    for _ in 0..3 {
        world.crash(Survive::Synced);
        let reader = resume(&mut world, "reader");
        assert_eq!(kinds(&mut world, reader), [PacketKind::Pubrel]);
    }
    let reader = resume(&mut world, "reader");
    world.send(reader, packets::pubcomp(publish.packet_id.unwrap()));
    world.crash(Survive::All);
    let reader = resume(&mut world, "reader");
    assert_eq!(kinds(&mut world, reader), []);
}

/// A PUBREC that the store had not heard of: the PUBLISH comes again, under the id that the client knows.
#[test]
fn a_publish_is_sent_again_when_the_pubrec_was_lost_with_the_broker() {
    let (mut world, reader, sensor) = kept("t", QoS::ExactlyOnce);
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    let publish = world.publishes(reader).remove(0);
    world.set_pace(Pace::Held);
    world.send(reader, packets::pubrec(publish.packet_id.unwrap()));
    assert_eq!(kinds(&mut world, reader), []);
    world.crash(Survive::Synced);
    let reader = resume(&mut world, "reader");
    assert_eq!(sent(&world.publishes(reader)), [("m".to_owned(), 1, true)]);
}

/// [MQTT-4.3.3-10] in 5.0: a PUBLISH that is sent again is answered and not passed on a second time.
#[test]
fn an_inbound_qos_2_id_is_known_after_a_crash() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    world.drop_connection(reader);
    let sensor = world.client("sensor").persistent().connect();
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    world.crash(Survive::Synced);

    let sensor = resume(&mut world, "sensor");
    let again = Publish {
        dup: true,
        ..packets::publish("t", "m", QoS::ExactlyOnce)
    };
    world.send(sensor, Packet::Publish(again));
    world.send(sensor, packets::pubrel(packets::id(1)));
    assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubrec, PacketKind::Pubcomp]);
    let reader = resume(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["m"], "once");
    // The id is free again, after another crash too.
    world.crash(Survive::Synced);
    let sensor = resume(&mut world, "sensor");
    world.publish(sensor, "t", "n", QoS::ExactlyOnce);
    let reader = resume(&mut world, "reader");
    let fresh = world.publishes(reader);
    assert!(fresh.iter().any(|publish| &*publish.payload == b"n"), "{fresh:?}");
}

/// A PUBREL whose PUBCOMP was lost with the broker is answered as any: [MQTT-4.3.3-11] in 5.0.
#[test]
fn a_repeated_pubrel_gets_its_pubcomp_after_a_crash() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "t", QoS::ExactlyOnce);
    let sensor = world.client("sensor").persistent().connect();
    world.publish(sensor, "t", "m", QoS::ExactlyOnce);
    world.send(sensor, packets::pubrel(packets::id(1)));
    for survive in [Survive::All, Survive::All] {
        world.crash(survive);
        let sensor = resume(&mut world, "sensor");
        world.send(sensor, packets::pubrel(packets::id(1)));
        let answer = world.received(sensor).remove(0);
        assert!(
            matches!(&answer, Packet::Pubcomp(packet) if packet.reason == PubcompReason::Success),
            "{answer:?}"
        );
    }
}

/// Nothing of a session stays behind, however it ends.
#[test]
fn a_session_that_ended_leaves_nothing_in_the_store() {
    for way in 0..4 {
        let mut world = World::keeping(Durability::Disk);
        let reader = world.client("reader").persistent().will("gone", "w", 30).connect();
        world.subscribe(reader, "t", QoS::ExactlyOnce);
        let sensor = world.client("sensor").persistent().connect();
        for id in 1..4 {
            publish_as(&mut world, sensor, id, "t", "m", QoS::ExactlyOnce);
        }
        world.send(reader, packets::pubrec(packets::id(1)));
        world.drop_connection(reader);
        publish_as(&mut world, sensor, 4, "t", "m", QoS::AtLeastOnce);
        if way == 3 {
            world.crash(Survive::All);
        }
        match way {
            0 | 3 => world.pass(secs(3600)),
            1 => _ = world.client("reader").connect(),
            _ => {
                let reader = world.client("reader").persistent().expiry(0).connect();
                world.drop_connection(reader);
            }
        }
        assert!(world.store.image().session_of("reader").is_none(), "way {way}");
        world.pass(secs(7200));
        _ = world.client("sensor").connect();
        assert!(world.store.image().is_bare(), "way {way}: {:?}", world.store.image());
    }
}

/// [MQTT-3.1.2-4] in 5.0: who was told that his old session is gone does not find it again.
#[test]
fn a_session_that_a_clean_start_has_ended_does_not_come_back() {
    for connected in [false, true] {
        let mut world = World::keeping(Durability::Disk);
        let reader = world.client("reader").persistent().connect();
        world.subscribe(reader, "t", QoS::AtLeastOnce);
        if !connected {
            world.drop_connection(reader);
        }
        world.set_pace(Pace::Held);
        let (clean, connack) = world.client("reader").try_connect();
        assert!(connack.is_none(), "nothing is promised before the store knows");
        world.commit(usize::MAX, Durability::Disk);
        assert_eq!(kinds(&mut world, clean), [PacketKind::Connack]);
        world.crash(Survive::Synced);
        let (_, connack) = world.client("reader").persistent().connect_with_connack();
        assert!(!connack.session_present);
    }
}

/// The number of lines is a setting: sessions find their new homes.
#[test]
fn sessions_survive_a_start_with_another_number_of_lines() {
    let mut world = World::keeping(Durability::Disk);
    let ids: Vec<String> = (0..8)
        .map(|line| id_on(line % 2, 2, &format!("reader-{line}")))
        .collect();
    for id in &ids {
        let reader = world.client(id).persistent().connect();
        world.subscribe(reader, "t", QoS::ExactlyOnce);
        world.drop_connection(reader);
    }
    let sensor = world.client("sensor").connect();
    for (number, lines) in [3, 1, 4].into_iter().enumerate() {
        world.publish(sensor, "t", &format!("{number}"), QoS::AtMostOnce);
        let sensor = world.client("sensor").connect();
        publish_as(&mut world, sensor, 1, "t", &format!("{number}"), QoS::ExactlyOnce);
        world.crash_to(Survive::Synced, lines);
        assert_eq!(world.lines.len(), usize::from(lines));
        assert_eq!(world.counters().sessions, 8);
    }
    for id in &ids {
        let reader = resume(&mut world, id);
        assert_eq!(world.payloads(reader), ["0", "1", "2"]);
    }
}

/// The same message for many is one body; whoever is last takes it along.
#[test]
fn a_message_for_many_is_let_go_by_each() {
    let mut world = World::keeping(Durability::Disk);
    let ids: Vec<String> = (0..6).map(|number| format!("reader-{number}")).collect();
    for id in &ids {
        let reader = world.client(id).persistent().connect();
        world.subscribe(reader, "t", QoS::ExactlyOnce);
        world.drop_connection(reader);
    }
    let sensor = world.client("sensor").connect();
    publish_as(&mut world, sensor, 1, "t", "m", QoS::ExactlyOnce);
    world.crash(Survive::Synced);
    for id in &ids {
        let reader = resume(&mut world, id);
        let publish = world.publishes(reader).remove(0);
        world.acknowledge(reader, &publish);
    }
    for kept in world.store.image().sessions.values() {
        assert!(kept.queue.is_empty(), "{kept:?}");
    }
}
