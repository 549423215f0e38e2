//! The policy's verdicts: proceed, block, stop, cancel, for what a client asks and for what it is sent.

use std::collections::HashSet;

use broker::counters::Drop;
use broker::effect::Cause;
use broker::exchange::phase::Running;
use broker::exchange::{Ask, Ended, Exchange, Kind, Overseer, Refusal, Request, Verdict};
use mqtt_codec::{
    ConnackReason, Packet, Puback, PubackReason, Pubrec, PubrecReason, QoS, SubackReason, UnsubackReason, Version,
};

use crate::world::packets::{id, puback, publish_as, pubrel, subscribe, unsubscribe};
use crate::world::{Client, Config, World, millis};

const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// Reads its orders from the topic: `publish/stop` is stopped when it is published, `deliver/wait/…` waits before it is
/// delivered, and so on. Deliveries are judged for clients whose id begins with `barred`; others get everything.
#[derive(Default)]
struct Customs {
    waited: HashSet<String>,
}

impl Customs {
    fn orders(&mut self, word: &str, topic: &str) -> Verdict {
        match topic.strip_prefix(word).and_then(|rest| rest.split('/').nth(1)) {
            Some("stop") => Verdict::Stop(Refusal::NotAuthorized),
            Some("cancel") => Verdict::Cancel,
            Some("wait") if self.waited.insert(topic.to_owned()) => Verdict::Block(500),
            Some(_) | None => Verdict::Proceed,
        }
    }
}

impl Overseer for Customs {
    fn on_running(&mut self, _: &Exchange<Running>, request: &Request<'_>) -> Verdict {
        match request.ask {
            Ask::Connect(_)
                if request.client_id.starts_with("held") && self.waited.insert(request.client_id.to_string()) =>
            {
                Verdict::Block(500)
            }
            Ask::Connect(_) => Verdict::Proceed,
            Ask::Publish(publish) => self.orders("publish", &publish.topic),
            Ask::Will(message) => self.orders("will", &message.topic),
            Ask::Subscribe(wanted) => self.orders("subscribe", &wanted.filter),
            Ask::Unsubscribe(filter) => self.orders("unsubscribe", filter),
            Ask::Deliver(outgoing) if request.client_id.starts_with("barred") => {
                self.orders("deliver", &outgoing.message.topic)
            }
            Ask::Deliver(_) => Verdict::Proceed,
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}

fn guarded() -> World {
    World::with(Config {
        overseer: || Box::new(Customs::default()),
        ..Config::default()
    })
}

/// A guarded world with a sender of this version and a reader of everything.
fn border(version: Version) -> (World, Client, Client) {
    let mut world = guarded();
    let sender = world.client("sender").version(version).connect();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "#", QoS::AtLeastOnce);
    (world, sender, reader)
}

/// [MQTT-3.4.2-1] in 5.0, [MQTT-3.5.2-1] in 5.0: Stop is a refusal with its reason; nobody gets the message, and it is
/// not retained.
#[test]
fn v5_3_4_2_1_a_forbidden_publish_is_refused_with_a_reason() {
    let (mut world, sender, reader) = border(Version::V5);
    world.retain(sender, "publish/stop", "0");
    world.send(
        sender,
        Packet::Publish(publish_as(1, "publish/stop", "1", QoS::AtLeastOnce)),
    );
    world.send(
        sender,
        Packet::Publish(publish_as(2, "publish/stop", "2", QoS::ExactlyOnce)),
    );
    let refused = [
        Packet::Puback(Puback::new(id(1), PubackReason::NotAuthorized)),
        Packet::Pubrec(Pubrec::new(id(2), PubrecReason::NotAuthorized)),
    ];
    assert_eq!(world.received(sender), refused);
    assert_eq!(world.payloads(reader), [""; 0]);
    assert!(world.tables.retained.borrow().is_empty());
    assert_eq!(
        world.counters().stopped[Kind::Publish as usize][Refusal::NotAuthorized as usize],
        3
    );
}

/// [MQTT-3.3.5-2] in 3.1.1: where an acknowledgement cannot refuse, the connection ends; QoS 0 is refused in silence.
#[test]
fn v311_3_3_5_2_a_forbidden_publish_ends_the_connection() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (mut world, sender, reader) = border(Version::V311);
        world.publish(sender, "publish/stop", "0", QoS::AtMostOnce);
        assert!(world.is_connected(sender));
        world.send(sender, Packet::Publish(publish_as(1, "publish/stop", "1", qos)));
        assert_eq!(world.received(sender), []);
        assert_eq!(world.cause(sender), Some(Cause::Refused(Refusal::NotAuthorized)));
        assert_eq!(world.payloads(reader), [""; 0]);
    }
}

/// Cancel is silence: no answer, no delivery, and the connection goes on.
#[test]
fn a_canceled_publish_has_no_answer() {
    for version in BOTH {
        let (mut world, sender, reader) = border(version);
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            world.publish(sender, "publish/cancel", "", qos);
        }
        world.publish(sender, "free", "free", QoS::AtLeastOnce);
        assert_eq!(world.received(sender), [puback(id(1))]);
        assert_eq!(world.payloads(reader), ["free"]);
        assert_eq!(world.counters().canceled[Kind::Publish as usize], 3);
    }
}

/// Block holds the connection where it is, so that its order is kept, and nobody else's.
#[test]
fn a_blocked_publish_waits_and_keeps_its_place() {
    for version in BOTH {
        let (mut world, sender, reader) = border(version);
        world.send(
            sender,
            Packet::Publish(publish_as(1, "publish/wait", "first", QoS::AtLeastOnce)),
        );
        world.send(
            sender,
            Packet::Publish(publish_as(2, "free", "second", QoS::AtLeastOnce)),
        );
        let other = world.client("other").connect();
        world.publish(other, "free", "other", QoS::AtMostOnce);
        world.pass(millis(499));
        assert_eq!(world.received(sender), []);
        assert_eq!(world.payloads(reader), ["other"]);

        world.pass(millis(1));
        assert_eq!(world.received(sender), [puback(id(1)), puback(id(2))]);
        assert_eq!(world.payloads(reader), ["first", "second"]);
    }
}

/// A connection that ends while its request is held takes the request along.
#[test]
fn a_held_request_ends_with_its_connection() {
    let (mut world, sender, reader) = border(Version::V5);
    world.send(
        sender,
        Packet::Publish(publish_as(1, "publish/wait", "never", QoS::AtLeastOnce)),
    );
    assert_eq!(world.counters().open_exchanges(), 1);
    world.drop_connection(sender);
    assert_eq!(world.counters().open_exchanges(), 0);
    world.pass(millis(1_000));
    assert_eq!(world.payloads(reader), [""; 0]);
}

/// [MQTT-3.9.3-2] in 5.0, [MQTT-3.9.3-2] in 3.1.1, [MQTT-3.11.3-2] in 5.0: a subscription that is forbidden is refused in
/// SUBACK and does not exist; UNSUBSCRIBE likewise.
#[test]
fn v5_3_9_3_2_a_forbidden_subscription_is_refused() {
    for version in BOTH {
        let mut world = guarded();
        let client = world.client("client").version(version).connect();
        let suback = world.subscribe_with(client, subscribe(1, "subscribe/stop", QoS::ExactlyOnce));
        let refused = if version == Version::V5 {
            SubackReason::NotAuthorized
        } else {
            SubackReason::UnspecifiedError
        };
        assert_eq!(suback.reasons, [refused]);
        assert_eq!(world.tables.router.borrow().subscription_count(), 0);

        world.subscribe(client, "unsubscribe/stop", QoS::AtMostOnce);
        world.send(client, unsubscribe(2, "unsubscribe/stop"));
        let [Packet::Unsuback(unsuback)] = &world.received(client)[..] else {
            panic!("an UNSUBACK")
        };
        let refused = (version == Version::V5).then_some(UnsubackReason::NotAuthorized);
        assert_eq!(unsuback.reasons, Vec::from_iter(refused));
        assert_eq!(world.tables.router.borrow().subscription_count(), 1);
    }
}

/// The other verdicts for SUBSCRIBE and UNSUBSCRIBE: silence, and an answer when the hold is over.
#[test]
fn subscribing_can_be_canceled_and_blocked() {
    let mut world = guarded();
    let client = world.client("client").connect();
    world.send(
        client,
        Packet::Subscribe(subscribe(1, "subscribe/cancel", QoS::AtMostOnce)),
    );
    world.send(client, unsubscribe(2, "unsubscribe/cancel"));
    world.send(
        client,
        Packet::Subscribe(subscribe(3, "subscribe/wait", QoS::AtMostOnce)),
    );
    world.send(client, unsubscribe(4, "unsubscribe/wait"));
    assert_eq!(world.received(client), []);
    world.pass(millis(500));
    assert!(matches!(&world.received(client)[..], [Packet::Suback(suback)] if suback.packet_id == id(3)));
    world.pass(millis(500));
    assert!(matches!(&world.received(client)[..], [Packet::Unsuback(unsuback)] if unsuback.packet_id == id(4)));
    assert_eq!(world.counters().open_exchanges(), 0);
}

/// A forbidden delivery reaches its client by no road: live, queued, retained, shared, or as a will.
#[test]
fn a_forbidden_delivery_has_no_way_round() {
    for verdict in ["stop", "cancel"] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let topic = format!("deliver/{verdict}");
            let mut world = guarded();
            let sender = world.client("sender").will(&topic, "will", 0).connect();
            let barred = world.client("barred").persistent().connect();
            let free = world.client("free").connect();
            for reader in [barred, free] {
                world.subscribe(reader, "#", qos);
            }
            world.publish(sender, &topic, "live", qos);
            world.retain(sender, &topic, "retained");
            world.subscribe(barred, &topic, qos);
            world.drop_connection(barred);
            world.send(sender, pubrel(id(1)));
            world.publish(sender, &topic, "queued", qos);
            let barred = world.client("barred").persistent().connect();
            world.drop_connection(sender);
            assert_eq!(world.payloads(barred), [""; 0], "{topic} at {qos:?}");
            assert_eq!(world.payloads(free), ["live", "retained", "queued", "will"]);
            let away = u64::from(qos == QoS::AtMostOnce);
            let dropped = world.counters().dropped;
            assert_eq!(dropped[Drop::Forbidden as usize], 5 - away, "{topic} at {qos:?}");
            assert_eq!(dropped[Drop::Away as usize], away);
            assert_eq!(world.counters().inflight, world.publishes_open(free));
        }
    }
}

impl World {
    /// Deliveries that only this client can have open: the counter knows no clients, so nobody else may have any.
    fn publishes_open(&self, client: Client) -> u64 {
        assert!(self.is_connected(client));
        self.counters().open_exchanges()
    }
}

/// A shared group asks a member that may have the message.
#[test]
fn a_forbidden_member_is_passed_over() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut world = guarded();
        let sender = world.client("sender").connect();
        let members = ["barred-1", "free", "barred-2"].map(|name| {
            let member = world.client(name).connect();
            world.subscribe(member, "$share/g/#", QoS::AtLeastOnce);
            member
        });
        for _ in 0..6 {
            world.publish(sender, "deliver/stop", "job", qos);
        }
        assert_eq!(members.map(|member| world.publishes(member).len()), [0, 6, 0]);
        assert_eq!(world.counters().dropped_total(), 0);
    }
}

/// A delivery that is to wait keeps its place before later ones, for this client alone.
#[test]
fn a_blocked_delivery_waits_and_keeps_its_place() {
    for version in BOTH {
        let mut world = guarded();
        let sender = world.client("sender").connect();
        let readers = ["barred", "free"].map(|name| {
            let reader = world.client(name).version(version).connect();
            world.subscribe(reader, "#", QoS::AtLeastOnce);
            reader
        });
        world.publish(sender, "deliver/wait", "first", QoS::AtLeastOnce);
        world.publish(sender, "deliver/free", "second", QoS::AtLeastOnce);
        assert_eq!(world.payloads(readers[1]), ["first", "second"]);
        world.pass(millis(499));
        assert_eq!(world.payloads(readers[0]), [""; 0]);
        assert_eq!(world.counters().queued, 2);
        world.pass(millis(1));
        assert_eq!(world.payloads(readers[0]), ["first", "second"]);
    }
}

/// Trap 20: a will is judged as any message when it is published, whatever way its client went. It has nobody who could
/// wait or be told, so that a verdict other than Proceed drops it, counted.
#[test]
fn a_will_is_judged_like_any_other_message() {
    for delay_secs in [0, 5] {
        let (mut world, _, reader) = border(Version::V5);
        for (id, topic) in [("one", "will/stop"), ("two", "will/wait"), ("three", "will/go")] {
            let client = world.client(id).persistent().will(topic, "gone", delay_secs).connect();
            world.drop_connection(client);
        }
        world.pass(millis(5000));
        let topics: Vec<String> = world
            .publishes(reader)
            .iter()
            .map(|publish| publish.topic.to_string())
            .collect();
        assert_eq!(topics, ["will/go"]);
        let counters = world.counters();
        assert_eq!(
            counters.stopped[Kind::Will as usize][Refusal::NotAuthorized as usize],
            2
        );
        assert_eq!(counters.finished[Kind::Will as usize], 1);
        assert_eq!(counters.dropped[Drop::Forbidden as usize], 2);
    }
}

/// A CONNECT that is held is judged again when its time is over, unless its client has been banned meanwhile.
#[test]
fn who_is_banned_while_it_is_held_does_not_come_in() {
    for version in BOTH {
        let mut world = guarded();
        let (client, connack) = world.client("held-1").version(version).try_connect();
        assert_eq!(connack.map(|connack| connack.reason), Some(ConnackReason::Success));
        assert!(world.is_connected(client));
        world.bans_the_held = true;
        let (client, connack) = world.client("held-2").version(version).try_connect();
        // 3.1.1 has no return code for it, and the connection ends without one.
        let expected = (version == Version::V5).then_some(ConnackReason::Banned);
        assert_eq!(connack.map(|connack| connack.reason), expected);
        assert!(!world.is_connected(client));
        assert!(world.lines.iter().all(|line| line.sight_of("held-2").is_none()));
    }
}
