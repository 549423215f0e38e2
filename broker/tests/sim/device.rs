//! A client that keeps to the standard, with a session of its own that it resends from: the model.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use broker::message::Millis;
use mqtt_codec::{Packet, PacketId, QoS, TopicName, Version};

use super::ledger::{Ledger, Step, matches};
use crate::world::{Client, World};

pub use send::Way;

mod receive;
mod send;

/// A client's own PUBLISH that is not acknowledged to the end.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    pub id: PacketId,
    pub message: usize,
    /// The PUBREC has come.
    pub released: bool,
}

/// What the client knows of one of its subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Acknowledged at this step, with this QoS.
    On(Step, QoS),
    /// Taken back, acknowledged at this step.
    Off(Step),
    /// Asked for and not answered.
    Unsure,
}

/// What the client has seen of one message in this session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// PUBLISH packets that were not redeliveries.
    pub fresh: u32,
    /// It came at QoS 2.
    pub exact: bool,
    pub any: u32,
    /// Those of `any` that came at QoS 0 since the broker's start.
    pub fleeting: u32,
    /// Those of `any` that the broker forgot with its end. The message may come again, and at QoS 2 if the subscription
    /// has another QoS by then.
    pub unkept: u32,
}

/// One session of the client, from a CONNACK without Session Present on.
#[derive(Debug, Default)]
pub struct Life {
    pub number: u32,
    pub born: Step,
    pub alive: bool,
    /// When it ends if the client stays away.
    pub ends_at: Option<Millis>,
    pub expiry_secs: u32,
    pub out: VecDeque<Outgoing>,
    pub next_id: u16,
    /// QoS 2 messages taken and not released.
    pub unreleased: BTreeMap<u16, usize>,
    /// Ids of QoS 2 messages that were released, and the PUBCOMP is not known to have come.
    pub released: BTreeSet<u16>,
    /// Ids of deliveries that the client has not acknowledged to the end.
    pub open: BTreeMap<u16, usize>,
    /// Ids whose end the broker has certainly seen, with what they stood for.
    pub closed: BTreeMap<u16, usize>,
    pub subscriptions: BTreeMap<&'static str, Subscription>,
    pub sights: BTreeMap<usize, Sight>,
    /// The last message seen for the first time, by publisher, topic and QoS.
    pub latest: BTreeMap<(usize, &'static str, u8), usize>,
}

/// What lasts as long as one connection.
#[derive(Debug, Default)]
pub struct Line {
    pub opened_at: Millis,
    pub window: usize,
    /// Ids of PUBLISH packets received here and not acknowledged to the end.
    pub counted: BTreeSet<u16>,
    pub aliases: BTreeMap<u16, TopicName>,
    /// Answers that the client has not sent, in order.
    pub answers: VecDeque<Packet>,
    /// What the client waits for, in the order in which it must come.
    pub pubacks: VecDeque<PacketId>,
    pub pubrecs: VecDeque<PacketId>,
    pub pubcomps: VecDeque<PacketId>,
    pub requests: BTreeMap<u16, (&'static str, Option<QoS>)>,
    /// A PUBLISH that is no redelivery has come, so none may follow.
    pub resent: bool,
    /// Messages sent and perhaps not taken up by the broker.
    pub unread: Vec<usize>,
}

#[derive(Debug)]
pub struct Device {
    pub index: usize,
    pub id: String,
    pub version: Version,
    pub client: Option<Client>,
    pub stalled: bool,
    pub inbox: VecDeque<Packet>,
    pub life: Life,
    pub line: Line,
}

impl Device {
    pub fn new(index: usize, version: Version) -> Self {
        Self {
            index,
            id: format!("device-{index}"),
            version,
            client: None,
            stalled: false,
            inbox: VecDeque::new(),
            life: Life {
                next_id: 1,
                ..Life::default()
            },
            line: Line::default(),
        }
    }

    /// Whether its session is subscribed to the topic without a break since `step`, at a QoS that is acknowledged.
    pub fn is_subscribed_since(&self, topic: &str, step: Step) -> bool {
        self.life.alive
            && self.life.subscriptions.iter().any(|(filter, state)| {
                matches(filter, topic)
                    && matches!(state, Subscription::On(since, qos) if *since <= step && *qos != QoS::AtMostOnce)
            })
    }

    /// Whether a message that was first sent at `step` may come.
    pub fn may_be_subscribed_since(&self, topic: &str, step: Step) -> bool {
        self.life.subscriptions.iter().any(|(filter, state)| {
            matches(filter, topic)
                && match state {
                    Subscription::On(..) | Subscription::Unsure => true,
                    Subscription::Off(since) => *since >= step,
                }
        })
    }

    /// Connects, over the old connection if there is one, and sends again what the standard asks for.
    pub fn connect(&mut self, world: &mut World, ledger: &mut Ledger, terms: Terms) {
        assert!(self.client.is_none(), "the old connection is to be ended first");
        let (id, version) = (self.id.clone(), self.version);
        let mut builder = world.client(&id).version(version).clean(terms.clean);
        if version == Version::V5 {
            builder = builder.expiry(terms.expiry_secs).topic_alias_max(terms.aliases);
            builder = if terms.window == usize::from(u16::MAX) {
                builder
            } else {
                builder.receive_maximum(u16::try_from(terms.window).unwrap())
            };
        }
        let (client, connack) = builder.connect_with_connack();
        let resumes = self.life.alive && !terms.clean;
        let told = if version == Version::V31 {
            resumes
        } else {
            connack.session_present
        };
        assert_eq!(told, resumes, "{id}: Session Present");
        self.client = Some(client);
        self.stalled = false;
        self.line = Line {
            opened_at: world.now,
            window: terms.window,
            ..Line::default()
        };
        if !resumes {
            let number = self.life.number + 1;
            self.life = Life {
                number,
                born: ledger.now,
                alive: true,
                next_id: 1,
                ..Life::default()
            };
        }
        self.life.ends_at = None;
        self.life.expiry_secs = terms.expiry_secs;
        if resumes {
            self.resend(world, ledger);
        }
        self.take_in(world);
    }

    /// The connection is over; the session may be, too.
    pub fn lost(&mut self, now: Millis) {
        self.client = None;
        self.stalled = false;
        self.inbox.clear();
        self.line = Line::default();
        self.life.ends_at = Some(now.plus_secs(u64::from(self.life.expiry_secs)));
        self.age(now);
    }

    /// The broker has ended. `all`: its store has kept all that it was told. If not, QoS 1 messages come again, under
    /// whatever id; at QoS 2 an id stands for its message until the client has released it.
    pub fn forget_what_was_not_kept(&mut self, ledger: &Ledger, all: bool) {
        // Ids start over when none is in flight.
        let life = &mut self.life;
        life.closed.clear();
        life.open
            .retain(|id, _| life.unreleased.contains_key(id) || life.released.contains(id));
        for (message, sight) in &mut life.sights {
            let entry = &ledger.entries[*message];
            if entry.qos == QoS::ExactlyOnce && sight.exact {
                continue;
            }
            if !all {
                sight.fresh = 0;
            }
            if entry.broken {
                // Its publisher sends it again. The QoS of a subscription that was not acknowledged is forgotten, too, so
                // that what came at QoS 0 may come at any.
                let fleeting = std::mem::take(&mut sight.fleeting);
                let forgotten = if all { fleeting } else { sight.any - sight.unkept };
                sight.unkept += forgotten;
                sight.fresh = sight.fresh.saturating_sub(forgotten);
            }
        }
    }

    /// Time has passed.
    pub fn age(&mut self, now: Millis) {
        if self.life.ends_at.is_some_and(|at| at <= now) {
            self.life.alive = false;
            self.life.out.clear();
            self.life.unreleased.clear();
        }
    }

    /// What has arrived waits to be looked at.
    pub fn take_in(&mut self, world: &mut World) {
        if let Some(client) = self.client {
            self.inbox.extend(world.received(client));
        }
    }
}

/// What a CONNECT asks for.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub clean: bool,
    pub expiry_secs: u32,
    pub window: usize,
    pub aliases: u16,
}
