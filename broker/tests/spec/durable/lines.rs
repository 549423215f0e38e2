//! Messages and shared groups across lines, and what of them survives.

use broker::durable::Durability;
use mqtt_codec::{Packet, PacketKind, Publish, QoS};

use super::{id_on, kinds, publish_as, resume};
use crate::world::store::{Pace, Survive};
use crate::world::{Client, Config, World, packets};

fn group(world: &mut World, ids: &[String]) -> Vec<Client> {
    ids.iter()
        .map(|id| {
            let member = world.client(id).persistent().connect();
            world.subscribe(member, "$share/crew/job", QoS::AtLeastOnce);
            member
        })
        .collect()
}

fn collect(world: &mut World, ids: &[String]) -> Vec<String> {
    let mut got = Vec::new();
    for id in ids {
        let member = resume(world, id);
        loop {
            let publishes = world.publishes(member);
            if publishes.is_empty() {
                break;
            }
            for publish in publishes {
                got.push(String::from_utf8_lossy(&publish.payload).into_owned());
                world.acknowledge(member, &publish);
            }
        }
    }
    got.sort();
    got.dedup();
    got
}

/// What a member leaves behind goes to the others; a crash at any point of that loses none of it.
#[test]
fn a_hand_over_within_a_group_loses_nothing_whenever_the_broker_ends() {
    let ids: Vec<String> = (0..4)
        .map(|line| id_on(line % 2, 2, &format!("member-{line}")))
        .collect();
    for cut in 0..12 {
        let mut world = World::keeping(Durability::Disk);
        let members = group(&mut world, &ids);
        let sensor = world.client("sensor").connect();
        let jobs: Vec<String> = (0..8).map(|job| format!("job {job}")).collect();
        for job in &jobs {
            world.publish(sensor, "job", job, QoS::AtLeastOnce);
        }
        assert_eq!(kinds(&mut world, sensor).len(), 8);
        world.set_pace(Pace::Held);
        world.drop_connection(members[0]);
        world.drop_connection(members[1]);
        world.commit(cut / 2, Durability::Disk);
        world.crash(Survive::More(cut % 2));
        assert_eq!(collect(&mut world, &ids), jobs, "cut {cut}");
        for kept in world.store.image().sessions.values() {
            assert!(kept.queue.is_empty(), "cut {cut}: {kept:?}");
        }
    }
}

/// A hand-over under way when its member comes back: what it gets from then on stands behind it.
#[test]
fn a_member_that_returns_during_a_hand_over_loses_nothing() {
    let ids: Vec<String> = (0..2).map(|line| id_on(line, 2, &format!("member-{line}"))).collect();
    let mut world = World::keeping(Durability::Disk);
    let members = group(&mut world, &ids);
    let sensor = world.client("sensor").connect();
    for job in 0..4 {
        world.publish(sensor, "job", &format!("job {job}"), QoS::AtLeastOnce);
    }
    world.set_pace(Pace::Held);
    world.drop_connection(members[0]);
    let (again, _) = world.client(&ids[0]).persistent().try_connect();
    for job in 4..8 {
        world.publish(sensor, "job", &format!("job {job}"), QoS::AtLeastOnce);
    }
    world.received(again);
    world.crash(Survive::All);
    let jobs: Vec<String> = (0..8).map(|job| format!("job {job}")).collect();
    assert_eq!(collect(&mut world, &ids), jobs);
}

/// [MQTT-4.3.3-10] in 5.0: id and message are kept together or not at all, on whatever line the receiver is.
#[test]
fn a_qos_2_message_for_another_line_is_passed_on_exactly_once_wherever_the_broker_ends() {
    let (near, far) = (id_on(0, 2, "sensor"), id_on(1, 2, "reader"));
    for survivors in 0..4 {
        let mut world = World::keeping(Durability::Disk);
        let reader = world.client(&far).persistent().connect();
        world.subscribe(reader, "t", QoS::ExactlyOnce);
        world.drop_connection(reader);
        let sensor = world.client(&near).persistent().connect();
        world.set_pace(Pace::Held);
        world.publish(sensor, "t", "m", QoS::ExactlyOnce);
        assert_eq!(kinds(&mut world, sensor), []);
        world.crash(Survive::More(survivors));

        let sensor = resume(&mut world, &near);
        let again = Publish {
            dup: true,
            ..packets::publish("t", "m", QoS::ExactlyOnce)
        };
        world.send(sensor, Packet::Publish(again));
        assert_eq!(kinds(&mut world, sensor), [PacketKind::Pubrec]);
        let reader = resume(&mut world, &far);
        assert_eq!(world.payloads(reader), ["m"], "{survivors} batches survived");
    }
}

/// The same where receivers are on several lines, the publisher's own among them.
#[test]
fn a_qos_2_message_for_several_lines_is_passed_on_exactly_once_wherever_the_broker_ends() {
    let sensor_id = id_on(0, 3, "sensor");
    let ids: Vec<String> = (0..3).map(|line| id_on(line, 3, "reader")).collect();
    for survivors in 0..5 {
        let mut config = Config {
            lines: 3,
            ..Config::default()
        };
        config.limits.durability = Durability::Disk;
        let mut world = World::with(config);
        for id in &ids {
            let reader = world.client(id).persistent().connect();
            world.subscribe(reader, "t", QoS::ExactlyOnce);
            world.drop_connection(reader);
        }
        let sensor = world.client(&sensor_id).persistent().connect();
        world.set_pace(Pace::Held);
        publish_as(&mut world, sensor, 1, "t", "m", QoS::ExactlyOnce);
        world.crash(Survive::More(survivors));
        let sensor = resume(&mut world, &sensor_id);
        let again = Publish {
            dup: true,
            ..packets::publish("t", "m", QoS::ExactlyOnce)
        };
        world.send(sensor, Packet::Publish(again));
        for id in &ids {
            let reader = resume(&mut world, id);
            assert_eq!(world.payloads(reader), ["m"], "{survivors} batches survived, {id}");
        }
    }
}

/// A member whose queue the store alone has, because the broker ended or because it is long, ends its session: the
/// others get what the group is owed.
#[test]
fn what_waits_in_the_store_for_a_member_that_ends_goes_to_the_others() {
    let ids: Vec<String> = (0..2).map(|line| id_on(line, 2, "member")).collect();
    for (crash, takes_back, memory) in [
        (false, false, 2),
        (true, false, 1000),
        (true, true, 1000),
        (true, false, 1),
    ] {
        let mut world = World::limited(|limits| {
            limits.durability = Durability::Disk;
            limits.queue_memory_messages = memory;
        });
        let leaver = world.client(&ids[0]).persistent().connect();
        world.subscribe(leaver, "$share/crew/job", QoS::AtLeastOnce);
        world.drop_connection(leaver);
        let sensor = world.client("sensor").connect();
        let jobs: Vec<String> = (0..9).map(|job| format!("job {job}")).collect();
        for job in &jobs {
            world.publish(sensor, "job", job, QoS::AtLeastOnce);
        }
        if takes_back {
            let leaver = resume(&mut world, &ids[0]);
            world.send(leaver, packets::unsubscribe(2, "$share/crew/job"));
        }
        if crash {
            world.crash(Survive::Synced);
        }
        let stayer = world.client(&ids[1]).persistent().connect();
        world.subscribe(stayer, "$share/crew/job", QoS::AtLeastOnce);
        _ = world.client(&ids[0]).connect();
        assert_eq!(
            collect(&mut world, &ids[1..]),
            jobs,
            "crash {crash}, {takes_back}, {memory}"
        );
        assert!(world.store.image().session_of(&ids[0]).is_none());
    }
}

/// The same when the broker ends in the middle of it: the session stays ended, and nothing is lost.
#[test]
fn an_end_of_the_broker_in_the_middle_of_the_end_of_a_member_loses_nothing() {
    let ids: Vec<String> = (0..2).map(|line| id_on(line, 2, "member")).collect();
    for cut in 0..14 {
        let mut world = World::limited(|limits| {
            limits.durability = Durability::Disk;
            limits.queue_memory_messages = 2;
        });
        let leaver = world.client(&ids[0]).persistent().connect();
        world.subscribe(leaver, "$share/crew/job", QoS::AtLeastOnce);
        world.drop_connection(leaver);
        let sensor = world.client("sensor").connect();
        let jobs: Vec<String> = (0..9).map(|job| format!("job {job}")).collect();
        for job in &jobs {
            world.publish(sensor, "job", job, QoS::AtLeastOnce);
        }
        let stayer = world.client(&ids[1]).persistent().connect();
        world.subscribe(stayer, "$share/crew/job", QoS::AtLeastOnce);
        world.drop_connection(stayer);
        world.set_pace(Pace::Held);
        let (again, _) = world.client(&ids[0]).try_connect();
        world.commit(cut, Durability::Disk);
        let told = !world.received(again).is_empty();
        world.crash(Survive::Synced);
        if told {
            assert!(
                world.store.image().session_of(&ids[0]).is_none(),
                "cut {cut}: it had been told of the end"
            );
        }
        _ = world.client(&ids[0]).connect();
        assert_eq!(collect(&mut world, &ids[1..]), jobs, "cut {cut}");
    }
}

/// A route outlives its session by the time that the router takes; a message that follows it is not for whoever has the
/// slot after it.
#[test]
fn a_message_under_way_to_a_session_that_ended_is_not_given_to_its_successor() {
    let (near, far) = (id_on(0, 2, "sensor"), id_on(1, 2, "reader"));
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client(&far).persistent().connect();
    world.subscribe(reader, "t", QoS::AtLeastOnce);
    let sensor = world.client(&near).connect();
    world.hold_routes = true;
    _ = world.client(&far).expiry(3600).connect();
    world.set_pace(Pace::Held);
    world.publish(sensor, "t", "m", QoS::AtLeastOnce);
    world.crash(Survive::More(1));
    let successor = resume(&mut world, &far);
    assert_eq!(world.payloads(successor), [""; 0]);
}

/// What a client is sent until there is no more, acknowledged and in alphabetical order.
fn take_all(world: &mut World, client: Client) -> Vec<String> {
    let mut payloads = Vec::new();
    loop {
        let publishes = world.publishes(client);
        if publishes.is_empty() {
            payloads.sort();
            return payloads;
        }
        for publish in publishes {
            payloads.push(String::from_utf8_lossy(&publish.payload).into_owned());
            world.acknowledge(client, &publish);
        }
    }
}

/// What comes while a member's queue is being read is given away as well when the member ends before the answer.
#[test]
fn a_member_that_ends_while_its_queue_is_read_gives_away_what_came_meanwhile() {
    let ids: Vec<String> = (0..2).map(|line| id_on(line, 2, "member")).collect();
    let mut world = World::limited(|limits| {
        limits.durability = Durability::Disk;
        limits.queue_memory_messages = 1;
    });
    let leaver = world.client(&ids[0]).persistent().receive_maximum(1).connect();
    world.subscribe(leaver, "$share/crew/job", QoS::AtLeastOnce);
    let (stayer, sensor) = (world.client(&ids[1]).connect(), world.client("sensor").connect());
    let publish = |world: &mut World, jobs: std::ops::Range<u16>| {
        for job in jobs {
            publish_as(world, sensor, job + 1, "job", &format!("job {job}"), QoS::AtLeastOnce);
        }
    };
    publish(&mut world, 0..3);
    let first = world.publishes(leaver).remove(0);
    world.set_pace(Pace::Asleep);
    world.acknowledge(leaver, &first);
    publish(&mut world, 3..6);
    world.subscribe(stayer, "$share/crew/job", QoS::AtLeastOnce);
    let (fleeting, _) = world.client(&ids[0]).try_connect();
    assert!(!world.is_connected(leaver));
    world.set_pace(Pace::AsAsked);
    world.drop_connection(fleeting);
    let got = take_all(&mut world, stayer);
    assert_eq!(got, ["job 1", "job 2", "job 3", "job 4", "job 5"]);
    assert!(world.store.image().session_of(&ids[0]).is_none());
}

/// A member that ends while the store is being asked for more of its queue: each message is given away once.
#[test]
fn a_member_that_ends_while_its_queue_is_read_gives_each_message_away_once() {
    let ids: Vec<String> = (0..2).map(|line| id_on(line, 2, "member")).collect();
    for window in [1, 3] {
        let mut world = World::limited(|limits| {
            limits.durability = Durability::Disk;
            limits.queue_memory_messages = 2;
        });
        let leaver = world.client(&ids[0]).persistent().connect();
        world.subscribe(leaver, "$share/crew/job", QoS::ExactlyOnce);
        world.drop_connection(leaver);
        let sensor = world.client("sensor").connect();
        for job in 0..9 {
            publish_as(
                &mut world,
                sensor,
                job + 1,
                "job",
                &format!("job {job}"),
                QoS::ExactlyOnce,
            );
        }
        let leaver = world.client(&ids[0]).persistent().receive_maximum(window).connect();
        let publish = world.publishes(leaver).remove(0);
        let stayer = world.client(&ids[1]).persistent().connect();
        world.subscribe(stayer, "$share/crew/job", QoS::ExactlyOnce);
        world.set_pace(Pace::Asleep);
        world.acknowledge(leaver, &publish);
        let (fleeting, _) = world.client(&ids[0]).try_connect();
        assert!(!world.is_connected(leaver));
        world.set_pace(Pace::AsAsked);
        world.drop_connection(fleeting);
        let got = take_all(&mut world, stayer);
        let mut once = got.clone();
        once.dedup();
        assert_eq!(got, once, "window {window}");
        assert!(got.len() >= 8 - usize::from(window), "window {window}: {got:?}");
        assert!(world.store.image().session_of(&ids[0]).is_none());
    }
}
