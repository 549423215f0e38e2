//! Time goes on while the broker is away.

use broker::durable::Durability;
use mqtt_codec::{Packet, Publish, PublishProperties, QoS};

use super::{kept, resume};
use crate::world::store::Survive;
use crate::world::{World, packets, secs};

fn mortal(payload: &str, expiry_secs: u32) -> Packet {
    Packet::Publish(Publish {
        properties: Some(Box::new(PublishProperties {
            message_expiry_secs: Some(expiry_secs),
            ..PublishProperties::default()
        })),
        ..packets::publish("t", payload, QoS::AtLeastOnce)
    })
}

/// [MQTT-3.3.2-5], [MQTT-3.3.2-6] in 5.0: the time that the broker was away counts.
#[test]
fn the_expiry_of_a_message_counts_on_through_a_crash() {
    let (mut world, reader, sensor) = kept("t", QoS::AtLeastOnce);
    world.drop_connection(reader);
    world.send(sensor, mortal("short", 10));
    world.send(sensor, mortal("long", 100));
    world.pass(secs(5));
    world.crash_for(Survive::Synced, secs(20));
    world.pass(secs(5));
    let reader = resume(&mut world, "reader");
    let publishes = world.publishes(reader);
    let told: Vec<_> = publishes
        .iter()
        .map(|publish| {
            (
                &*publish.payload,
                publish.properties.as_ref().unwrap().message_expiry_secs,
            )
        })
        .collect();
    assert_eq!(told, [(&b"long"[..], Some(70))]);
}

/// [MQTT-4.1.0-2] in 5.0: a session that was left before the crash ends when it would have.
#[test]
fn the_expiry_of_a_session_counts_on_through_a_crash() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").clean(false).expiry(100).connect();
    world.drop_connection(reader);
    world.pass(secs(30));
    world.crash_for(Survive::Synced, secs(30));
    world.pass(secs(40) - 1);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
    assert!(world.store.image().is_bare());
}

/// A session whose client was connected is left when the broker is back: the client could not have come earlier.
#[test]
fn the_expiry_of_a_connected_session_counts_from_the_start_of_the_broker() {
    let mut world = World::keeping(Durability::Disk);
    world.client("reader").clean(false).expiry(100).connect();
    world.pass(secs(500));
    world.crash_for(Survive::Synced, secs(500));
    // The moment is remembered: another crash does not start it over.
    world.pass(secs(60));
    world.crash(Survive::All);
    world.pass(secs(40) - 1);
    assert_eq!(world.counters().sessions, 1);
    world.pass(1);
    assert_eq!(world.counters().sessions, 0);
}

/// A session that ended while the broker was away is gone when it is back.
#[test]
fn a_session_that_expired_meanwhile_is_not_there() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").clean(false).expiry(10).connect();
    world.drop_connection(reader);
    world.crash_for(Survive::Synced, secs(11));
    let (_, connack) = world.client("reader").clean(false).expiry(10).connect_with_connack();
    assert!(!connack.session_present);
    assert_eq!(world.store.image().sessions.len(), 1);
}

/// Session Expiry as DISCONNECT changed it is what counts.
#[test]
fn the_expiry_that_disconnect_gave_survives() {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").clean(false).expiry(10).connect();
    let packet = mqtt_codec::Disconnect {
        session_expiry_secs: Some(1000),
        ..mqtt_codec::Disconnect::new(mqtt_codec::DisconnectReason::NormalDisconnection)
    };
    world.send(reader, Packet::Disconnect(packet));
    world.crash_for(Survive::Synced, secs(500));
    resume(&mut world, "reader");
}
