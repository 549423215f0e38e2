//! One line of the exchange: the sessions whose home it is, and all that is decided about them.
//!
//! A line is driven from outside, packet by packet, and never blocks. What it wants done leaves as [`Effect`]s, as bytes
//! in outboxes and as [`Forward`]s for other lines. Every public verb takes the time as an argument.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use mqtt_codec::ClientId;

pub use admit::{Admission, HeldConnect, home_line};
pub use authenticate::{Heard, Proof, Proving};
pub use close::Lost;
pub use drain::{Elsewhere, IsMeant, Slice};
pub use operate::Published;
pub use review::{Clients, Findings, MayStay, Review};
pub use survey::{Best, Bookmark, Looked, Order, OrderBy, Question, Sight, Subscribed, SubscriptionQuestion};
pub use weigh::Holdings;

use crate::acl::{Lately, Rights};
use crate::counters::Counters;
use crate::durable::Keeper;
use crate::effect::{Effect, Forward};
use crate::exchange::Overseer;
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::limits::{Limits, Noticed};
use crate::memory::Memory;
use crate::message::Millis;
use crate::notes::{Decision, Notes};
use crate::presence::Presence;
use crate::session::{Outbox, Session, Templates};
use crate::tables::Tables;
use crate::timers::Timers;
use crate::traces::Traces;
use crate::turn::{Judged, Turn};
use directory::Directory;
use drain::Awaited;
use estate::Estate;
use routes::TopicCache;
use share::Rotation;
use traces::trace_delivered;
use weigh::Weighing;

mod acknowledge;
mod admit;
mod alias;
mod authenticate;
mod close;
mod directory;
mod drain;
mod estate;
mod filters;
mod hold;
mod kept;
mod limits;
mod memory;
mod noted;
mod operate;
mod oversee;
mod pace;
mod publish;
mod receive;
mod review;
mod rights;
mod routes;
mod share;
mod subscribe;
mod survey;
mod tick;
mod traces;
mod weigh;
mod will;

/// Names one connection: the slot of its session and the number of the connection in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// The slot of the session.
    pub slot: u32,
    /// Counts the line's connections, so that a late word from an old one is not taken for the new one's.
    pub epoch: u32,
}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Address(SocketAddr),
    /// A connection without one, by its listener's name.
    Local(String),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Local(name) => f.write_str(name),
        }
    }
}

/// What the reader of a connection does after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Hand over the next packet.
    Continue,
    /// Keep what is read and stop reading until [`Effect::Resume`].
    Hold,
    /// The connection is over; an [`Effect::Close`] says how.
    Closed,
}

impl Flow {
    /// What comes of both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Closed, _) | (_, Self::Closed) => Self::Closed,
            (Self::Hold, _) | (_, Self::Hold) => Self::Hold,
            (Self::Continue, Self::Continue) => Self::Continue,
        }
    }
}

/// What a line is made of.
pub struct LineSetup {
    /// Its place among the lines, from 0.
    pub index: u16,
    /// How many lines there are.
    pub lines: u16,
    /// A number that peers cannot know, so that they cannot choose client ids and topics that collide in a table.
    pub seed: u64,
    /// The bounds.
    pub limits: Limits,
    /// The policy.
    pub overseer: Box<dyn Overseer>,
    /// The board that the lines share.
    pub presence: Arc<Presence>,
    /// The tables that the lines share.
    pub tables: Box<dyn Tables>,
    /// The highest number that a store has seen from any line; those that this one gives out are higher.
    pub serial: u64,
}

/// One line. See the module.
#[derive(Debug)]
pub struct Line {
    index: u16,
    lines: u16,
    slots: Vec<Slot>,
    free: Vec<u32>,
    directory: Directory,
    epochs: u32,
    cache: TopicCache,
    rotation: Rotation,
    /// Messages for other lines, by line.
    forwards: Vec<Vec<Forward>>,
    /// Sessions that ended and are still being read for what others are to have.
    estates: Vec<Estate>,
    /// Clients that may come back after another binary has taken over.
    awaited: Awaited,
    weighing: Weighing,
    turn: Turn,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    session: Option<Box<Session>>,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new(setup: LineSetup) -> Self {
        let LineSetup {
            index,
            lines,
            seed,
            limits,
            overseer,
            presence,
            tables,
            serial,
        } = setup;
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        let lately = Lately::new(limits.access.cached_decisions_max, hasher.clone());
        Self {
            index,
            lines,
            slots: Vec::new(),
            free: Vec::new(),
            directory: Directory::new(hasher.clone()),
            epochs: 0,
            cache: TopicCache::new(limits.cached_topics_max, hasher.clone()),
            rotation: Rotation::new(hasher.clone()),
            forwards: (0..lines).map(|_| Vec::new()).collect(),
            estates: Vec::new(),
            awaited: Awaited::new(hasher.clone()),
            weighing: Weighing::default(),
            turn: Turn {
                now: Millis::default(),
                micros: 0,
                #[cfg(feature = "faults")]
                lossy: crate::faults::Lossy::default(),
                keeper: Keeper::new(index, &limits, serial),
                limits,
                traces: Traces::new(hasher),
                counters: Counters::default(),
                templates: Templates::default(),
                timers: Timers::default(),
                judged: Judged::by(overseer.as_ref()),
                overseer,
                set_off: Vec::new(),
                set_off_from: 0,
                rights: Rights::open(),
                asks_rights: false,
                lately,
                memory: Memory::default(),
                presence,
                tables,
                dirty: Vec::new(),
                feeding: VecDeque::new(),
                handed_back: Vec::new(),
                ending: Vec::new(),
                noticed: Noticed::default(),
                notes: Notes::default(),
                effects: Vec::new(),
                buffers: Vec::new(),
            },
        }
    }

    /// What this line has counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.turn.counters
    }

    /// Topics whose receivers this line remembers.
    #[must_use]
    pub fn topics_cached(&self) -> usize {
        self.cache.len()
    }

    /// The bounds that this line keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.turn.limits
    }

    /// The wishes since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.turn.effects)
    }

    /// Whether there are wishes.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        !self.turn.effects.is_empty()
    }

    /// The slots whose connections have something to write, swapped with an empty list so that both keep their room.
    pub fn swap_dirty(&mut self, list: &mut Vec<u32>) {
        std::mem::swap(&mut self.turn.dirty, list);
    }

    /// Whether a connection has something to write, or another line something to be told.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.turn.dirty.is_empty()
            || self.turn.keeper.has_batch()
            || self.forwards.iter().any(|forwards| !forwards.is_empty())
    }

    /// What the line `index` is to be told.
    pub fn take_forwards(&mut self, index: u16) -> Vec<Forward> {
        self.forwards
            .get_mut(usize::from(index))
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The outbox of the connection that the slot has, to be written out, with its number.
    pub fn outbox(&mut self, slot: u32) -> Option<(ConnectionKey, &mut Outbox)> {
        let progress = self.turn.keeper.progress();
        let link = self.session_at(slot)?.link.as_mut()?;
        link.dirty = false;
        link.out.pass(progress);
        Some((
            ConnectionKey {
                slot,
                epoch: link.epoch,
            },
            &mut link.out,
        ))
    }

    /// To be called when an outbox was written to, with the number of bytes: sends what waited for room.
    pub fn flushed(&mut self, slot: u32, written: usize, now: Millis) {
        self.turn.now = now;
        self.turn.counters.bytes_out += written as u64;
        let Some(session) = self.slots.get_mut(slot as usize).and_then(|slot| slot.session.as_mut()) else {
            return;
        };
        if let Some(link) = &mut session.link {
            link.is_greeted |= written > 0;
            link.spurt = 0;
            if let Some(traced) = link.count_delivered(&mut self.turn) {
                trace_delivered(traced.0, &session.client_id, self.index, &mut self.turn);
            }
            if let Some(buffer) = link.out.release() {
                self.turn.give_back(buffer);
            }
            link.resume_if_free(slot, &mut self.turn);
        }
        if session.has_more() {
            session.ask_for_turn(&mut self.turn);
        }
    }

    /// The time of this moment in microseconds of the clock of [`Millis`]: what is received next arrived then, what was
    /// written last was delivered then. Without it no delivery is timed.
    pub fn clock_is(&mut self, micros: u64) {
        self.turn.micros = micros;
    }

    /// Loses each so many deliveries without a trace; 0: none.
    #[cfg(feature = "faults")]
    pub fn lose_every(&mut self, deliveries: u64) {
        self.turn.lossy = crate::faults::Lossy::every(deliveries);
    }

    /// Counts a connection that was closed by a limit before it spoke MQTT.
    pub fn count_turned_away(&mut self) {
        self.turn.counters.turned_away += 1;
    }

    /// Counts bytes that were read.
    pub fn count_bytes_in(&mut self, bytes: usize) {
        self.turn.counters.bytes_in += bytes as u64;
    }

    /// The session in a slot.
    fn session_at(&mut self, slot: u32) -> Option<&mut Session> {
        self.slots.get_mut(slot as usize)?.session.as_deref_mut()
    }

    /// The session that has this connection.
    fn connected(&mut self, connection: ConnectionKey) -> Option<(&mut Session, &mut Turn)> {
        let session = self.slots.get_mut(connection.slot as usize)?.session.as_deref_mut()?;
        session.has_epoch(connection.epoch).then_some((session, &mut self.turn))
    }

    /// The session that has this key, unless it has ended.
    fn tenant(&mut self, key: SessionKey) -> Option<(&mut Session, &mut Turn)> {
        let session = self.slots.get_mut(key.slot() as usize)?.session.as_deref_mut()?;
        (session.key == key).then_some((session, &mut self.turn))
    }

    /// Whether the connection is not to be read before [`Effect::Resume`].
    #[must_use]
    pub fn is_paused(&self, connection: ConnectionKey) -> bool {
        let session = self
            .slots
            .get(connection.slot as usize)
            .and_then(|slot| slot.session.as_deref());
        let link = session.and_then(|session| session.link.as_deref());
        link.is_some_and(|link| link.epoch == connection.epoch && link.paused)
    }

    /// Takes a free slot for a session.
    fn create_session(&mut self, client_id: ClientId, identity: Arc<Identity>) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            let key = SessionKey::new(self.index, slot, place.generation);
            place.session = Some(Box::new(Session::new(key, client_id, identity)));
            self.directory.insert(slot, &self.slots);
            self.turn.counters.sessions += 1;
        }
        if let Some(session) = self.slots.get(slot as usize).and_then(|slot| slot.session.as_deref())
            && self.turn.notes.watched
        {
            self.turn.note(&session.client_id, Decision::SessionCreated);
        }
        slot
    }

    /// Empties a slot; its next tenant has another key.
    fn free_slot(&mut self, slot: u32) -> Option<Box<Session>> {
        let place = self.slots.get_mut(slot as usize)?;
        let session = place.session.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        self.turn.counters.sessions -= 1;
        self.directory.remove(&session.client_id, slot);
        if self.turn.notes.watched {
            self.turn.note(&session.client_id, Decision::SessionEnded);
        }
        Some(session)
    }

    /// Gives to others what members of groups may not have, publishes what the overseer set off, and ends connections
    /// whose queues overflowed, because the slow client is the one who pays, or that the overseer ends.
    #[inline]
    fn settle(&mut self) {
        if !self.turn.is_settled() {
            self.settle_all();
        }
    }

    #[inline(never)]
    fn settle_all(&mut self) {
        while !self.turn.is_settled() {
            if !self.turn.handed_back.is_empty() {
                self.pass_on();
            }
            if !self.turn.set_off.is_empty() {
                self.publish_set_off();
            }
            if let Some((slot, cause)) = self.turn.ending.pop() {
                self.end_connection(slot, cause);
            }
        }
    }
}
