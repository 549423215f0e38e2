//! Clients sent away by the operator: chapters 4.11 and 3.14 in 5.0, and the ends that 3.x has for them.

use broker::durable::Durability;
use broker::effect::Cause;
use broker::line::Elsewhere;
use mqtt_codec::{DisconnectReason, Packet, QoS, Version};

use crate::world::{Client, World, secs};

use Version::{V5, V31, V311};

fn elsewhere() -> Elsewhere {
    Elsewhere {
        for_good: true,
        reference: Some("b.example:1883".to_owned()),
    }
}

/// A broker that keeps everything, and one who hears of wills for as long as no other binary takes over.
fn kept() -> (World, Client) {
    let mut world = World::keeping(Durability::Disk);
    let watcher = watch(&mut world);
    (world, watcher)
}

fn watch(world: &mut World) -> Client {
    let watcher = world.client("watcher").persistent().connect();
    world.subscribe(watcher, "gone/#", QoS::AtLeastOnce);
    watcher
}

/// Section 4.11 in 5.0: 0x9D to stay there, 0x9C for this time, each with a Server Reference. A client of 3.x gets the
/// plain end of its connection.
#[test]
fn v5_4_11_clients_are_sent_to_another_server() {
    for (for_good, reason) in [
        (true, DisconnectReason::ServerMoved),
        (false, DisconnectReason::UseAnotherServer),
    ] {
        for version in [V31, V311, V5] {
            let mut world = World::new();
            let client = world.client("a").version(version).connect();
            let to = Elsewhere {
                for_good,
                ..elsewhere()
            };
            assert_eq!(world.send_away(&to, 10), 1);
            assert_eq!(world.cause(client), Some(Cause::SentAway));
            let received = world.received(client);
            let [Packet::Disconnect(goodbye)] = received.as_slice() else {
                assert!(version != V5 && received.is_empty(), "{version:?}: {received:?}");
                continue;
            };
            assert_eq!(goodbye.reason, reason);
            assert_eq!(goodbye.server_reference.as_deref(), Some("b.example:1883"));
        }
    }
}

/// [MQTT-3.1.2-24] in 5.0: a reference that is longer than what the client takes is left out.
#[test]
fn v5_3_1_2_24_a_reference_that_does_not_fit_is_left_out() {
    let mut world = World::new();
    let client = world.client("a").packet_size_max(64).connect();
    let to = Elsewhere {
        reference: Some("x".repeat(100)),
        ..elsewhere()
    };
    world.send_away(&to, 1);
    assert_eq!(world.goodbye(client), Some(DisconnectReason::ServerMoved));
}

/// No more leave at a time than were asked for; those who stay are served meanwhile, and in the end all have left.
#[test]
fn clients_leave_at_a_pace() {
    let mut world = World::new();
    let clients: Vec<Client> = (0..40).map(|at| world.client(&format!("c{at}")).connect()).collect();
    let mut left = 0;
    while left < clients.len() {
        let ended = world.send_away(&elsewhere(), 3);
        assert!((1..=6).contains(&ended), "{ended}");
        left += ended;
        for client in clients
            .iter()
            .filter(|client| world.is_connected(**client))
            .copied()
            .collect::<Vec<_>>()
        {
            world.send(client, Packet::Pingreq);
            assert_eq!(world.received(client).pop(), Some(Packet::Pingresp));
        }
    }
    assert_eq!(world.counters().connected, 0);
}

/// [MQTT-3.1.2-8] in 5.0: the client did not ask for the end, so that its will is published, after its delay; its session stays.
#[test]
fn v5_3_1_2_8_a_client_that_is_sent_away_leaves_its_will_and_its_session() {
    let mut world = World::new();
    let watcher = watch(&mut world);
    let at_once = world.client("a").persistent().will("gone/a", "at once", 0).connect();
    let later = world.client("b").persistent().will("gone/b", "later", 60).connect();
    for client in [at_once, later] {
        world.subscribe(client, "t", QoS::AtLeastOnce);
    }
    world.send_away(&elsewhere(), 100);
    let watcher_again = watch(&mut world);
    assert!(!world.is_connected(watcher));
    assert_eq!(world.payloads(watcher_again), ["at once"]);
    world.pass(secs(60));
    assert_eq!(world.payloads(watcher_again), ["later"]);
    world.publish(watcher_again, "t", "for you", QoS::AtLeastOnce);
    let back = world.client("a").persistent().connect();
    assert_eq!(world.payloads(back), ["for you"]);
}

/// What was promised is there after another binary has taken over, with fewer lines and with more: sessions,
/// subscriptions and what waits.
#[test]
fn an_upgrade_keeps_sessions_and_queues() {
    for lines in [1, 2, 3] {
        let mut world = World::keeping(Durability::Disk);
        let reader = world.client("reader").persistent().connect();
        world.subscribe(reader, "t", QoS::AtLeastOnce);
        let writer = world.client("writer").connect();
        world.stall(reader, true);
        world.publish(writer, "t", "before", QoS::AtLeastOnce);
        world.upgrade(lines, 0);
        assert_eq!(world.goodbye(writer), Some(DisconnectReason::ServerShuttingDown));
        let writer = world.client("writer").connect();
        world.publish(writer, "t", "after", QoS::AtLeastOnce);
        let reader = world.client("reader").persistent().connect();
        assert_eq!(world.payloads(reader), ["before", "after"], "{lines} lines");
    }
}

/// Nobody is told that a client has gone who is back in time, whether its session was kept, ended with the connection,
/// or begins anew.
#[test]
fn an_upgrade_publishes_no_will_of_a_client_that_returns() {
    for (clean, expiry_secs) in [(false, 3600), (true, 0), (true, 3600)] {
        let (mut world, _) = kept();
        let connect = |world: &mut World| {
            let client = world.client("a").clean(clean).expiry(expiry_secs);
            client.will("gone/a", "gone", 0).connect()
        };
        let client = connect(&mut world);
        world.upgrade(2, secs(30));
        assert!(!world.is_connected(client));
        let watcher = watch(&mut world);
        world.pass(secs(29));
        let client = connect(&mut world);
        world.pass(secs(100));
        assert!(world.payloads(watcher).is_empty(), "clean {clean} expiry {expiry_secs}");
        // The will of the connection that it has is another matter.
        world.drop_connection(client);
        assert_eq!(world.payloads(watcher), ["gone"], "clean {clean} expiry {expiry_secs}");
    }
}

/// Who does not return is gone: its will is published, once, when its time is over, or its own delay if that is longer.
/// So it is with a client that had left before.
#[test]
fn an_upgrade_publishes_the_wills_of_those_who_stay_away() {
    for (expiry_secs, delay_secs, due_secs) in [(3600, 0, 30), (0, 0, 30), (3600, 50, 50), (0, 50, 30), (10, 0, 10)] {
        let (mut world, _) = kept();
        let client = world.client("a").expiry(expiry_secs).will("gone/a", "gone", delay_secs);
        client.connect();
        let other = world.client("b").persistent().will("gone/b", "left", 5).connect();
        world.drop_connection(other);
        world.upgrade(1, secs(30));
        let watcher = watch(&mut world);
        world.pass(secs(5));
        assert_eq!(world.payloads(watcher), ["left"]);
        world.pass(secs(due_secs - 5) - 1);
        assert!(
            world.payloads(watcher).is_empty(),
            "expiry {expiry_secs} delay {delay_secs}: too early"
        );
        world.pass(1);
        assert_eq!(
            world.payloads(watcher),
            ["gone"],
            "expiry {expiry_secs} delay {delay_secs}"
        );
        world.pass(secs(200));
        assert!(
            world.payloads(watcher).is_empty(),
            "expiry {expiry_secs} delay {delay_secs}: once"
        );
    }
}

/// A broker that ends without a word within that time has not forgotten anything.
#[test]
fn wills_that_wait_for_a_return_survive_another_end() {
    let (mut world, _) = kept();
    world.client("a").expiry(0).will("gone/a", "gone", 0).connect();
    world.client("b").persistent().will("gone/b", "gone too", 0).connect();
    world.upgrade(2, secs(30));
    world.upgrade(2, 0);
    let watcher = watch(&mut world);
    world.pass(secs(60));
    let mut heard = world.payloads(watcher);
    heard.sort();
    assert_eq!(heard, ["gone", "gone too"]);
}
