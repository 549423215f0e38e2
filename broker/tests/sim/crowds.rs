//! Many at once, and one that does not keep up.

use broker::effect::Cause;
use mqtt_codec::QoS;

use crate::world::{World, secs};

/// A client that has stopped reading costs its bound and nobody else anything.
#[test]
fn a_stalled_subscriber_stays_within_its_bound_while_others_get_everything() {
    const BOUND: usize = 4000;
    let mut world = World::limited(|limits| limits.out_bytes_max = BOUND);
    let sensor = world.client("sensor").connect();
    let stalled = world.client("stalled").connect();
    world.subscribe(stalled, "load/#", QoS::AtMostOnce);
    let readers: Vec<_> = (0..4)
        .map(|reader| world.client(&format!("reader-{reader}")).connect())
        .collect();
    for reader in &readers {
        world.subscribe(*reader, "load/#", QoS::AtMostOnce);
    }
    world.stall(stalled, true);

    for number in 0..2000 {
        world.publish(sensor, "load/1", &format!("{number:050}"), QoS::AtMostOnce);
        assert!(world.outbox_bytes(stalled) <= BOUND);
    }

    let all: Vec<String> = (0..2000).map(|number| format!("{number:050}")).collect();
    for reader in readers {
        assert_eq!(world.payloads(reader), all);
    }
    world.stall(stalled, false);
    let got = world.payloads(stalled);
    assert_eq!(got, all[..got.len()], "the oldest, without a gap");
    let dropped = world.counters().dropped[broker::counters::Drop::Slow as usize];
    assert_eq!(got.len() as u64 + dropped, 2000, "what did not fit is counted");
}

/// At QoS 1 what does not fit waits in the session's queue, and comes when the client reads again.
#[test]
fn a_stalled_subscriber_gets_its_acknowledged_messages_later() {
    const BOUND: usize = 4000;
    let mut world = World::limited(|limits| limits.out_bytes_max = BOUND);
    let sensor = world.client("sensor").connect();
    let stalled = world.client("stalled").connect();
    let reader = world.client("reader").connect();
    world.subscribe(stalled, "load/#", QoS::AtLeastOnce);
    world.subscribe(reader, "load/#", QoS::AtMostOnce);
    world.stall(stalled, true);

    let all: Vec<String> = (0..1000).map(|number| format!("{number:050}")).collect();
    for payload in &all {
        world.publish(sensor, "load/1", payload, QoS::AtLeastOnce);
        // One packet may be under way when the bound is reached.
        assert!(world.outbox_bytes(stalled) <= BOUND + 100);
    }

    assert_eq!(world.payloads(reader), all);
    assert!(world.counters().queued > 0);
    world.stall(stalled, false);
    assert_eq!(world.payloads(stalled), all);
    assert_eq!(world.counters().queued, 0);
}

/// [MQTT-3.1.4-3] in 5.0, [MQTT-3.1.4-2] in 3.1.1: ten thousand connections of one client follow each other, one is
/// alive at a time, and nothing of the others stays.
#[test]
fn ten_thousand_takeovers_of_one_client_leave_one_connection_and_no_trace() {
    const TAKEOVERS: usize = 10_000;
    let mut world = World::new();
    let sensor = world.client("sensor").connect();
    let mut owner = world.client("owner").persistent().keep_alive(secs(30)).connect();
    world.subscribe(owner, "news/#", QoS::AtLeastOnce);
    let mut got = Vec::new();

    for number in 0..TAKEOVERS {
        if number % 100 == 0 {
            world.publish(sensor, "news/today", &format!("{number}"), QoS::AtLeastOnce);
            world.received(sensor);
        }
        let before = owner;
        owner = world.client("owner").persistent().keep_alive(secs(30)).connect();
        assert_eq!(world.cause(before), Some(Cause::TakenOver));
        for publish in world.publishes(owner) {
            got.push(String::from_utf8_lossy(&publish.payload).into_owned());
            assert!(publish.dup, "it was sent on the connection before");
            world.acknowledge(owner, &publish);
        }
    }

    let all: Vec<String> = (0..TAKEOVERS).step_by(100).map(|number| number.to_string()).collect();
    assert_eq!(got, all);
    let counters = world.counters();
    assert_eq!(
        (
            counters.connected,
            counters.sessions,
            counters.inflight,
            counters.queued
        ),
        (2, 2, 0, 0)
    );
    assert_eq!(counters.open_exchanges(), 0);
    world.drop_connection(owner);
    world.drop_connection(sensor);
    world.pass(secs(3600));
    assert_eq!(world.counters().sessions, 0);
    assert!(
        world.lines.iter().all(|line| line.next_deadline().is_none()),
        "timers of connections that are gone"
    );
}

/// A shared group hands over what its members leave behind, whoever comes and goes.
#[test]
fn a_group_loses_nothing_while_its_members_come_and_go() {
    const MESSAGES: usize = 500;
    let mut world = World::new();
    let sensor = world.client("sensor").connect();
    let anchor = world.client("anchor").persistent().receive_maximum(1).connect();
    world.subscribe(anchor, "$share/crew/job/#", QoS::AtLeastOnce);
    for number in 0..MESSAGES {
        let fleeting = world.client(&format!("fleeting-{}", number % 7)).connect();
        world.subscribe(fleeting, "$share/crew/job/#", QoS::AtLeastOnce);
        world.publish(sensor, "job/1", &format!("{number}"), QoS::AtLeastOnce);
        // It takes what it is given and leaves without a word of thanks.
        world.publishes(fleeting);
        world.drop_connection(fleeting);
    }
    let mut got = Vec::new();
    loop {
        let publishes = world.publishes(anchor);
        if publishes.is_empty() {
            break;
        }
        for publish in publishes {
            got.push(String::from_utf8_lossy(&publish.payload).parse::<usize>().unwrap());
            world.acknowledge(anchor, &publish);
        }
    }
    got.sort_unstable();
    assert_eq!(got, (0..MESSAGES).collect::<Vec<_>>());
}
