//! Which sessions want a topic.
//!
//! [`Router`] holds the subscriptions and answers with [`Matches`]; [`Retained`] holds the last message of each topic
//! and answers a subscription with those that it matches. Neither knows what a session is beyond its [`SessionKey`].
//!
//! Filters are a tree of levels (`trie`): nodes stand in an `arena`, one hash table of `edges` leads from a node and
//! the text of a level to the node below, and at the node where a filter ends stands its `audience`. A search goes
//! down one level at a time with all nodes that it has reached, so a topic of 65,535 slashes costs no stack.

mod arena;
mod audience;
mod edges;
mod level;
mod matches;
mod retained;
mod roll;
mod shared;
mod trie;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use mqtt_codec::{QoS, SubscriptionId, TopicFilter};

pub use self::matches::{Group, Matches, NoLocal, Receiver, SubscriptionIds};
pub use self::retained::{Retained, RetainedLimits, RetainedRefusal, ScanBudget};
pub use self::shared::ShareKey;

use self::arena::{Arena, Id};
use self::audience::{Audience, Subscriber};
use self::roll::{Member, Roll};
use self::shared::SharedGroup;
use self::trie::Trie;
use crate::key::SessionKey;

/// Below this many sessions the table of sessions does not bother to give memory back.
const SHRINK_FROM: usize = 64;

/// What a router is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct RouterLimits {
    /// Subscriptions that one session may hold, shared ones among them.
    pub subscriptions_per_session_max: u32,
    /// Levels that a filter may have; the share name does not count.
    pub topic_levels_max: u16,
    /// A number that peers cannot know, so that they cannot choose levels that collide in the hash table.
    pub seed: u64,
}

/// How a session wants what a filter matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// The QoS that was granted.
    pub qos: QoS,
    /// Leave out what the session itself publishes (5.0).
    pub no_local: bool,
    /// Pass the RETAIN flag on as it was published (5.0).
    pub retain_as_published: bool,
    /// Goes out with each message that the subscription matches (5.0).
    pub id: Option<SubscriptionId>,
}

/// Why a subscription was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeRefusal {
    /// The session holds as many as it may, or the router is out of its 2^32 node numbers.
    TooManySubscriptions,
    /// The filter has more levels than a filter may have.
    TooManyLevels,
}

impl fmt::Display for SubscribeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManySubscriptions => "too many subscriptions",
            Self::TooManyLevels => "too many levels in the topic filter",
        })
    }
}

impl std::error::Error for SubscribeRefusal {}

/// All subscriptions of all sessions.
#[derive(Debug)]
pub struct Router {
    limits: RouterLimits,
    trie: Trie,
    groups: Arena<SharedGroup>,
    /// Where each session's subscriptions are; sessions without any are not in it.
    sessions: HashMap<SessionKey, Roll<Place>, FixedState>,
    subscriptions: usize,
    version: u64,
}

/// Where one subscription is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// In the audience of a node.
    Node(Id),
    /// In a shared group.
    Group(Id),
}

impl Member for Place {
    type Key = Self;

    fn key(&self) -> Self {
        *self
    }
}

impl Router {
    /// A router without subscriptions.
    #[must_use]
    pub fn new(limits: RouterLimits) -> Self {
        Self {
            limits,
            trie: Trie::new(limits.seed),
            groups: Arena::new(),
            sessions: HashMap::with_hasher(FixedState::with_seed(limits.seed)),
            subscriptions: 0,
            version: 0,
        }
    }

    /// Keeps other bounds from here on; subscriptions beyond them stay. The seed stays that of the start.
    pub fn set_limits(&mut self, limits: RouterLimits) {
        self.limits = RouterLimits {
            seed: self.limits.seed,
            ..limits
        };
    }

    /// Adds a subscription, or replaces the session's subscription with the same filter; returns whether there was one:
    /// [MQTT-3.8.4-3] in 3.1.1 and in 5.0.
    ///
    /// # Errors
    ///
    /// Refuses what is beyond a limit; to replace is possible at the limit too.
    pub fn subscribe(
        &mut self,
        session: SessionKey,
        filter: &TopicFilter,
        options: SubscriptionOptions,
    ) -> Result<bool, SubscribeRefusal> {
        let (share, inner) = parts(filter);
        if inner.split('/').count() > usize::from(self.limits.topic_levels_max) {
            return Err(SubscribeRefusal::TooManyLevels);
        }
        let held = self.sessions.get(&session).map_or(0, Roll::len);
        if held >= self.limits.subscriptions_per_session_max as usize && self.place(session, share, inner).is_none() {
            return Err(SubscribeRefusal::TooManySubscriptions);
        }
        let subscriber = Subscriber { session, options };
        let (place, before) = self
            .put(share, inner, subscriber)
            .ok_or(SubscribeRefusal::TooManySubscriptions)?;
        if before.is_none() {
            self.sessions.entry(session).or_insert_with(Roll::new).push(place);
            self.subscriptions += 1;
        }
        // A client that comes back and subscribes as before leaves every cache as it is.
        if before != Some(subscriber) {
            self.version += 1;
        }
        Ok(before.is_some())
    }

    /// Drops the session's subscription with exactly this filter; returns whether there was one:
    /// [MQTT-3.10.4-1] in 3.1.1 and in 5.0.
    pub fn unsubscribe(&mut self, session: SessionKey, filter: &TopicFilter) -> bool {
        let (share, inner) = parts(filter);
        let Some(place) = self.place(session, share, inner) else {
            return false;
        };
        if let Some(places) = self.sessions.get_mut(&session) {
            places.remove(place);
            if places.is_empty() {
                self.forget(session);
            }
        }
        self.take(place, session);
        self.version += 1;
        true
    }

    /// Drops all subscriptions of a session; returns how many there were.
    pub fn remove_session(&mut self, session: SessionKey) -> usize {
        let Some(places) = self.forget(session) else { return 0 };
        let count = places.len();
        for place in places {
            self.take(place, session);
        }
        self.version += 1;
        count
    }

    /// The subscriptions of a session in no particular order, for people and for tests.
    ///
    /// A filter of 3.x that begins with `$share/` and would not be valid in 5.0 is left out.
    #[must_use]
    pub fn subscriptions(&self, session: SessionKey) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.subscriptions_behind(session, 0, usize::MAX)
    }

    /// As [`Self::subscriptions`]: those of `max` places behind the first `skipped`.
    #[must_use]
    pub fn subscriptions_behind(
        &self,
        session: SessionKey,
        skipped: usize,
        max: usize,
    ) -> Vec<(TopicFilter, SubscriptionOptions)> {
        let places = self.sessions.get(&session).map(Roll::as_slice).unwrap_or_default();
        let subscription = |&place: &Place| {
            let (filter, subscriber) = match place {
                Place::Node(id) => (self.trie.filter(id), self.trie.audience(id)?.get(session)?),
                Place::Group(id) => {
                    let group = self.groups.get(id)?;
                    (
                        format!("$share/{}/{}", group.key.share, group.key.filter),
                        group.members.get(session)?,
                    )
                }
            };
            Some((TopicFilter::new(filter).ok()?, subscriber.options))
        };
        places.iter().skip(skipped).take(max).filter_map(subscription).collect()
    }

    /// Whether a session has a subscription with exactly this filter.
    #[must_use]
    pub fn has_subscription(&self, session: SessionKey, filter: &TopicFilter) -> bool {
        let (share, inner) = parts(filter);
        self.place(session, share, inner).is_some()
    }

    /// How many subscriptions a session has.
    #[must_use]
    pub fn subscription_count_of(&self, session: SessionKey) -> usize {
        self.sessions.get(&session).map_or(0, Roll::len)
    }

    /// Subscriptions of all sessions.
    #[must_use]
    pub fn subscription_count(&self) -> usize {
        self.subscriptions
    }

    /// Counts up with every change: what was found at one version holds while the version is the same.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Who gets a message on `topic`, with one receiver per session for all its non-shared subscriptions that match.
    ///
    /// What `found` held before is gone; its memory is used again.
    pub fn find(&self, topic: &str, found: &mut Matches) {
        self.gather(topic, found);
        found.merge();
    }

    /// As [`Self::find`], without the subscriptions of `publisher` that have No Local set: [MQTT-3.8.3-3] in 5.0.
    ///
    /// Needed only where a receiver is the publisher and says [`NoLocal::Some`].
    pub fn find_for_publisher(&self, topic: &str, publisher: SessionKey, found: &mut Matches) {
        self.gather(topic, found);
        found.leave_out(publisher);
        found.merge();
    }

    /// The members of a shared group at this moment; none when the group is gone.
    #[must_use]
    pub fn group(&self, key: &ShareKey) -> Vec<Receiver> {
        let id = self
            .trie
            .walk(&key.filter)
            .and_then(|node| self.trie.audience(node)?.group(&key.share));
        id.and_then(|id| self.groups.get(id))
            .map(SharedGroup::receivers)
            .unwrap_or_default()
    }

    fn gather(&self, topic: &str, found: &mut Matches) {
        found.clear();
        let mut frontier = std::mem::take(&mut found.frontier);
        self.trie.visit(topic, &mut frontier, |audience| {
            found.note(audience);
            found.groups.extend(
                audience
                    .groups()
                    .filter_map(|id| self.groups.get(id))
                    .map(SharedGroup::to_group),
            );
        });
        found.frontier = frontier;
    }

    /// Where the session's subscription with this filter is.
    fn place(&self, session: SessionKey, share: Option<&str>, inner: &str) -> Option<Place> {
        let node = self.trie.walk(inner)?;
        let audience = self.trie.audience(node)?;
        let Some(share) = share else {
            return audience.get(session).map(|_| Place::Node(node));
        };
        let group = audience.group(share)?;
        self.groups
            .get(group)?
            .members
            .get(session)
            .map(|_| Place::Group(group))
    }

    /// Puts `subscriber` where it belongs; returns the place and the earlier subscription that stood there.
    fn put(&mut self, share: Option<&str>, inner: &str, subscriber: Subscriber) -> Option<(Place, Option<Subscriber>)> {
        let node = self.trie.plant(inner)?;
        let audience = self.trie.audience_mut(node)?;
        let Some(share) = share else {
            return Some((Place::Node(node), audience.insert(subscriber)));
        };
        if let Some(group) = audience.group(share) {
            return Some((
                Place::Group(group),
                self.groups.get_mut(group)?.members.insert(subscriber),
            ));
        }
        let key = Arc::new(ShareKey {
            share: share.into(),
            filter: inner.into(),
        });
        let Some(group) = self.groups.insert(SharedGroup {
            node,
            key,
            members: Roll::from_iter([subscriber]),
        }) else {
            self.trie.prune(node);
            return None;
        };
        audience.add_group(share, group);
        Some((Place::Group(group), None))
    }

    /// Takes the session's subscription out of `place` and frees what nobody needs then.
    fn take(&mut self, place: Place, session: SessionKey) {
        let node = match place {
            Place::Node(node) => {
                self.trie
                    .audience_mut(node)
                    .and_then(|audience| audience.remove(session));
                Some(node)
            }
            Place::Group(group) => self.leave(group, session),
        };
        if let Some(node) = node.filter(|&node| self.trie.audience(node).is_some_and(Audience::is_empty)) {
            self.trie.prune(node);
        }
        self.subscriptions -= 1;
    }

    /// Takes the session out of a group, and the group out of its node when it was the last member; returns that node.
    fn leave(&mut self, group: Id, session: SessionKey) -> Option<Id> {
        let members = &mut self.groups.get_mut(group)?.members;
        members.remove(session);
        if !members.is_empty() {
            return None;
        }
        let SharedGroup { node, key, .. } = self.groups.remove(group)?;
        self.trie.audience_mut(node)?.remove_group(&key.share);
        Some(node)
    }

    fn forget(&mut self, session: SessionKey) -> Option<Roll<Place>> {
        let places = self.sessions.remove(&session)?;
        if self.sessions.capacity() > SHRINK_FROM && self.sessions.len() < self.sessions.capacity() / 8 {
            self.sessions.shrink_to(self.sessions.len() * 2);
        }
        Some(places)
    }
}

/// Whether a filter, without a share name, matches a topic: section 4.7 in both versions.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    retained::matches(filter, topic)
}

/// Share name, if it is a shared subscription, and the filter that decides what matches.
fn parts(filter: &TopicFilter) -> (Option<&str>, &str) {
    match filter.share() {
        Some((share, inner)) => (Some(share), inner),
        None => (None, filter),
    }
}
