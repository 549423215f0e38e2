//! Other settings while clients are connected: what was said of them beforehand is what happens, and what a CONNACK
//! promised is kept.

use std::sync::Arc;

use broker::acl::Subject;
use broker::effect::{Cause, Parting};
use broker::limits::{Limits, Rate, RateBook, Rates};
use broker::line::{Clients, Review};
use mqtt_codec::{DisconnectReason, Packet, QoS, Version};

use crate::world::packets::publish_as;
use crate::world::{Client, World, secs};

/// A client whose session stays.
fn keeper(world: &mut World, id: &str) -> Client {
    world.client(id).persistent().connect()
}

fn everyone(_: &Subject<'_>) -> Result<(), Parting> {
    Ok(())
}

fn nothing(_: &mut Limits) {}

fn names(clients: &Clients) -> Vec<String> {
    let mut names: Vec<String> = clients.names.iter().map(|name| name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn rights_that_are_to_come_say_who_loses_what_and_then_take_it() {
    let mut world = World::new();
    let clients: Vec<Client> = (0..14).map(|nth| world.client(&format!("c{nth}")).connect()).collect();
    for client in &clients {
        world.subscribe(*client, "open", QoS::AtMostOnce);
    }
    for client in &clients[..12] {
        world.subscribe(*client, "secret/1", QoS::AtMostOnce);
        world.subscribe(*client, "secret/2", QoS::AtMostOnce);
    }
    let review = world.review(nothing, Some("allow subscribe open"), everyone);
    let found = world.look(&review);
    assert_eq!(
        (found.subscriptions_lost, found.losing.count, found.losing.names.len()),
        (24, 12, 10)
    );
    assert!(found.parting.is_empty());
    assert!(
        clients.iter().all(|client| world.is_connected(*client)),
        "to look changes nothing"
    );

    world.take(&review);
    for client in &clients[..12] {
        assert_eq!(world.cause(*client), Some(Cause::RightLost));
    }
    assert!(world.is_connected(clients[12]) && world.is_connected(clients[13]));
    let after = world.look(&world.review(nothing, Some("allow subscribe open"), everyone));
    assert_eq!(after.subscriptions_lost, 0);
}

#[test]
fn a_subscription_that_became_too_wide_is_lost_with_the_setting() {
    let mut world = World::new();
    world.set_rights("allow subscribe a/b");
    let client = world.client("c").connect();
    world.subscribe(client, "a/#", QoS::AtMostOnce);
    let refuse = |limits: &mut Limits| {
        limits.access.wide_subscriptions = false;
        limits.access.loss_disconnects = false;
    };
    let review = world.review(refuse, Some("allow subscribe a/b"), everyone);
    assert_eq!(world.look(&review).subscriptions_lost, 1);
    world.take(&review);
    assert!(world.is_connected(client), "it stays without the subscription");
    assert_eq!(world.look(&review).subscriptions_lost, 0);
}

/// [MQTT-3.14.4-1] in 5.0: who may not stay is told why, and those who may notice nothing.
#[test]
fn v5_3_14_4_1_who_may_not_stay_is_told_why() {
    for (why, reason) in [
        (Parting::ListenerGone(0), DisconnectReason::AdministrativeAction),
        (Parting::Banned, DisconnectReason::AdministrativeAction),
        (Parting::NotKnown, DisconnectReason::NotAuthorized),
    ] {
        let mut world = World::new();
        let (stays, leaves) = (world.client("stays").connect(), world.client("leaves").connect());
        let judge: fn(&Subject<'_>) -> Result<(), Parting> = match why {
            Parting::ListenerGone(_) => |who| refuse(who, Parting::ListenerGone(0)),
            Parting::Banned => |who| refuse(who, Parting::Banned),
            Parting::NotKnown => |who| refuse(who, Parting::NotKnown),
        };
        let review = world.review(nothing, None, judge);
        let found = world.look(&review);
        assert_eq!(found.parting.len(), 1);
        assert_eq!(
            (found.parting[0].0, names(&found.parting[0].1)),
            (why, vec!["leaves".to_owned()])
        );
        world.take(&review);
        assert_eq!(world.cause(leaves), Some(Cause::Expelled(why)));
        let said = world.received(leaves);
        let told = said
            .iter()
            .any(|packet| matches!(packet, Packet::Disconnect(said) if said.reason == reason));
        assert!(told, "{said:?}");
        assert!(world.is_connected(stays));
    }
}

fn refuse(who: &Subject<'_>, why: Parting) -> Result<(), Parting> {
    if who.client_id == "leaves" { Err(why) } else { Ok(()) }
}

#[test]
fn a_queue_above_its_new_bound_keeps_what_it_has_and_takes_no_more_before_it_is_below() {
    let mut world = World::new();
    let reader = keeper(&mut world, "reader");
    world.subscribe(reader, "#", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sender = world.client("sender").connect();
    let publish = |world: &mut World, number: u16| {
        world.send(
            sender,
            Packet::Publish(publish_as(number, "t", &number.to_string(), QoS::AtLeastOnce)),
        );
        format!("{:?}", world.received(sender))
    };
    for number in 1..=5 {
        assert!(publish(&mut world, number).contains("Success"), "{number}");
    }
    let review = world.review(|limits| limits.queue_messages_max = 3, None, everyone);
    assert_eq!(names(&world.look(&review).overfull), ["reader"]);
    world.take(&review);
    assert!(publish(&mut world, 6).contains("QuotaExceeded"));
    let reader = keeper(&mut world, "reader");
    assert_eq!(world.payloads(reader), ["1", "2", "3", "4", "5"]);
    assert!(publish(&mut world, 7).contains("Success"));

    // Raised again, a queue that was full takes more at once.
    world.drop_connection(reader);
    for number in 8..=10 {
        assert!(publish(&mut world, number).contains("Success"), "{number}");
    }
    assert!(publish(&mut world, 11).contains("QuotaExceeded"));
    let review = world.review(|limits| limits.queue_messages_max = 100, None, everyone);
    world.take(&review);
    assert!(publish(&mut world, 12).contains("Success"));
}

/// [MQTT-3.2.2-17] in 5.0: the Topic Alias Maximum that was granted holds for the connection.
#[test]
fn v5_what_a_connack_granted_holds_until_the_connection_ends() {
    let mut world = World::limited(|limits| {
        limits.alias_max = 5;
        limits.receive_max = 4;
    });
    let (old, connack) = world.client("old").connect_with_connack();
    assert_eq!(connack.properties.topic_alias_max, Some(5));
    let review = world.review(
        |limits| {
            limits.alias_max = 1;
            limits.receive_max = 2;
        },
        None,
        everyone,
    );
    world.take(&review);
    for number in 1..=4 {
        world.send(old, Packet::Publish(publish_as(number, "t", "", QoS::ExactlyOnce)));
    }
    assert!(world.is_connected(old), "four are within what it was granted");
    world.send(old, Packet::Publish(publish_as(5, "t", "", QoS::ExactlyOnce)));
    assert!(!world.is_connected(old), "five are not");
    let (_, connack) = world.client("new").connect_with_connack();
    assert_eq!(connack.properties.topic_alias_max, Some(1));
    assert_eq!(connack.properties.receive_maximum.map(u16::from), Some(2));
}

#[test]
fn other_rates_hold_for_those_who_are_connected() {
    let mut world = World::new();
    let sender = world.client("sender").version(Version::V5).connect();
    let messages = |per_sec, burst| RateBook {
        common: Arc::new(Rates {
            messages: Rate { per_sec, burst },
            ..Rates::default()
        }),
        ..RateBook::default()
    };
    let review = world.review(|limits| limits.rates = messages(10, 2), None, everyone);
    world.take(&review);
    for number in 1..=5 {
        world.send(sender, Packet::Publish(publish_as(number, "t", "", QoS::AtLeastOnce)));
    }
    assert!(!world.is_read(sender));
    let review = world.review(|limits| limits.rates = messages(0, 1), None, everyone);
    world.take(&review);
    world.pass(secs(1));
    for number in 6..=50 {
        world.send(sender, Packet::Publish(publish_as(number, "t", "", QoS::AtLeastOnce)));
    }
    assert!(world.is_read(sender));
}

/// Sessions with many subscriptions make a slice shorter, so that no client waits for them.
#[test]
fn a_slice_ends_sooner_where_sessions_hold_many_subscriptions() {
    let mut world = World::new();
    for client in 0..12 {
        let client = world.client(&format!("c{client}")).connect();
        for number in 0..300 {
            world.subscribe(client, &format!("open/{number}"), QoS::AtMostOnce);
        }
    }
    let slices = |world: &World, review: &Review| {
        let mut slices = Vec::new();
        for line in &world.lines {
            let mut from = Some(0);
            while let Some(place) = from {
                let (found, next) = line.review(review, place, 200);
                slices.push(found.subscriptions_lost);
                from = next;
            }
        }
        slices
    };
    let other_rights = slices(&world, &world.review(nothing, Some("allow subscribe else"), everyone));
    assert_eq!(other_rights.iter().sum::<u64>(), 3600);
    assert!(other_rights.iter().all(|lost| *lost <= 600), "{other_rights:?}");
    let other_bounds = slices(&world, &world.review(nothing, None, everyone));
    assert_eq!(
        other_bounds.len(),
        world.lines.len(),
        "whose subscriptions nobody looks at are not counted"
    );
}
