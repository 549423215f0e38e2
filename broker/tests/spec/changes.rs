//! An overseer that changes what is asked for, sets messages off, and ends connections: on each path.

use broker::counters::Drop;
use broker::effect::Cause;
use broker::exchange::phase::Running;
use broker::exchange::{Ask, Changes, Ended, Exchange, Kind, Overseer, Refusal, Request, Verdict};
use broker::message::Message;
use mqtt_codec::{ConnackReason, DisconnectReason, Packet, QoS, SubackReason, UnsubackReason, Version};
use std::sync::Arc;

use broker::durable::Durability;

use crate::world::packets::{filter, id, puback, publish_as, pubrec, subscribe, topic, unsubscribe};
use crate::world::store::Survive;
use crate::world::{Client, Config, World, millis};

const BOTH: [Version; 2] = [Version::V311, Version::V5];
const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Reads its orders from the topic: `publish/KIND/ORDER` and so on. Deliveries are judged for clients whose id begins
/// with `guest`.
#[derive(Default)]
struct Scribe {
    set_off: Vec<Arc<Message>>,
    waited: bool,
}

impl Scribe {
    fn orders(&mut self, word: &str, name: &str) -> Verdict {
        let order = name.strip_prefix(word).and_then(|rest| rest.strip_prefix('/'));
        let mut changes = Changes::default();
        match order {
            Some("move") => changes.topic = Some(topic("moved")),
            Some("forbidden") => changes.topic = Some(topic("forbidden")),
            Some("system") => changes.topic = Some(topic("$SYS/x")),
            Some("say") => changes.payload = Some("changed".into()),
            Some("lower") => changes.qos = Some(QoS::AtMostOnce),
            Some("raise") => changes.qos = Some(QoS::AtLeastOnce),
            Some("keep") => changes.retain = Some(true),
            Some("mark") => changes.user_properties = vec![("seen".into(), "yes".into())],
            Some("end") => return Verdict::Disconnect(Refusal::QuotaExceeded),
            Some("stop") => return Verdict::Stop(Refusal::NotAuthorized),
            Some("cancel") => return Verdict::Cancel,
            Some("wait") => {
                self.waited = !self.waited;
                return if self.waited {
                    Verdict::Block(500)
                } else {
                    Verdict::Proceed
                };
            }
            Some("alarm" | "alarm/stop") => {
                self.set_off.push(alarm("alarms"));
                return if name.ends_with("stop") {
                    Verdict::Stop(Refusal::NotAuthorized)
                } else {
                    Verdict::Proceed
                };
            }
            Some("alarm/system") => {
                self.set_off.push(alarm("$SYS/alarms"));
                return Verdict::Proceed;
            }
            Some(_) | None => return Verdict::Proceed,
        }
        Verdict::Change(Box::new(changes))
    }
}

fn alarm(name: &str) -> Arc<Message> {
    Arc::new(Message {
        topic: topic(name),
        payload: "alarm".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
        publisher: None,
        id: 0,
        arrived_micros: 0,
        trace: None,
    })
}

impl Overseer for Scribe {
    fn on_running(&mut self, _: &Exchange<Running>, request: &Request<'_>) -> Verdict {
        match request.ask {
            Ask::Connect(_) => self.orders("connect", request.client_id),
            Ask::Publish(publish) => self.orders("publish", &publish.topic),
            Ask::Will(message) => self.orders("will", &message.topic),
            Ask::Subscribe(wanted) => self.orders("subscribe", &wanted.filter),
            Ask::Unsubscribe(filter) => self.orders("unsubscribe", filter),
            Ask::Deliver(outgoing) if request.client_id.starts_with("guest") => {
                self.orders("deliver", &outgoing.message.topic)
            }
            Ask::Deliver(_) => Verdict::Proceed,
        }
    }

    fn on_ended(&mut self, _: &Ended) {}

    fn take_messages(&mut self, into: &mut Vec<Arc<Message>>) {
        into.append(&mut self.set_off);
    }
}

fn scribed() -> World {
    World::with(Config {
        overseer: || Box::new(Scribe::default()),
        ..Config::default()
    })
}

/// A world with a sender of this version and a reader of everything.
fn desk(version: Version) -> (World, Client, Client) {
    let mut world = scribed();
    let sender = world.client("sender").version(version).connect();
    let reader = world.client("reader").connect();
    world.subscribe(reader, "#", QoS::ExactlyOnce);
    (world, sender, reader)
}

/// The publisher is answered by the QoS that it chose, whatever the message has behind it.
#[test]
fn a_publish_is_changed_and_answered_as_it_was_sent() {
    for version in BOTH {
        for qos in ALL_QOS {
            let (mut world, sender, reader) = desk(version);
            for order in ["move", "say", "lower", "raise", "keep", "mark"] {
                world.publish(sender, &format!("publish/{order}"), "as sent", qos);
                let answer = match qos {
                    QoS::AtMostOnce => None,
                    QoS::AtLeastOnce => Some(puback(id(1))),
                    QoS::ExactlyOnce => Some(pubrec(id(1))),
                };
                assert_eq!(world.received(sender), Vec::from_iter(answer), "{order}");
                world.send(sender, crate::world::packets::pubrel(id(1)));
                world.received(sender);
            }
            let got = world.publishes(reader);
            assert_eq!(&*got[0].topic, "moved");
            assert_eq!(&*got[1].payload, b"changed");
            assert_eq!([got[2].qos, got[3].qos], [QoS::AtMostOnce, QoS::AtLeastOnce]);
            assert_eq!(world.tables.retained.borrow().len(), 1);
            let properties = &got[5].properties.as_ref().unwrap().user_properties;
            assert_eq!(properties, &[("seen".into(), "yes".into())]);
        }
    }
}

/// A topic that the overseer sets is as forbidden to the client as one that it wrote itself.
#[test]
fn a_changed_topic_is_judged_by_the_rights_again() {
    let book = "topic readwrite publish/#\ntopic readwrite will/#\ntopic readwrite moved\ntopic read #\n";
    let (mut world, sender, reader) = desk(Version::V5);
    world.set_rights(book);
    world.publish(sender, "publish/forbidden", "no", QoS::AtLeastOnce);
    world.publish(sender, "publish/system", "no", QoS::AtLeastOnce);
    world.publish(sender, "publish/move", "yes", QoS::AtLeastOnce);
    for name in ["will/forbidden", "will/system", "will/move"] {
        let client = world.client(name).will(name, "will", 0).connect();
        world.drop_connection(client);
    }
    assert_eq!(world.payloads(reader), ["yes", "will"]);
    assert_eq!(world.counters().finished[Kind::Publish as usize], 1);
    assert_eq!(world.counters().finished[Kind::Will as usize], 1);
}

/// What is set off comes after its occasion, as the broker's own: whoever may not publish there set it off all the same,
/// and the occasion may have been refused. Its topic is a client's all the same.
#[test]
fn messages_are_set_off_besides() {
    for version in BOTH {
        let (mut world, sender, reader) = desk(version);
        world.subscribe(reader, "$SYS/#", QoS::AtMostOnce);
        world.set_rights("topic readwrite publish/#\ntopic readwrite will/#\ntopic read #\ntopic read $SYS/#\n");
        world.publish(sender, "publish/alarm", "occasion", QoS::AtMostOnce);
        world.publish(sender, "publish/alarm/stop", "refused", QoS::AtMostOnce);
        world.publish(sender, "publish/alarm/system", "let through", QoS::AtMostOnce);
        let client = world.client("client").will("will/alarm", "gone", 0).connect();
        world.drop_connection(client);
        let expected = ["occasion", "alarm", "alarm", "let through", "gone", "alarm"];
        assert_eq!(world.payloads(reader), expected);
    }
}

/// A publisher that is refused because a receiver's queue is full tries again, and only then is it set off.
#[test]
fn nothing_is_set_off_by_what_finds_no_room() {
    let mut config = Config {
        overseer: || Box::new(Scribe::default()),
        ..Config::default()
    };
    config.limits.queue_messages_max = 1;
    let mut world = World::with(config);
    let full = world.client("full").persistent().connect();
    world.subscribe(full, "publish/#", QoS::AtLeastOnce);
    world.drop_connection(full);
    let reader = world.client("reader").connect();
    world.subscribe(reader, "alarms", QoS::AtLeastOnce);
    let sender = world.client("sender").connect();
    for _ in 0..3 {
        world.publish(sender, "publish/alarm", "occasion", QoS::AtLeastOnce);
    }
    assert_eq!(world.payloads(reader), ["alarm"]);
}

/// [MQTT-3.14.0-1] in 5.0: DISCONNECT with its reason; 3.x is closed. The client's will is published, as with any end
/// that it did not choose.
#[test]
fn a_client_is_disconnected_for_what_it_asks() {
    let asks: [fn(&mut World, Client); 3] = [
        |world, client| {
            world.send(
                client,
                Packet::Publish(publish_as(1, "publish/end", "", QoS::AtLeastOnce)),
            )
        },
        |world, client| {
            world.send(
                client,
                Packet::Subscribe(subscribe(1, "subscribe/end", QoS::AtMostOnce)),
            )
        },
        |world, client| world.send(client, unsubscribe(1, "unsubscribe/end")),
    ];
    for version in BOTH {
        for ask in asks {
            let (mut world, _, reader) = desk(version);
            let client = world.client("client").version(version).will("w", "gone", 0).connect();
            ask(&mut world, client);
            assert_eq!(world.cause(client), Some(Cause::Policy(Refusal::QuotaExceeded)));
            let goodbye = (version == Version::V5).then_some(DisconnectReason::QuotaExceeded);
            assert_eq!(world.goodbye(client), goodbye);
            assert_eq!(world.payloads(reader), ["gone"]);
        }
    }
}

/// A CONNECT is refused by its CONNACK, whether the connection would have ended or not.
#[test]
fn a_client_that_is_not_in_yet_hears_it_by_connack() {
    let (_, connack) = scribed().client("connect/end").try_connect();
    assert_eq!(connack.unwrap().reason, ConnackReason::QuotaExceeded);
}

/// A receiver is disconnected for what it would be sent, on each road; the message is not among what it gets.
#[test]
fn a_receiver_is_disconnected_for_what_it_would_be_sent() {
    for version in BOTH {
        for qos in ALL_QOS {
            for road in ["live", "retained", "queued", "shared"] {
                let mut world = scribed();
                let sender = world.client("sender").connect();
                let guest = world.client("guest").version(version).persistent().connect();
                let other = world.client("other").connect();
                if road == "shared" {
                    world.subscribe(guest, "$share/g/deliver/end", QoS::ExactlyOnce);
                    world.subscribe(other, "$share/g/deliver/end", QoS::ExactlyOnce);
                    // Two jobs, so that it is the guest's turn in one of them.
                    world.publish(sender, "deliver/end", "", qos);
                } else if road != "retained" {
                    world.subscribe(guest, "deliver/end", QoS::ExactlyOnce);
                }
                let guest = if road == "queued" && qos != QoS::AtMostOnce {
                    world.drop_connection(guest);
                    world.publish(sender, "deliver/end", "", qos);
                    world.client("guest").version(version).persistent().connect()
                } else if road == "retained" {
                    world.retain(sender, "deliver/end", "kept");
                    world.send(guest, Packet::Subscribe(subscribe(7, "deliver/end", QoS::AtMostOnce)));
                    guest
                } else {
                    world.send(sender, crate::world::packets::pubrel(id(1)));
                    world.publish(sender, "deliver/end", "", qos);
                    guest
                };
                let what = format!("{road} at {qos:?} in {version:?}");
                assert_eq!(
                    world.cause(guest),
                    Some(Cause::Policy(Refusal::QuotaExceeded)),
                    "{what}"
                );
                assert_eq!(world.publishes(guest), [], "{what}");
                assert_eq!(world.counters().connected, 2, "{what}");
                if road == "shared" {
                    assert_eq!(world.publishes(other).len(), 2, "another member has it: {what}");
                }
            }
        }
    }
}

/// What a guest is shown differs, on each road and at each attempt; others get what was published.
#[test]
fn a_delivery_is_changed_for_its_receiver_alone() {
    for qos in ALL_QOS {
        let mut world = scribed();
        let sender = world.client("sender").connect();
        let readers = ["other-1", "guest", "other-2"].map(|name| {
            let reader = world.client(name).persistent().connect();
            world.subscribe(reader, "#", qos);
            reader
        });
        world.publish(sender, "deliver/say", "live", qos);
        world.retain(sender, "deliver/say", "retained");
        let shown = readers.map(|reader| world.payloads(reader));
        assert_eq!(
            shown,
            [["live", "retained"], ["changed", "changed"], ["live", "retained"]]
        );
        // What was not acknowledged comes again, and so does what is retained.
        for (reader, name) in readers.into_iter().zip(["other-1", "guest", "other-2"]) {
            world.drop_connection(reader);
            let reader = world.client(name).persistent().connect();
            world.subscribe(reader, "deliver/say", QoS::AtMostOnce);
            let expected = |text: &str| text.replace("live", if name == "guest" { "changed" } else { "live" });
            let got = world.payloads(reader);
            let again = usize::from(qos != QoS::AtMostOnce);
            assert_eq!(got.len(), 1 + again, "{name} at {qos:?}: {got:?}");
            if again == 1 {
                assert_eq!(got[0], expected("live"), "{name} at {qos:?}");
            }
            assert_eq!(got[again] == "changed", name == "guest");
        }
    }
}

/// A message that a guest was shown in another form comes back from the store as it was published, and is changed again.
#[test]
fn what_the_store_gives_back_is_changed_again() {
    let mut config = Config {
        overseer: || Box::new(Scribe::default()),
        ..Config::default()
    };
    config.limits.durability = Durability::Disk;
    config.limits.inflight_max = 1;
    let mut world = World::with(config);
    let sender = world.client("sender").connect();
    let guest = world.client("guest").persistent().connect();
    world.subscribe(guest, "#", QoS::AtLeastOnce);
    world.publish(sender, "deliver/say", "first", QoS::AtLeastOnce);
    world.publish(sender, "deliver/say", "second", QoS::AtLeastOnce);
    assert_eq!(world.payloads(guest), ["changed"]);
    world.crash(Survive::Synced);
    let guest = world.client("guest").persistent().connect();
    for _ in 0..2 {
        let got = world.publishes(guest);
        assert_eq!(got.len(), 1);
        assert_eq!(&*got[0].payload, b"changed");
        world.acknowledge(guest, &got[0]);
    }
}

/// An attempt that is to wait does so with all that stands behind it, also when it is not the first.
#[test]
fn a_resend_waits_in_its_place() {
    let mut world = scribed();
    let sender = world.client("sender").connect();
    let guest = world.client("guest").persistent().connect();
    world.subscribe(guest, "#", QoS::AtLeastOnce);
    world.publish(sender, "deliver/wait", "first", QoS::AtLeastOnce);
    world.publish(sender, "deliver/free", "second", QoS::AtLeastOnce);
    world.pass(millis(500));
    assert_eq!(world.payloads(guest), ["first", "second"]);
    world.drop_connection(guest);
    let guest = world.client("guest").persistent().connect();
    world.pass(millis(499));
    assert_eq!(world.payloads(guest), [""; 0]);
    world.pass(millis(1));
    let got = world.publishes(guest);
    assert!(got.iter().all(|publish| publish.dup));
    assert_eq!(
        got.iter().map(|publish| &publish.payload[..]).collect::<Vec<_>>(),
        [&b"first"[..], b"second"]
    );
    got.iter().for_each(|publish| world.acknowledge(guest, publish));
    assert_eq!(world.counters().open_exchanges(), 0);
    assert_eq!(world.counters().inflight, 0);
}

/// [MQTT-3.9.3-1] in 5.0, [MQTT-3.11.3-1] in 5.0: each filter is judged by itself and has its code in its place. One that
/// is to be refused in silence has one as well, unless all are.
#[test]
fn each_filter_has_its_own_verdict() {
    let mut world = scribed();
    let client = world.client("client").connect();
    let mut packet = subscribe(1, "subscribe/stop", QoS::ExactlyOnce);
    for name in ["free", "subscribe/lower", "subscribe/cancel"] {
        let mut wanted = packet.filters[0].clone();
        wanted.filter = filter(name);
        packet.filters.push(wanted);
    }
    let suback = world.subscribe_with(client, packet);
    let granted = [
        SubackReason::granted(QoS::ExactlyOnce),
        SubackReason::granted(QoS::AtMostOnce),
    ];
    let expected = [
        SubackReason::NotAuthorized,
        granted[0],
        granted[1],
        SubackReason::UnspecifiedError,
    ];
    assert_eq!(suback.reasons, expected);
    assert_eq!(world.tables.router.borrow().subscription_count(), 2);

    let Packet::Unsubscribe(mut packet) = unsubscribe(2, "unsubscribe/stop") else {
        panic!("an UNSUBSCRIBE")
    };
    packet
        .filters
        .extend(["free", "unsubscribe/cancel", "unknown"].map(filter));
    world.send(client, Packet::Unsubscribe(packet));
    let [Packet::Unsuback(unsuback)] = &world.received(client)[..] else {
        panic!("an UNSUBACK")
    };
    let expected = [
        UnsubackReason::NotAuthorized,
        UnsubackReason::Success,
        UnsubackReason::UnspecifiedError,
        UnsubackReason::NoSubscriptionExisted,
    ];
    assert_eq!(unsuback.reasons, expected);
    assert_eq!(world.tables.router.borrow().subscription_count(), 1);
}

/// A packet that waits for one of its filters goes on with that one: what was said of those before stands.
#[test]
fn a_held_packet_is_not_judged_from_its_beginning() {
    let mut world = scribed();
    let client = world.client("client").connect();
    // The overseer lets every other one wait, so that a packet that is judged anew would wait for ever.
    let mut packet = subscribe(1, "subscribe/wait", QoS::AtMostOnce);
    let again = packet.filters[0].clone();
    packet.filters.extend([again.clone(), again]);
    world.send(client, Packet::Subscribe(packet));
    for _ in 0..3 {
        assert_eq!(world.received(client), []);
        world.pass(millis(500));
    }
    let [Packet::Suback(suback)] = &world.received(client)[..] else {
        panic!("a SUBACK")
    };
    assert_eq!(suback.reasons, [SubackReason::granted(QoS::AtMostOnce); 3]);
}

/// An overseer that is put in the place of another judges from the next packet on, and what was held besides.
#[test]
fn another_overseer_takes_over() {
    let (mut world, sender, reader) = desk(Version::V5);
    world.send(
        sender,
        Packet::Publish(publish_as(1, "publish/wait", "held", QoS::AtLeastOnce)),
    );
    for line in 0..world.lines.len() {
        let now = world.now;
        world.lines[line].set_overseer(Box::new(broker::exchange::Open), now);
    }
    let other = world.client("other").connect();
    world.publish(other, "publish/stop", "free", QoS::AtMostOnce);
    world.pass(millis(500));
    assert_eq!(world.payloads(reader), ["free", "held"]);
    assert_eq!(world.counters().dropped[Drop::Forbidden as usize], 0);
}
