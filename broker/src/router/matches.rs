//! Who gets a message: the answer of a search, with one receiver per session.

use std::sync::Arc;

use mqtt_codec::{QoS, SubscriptionId};

use super::SubscriptionOptions;
use super::audience::{Audience, Subscriber};
use super::shared::ShareKey;
use super::trie::Frontier;
use crate::key::SessionKey;

/// Who gets a message on one topic. Reuse it: a search then allocates only for what it finds.
#[derive(Debug, Default)]
pub struct Matches {
    /// Sessions with non-shared subscriptions, each once, in no particular order.
    pub receivers: Vec<Receiver>,
    /// Shared groups: of each, one member gets the message.
    pub groups: Vec<Group>,
    hits: Vec<Subscriber>,
    /// Audiences that `hits` come from. Within one audience a session stands once.
    sources: usize,
    pub(super) frontier: Frontier,
}

/// A shared group as it was when the search ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Share name and filter.
    pub key: Arc<ShareKey>,
    /// At least one member.
    pub members: Vec<Receiver>,
}

/// One session that gets a message, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Who.
    pub session: SessionKey,
    /// The highest QoS granted to the subscriptions that match: [MQTT-3.3.5-1] in 3.1.1, [MQTT-3.3.4-2] in 5.0.
    pub qos: QoS,
    /// Which of the subscriptions that match leave out the session's own messages.
    pub no_local: NoLocal,
    /// Whether one of them wants the RETAIN flag as published.
    pub retain_as_published: bool,
    /// Identifiers of the subscriptions that match.
    pub ids: SubscriptionIds,
}

// A cached answer for a topic with many subscribers is a long row of these.
const _: () = assert!(size_of::<Receiver>() == 32);

/// How many of a receiver's matching subscriptions have No Local set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLocal {
    /// None: the session gets its own messages too.
    None,
    /// All: the session does not get its own messages.
    All,
    /// Some: when the session itself publishes, ask [`find_for_publisher`](super::Router::find_for_publisher).
    Some,
}

/// The Subscription Identifiers that go out with a message (5.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionIds {
    /// No subscription that matches has one.
    None,
    /// One has.
    One(SubscriptionId),
    /// Several have; a number stands as often as subscriptions carry it. The vector keeps the pointer at one word.
    Many(Arc<Vec<SubscriptionId>>),
}

impl SubscriptionIds {
    /// The identifiers, in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[SubscriptionId] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    fn of(hits: impl Iterator<Item = SubscriptionId> + Clone) -> Self {
        let mut first_two = hits.clone();
        match (first_two.next(), first_two.next()) {
            (None, _) => Self::None,
            (Some(id), None) => Self::One(id),
            (Some(_), Some(_)) => Self::Many(Arc::new(hits.collect())),
        }
    }
}

impl Receiver {
    /// The receiver for a session's only subscription that matches.
    pub(super) fn alone(subscriber: &Subscriber) -> Self {
        let SubscriptionOptions {
            qos,
            no_local,
            retain_as_published,
            id,
        } = subscriber.options;
        Self {
            session: subscriber.session,
            qos,
            no_local: if no_local { NoLocal::All } else { NoLocal::None },
            retain_as_published,
            ids: id.map_or(SubscriptionIds::None, SubscriptionIds::One),
        }
    }

    /// One receiver for all subscriptions of a session that match.
    fn merged(first: &Subscriber, others: &[Subscriber]) -> Self {
        let all = || {
            std::iter::once(first)
                .chain(others)
                .map(|subscriber| subscriber.options)
        };
        let no_local = match all().filter(|options| options.no_local).count() {
            0 => NoLocal::None,
            count if count > others.len() => NoLocal::All,
            _ => NoLocal::Some,
        };
        Self {
            session: first.session,
            qos: all().map(|options| options.qos).fold(first.options.qos, QoS::max),
            no_local,
            retain_as_published: all().any(|options| options.retain_as_published),
            ids: SubscriptionIds::of(all().filter_map(|options| options.id)),
        }
    }
}

impl Matches {
    pub(super) fn clear(&mut self) {
        self.receivers.clear();
        self.groups.clear();
        self.hits.clear();
        self.sources = 0;
    }

    /// Notes the non-shared subscribers of `audience`.
    pub(super) fn note(&mut self, audience: &Audience) {
        let plain = audience.plain();
        self.hits.extend_from_slice(plain);
        self.sources += usize::from(!plain.is_empty());
    }

    /// Forgets the noted subscriptions of `publisher` that have No Local set.
    pub(super) fn leave_out(&mut self, publisher: SessionKey) {
        self.hits
            .retain(|hit| hit.session != publisher || !hit.options.no_local);
    }

    /// Makes one receiver per session out of what was noted.
    pub(super) fn merge(&mut self) {
        if self.sources < 2 {
            self.receivers.extend(self.hits.iter().map(Receiver::alone));
            return;
        }
        self.hits.sort_unstable_by_key(|hit| (hit.session, hit.options.id));
        self.receivers.reserve(self.hits.len());
        for same_session in self.hits.chunk_by(|a, b| a.session == b.session) {
            match same_session {
                [] => {}
                [only] => self.receivers.push(Receiver::alone(only)),
                [first, others @ ..] => self.receivers.push(Receiver::merged(first, others)),
            }
        }
    }
}
