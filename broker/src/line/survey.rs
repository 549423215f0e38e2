//! What operators see of a line: its sessions, slice by slice, so that no client waits for an operator.

use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{ClientId, QoS, TopicFilter, TopicName, Version};

use super::{Line, Peer};
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::message::Millis;
use crate::router::{self, SubscriptionOptions};
use crate::session::{NEVER_SECS, Session};

/// Which sessions are meant.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Whether their client is there; `None`: either.
    pub is_connected: Option<bool>,
    /// Part of the client identifier or the user name, whatever the case of its ASCII letters.
    pub search: Option<Box<str>>,
    /// The user name.
    pub username: Option<Box<str>>,
    /// The listener that they came in by last.
    pub listener: Option<Box<str>>,
    /// What their client spoke last.
    pub version: Option<Version>,
}

/// What sessions are ordered by. Those that are equal stand in the order of their client identifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// The client identifier.
    #[default]
    ClientId,
    /// When the connection began; those who are away have none and come first.
    ConnectedAt,
    /// Messages that wait.
    Queued,
    /// Messages sent and not acknowledged.
    Inflight,
    /// Subscriptions.
    Subscriptions,
    /// Packets that the connection has brought.
    PacketsIn,
    /// Packets that the connection has carried away.
    PacketsOut,
}

/// An order and its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// The greatest first.
    pub is_descending: bool,
}

/// The place of something in a list. The smaller comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    number: u64,
    first: Words,
    then: Words,
}

/// A text in either direction. It is shared with what it names, not copied.
#[derive(Clone, Debug)]
struct Words {
    text: Name,
    is_descending: bool,
}

#[derive(Clone, Debug)]
enum Name {
    Client(ClientId),
    Filter(TopicFilter),
}

impl Words {
    fn as_bytes(&self) -> &[u8] {
        match &self.text {
            Name::Client(client_id) => client_id.as_bytes(),
            Name::Filter(filter) => filter.as_bytes(),
        }
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Words {}

impl PartialOrd for Words {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Words {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = self.as_bytes().cmp(other.as_bytes());
        if self.is_descending { order.reverse() } else { order }
    }
}

impl Rank {
    fn new(number: u64, first: Name, then: Name, is_descending: bool) -> Self {
        Self {
            number: if is_descending { u64::MAX - number } else { number },
            first: Words {
                text: first,
                is_descending,
            },
            then: Words {
                text: then,
                is_descending: false,
            },
        }
    }
}

/// The first few of many, kept while the many are looked at one after the other.
#[derive(Debug)]
pub struct Best<T> {
    max: usize,
    kept: BinaryHeap<Ranked<T>>,
    total: usize,
}

/// Something with its place.
#[derive(Debug)]
struct Ranked<T> {
    rank: Rank,
    what: T,
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}
impl<T> Eq for Ranked<T> {}
impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl<T> Best<T> {
    /// Keeps the first `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max,
            kept: BinaryHeap::new(),
            total: 0,
        }
    }

    /// Notes one of the many.
    fn note(&mut self, rank: Rank, what: impl FnOnce() -> T) {
        self.total += 1;
        if self.kept.len() >= self.max {
            if self.kept.peek().is_none_or(|last| last.rank <= rank) {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Ranked { rank, what: what() });
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The first ones, in order.
    #[must_use]
    pub fn into_sorted(self) -> Vec<T> {
        let sorted = self.kept.into_sorted_vec();
        sorted.into_iter().map(|ranked| ranked.what).collect()
    }
}

/// A session as an operator sees it.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Where it lives.
    pub key: SessionKey,
    /// Its client.
    pub client_id: ClientId,
    /// Whose it is.
    pub identity: Arc<Identity>,
    /// What its client spoke last.
    pub version: Option<Version>,
    /// The connection's other end; `None`: its client is away.
    pub peer: Option<Peer>,
    /// Where its client was last, if that is known of one that is away.
    pub last_address: Option<IpAddr>,
    /// When the connection began.
    pub connected_at: Option<Millis>,
    /// When the last connection ended, of a client that is away.
    pub left_at: Option<Millis>,
    /// When the session ends if its client stays away; `None`: it is there, or never.
    pub expires_at: Option<Millis>,
    /// Seconds that the session outlives its connection.
    pub expiry_secs: u32,
    /// Keep Alive; 0: none, or its client is away.
    pub keep_alive_secs: u32,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages that wait, as far as they are known.
    pub queued: usize,
    /// What they count for.
    pub queued_bytes: usize,
    /// When the oldest of them arrived, where that is known.
    pub oldest_at: Option<Millis>,
    /// Messages sent and not acknowledged.
    pub inflight: usize,
    /// QoS 2 messages of the client's whose PUBREL is awaited.
    pub awaiting_pubrel: usize,
    /// Packets of this connection.
    pub packets_in: u64,
    /// See `packets_in`.
    pub packets_out: u64,
    /// Whether the store keeps it.
    pub is_persisted: bool,
    /// Its will: topic, QoS, RETAIN flag, delay in seconds. What it says stays with its client.
    pub will: Option<(TopicName, QoS, bool, u32)>,
    /// Deliveries wait until then, by the policy's verdict.
    pub held_until: Option<Millis>,
    /// Bytes for its client that the socket has not taken.
    pub unwritten_bytes: usize,
}

/// A subscription as an operator sees it.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Whose.
    pub client_id: ClientId,
    /// To what.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
}

/// Where a walk over the subscriptions of a line goes on; the default is their beginning. One session may have more of
/// them than one look takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bookmark {
    slot: u32,
    /// Whose subscriptions were begun, and how many of them were looked at.
    within: Option<(SessionKey, usize)>,
}

/// How far the subscriptions of one client have been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// All of them.
    All,
    /// So many of them.
    UpTo(usize),
}

/// Which subscriptions are meant.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionQuestion {
    /// Part of the topic filter, whatever the case of its ASCII letters.
    pub search: Option<Box<str>>,
    /// A topic that the filter matches.
    pub topic: Option<Box<str>>,
    /// By filter and not by client.
    pub is_by_filter: bool,
    /// The last first.
    pub is_descending: bool,
}

impl Line {
    /// Looks at `examine_max` slots from `from` on and notes the sessions that are meant. Returns where to go on, or
    /// `None` at the end.
    pub fn survey(
        &self,
        from: u32,
        examine_max: usize,
        question: &Question,
        order: Order,
        best: &mut Best<SessionKey>,
    ) -> Option<u32> {
        self.visit(from, examine_max, |session| {
            if session.is_meant(question) {
                best.note(self.rank(session, order), || session.key);
            }
        })
    }

    /// As [`Line::survey`], for subscriptions: `examine_max` of them, where each slot counts as one more.
    pub fn survey_subscriptions(
        &self,
        from: Bookmark,
        examine_max: usize,
        question: &SubscriptionQuestion,
        best: &mut Best<Subscribed>,
    ) -> Option<Bookmark> {
        let Bookmark { mut slot, mut within } = from;
        let mut left = examine_max;
        while let Some(place) = self.slots.get(slot as usize) {
            if left == 0 {
                return Some(Bookmark { slot, within });
            }
            if let Some(session) = place.session.as_deref().filter(|session| session.routed) {
                let key = session.key;
                let begun = within.filter(|(begun, _)| *begun == key);
                let skipped = begun.map_or(0, |(_, looked)| looked);
                match self.note_subscriptions(session, (skipped, left), question, best) {
                    Looked::All => {
                        let held = self.turn.tables.subscription_count(key);
                        left = left.saturating_sub(held.saturating_sub(skipped));
                    }
                    Looked::UpTo(looked) => {
                        let within = Some((key, looked));
                        return Some(Bookmark { slot, within });
                    }
                }
            }
            left = left.saturating_sub(1);
            slot = slot.saturating_add(1);
            within = None;
        }
        None
    }

    /// The subscriptions of one client that are meant, among `examine_max` behind the first `skipped`; `None`: there is
    /// no such client.
    pub fn subscriptions_of(
        &self,
        client_id: &str,
        (skipped, examine_max): (usize, usize),
        question: &SubscriptionQuestion,
        best: &mut Best<Subscribed>,
    ) -> Option<Looked> {
        let session = self.session_of(client_id)?;
        Some(self.note_subscriptions(session, (skipped, examine_max), question, best))
    }

    fn note_subscriptions(
        &self,
        session: &Session,
        (skipped, examine_max): (usize, usize),
        question: &SubscriptionQuestion,
        best: &mut Best<Subscribed>,
    ) -> Looked {
        let tables = &self.turn.tables;
        for (filter, options) in tables.subscriptions_behind(session.key, skipped, examine_max) {
            let is_meant = question.search.as_ref().is_none_or(|part| contains(&filter, part));
            let matches = |topic: &str| router::matches(filter.inner(), topic);
            if !is_meant || !question.topic.as_deref().is_none_or(matches) {
                continue;
            }
            let (client, text) = (Name::Client(session.client_id.clone()), Name::Filter(filter.clone()));
            let (first, then) = if question.is_by_filter {
                (text, client)
            } else {
                (client, text)
            };
            let rank = Rank::new(0, first, then, question.is_descending);
            best.note(rank, || Subscribed {
                client_id: session.client_id.clone(),
                filter,
                options,
            });
        }
        let looked = skipped.saturating_add(examine_max);
        match looked < tables.subscription_count(session.key) {
            true => Looked::UpTo(looked),
            false => Looked::All,
        }
    }

    fn visit(&self, from: u32, examine_max: usize, mut look: impl FnMut(&Session)) -> Option<u32> {
        let from = from as usize;
        let slots = self.slots.iter().skip(from).take(examine_max);
        slots.filter_map(|slot| slot.session.as_deref()).for_each(&mut look);
        let next = from.saturating_add(examine_max);
        (next < self.slots.len()).then_some(u32::try_from(next).unwrap_or(u32::MAX))
    }

    fn rank(&self, session: &Session, order: Order) -> Rank {
        let link = session.link.as_ref();
        let number = match order.by {
            OrderBy::ClientId => 0,
            OrderBy::ConnectedAt => link.map_or(0, |link| link.opened_at.0),
            OrderBy::Queued => session.queue.len() as u64,
            OrderBy::Inflight => session.inflight.len() as u64,
            OrderBy::Subscriptions => self.turn.tables.subscription_count(session.key) as u64,
            OrderBy::PacketsIn => link.map_or(0, |link| link.packets_in),
            OrderBy::PacketsOut => link.map_or(0, |link| link.packets_out),
        };
        // Ties stand in the order of the identifiers in either direction, unless that is the order.
        let name = || Name::Client(session.client_id.clone());
        let is_descending = order.is_descending && order.by == OrderBy::ClientId;
        let mut rank = Rank::new(0, name(), name(), is_descending);
        rank.number = if order.is_descending { u64::MAX - number } else { number };
        rank
    }

    /// The session of a client.
    #[must_use]
    pub fn sight_of(&self, client_id: &str) -> Option<Sight> {
        Some(self.see(self.session_of(client_id)?))
    }

    /// The session that lives there, unless it has ended.
    #[must_use]
    pub fn sight(&self, key: SessionKey) -> Option<Sight> {
        let session = self.slots.get(key.slot() as usize)?.session.as_deref()?;
        (session.key == key).then(|| self.see(session))
    }

    pub(super) fn session_of(&self, client_id: &str) -> Option<&Session> {
        let slot = self.directory.find(client_id, &self.slots)?;
        self.slots.get(slot as usize)?.session.as_deref()
    }

    fn see(&self, session: &Session) -> Sight {
        let link = session.link.as_deref();
        let is_away = link.is_none();
        let will = link.and_then(|link| link.will.as_deref()).or(session.will.as_deref());
        Sight {
            key: session.key,
            client_id: session.client_id.clone(),
            identity: Arc::clone(&session.identity),
            version: session.version,
            peer: link.map(|link| link.peer.clone()),
            last_address: session.last_address.as_deref().copied(),
            connected_at: link.map(|link| link.opened_at),
            left_at: is_away.then_some(session.left_at),
            expires_at: (is_away && session.expiry_secs != NEVER_SECS).then(|| session.expires_at()),
            expiry_secs: session.expiry_secs,
            // A client may be silent for one and a half times that.
            keep_alive_secs: link.map_or(0, |link| link.silence_millis_max / 1500),
            subscriptions: self.turn.tables.subscription_count(session.key),
            queued: session.queue.len(),
            queued_bytes: session.queue.bytes(),
            oldest_at: session.queue.oldest_arrived(),
            inflight: session.inflight.len(),
            awaiting_pubrel: session.unreleased.len(),
            packets_in: link.map_or(0, |link| link.packets_in),
            packets_out: link.map_or(0, |link| link.packets_out),
            is_persisted: session.id.is_some(),
            will: will.map(|will| (will.topic.detach(), will.qos, will.retain, will.delay_secs)),
            held_until: session.held_until,
            unwritten_bytes: link.map_or(0, |link| link.out.len()),
        }
    }
}

impl Session {
    fn is_meant(&self, question: &Question) -> bool {
        let username = self.identity.username.as_deref();
        let is_found =
            |part: &str| contains(&self.client_id, part) || username.is_some_and(|username| contains(username, part));
        question
            .is_connected
            .is_none_or(|connected| connected == self.link.is_some())
            && question.search.as_deref().is_none_or(is_found)
            && question.username.as_deref().is_none_or(|name| username == Some(name))
            && question
                .listener
                .as_deref()
                .is_none_or(|name| &*self.identity.listener == name)
            && question.version.is_none_or(|version| self.version == Some(version))
    }
}

/// Whether `part` stands in `text`, whatever the case of ASCII letters.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
