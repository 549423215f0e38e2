//! What was decided lately, so that a client that goes on as it did is not judged anew for each message.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use mqtt_codec::QoS;

use super::Action;
use crate::key::SessionKey;

/// Topics longer than this are not remembered, in bytes: what is kept is bounded in bytes as well as in number.
const TOPIC_BYTES_MAX: usize = 256;

/// Who asked for what. The topic stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) session: SessionKey,
    /// Counts the identities that sessions of the line had: what was decided for one says nothing of the next.
    pub(crate) bearer: u32,
    pub(crate) action: Action,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

#[derive(Debug)]
struct Entry {
    asked: Asked,
    allowed: bool,
    topic: Box<str>,
}

/// The decision about the last PUBLISH: they come in runs of one client and one topic.
#[derive(Debug, Default)]
struct Latest {
    asked: Option<Asked>,
    topic: String,
    allowed: bool,
}

/// Decisions of one line under one book, in two generations: when the younger is full, the older is forgotten, so that the
/// bound costs no bookkeeping for each message.
#[derive(Debug)]
pub(crate) struct Lately {
    latest: Latest,
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    generation_max: usize,
    hasher: FixedState,
}

impl Lately {
    /// Remembers up to `decisions_max` of them. `hasher` is seeded with what peers cannot know.
    pub(crate) fn new(decisions_max: usize, hasher: FixedState) -> Self {
        Self {
            latest: Latest::default(),
            young: HashTable::new(),
            old: HashTable::new(),
            generation_max: decisions_max / 2,
            hasher,
        }
    }

    /// Remembers up to so many from here on.
    pub(crate) fn resize(&mut self, decisions_max: usize) {
        self.generation_max = decisions_max / 2;
        if self.young.len().max(self.old.len()) > self.generation_max {
            *self = Self::new(decisions_max, self.hasher.clone());
        }
    }

    /// What was decided, or what `decide` says now.
    #[inline]
    pub(crate) fn or_decide(&mut self, asked: Asked, topic: &str, decide: impl FnOnce() -> bool) -> bool {
        let publishes = asked.action == Action::Publish;
        if publishes && self.latest.asked == Some(asked) && *self.latest.topic == *topic {
            return self.latest.allowed;
        }
        let allowed = self.recall_or_decide(asked, topic, decide);
        if publishes && self.is_kept(topic) {
            self.latest.asked = Some(asked);
            self.latest.allowed = allowed;
            self.latest.topic.clear();
            self.latest.topic.push_str(topic);
        }
        allowed
    }

    // In line, because most questions go this way.
    #[inline(always)]
    fn recall_or_decide(&mut self, asked: Asked, topic: &str, decide: impl FnOnce() -> bool) -> bool {
        let hash = self.hash(asked, topic);
        let is_it = |entry: &Entry| entry.asked == asked && *entry.topic == *topic;
        if let Some(known) = self.young.find(hash, is_it) {
            return known.allowed;
        }
        if let Ok(known) = self.old.find_entry(hash, is_it) {
            let (entry, _) = known.remove();
            let allowed = entry.allowed;
            self.insert(hash, entry);
            return allowed;
        }
        let allowed = decide();
        if self.is_kept(topic) {
            let topic = topic.into();
            self.insert(hash, Entry { asked, allowed, topic });
        }
        allowed
    }

    const fn is_kept(&self, topic: &str) -> bool {
        self.generation_max > 0 && topic.len() <= TOPIC_BYTES_MAX
    }

    /// Forgets everything: another book is in force.
    pub(crate) fn clear(&mut self) {
        self.latest = Latest::default();
        self.young = HashTable::new();
        self.old = HashTable::new();
    }

    fn insert(&mut self, hash: u64, entry: Entry) {
        if self.young.len() >= self.generation_max {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        let hasher = &self.hasher;
        let rehash = |entry: &Entry| hash_of(hasher, entry.asked, &entry.topic);
        self.young.insert_unique(hash, entry, rehash);
    }

    fn hash(&self, asked: Asked, topic: &str) -> u64 {
        hash_of(&self.hasher, asked, topic)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

fn hash_of(hasher: &FixedState, asked: Asked, topic: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    let Asked {
        session,
        bearer,
        action,
        qos,
        retain,
    } = asked;
    session.hash(&mut hasher);
    let what = u64::from(action as u8) << 8 | u64::from(qos as u8) << 1 | u64::from(retain);
    hasher.write_u64(u64::from(bearer) << 32 | what);
    hasher.write(topic.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests;
