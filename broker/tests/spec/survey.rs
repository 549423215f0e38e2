//! What operators see and do: sessions in slices and in order, and what becomes of those they act on.

use std::sync::Arc;

use broker::acl::Subject;
use broker::line::{Best, Bookmark, Looked, Order, OrderBy, Question, SubscriptionQuestion};
use broker::message::Message;
use mqtt_codec::{DisconnectReason, QoS};

use crate::world::World;
use crate::world::packets::{filter, topic};

/// The client identifiers on both lines that are meant, in order.
fn listed(world: &World, question: &Question, order: Order, max: usize) -> (usize, Vec<String>) {
    let mut best = Best::new(max);
    for line in &world.lines {
        let mut next = Some(0);
        while let Some(from) = next {
            next = line.survey(from, 2, question, order, &mut best);
        }
    }
    let total = best.total();
    let name = |key: broker::key::SessionKey| {
        let sight = world.lines[usize::from(key.line())].sight(key).unwrap();
        sight.client_id.to_string()
    };
    (total, best.into_sorted().into_iter().map(name).collect())
}

fn of_operator(topic_name: &str, qos: QoS) -> Arc<Message> {
    Arc::new(Message {
        topic: topic(topic_name),
        payload: "hello".into(),
        qos,
        retain: false,
        properties: None,
        expires_at: None,
        publisher: None,
        id: 0,
        arrived_micros: 0,
        trace: None,
    })
}

#[test]
fn sessions_are_listed_in_order_however_the_slices_fall() {
    let mut world = World::new();
    for name in ["eve", "Bob", "ann", "dan", "cid"] {
        world.client(name).persistent().connect();
    }
    let away = world.client("away").persistent().connect();
    world.drop_connection(away);
    let all = Question::default();
    let (total, names) = listed(&world, &all, Order::default(), 10);
    assert_eq!(
        (total, names),
        (
            6,
            ["Bob", "ann", "away", "cid", "dan", "eve"].map(str::to_owned).to_vec()
        )
    );
    let down = Order {
        by: OrderBy::ClientId,
        is_descending: true,
    };
    assert_eq!(
        listed(&world, &all, down, 2),
        (6, vec!["eve".to_owned(), "dan".to_owned()])
    );
    let is_away = Question {
        is_connected: Some(false),
        ..Question::default()
    };
    assert_eq!(
        listed(&world, &is_away, Order::default(), 9),
        (1, vec!["away".to_owned()])
    );
    let search = Question {
        search: Some("b".into()),
        ..Question::default()
    };
    assert_eq!(
        listed(&world, &search, Order::default(), 9),
        (1, vec!["Bob".to_owned()])
    );
}

#[test]
fn the_longest_queue_comes_first_and_ties_by_name() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        let client = world.client(name).persistent().connect();
        world.subscribe(client, &format!("to/{name}"), QoS::AtLeastOnce);
        world.drop_connection(client);
    }
    let publisher = world.client("z").connect();
    world.publish(publisher, "to/b", "x", QoS::AtLeastOnce);
    let order = Order {
        by: OrderBy::Queued,
        is_descending: true,
    };
    let (_, names) = listed(&world, &Question::default(), order, 3);
    assert_eq!(names, ["b", "a", "c"]);
}

#[test]
fn what_sessions_hold_is_known_after_each_round_through_all_of_them() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        let client = world.client(name).persistent().connect();
        world.subscribe(client, "to/all", QoS::AtLeastOnce);
        world.drop_connection(client);
    }
    let slow = world.client("slow").connect();
    world.subscribe(slow, "to/all", QoS::AtMostOnce);
    world.stall(slow, true);
    let publisher = world.client("z").connect();
    world.publish(publisher, "to/all", &"x".repeat(1000), QoS::AtLeastOnce);
    let round = |world: &mut World| {
        let mut all = (0, 0);
        for line in &mut world.lines {
            for _ in 0..8 {
                line.weigh(1);
            }
            let held = line.holdings();
            all = (all.0 + held.queue_bytes, all.1 + held.outbox_bytes);
        }
        all
    };
    let (queues, outboxes) = round(&mut world);
    assert!((3000..4000).contains(&queues), "{queues} for three queues");
    assert!((1000..2000).contains(&outboxes), "{outboxes} for one outbox");
    world.stall(slow, false);
    world.settle();
    for name in ["a", "b", "c"] {
        world.client(name).clean(true).connect();
    }
    round(&mut world);
    assert_eq!(round(&mut world), (0, 0));
}

#[test]
fn subscriptions_are_found_by_the_topic_that_they_match() {
    let mut world = World::new();
    let client = world.client("a").connect();
    world.subscribe(client, "plant/+/state", QoS::AtMostOnce);
    world.subscribe(client, "$share/g/plant/#", QoS::AtMostOnce);
    world.subscribe(client, "else", QoS::AtMostOnce);
    let question = SubscriptionQuestion {
        topic: Some("plant/1/state".into()),
        ..SubscriptionQuestion::default()
    };
    let mut best = Best::new(10);
    let line = world.line_of(client);
    assert_eq!(
        world.lines[line].survey_subscriptions(Bookmark::default(), 100, &question, &mut best),
        None
    );
    let filters: Vec<String> = best
        .into_sorted()
        .iter()
        .map(|found| found.filter.to_string())
        .collect();
    assert_eq!(filters, ["$share/g/plant/#", "plant/+/state"]);
}

/// However many subscriptions stand with one session, a look at them is as short as it was asked to be.
#[test]
fn a_walk_over_subscriptions_stops_and_goes_on_in_the_middle_of_a_session() {
    let mut world = World::new();
    let mut expected = Vec::new();
    for (name, count) in [("none", 0), ("few", 2), ("many", 23), ("one", 1)] {
        let client = world.client(name).connect();
        for number in 0..count {
            let text = format!("{name}/{number:02}");
            world.subscribe(client, &text, QoS::AtMostOnce);
            expected.push(text);
        }
    }
    expected.sort();
    let question = SubscriptionQuestion {
        is_by_filter: true,
        ..SubscriptionQuestion::default()
    };
    for examine_max in [1, 3, 5, 100] {
        let mut best = Best::new(100);
        for line in &world.lines {
            let mut next = Some(Bookmark::default());
            while let Some(from) = next {
                let before = best.total();
                next = line.survey_subscriptions(from, examine_max, &question, &mut best);
                assert!(
                    best.total() - before <= examine_max,
                    "{} of {examine_max}",
                    best.total() - before
                );
                assert_ne!(next, Some(from), "it goes on");
            }
        }
        let found = best.into_sorted();
        let found: Vec<String> = found.iter().map(|found| found.filter.to_string()).collect();
        assert_eq!(found, expected, "{examine_max} at a time");
    }
    let mut best = Best::new(100);
    let of_many = |world: &World, part, best: &mut _| {
        let lines = world.lines.iter();
        let mut looked = lines.filter_map(|line| line.subscriptions_of("many", part, &question, best));
        looked.next()
    };
    assert_eq!(of_many(&world, (0, 20), &mut best), Some(Looked::UpTo(20)));
    assert_eq!(of_many(&world, (20, 20), &mut best), Some(Looked::All));
    assert_eq!(best.total(), 23);
}

#[test]
fn an_operator_ends_a_connection_and_the_session_stays() {
    let mut world = World::new();
    let client = world.client("a").persistent().connect();
    let now = world.now;
    let line = world.line_of(client);
    assert_eq!(world.lines[line].disconnect_client("a", "maintenance", now), Some(true));
    world.settle();
    assert_eq!(world.goodbye(client), Some(DisconnectReason::AdministrativeAction));
    assert!(!world.is_connected(client));
    assert_eq!(world.lines[line].disconnect_client("a", "", now), Some(false));
    assert_eq!(world.lines[line].disconnect_client("nobody", "", now), None);
    assert!(world.lines[line].sight_of("a").is_some());
}

/// Those who are meant are disconnected in parts, each of which is bounded; the others and all sessions stay.
#[test]
fn an_operator_disconnects_many_part_by_part() {
    let mut world = World::new();
    let clients: Vec<_> = (0..20)
        .map(|nth| world.client(&format!("c{nth:02}")).persistent().connect())
        .collect();
    let (is_meant, now) = (|client: &Subject<'_>| client.client_id < "c15", world.now);
    let mut ended = 0;
    for line in &mut world.lines {
        let mut next = Some(0);
        while let Some(from) = next {
            let slice = line.disconnect_meant(&is_meant, "banned", (from, 3), now);
            assert!(slice.ended <= 3);
            ended += slice.ended;
            next = slice.next;
        }
    }
    world.settle();
    assert_eq!(ended, 15);
    for (nth, client) in clients.iter().enumerate() {
        assert_eq!(world.is_connected(*client), nth >= 15, "{nth}");
        if nth < 15 {
            assert_eq!(world.goodbye(*client), Some(DisconnectReason::AdministrativeAction));
        }
    }
    let sessions: usize = world
        .lines
        .iter()
        .map(|line| usize::from(line.sight_of("c00").is_some()))
        .sum();
    assert_eq!(sessions, 1);
}

#[test]
fn an_operator_ends_a_session_and_its_will_is_published() {
    let mut world = World::new();
    let heir = world.client("heir").connect();
    world.subscribe(heir, "will", QoS::AtMostOnce);
    let client = world.client("a").persistent().will("will", "gone", 60).connect();
    let now = world.now;
    let line = world.line_of(client);
    assert!(world.lines[line].remove_session("a", "", now));
    world.settle();
    assert_eq!(world.payloads(heir), ["gone"]);
    assert!(world.lines[line].sight_of("a").is_none());
    assert!(!world.lines[line].remove_session("a", "", now));
}

#[test]
fn a_subscription_that_an_operator_takes_gets_nothing_more() {
    let mut world = World::new();
    let client = world.client("a").connect();
    world.subscribe(client, "t", QoS::AtMostOnce);
    let now = world.now;
    let line = world.line_of(client);
    assert_eq!(
        world.lines[line].remove_subscription("a", &filter("t"), now),
        Some(true)
    );
    assert!(
        world.lines[line].has_subscription("a", &filter("t")),
        "until the router has heard of it"
    );
    world.settle();
    assert!(!world.lines[line].has_subscription("a", &filter("t")));
    assert_eq!(
        world.lines[line].remove_subscription("a", &filter("t"), now),
        Some(false)
    );
    let publisher = world.client("p").connect();
    world.publish(publisher, "t", "x", QoS::AtMostOnce);
    assert!(world.payloads(client).is_empty());
}

#[test]
fn a_message_of_an_operator_says_how_many_got_it() {
    let mut world = World::new();
    let there = world.client("there").connect();
    world.subscribe(there, "t", QoS::AtLeastOnce);
    let away = world.client("away").persistent().connect();
    world.subscribe(away, "t", QoS::AtLeastOnce);
    world.drop_connection(away);
    let now = world.now;
    let published = world.lines[0].publish_of_operator(&of_operator("t", QoS::AtLeastOnce), now);
    let published = published.unwrap();
    assert_eq!((published.receivers, published.queued), (2, 1));
    world.settle();
    assert_eq!(world.payloads(there), ["hello"]);
    let lost = world.lines[0]
        .publish_of_operator(&of_operator("t", QoS::AtMostOnce), now)
        .unwrap();
    assert_eq!(
        (lost.receivers, lost.queued),
        (1, 0),
        "QoS 0 does not wait for those who are away"
    );
    let own = world.lines[0].publish_of_operator(&of_operator("$SYS/x", QoS::AtMostOnce), now);
    assert!(own.is_err());
}
