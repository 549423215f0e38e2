//! Wills of clients that were connected when the broker ended, and of those that had left.

use broker::durable::Durability;
use mqtt_codec::QoS;

use super::{kinds, resume};
use crate::world::store::{Pace, Survive};
use crate::world::{World, secs};

fn watched() -> World {
    let mut world = World::keeping(Durability::Disk);
    let watcher = world.client("watcher").persistent().connect();
    world.subscribe(watcher, "gone/#", QoS::ExactlyOnce);
    world
}

fn heard(world: &mut World) -> Vec<String> {
    let watcher = resume(world, "watcher");
    let publishes = world.publishes(watcher);
    for publish in &publishes {
        world.acknowledge(watcher, publish);
    }
    let mut heard: Vec<String> = publishes
        .iter()
        .map(|publish| String::from_utf8_lossy(&publish.payload).into_owned())
        .collect();
    world.drop_connection(watcher);
    heard.sort();
    heard
}

/// [MQTT-3.1.2-8] in both: the end of the broker is the end of all connections, and no DISCONNECT came.
#[test]
fn wills_of_connected_clients_are_published_once_when_the_broker_is_back() {
    let mut world = watched();
    world.client("kept").persistent().will("gone/kept", "kept", 0).connect();
    world.client("fleeting").will("gone/fleeting", "fleeting", 0).connect();
    world.crash(Survive::Synced);
    assert_eq!(heard(&mut world), ["fleeting", "kept"]);
    world.crash(Survive::All);
    assert_eq!(heard(&mut world), [""; 0], "once");
}

/// Several queues share the body of a will as of any message, each will its own.
#[test]
fn wills_for_several_sessions_come_back_each_with_its_own_words() {
    let mut world = watched();
    let second = world.client("second watcher").persistent().connect();
    world.subscribe(second, "gone/#", QoS::ExactlyOnce);
    world.drop_connection(second);
    assert_eq!(heard(&mut world), [""; 0]);
    for (name, words) in [("a", "words of a"), ("b", "words of b")] {
        let client = world.client(name).persistent().will("gone/x", words, 0).connect();
        world.drop_connection(client);
    }
    world.crash(Survive::All);
    assert_eq!(heard(&mut world), ["words of a", "words of b"]);
}

/// The CONNACK waits until the will is known; a client that was told nothing has left none.
#[test]
fn a_connack_waits_for_the_will_of_a_session_that_is_not_kept() {
    let mut world = watched();
    world.set_pace(Pace::Held);
    let (client, connack) = world.client("fleeting").will("gone/fleeting", "w", 0).try_connect();
    assert!(connack.is_none());
    world.set_pace(Pace::AsAsked);
    assert_eq!(kinds(&mut world, client).len(), 1);
}

/// [MQTT-3.1.2-10] in both: DISCONNECT takes the will back, also for the broker's next life.
#[test]
fn a_will_that_was_taken_back_or_carried_out_is_not_published_after_a_crash() {
    let mut world = watched();
    for (name, kept) in [("kept", true), ("fleeting", false)] {
        for polite in [true, false] {
            let id = format!("{name}-{polite}");
            let builder = world.client(&id).will("gone/x", "w", 0);
            let client = if kept { builder.persistent() } else { builder }.connect();
            if polite {
                let packet = mqtt_codec::Disconnect::new(mqtt_codec::DisconnectReason::NormalDisconnection);
                world.send(client, mqtt_codec::Packet::Disconnect(packet));
            }
            world.drop_connection(client);
        }
    }
    assert_eq!(heard(&mut world), ["w", "w"]);
    assert!(world.store.image().wills.is_empty());
    world.crash(Survive::All);
    assert_eq!(heard(&mut world), [""; 0]);
}

/// [MQTT-3.1.3-9] in 5.0: the delay counts on, whether it had begun or not.
#[test]
fn a_will_delay_counts_on_through_a_crash() {
    let mut world = watched();
    let left = world
        .client("left")
        .persistent()
        .will("gone/left", "left", 100)
        .connect();
    world.drop_connection(left);
    world
        .client("there")
        .persistent()
        .will("gone/there", "there", 100)
        .connect();
    world.pass(secs(30));
    world.crash_for(Survive::Synced, secs(30));
    world.pass(secs(40) - 1);
    assert_eq!(heard(&mut world), [""; 0]);
    world.pass(1);
    assert_eq!(heard(&mut world), ["left"]);
    world.pass(secs(60) - 1);
    assert_eq!(heard(&mut world), [""; 0]);
    world.pass(1);
    assert_eq!(heard(&mut world), ["there"]);
}

/// [MQTT-3.1.3-9] in 5.0: who is back in time was never gone, a crash in between or not.
#[test]
fn a_return_within_the_delay_keeps_the_will_back_after_a_crash() {
    let mut world = watched();
    world.client("a").persistent().will("gone/a", "w", 100).connect();
    world.crash(Survive::Synced);
    world.pass(secs(50));
    let client = world.client("a").persistent().connect();
    world.pass(secs(100));
    assert_eq!(heard(&mut world), [""; 0]);
    let packet = mqtt_codec::Disconnect::new(mqtt_codec::DisconnectReason::NormalDisconnection);
    world.send(client, mqtt_codec::Packet::Disconnect(packet));
    world.crash(Survive::All);
    world.pass(secs(500));
    assert_eq!(heard(&mut world), [""; 0]);
}

/// A will that is retained is what a later subscriber finds.
#[test]
fn a_retained_will_is_retained_after_a_crash() {
    let mut world = watched();
    let will = mqtt_codec::Will {
        topic: crate::world::packets::topic("state/a"),
        payload: "offline".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_secs: 0,
        properties: None,
    };
    world.client("a").will_packet(will).connect();
    world.crash(Survive::Synced);
    let late = world.client("late").connect();
    world.subscribe(late, "state/#", QoS::AtLeastOnce);
    assert_eq!(world.payloads(late), ["offline"]);
    world.crash(Survive::All);
    let late = world.client("late").connect();
    world.subscribe(late, "state/#", QoS::AtLeastOnce);
    assert_eq!(world.payloads(late), ["offline"]);
}
