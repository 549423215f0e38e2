//! What a client is told about its rights.

use std::sync::Arc;

use broker::acl::{Actions, Rule};
use broker::counters::Drop;
use broker::effect::Cause;
use broker::exchange::{Kind, Refusal};
use broker::identity::Identity;
use broker::message::Millis;
use mqtt_codec::{
    ConnackReason, DisconnectReason, Packet, Puback, PubackReason, Pubrec, PubrecReason, QoS, SubackReason,
    SubscribeFilter, Version,
};

use crate::world::packets::{filter, id, publish, publish_as, subscribe};
use crate::world::{Client, Config, World, millis, secs};

const V3: [Version; 2] = [Version::V31, Version::V311];

fn spy(world: &mut World, version: Version) -> Client {
    let builder = world.client("spy").version(version);
    builder
        .change(|connect| connect.username = Some("spy".into()))
        .connect()
}

/// [MQTT-3.4.2-1], [MQTT-3.5.2-1] in 5.0: the refusal has its reason, and nobody gets the message.
#[test]
fn v5_3_4_2_1_a_publish_without_the_right_is_refused_with_0x87() {
    let mut world = World::new();
    world.set_rights("user spy\nallow subscribe #\nallow publish open");
    let spy = spy(&mut world, Version::V5);
    world.subscribe(spy, "#", QoS::AtMostOnce);
    world.publish(spy, "secret", "0", QoS::AtMostOnce);
    world.send(spy, Packet::Publish(publish_as(1, "secret", "1", QoS::AtLeastOnce)));
    world.send(spy, Packet::Publish(publish_as(2, "secret", "2", QoS::ExactlyOnce)));
    let refused = [
        Packet::Puback(Puback::new(id(1), PubackReason::NotAuthorized)),
        Packet::Pubrec(Pubrec::new(id(2), PubrecReason::NotAuthorized)),
    ];
    assert_eq!(world.received(spy), refused);
    assert_eq!(
        world.counters().stopped[Kind::Publish as usize][Refusal::NotAuthorized as usize],
        3
    );
    world.publish(spy, "open", "open", QoS::AtMostOnce);
    assert_eq!(world.payloads(spy), ["open"]);
}

/// [MQTT-3.3.5-2] in 3.1.1: no acknowledgement can refuse, so the connection ends; QoS 0 is dropped.
#[test]
fn v311_3_3_5_2_a_publish_without_the_right_ends_the_connection() {
    for version in V3 {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut world = World::new();
            world.set_rights("");
            let spy = spy(&mut world, version);
            world.publish(spy, "secret", "0", QoS::AtMostOnce);
            assert!(world.is_connected(spy));
            world.publish(spy, "secret", "1", qos);
            assert_eq!(world.cause(spy), Some(Cause::Refused(Refusal::NotAuthorized)));
        }
    }
}

/// [MQTT-3.9.3-1] in 5.0: each filter has its own answer; 0x87 in 5.0, 0x80 in 3.1.1.
#[test]
fn v5_3_9_3_1_each_filter_is_judged_by_itself() {
    for version in [Version::V311, Version::V5] {
        let mut world = World::new();
        world.set_rights("allow subscribe a/#\nallow subscribe b qos<=1");
        let spy = spy(&mut world, version);
        let mut packet = subscribe(1, "a/+", QoS::AtLeastOnce);
        for (wanted, qos) in [
            ("secret", QoS::AtMostOnce),
            ("b", QoS::AtLeastOnce),
            ("b", QoS::ExactlyOnce),
            ("$share/g/secret", QoS::AtMostOnce),
            ("#", QoS::AtMostOnce),
        ] {
            packet.filters.push(SubscribeFilter::new(filter(wanted), qos));
        }
        let refused = match version {
            Version::V5 => SubackReason::NotAuthorized,
            Version::V31 | Version::V311 => SubackReason::UnspecifiedError,
        };
        let reasons = [
            SubackReason::granted(QoS::AtLeastOnce),
            refused,
            SubackReason::granted(QoS::AtLeastOnce),
            refused,
            refused,
            SubackReason::granted(QoS::AtMostOnce),
        ];
        assert_eq!(world.subscribe_with(spy, packet).reasons, reasons);
    }
}

/// A filter that is wider than the right is granted or refused, as the setting says.
#[test]
fn a_wide_filter_is_granted_or_refused_by_the_setting() {
    for is_granted in [true, false] {
        let mut world = World::limited(|limits| limits.access.wide_subscriptions = is_granted);
        world.set_rights("allow subscribe a/b\nallow publish #");
        let spy = spy(&mut world, Version::V5);
        let suback = world.subscribe_with(spy, subscribe(1, "a/#", QoS::AtMostOnce));
        assert_eq!(suback.reasons[0].is_error(), !is_granted);
        world.publish(spy, "a/b", "mine", QoS::AtMostOnce);
        world.publish(spy, "a/c", "not mine", QoS::AtMostOnce);
        assert_eq!(world.payloads(spy).len(), usize::from(is_granted));
        assert_eq!(
            world.counters().dropped[Drop::Forbidden as usize],
            u64::from(is_granted)
        );
    }
}

/// [MQTT-3.1.4-2] in 5.0 lets the server refuse: a will that may not be published is refused with its CONNECT.
#[test]
fn a_will_without_the_right_is_refused_with_its_connect() {
    let cases = [
        ("allow publish #", false, true),
        ("allow will secret", false, true),
        ("allow publish open", false, false),
        ("deny will secret\nallow publish #", false, false),
        ("deny retain #\nallow publish #", false, true),
        ("deny retain #\nallow publish #", true, false),
    ];
    for (book, retain, is_taken) in cases {
        for version in [Version::V311, Version::V5] {
            let mut world = World::new();
            world.set_rights(book);
            let builder = world.client("spy").version(version).will("secret", "gone", 0);
            let builder = builder.change(|connect| connect.will.as_mut().unwrap().retain = retain);
            let reason = builder.try_connect().1.unwrap().reason;
            let expected = if is_taken {
                ConnackReason::Success
            } else {
                ConnackReason::NotAuthorized
            };
            assert_eq!(reason, expected, "{book}, {retain}");
        }
    }
}

/// A client that loses its subscription learns of it by the end of its connection, or keeps the rest, by the setting.
#[test]
fn a_lost_subscription_ends_the_connection_unless_the_setting_keeps_it() {
    for disconnects in [true, false] {
        let mut world = World::limited(|limits| limits.access.loss_disconnects = disconnects);
        world.set_rights("allow all #");
        let spy = world.client("spy").persistent().connect();
        world.subscribe(spy, "secret", QoS::AtLeastOnce);
        world.subscribe(spy, "open", QoS::AtLeastOnce);
        let other = world.client("other").connect();
        world.subscribe(other, "open", QoS::AtLeastOnce);
        world.set_rights("deny subscribe secret\nallow all #");
        assert!(world.is_connected(other));
        assert_eq!(world.is_connected(spy), !disconnects);
        assert_eq!(world.tables.router.borrow().subscription_count(), 2);
        let spy = if disconnects {
            assert_eq!(world.cause(spy), Some(Cause::RightLost));
            assert_eq!(world.goodbye(spy), Some(DisconnectReason::NotAuthorized));
            world.client("spy").persistent().connect()
        } else {
            spy
        };
        world.publish(other, "secret", "secret", QoS::AtLeastOnce);
        world.publish(other, "open", "open", QoS::AtLeastOnce);
        assert_eq!(world.payloads(spy), ["open"]);
    }
}

/// A right that is lost while the router works on the SUBSCRIBE is lost.
#[test]
fn a_subscription_under_way_is_judged_again() {
    let mut world = World::new();
    world.set_rights("allow all #");
    let spy = spy(&mut world, Version::V5);
    world.hold_routes = true;
    world.send(spy, Packet::Subscribe(subscribe(1, "secret", QoS::AtMostOnce)));
    world.set_rights("deny all secret\nallow all #");
    assert!(world.is_connected(spy));
    world.release_routes();
    assert_eq!(world.cause(spy), Some(Cause::RightLost));
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
}

/// A subscription that is lost while its client is away is gone when it returns, and from the store.
#[test]
fn a_subscription_lost_while_away_is_gone() {
    let mut world = World::keeping(broker::durable::Durability::Disk);
    world.set_rights("allow all #");
    let spy = world.client("spy").persistent().connect();
    world.subscribe(spy, "secret", QoS::AtLeastOnce);
    world.drop_connection(spy);
    world.set_rights("deny all secret\nallow all #");
    assert_eq!(world.tables.router.borrow().subscription_count(), 1);
    let spy = world.client("spy").persistent().connect();
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
    assert!(world.is_connected(spy));
    world.crash(crate::world::store::Survive::All);
    assert_eq!(world.tables.router.borrow().subscription_count(), 0);
}

/// Nobody else takes over a session, however it is asked for; 0x85 in 5.0, 0x02 in 3.x. One without an owner is anyone's.
#[test]
fn a_session_belongs_to_the_name_that_opened_it() {
    for version in [Version::V31, Version::V311, Version::V5] {
        for (is_owned, crashes) in [(true, false), (true, true), (false, false)] {
            let mut world = World::limited(|limits| {
                limits.access.owned_sessions = is_owned;
                limits.durability = broker::durable::Durability::Disk;
            });
            let connect = |world: &mut World, name: Option<&'static str>, clean| {
                let builder = world.client("phone").version(version).persistent().clean(clean);
                let builder = builder.change(|connect| connect.username = name.map(Into::into));
                let (client, connack) = builder.try_connect();
                (client, connack.unwrap().reason)
            };
            let (first, _) = connect(&mut world, None, false);
            let (owner, reason) = connect(&mut world, Some("roger"), false);
            assert_eq!(reason, ConnackReason::Success);
            assert!(!world.is_connected(first));
            if crashes {
                world.crash(crate::world::store::Survive::Synced);
            }
            for (name, clean) in [
                (Some("mallory"), false),
                (Some("mallory"), true),
                (None, false),
                (None, true),
            ] {
                let reason = connect(&mut world, name, clean).1;
                if is_owned {
                    assert_eq!(reason, ConnackReason::ClientIdentifierNotValid, "{name:?}");
                    assert!(crashes || world.is_connected(owner));
                } else {
                    assert_eq!(reason, ConnackReason::Success);
                }
            }
            let reason = connect(&mut world, Some("roger"), false).1;
            assert_eq!(reason, ConnackReason::Success);
        }
    }
}

fn passing(seconds: u64) -> World {
    assert_eq!(seconds, 10, "the function below has no other");
    World::with(Config {
        identify: |connect| Identity {
            expires_at: Some(Millis(1_000_000 + secs(10))),
            ..Identity::named(connect.username.as_deref(), Arc::from("test"))
        },
        ..Config::default()
    })
}

/// What a client proved itself with is over, and so is its connection: 0x87. Its session stays.
#[test]
fn an_identity_that_expires_ends_the_connection() {
    for version in [Version::V311, Version::V5] {
        let mut world = passing(10);
        let guest = world.client("guest").version(version).persistent().connect();
        world.pass(millis(9_999));
        assert!(world.is_connected(guest));
        world.pass(millis(1));
        assert_eq!(world.cause(guest), Some(Cause::IdentityExpired));
        let said = (version == Version::V5).then_some(DisconnectReason::NotAuthorized);
        assert_eq!(world.goodbye(guest), said);
        assert_eq!(world.counters().sessions, 1);
    }
}

/// The time of an earlier connection says nothing about a later one.
#[test]
fn an_expiry_is_of_its_own_connection() {
    let mut world = World::with(Config {
        identify: |connect| Identity {
            expires_at: connect.clean_start.then_some(Millis(1_000_000 + secs(10))),
            ..Identity::named(None, Arc::from("test"))
        },
        ..Config::default()
    });
    let first = world.client("guest").connect();
    let second = world.client("guest").persistent().connect();
    assert!(!world.is_connected(first));
    world.pass(secs(60));
    assert!(world.is_connected(second));
}

/// Rights that came with the authentication hold where there is no book, and for their bearer alone.
#[test]
fn grants_hold_without_a_book() {
    let mut world = World::with(Config {
        identify: |connect| {
            let mut identity = Identity::named(connect.username.as_deref(), Arc::from("test"));
            if connect.username.is_some() {
                identity.grants = vec![Rule::new(true, Actions::SUBSCRIBE, "home/%u/#").unwrap()];
            }
            identity
        },
        ..Config::default()
    });
    let chief = world.client("chief").connect();
    let guest = world
        .client("guest")
        .change(|connect| connect.username = Some("roger".into()))
        .connect();
    let suback = world.subscribe_with(guest, subscribe(1, "home/other", QoS::AtMostOnce));
    assert_eq!(suback.reasons, [SubackReason::NotAuthorized]);
    world.subscribe(guest, "#", QoS::AtMostOnce);
    world.publish(chief, "home/other", "other", QoS::AtMostOnce);
    world.publish(chief, "home/roger/a", "own", QoS::AtMostOnce);
    assert_eq!(world.payloads(guest), ["own"]);
    world.send(guest, Packet::Publish(publish("home/roger/a", "", QoS::AtMostOnce)));
    assert_eq!(world.payloads(guest), [""; 0]);
}

/// What was decided for a client is not what is decided for the same session with other rights or from elsewhere.
#[test]
fn a_client_that_returns_to_its_session_is_judged_as_it_returns() {
    let mut world = World::new();
    world.set_rights("user chief\nallow all #\naddress 10.0.0.0/8\nallow all #");
    let chief = world
        .client("chief")
        .change(|connect| connect.username = Some("chief".into()))
        .connect();
    world.subscribe(chief, "#", QoS::AtMostOnce);
    for (address, expected) in [
        ("10.1.1.1:5000", 2),
        ("192.0.2.1:5000", 0),
        ("10.1.1.2:5000", 2),
        ("192.0.2.1:5000", 0),
    ] {
        world.address = address.parse().ok();
        let sensor = world.client("sensor").persistent().connect();
        world.publish(sensor, "news", "one", QoS::AtMostOnce);
        world.publish(sensor, "news", "two", QoS::AtMostOnce);
        assert_eq!(world.payloads(chief).len(), expected, "from {address}");
    }
}

/// A delayed will is judged by where its client came from, though it is gone.
#[test]
fn a_delayed_will_keeps_the_address_of_its_client() {
    for (address, expected) in [("10.1.1.1:5000", 1), ("192.0.2.1:5000", 0)] {
        let mut world = World::new();
        world.set_rights("user chief\nallow all #");
        let chief = world
            .client("chief")
            .change(|connect| connect.username = Some("chief".into()))
            .connect();
        world.subscribe(chief, "#", QoS::AtMostOnce);
        world.set_rights("user chief\nallow all #\neveryone\nallow publish #");
        world.address = address.parse().ok();
        let sensor = world.client("sensor").persistent().will("alarm", "gone", 60).connect();
        world.set_rights("user chief\nallow all #\naddress 10.0.0.0/8\nallow publish alarm");
        world.drop_connection(sensor);
        world.pass(secs(61));
        assert_eq!(world.payloads(chief).len(), expected, "{address}");
    }
}

/// A client that is away is not kept from others by messages that it may never have: its queue does not fill with them.
#[test]
fn what_may_not_be_received_does_not_fill_a_queue() {
    let mut world = World::limited(|limits| limits.queue_messages_max = 2);
    world.set_rights("user chief\nallow all #\nuser spy\nallow subscribe open");
    let name = |name: &'static str| move |connect: &mut mqtt_codec::Connect| connect.username = Some(name.into());
    let spy = world.client("spy").persistent().change(name("spy")).connect();
    world.subscribe(spy, "#", QoS::AtLeastOnce);
    world.drop_connection(spy);
    let chief = world.client("chief").change(name("chief")).connect();
    for number in 1..10 {
        world.send(
            chief,
            Packet::Publish(publish_as(number, "secret", "", QoS::AtLeastOnce)),
        );
    }
    assert!(world.received(chief).iter().all(|packet| !packet_is_refusal(packet)));
    assert_eq!(world.counters().dropped[Drop::Forbidden as usize], 9);
    assert_eq!(world.counters().queued, 0);
}

fn packet_is_refusal(packet: &Packet) -> bool {
    matches!(packet, Packet::Puback(puback) if puback.reason.is_error())
}

/// Each question that is put to the rights counts, by what was asked and what the answer was.
#[test]
fn questions_and_answers_are_counted() {
    let mut world = World::new();
    world.set_rights("user spy\nallow subscribe open/#\nallow publish open");
    let spy = spy(&mut world, Version::V5);
    world.send(spy, Packet::Subscribe(subscribe(1, "open/a", QoS::AtMostOnce)));
    world.send(spy, Packet::Subscribe(subscribe(2, "secret", QoS::AtMostOnce)));
    world.publish(spy, "open", "1", QoS::AtMostOnce);
    world.publish(spy, "secret", "2", QoS::AtMostOnce);
    let builder = world
        .client("bomber")
        .change(|connect| connect.username = Some("spy".into()));
    builder.will("secret", "boom", 0).try_connect();
    let counters = world.counters();
    let counted: Vec<_> = counters.rights().collect();
    let expected = [
        ("publish", [1, 1]),
        ("will", [1, 0]),
        ("subscribe", [1, 1]),
        ("receive", [0, 0]),
    ];
    assert_eq!(counted, expected);
}
