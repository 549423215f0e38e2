//! How fast one client may send: who is faster waits or goes, and its neighbours notice nothing.

use std::sync::Arc;

use broker::effect::Cause;
use broker::limits::{Limit, Rate, RateBook, Rates, TooFast};
use mqtt_codec::{DisconnectReason, Packet, QoS, Version};

use crate::world::packets::{filter, id, puback, publish_as, subscribe, unsubscribe};
use crate::world::{Client, World, millis, secs};

const BOTH: [Version; 2] = [Version::V311, Version::V5];
const FIVE: Rate = Rate { per_sec: 10, burst: 5 };

fn world(rates: Rates) -> World {
    World::limited(|limits| {
        limits.rates = RateBook {
            common: Arc::new(rates),
            ..RateBook::default()
        }
    })
}

fn messages(too_fast: TooFast) -> Rates {
    Rates {
        messages: FIVE,
        too_fast,
        ..Rates::default()
    }
}

fn flood(world: &mut World, sender: Client, count: u16) {
    for number in 1..=count {
        let packet = publish_as(number, "news", &number.to_string(), QoS::AtLeastOnce);
        world.send(sender, Packet::Publish(packet));
    }
}

/// [MQTT-4.6.0-1] in 5.0: who is slowed down loses nothing, and its order stays; others are not slowed down with it.
#[test]
fn a_client_that_sends_too_fast_is_read_more_slowly() {
    for version in BOTH {
        let mut world = world(messages(TooFast::Slow));
        let sender = world.client("sender").version(version).connect();
        let reader = world.client("reader").connect();
        let other = world.client("other").connect();
        world.subscribe(reader, "#", QoS::AtMostOnce);
        flood(&mut world, sender, 20);
        // The one beyond the burst is taken, and then nothing is read.
        assert_eq!(world.received(sender).len(), 6);
        assert!(!world.is_read(sender));
        world.publish(other, "else", "other", QoS::AtMostOnce);
        world.pass(secs(1));
        assert_eq!(world.received(sender).len(), 10);
        world.pass(secs(2));
        let order: Vec<String> = world
            .payloads(reader)
            .into_iter()
            .filter(|payload| payload != "other")
            .collect();
        let expected: Vec<String> = (1..=20).map(|number| number.to_string()).collect();
        assert_eq!(order, expected);
        assert!(world.is_connected(sender) && world.is_read(sender));
        assert!(world.counters().limited[Limit::MessageRate as usize] > 0);
        assert_eq!(world.counters().dropped_total(), 0);
    }
}

/// [MQTT-4.13.1-1] in 5.0: by another setting its connection ends with 0x96, and what was acknowledged stays so.
#[test]
fn v5_4_13_1_1_a_client_that_sends_too_fast_may_be_disconnected() {
    for version in BOTH {
        let mut world = world(messages(TooFast::Disconnect));
        let sender = world.client("sender").version(version).connect();
        let reader = world.client("reader").connect();
        world.subscribe(reader, "#", QoS::AtMostOnce);
        flood(&mut world, sender, 6);
        let answers = world.received(sender);
        let expected: Vec<Packet> = (1..=5).map(|number| puback(id(number))).collect();
        assert!(answers.starts_with(&expected), "{answers:?}");
        assert_eq!(world.cause(sender), Some(Cause::TooFast(Limit::MessageRate)));
        let goodbye = answers.iter().find_map(|packet| {
            if let Packet::Disconnect(packet) = packet {
                Some(packet.reason)
            } else {
                None
            }
        });
        let expected = (version == Version::V5).then_some(DisconnectReason::MessageRateTooHigh);
        assert_eq!(goodbye, expected);
        assert_eq!(world.payloads(reader).len(), 5);
    }
}

/// Each topic filter of a SUBSCRIBE or UNSUBSCRIBE counts; all are answered.
#[test]
fn a_client_that_subscribes_too_fast_waits() {
    let mut world = world(Rates {
        filters: FIVE,
        ..Rates::default()
    });
    let client = world.client("client").connect();
    let mut many = subscribe(1, "a", QoS::AtMostOnce);
    for name in ["b", "c", "d", "e"] {
        many.filters
            .push(mqtt_codec::SubscribeFilter::new(filter(name), QoS::AtMostOnce));
    }
    world.send(client, Packet::Subscribe(many));
    assert!(world.is_read(client));
    world.send(client, unsubscribe(2, "a"));
    world.send(client, Packet::Pingreq);
    assert_eq!(world.received(client).len(), 2, "SUBACK and UNSUBACK");
    world.pass(millis(99));
    assert_eq!(world.received(client), []);
    world.pass(millis(1));
    assert_eq!(world.received(client), [Packet::Pingresp]);
    assert_eq!(world.counters().limited[Limit::FilterRate as usize], 1);
}

/// Bytes are counted read by read, packets of any kind.
#[test]
fn bytes_have_a_rate_of_their_own() {
    for (too_fast, stays) in [(TooFast::Slow, true), (TooFast::Disconnect, false)] {
        let mut world = world(Rates {
            bytes: Rate {
                per_sec: 1000,
                burst: 100,
            },
            too_fast,
            ..Rates::default()
        });
        let client = world.client("client").connect();
        world.publish(client, "news", &"x".repeat(50), QoS::AtMostOnce);
        assert!(world.is_read(client));
        world.publish(client, "news", &"x".repeat(1000), QoS::AtMostOnce);
        assert_eq!(world.is_connected(client), stays);
        if stays {
            world.send(client, Packet::Pingreq);
            world.pass(millis(900));
            assert_eq!(world.received(client), []);
            world.pass(millis(200));
            assert_eq!(world.received(client), [Packet::Pingresp]);
        }
    }
}

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1: a client that the broker does not read is not silent.
#[test]
fn v5_3_1_2_22_a_client_that_is_slowed_down_keeps_its_connection() {
    let mut world = world(Rates {
        messages: Rate { per_sec: 1, burst: 1 },
        ..Rates::default()
    });
    let client = world.client("client").keep_alive(secs(2)).connect();
    flood(&mut world, client, 30);
    world.pass(secs(25));
    assert!(world.is_connected(client));
    world.pass(secs(40));
    assert!(!world.is_connected(client), "it is silent of its own accord");
}

/// The log is told once a second for each limit, with a client's name, and how often it was.
#[test]
fn the_log_is_told_now_and_then() {
    let mut world = world(messages(TooFast::Slow));
    let sender = world.client("sender").connect();
    flood(&mut world, sender, 30);
    world.pass(millis(500));
    assert_eq!(world.notices.len(), 1);
    assert_eq!(&*world.notices[0].client_id, "sender");
    world.pass(secs(2));
    let told: u64 = world.notices.iter().map(|reached| reached.times).sum();
    let counted = world.counters().limited[Limit::MessageRate as usize];
    assert!(world.notices.len() <= 3, "{:?}", world.notices);
    assert!(told <= counted && told > 10, "{told} of {counted}");
}

/// A listener's own rate stands in place of the common one.
#[test]
fn a_rate_may_hold_for_one_listener() {
    for (listener, stays) in [("elsewhere", true), ("test", false)] {
        let own = Arc::new(messages(TooFast::Disconnect));
        let mut world = World::limited(|limits| limits.rates.listeners = vec![(listener.into(), own)]);
        let sender = world.client("sender").connect();
        flood(&mut world, sender, 100);
        assert_eq!(world.is_connected(sender), stays);
    }
}
