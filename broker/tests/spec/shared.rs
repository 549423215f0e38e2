//! Shared subscriptions: one member of a group gets each message, and never one that cannot take it.

use std::collections::BTreeMap;

use broker::counters::Drop;
use mqtt_codec::{
    DisconnectReason, Packet, Puback, PubackReason, Publish, Pubrec, PubrecReason, QoS, SubscriptionId, Version,
};

use crate::world::packets::{filter, id, pubcomp, publish, publish_as, pubrec, pubrel, subscribe};
use crate::world::{Client, World};

/// Members of `$share/crew/jobs` with these ids, whose sessions stay, and a sender.
fn crew(world: &mut World, ids: &[&str], qos: QoS) -> (Client, Vec<Client>) {
    let sender = world.client("sender").connect();
    let join = |id: &&str| {
        let member = world.client(id).persistent().connect();
        world.subscribe(member, "$share/crew/jobs", qos);
        member
    };
    (sender, ids.iter().map(join).collect())
}

fn back(world: &mut World, id: &str) -> Client {
    world.client(id).persistent().connect()
}

/// Two ids whose sessions live on different lines.
fn ids_on_two_lines(world: &mut World) -> [String; 2] {
    let mut by_line = BTreeMap::new();
    for number in 0..64 {
        let name = format!("m{number}");
        let client = world.client(&name).connect();
        by_line.entry(world.line_of(client)).or_insert(name);
        world.drop_connection(client);
    }
    let mut ids = by_line.into_values();
    [ids.next().unwrap(), ids.next().unwrap()]
}

/// One member gets each message, and all get the same share of them.
#[test]
fn each_message_goes_to_one_member_by_turns() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let (sender, members) = crew(&mut world, &["a", "b", "c"], qos);
        let all = world.client("all").connect();
        world.subscribe(all, "jobs", QoS::AtMostOnce);
        for number in 0..30 {
            let packet_id = (qos != QoS::AtMostOnce).then(|| id(number + 1));
            let packet = Publish {
                packet_id,
                ..publish("jobs", &number.to_string(), qos)
            };
            world.send(sender, Packet::Publish(packet));
        }
        let mut seen = Vec::new();
        for member in members {
            let got = world.payloads(member);
            assert_eq!(got.len(), 10);
            seen.extend(got);
        }
        seen.sort_by_key(|text| text.parse::<u32>().unwrap());
        assert_eq!(seen, world.payloads(all));
    }
}

/// A group is its name and its filter; another name or another filter is another group, and a member's own subscription
/// is apart from both.
#[test]
fn groups_are_told_apart_by_name_and_filter() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let member = world.client("member").connect();
    for (number, name) in (1..).zip(["$share/one/jobs", "$share/two/jobs", "$share/one/+", "jobs"]) {
        let packet = subscribe(number, name, QoS::AtMostOnce);
        let subscription_id = SubscriptionId::new(u32::from(number));
        world.subscribe_with(
            member,
            mqtt_codec::Subscribe {
                subscription_id,
                ..packet
            },
        );
    }
    world.publish(sender, "jobs", "", QoS::AtMostOnce);
    let mut ids: Vec<Vec<u32>> = world
        .publishes(member)
        .iter()
        .map(|got| {
            got.properties
                .iter()
                .flat_map(|properties| &properties.subscription_ids)
                .map(|id| id.get())
                .collect()
        })
        .collect();
    ids.sort();
    assert_eq!(ids, [[1], [2], [3], [4]]);
}

/// [MQTT-4.8.2-1] in 5.0, [MQTT-4.8.2-2] in 5.0: what begins with `$share/` has a name without wildcards and a filter.
#[test]
fn v5_4_8_2_2_an_ill_formed_shared_filter_ends_the_connection() {
    for name in [
        "$share/",
        "$share//jobs",
        "$share/crew",
        "$share/crew/",
        "$share/c+w/jobs",
        "$share/#/jobs",
        "$share/c#/a",
    ] {
        let mut world = World::new();
        let client = world.client("client").connect();
        let body = [&[0, 1, 0, 0, name.len() as u8], name.as_bytes(), &[0]].concat();
        world.send_bytes(client, &[&[0x82, body.len() as u8], &body[..]].concat());
        assert_eq!(
            world.goodbye(client),
            Some(DisconnectReason::TopicFilterInvalid),
            "{name}"
        );
    }
    assert_eq!(filter("$share/crew/jobs/#").share(), Some(("crew", "jobs/#")));
}

/// [MQTT-4.8.2-3] in 5.0: each member gets at most the QoS that it was granted.
#[test]
fn v5_4_8_2_3_each_member_gets_its_granted_qos() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    for (name, qos) in [("a", QoS::AtMostOnce), ("b", QoS::AtLeastOnce), ("c", QoS::ExactlyOnce)] {
        let member = world.client(name).connect();
        world.subscribe(member, &format!("$share/{name}/jobs"), qos);
        for (number, published) in [(1, QoS::AtLeastOnce), (2, QoS::ExactlyOnce)] {
            world.send(sender, Packet::Publish(publish_as(number, "jobs", "", published)));
            world.send(sender, pubrel(id(number)));
            assert_eq!(world.publishes(member)[0].qos, qos.min(published));
        }
    }
}

/// [MQTT-4.8.2-4] in 5.0: a QoS 2 message that was sent to a member is completed with it when it returns, and
/// nobody else gets it meanwhile.
#[test]
fn v5_4_8_2_4_a_qos_2_message_stays_with_its_member() {
    let mut world = World::new();
    let (sender, members) = crew(&mut world, &["a"], QoS::ExactlyOnce);
    world.publish(sender, "jobs", "job", QoS::ExactlyOnce);
    let sent = world.publishes(members[0]).remove(0);
    let other = back(&mut world, "b");
    world.subscribe(other, "$share/crew/jobs", QoS::ExactlyOnce);
    world.drop_connection(members[0]);
    assert_eq!(world.publishes(other), []);

    let member = back(&mut world, "a");
    let number = sent.packet_id.unwrap();
    assert_eq!(world.received(member), [Packet::Publish(Publish { dup: true, ..sent })]);
    world.send(member, pubrec(number));
    assert_eq!(world.received(member), [pubrel(number)]);
    world.send(member, pubcomp(number));
    assert_eq!(world.counters().inflight, 0);
}

/// [MQTT-4.8.2-5] in 5.0: if that member's session ends, the message ends with it.
#[test]
fn v5_4_8_2_5_a_qos_2_message_ends_with_its_members_session() {
    let mut world = World::new();
    let (sender, members) = crew(&mut world, &["a", "b"], QoS::ExactlyOnce);
    world.publish(sender, "jobs", "job", QoS::ExactlyOnce);
    let (chosen, name) = if world.publishes(members[0]).is_empty() {
        (1, "b")
    } else {
        (0, "a")
    };
    let other = members[1 - chosen];
    world.received(other);
    world.drop_connection(members[chosen]);
    let member = world.client(name).clean(true).connect();
    assert_eq!(world.publishes(member), []);
    assert_eq!(world.publishes(other), []);
    assert_eq!(world.counters().dropped[Drop::SessionEnded as usize], 1);
}

/// [MQTT-4.8.2-6] in 5.0: a member's error acknowledgement is the end of the message; nobody else is asked.
#[test]
fn v5_4_8_2_6_an_error_acknowledgement_discards_the_message() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let (sender, members) = crew(&mut world, &["a", "b"], QoS::ExactlyOnce);
        world.publish(sender, "jobs", "job", qos);
        let got: Vec<Vec<Publish>> = members.iter().map(|member| world.publishes(*member)).collect();
        let chosen = usize::from(got[0].is_empty());
        let number = got[chosen][0].packet_id.unwrap();
        let refusal = if qos == QoS::AtLeastOnce {
            Packet::Puback(Puback::new(number, PubackReason::UnspecifiedError))
        } else {
            Packet::Pubrec(Pubrec::new(number, PubrecReason::NotAuthorized))
        };
        world.send(members[chosen], refusal);
        world.drop_connection(members[chosen]);
        let name = ["a", "b"][chosen];
        let member = back(&mut world, name);
        assert_eq!(world.publishes(member), []);
        assert_eq!(world.publishes(members[1 - chosen]), []);
    }
}

/// What a member has not acknowledged at QoS 1, or not been sent, goes to another when the member leaves.
#[test]
fn a_member_that_leaves_hands_on_what_it_did_not_finish() {
    for ends in [false, true] {
        let mut world = World::new();
        let (sender, members) = crew(&mut world, &["a"], QoS::AtLeastOnce);
        let slow = members[0];
        world.drop_connection(slow);
        let slow = world.client("a").persistent().receive_maximum(1).connect();
        for number in 0..3 {
            world.publish(sender, "jobs", &number.to_string(), QoS::AtLeastOnce);
        }
        assert_eq!(world.payloads(slow), ["0"]);
        let other = back(&mut world, "b");
        world.subscribe(other, "$share/crew/jobs", QoS::AtLeastOnce);
        if ends {
            world.client("a").clean(true).connect();
        } else {
            world.drop_connection(slow);
        }
        assert_eq!(world.payloads(other), ["0", "1", "2"]);
        assert_eq!(world.counters().queued, 0);
        let again = back(&mut world, "a");
        assert_eq!(world.payloads(again), [""; 0]);
    }
}

/// [MQTT-4.4.0-1] in 5.0, [MQTT-3.3.1-1] in 5.0: where there is nobody else, the member finds on its return what it had
/// not acknowledged, with DUP under its old id, and then the rest.
#[test]
fn v5_4_4_0_1_the_last_member_keeps_what_it_was_sent() {
    let mut world = World::new();
    let (sender, members) = crew(&mut world, &["a"], QoS::AtLeastOnce);
    world.publish(sender, "jobs", "sent", QoS::AtLeastOnce);
    let sent = world.publishes(members[0]).remove(0);
    world.drop_connection(members[0]);
    world.publish(sender, "jobs", "kept", QoS::AtLeastOnce);

    let member = back(&mut world, "a");
    let got = world.publishes(member);
    assert_eq!(got[0], Publish { dup: true, ..sent });
    assert_eq!((got[1].payload.as_ref(), got[1].dup), (&b"kept"[..], false));
}

/// A member that is away gets nothing while another is there; QoS 0 is never kept for one.
#[test]
fn a_member_that_is_away_is_asked_last() {
    let mut world = World::new();
    let (sender, members) = crew(&mut world, &["a", "b"], QoS::AtLeastOnce);
    world.drop_connection(members[0]);
    for _ in 0..4 {
        world.publish(sender, "jobs", "1", QoS::AtLeastOnce);
        world.publish(sender, "jobs", "0", QoS::AtMostOnce);
    }
    assert_eq!(world.payloads(members[1]).len(), 8);

    world.drop_connection(members[1]);
    world.publish(sender, "jobs", "kept", QoS::AtLeastOnce);
    world.publish(sender, "jobs", "lost", QoS::AtMostOnce);
    assert_eq!((world.counters().queued, world.counters().inflight), (1, 4));
    assert_eq!(world.counters().dropped[Drop::NoMember as usize], 1);
}

/// A message too large for a member goes to one that can take it, on whatever lines they are.
#[test]
fn a_message_goes_to_a_member_that_can_take_it() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    for (name, line_id) in ["small", "large"].into_iter().zip(ids_on_two_lines(&mut world)) {
        let builder = world
            .client(&line_id)
            .change(|connect| connect.username = Some(name.into()));
        let member = if name == "small" {
            builder.packet_size_max(64).connect()
        } else {
            builder.connect()
        };
        world.subscribe(member, "$share/crew/jobs", QoS::AtLeastOnce);
        if name == "large" {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
                for _ in 0..4 {
                    world.publish(sender, "jobs", &"x".repeat(100), qos);
                }
            }
            assert_eq!(world.publishes(member).len(), 8);
        }
    }
    assert_eq!(world.counters().dropped_total(), 0);
}

/// Where nobody can take a message, the search ends and the loss is counted, even if each member has others to name.
#[test]
fn a_message_that_nobody_can_take_is_dropped_once() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut world = World::new();
        let sender = world.client("sender").connect();
        let [here, there] = ids_on_two_lines(&mut world);
        for name in [here.clone(), there, format!("{here}{here}"), "d".to_owned()] {
            let member = world.client(&name).packet_size_max(64).connect();
            world.subscribe(member, "$share/crew/jobs", QoS::ExactlyOnce);
        }
        world.publish(sender, "jobs", &"x".repeat(100), qos);
        assert_eq!(world.counters().dropped_total(), 1);
        assert_eq!(world.counters().dropped[Drop::NoMember as usize], 1);
    }
}

/// A member whose connection is not read gets no QoS 0 message that another can take.
#[test]
fn a_slow_member_is_passed_over() {
    let mut world = World::limited(|limits| limits.out_bytes_max = 300);
    let [slow, quick] = ids_on_two_lines(&mut world);
    let (sender, members) = crew(&mut world, &[&slow, &quick], QoS::AtMostOnce);
    world.stall(members[0], true);
    for _ in 0..20 {
        world.publish(sender, "jobs", &"x".repeat(90), QoS::AtMostOnce);
    }
    let quick = world.publishes(members[1]).len();
    world.stall(members[0], false);
    let slow = world.publishes(members[0]).len();
    assert_eq!(slow + quick, 20);
    assert!((1..=3).contains(&slow), "{slow}");

    for member in &members {
        world.stall(*member, true);
    }
    for _ in 0..20 {
        world.publish(sender, "jobs", &"x".repeat(90), QoS::AtMostOnce);
    }
    assert!(world.counters().dropped[Drop::NoMember as usize] >= 14);
}

/// Nothing is acknowledged and then dropped: where all members' queues are full, the publisher is told.
#[test]
fn a_group_whose_queues_are_full_refuses_aloud() {
    let mut world = World::limited(|limits| limits.queue_messages_max = 2);
    let (sender, members) = crew(&mut world, &["a", "b"], QoS::AtLeastOnce);
    members.iter().for_each(|member| world.drop_connection(*member));
    let answers: Vec<Packet> = (1..=5)
        .flat_map(|number| {
            world.send(
                sender,
                Packet::Publish(publish_as(number, "jobs", "job", QoS::AtLeastOnce)),
            );
            world.received(sender)
        })
        .collect();
    let taken = |number| Packet::Puback(Puback::new(id(number), PubackReason::Success));
    let refused = Packet::Puback(Puback::new(id(5), PubackReason::QuotaExceeded));
    assert_eq!(answers, [taken(1), taken(2), taken(3), taken(4), refused]);
    for name in ["a", "b"] {
        let member = back(&mut world, name);
        assert_eq!(world.publishes(member).len(), 2);
    }
    assert_eq!(world.counters().dropped_total(), 0);
}

/// A client of 3.1.1 may be a member too.
#[test]
fn clients_of_both_versions_share() {
    let mut world = World::new();
    let sender = world.client("sender").connect();
    let members = [Version::V311, Version::V5].map(|version| {
        let member = world.client(&format!("{version:?}")).version(version).connect();
        world.subscribe(member, "$share/crew/jobs", QoS::AtMostOnce);
        member
    });
    for _ in 0..4 {
        world.publish(sender, "jobs", "", QoS::AtMostOnce);
    }
    assert_eq!(members.map(|member| world.publishes(member).len()), [2, 2]);
}
