//! The receivers of a topic, looked up once and remembered while no subscription changes.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use mqtt_codec::TopicName;

use super::Line;
use crate::durable::Durability;
use crate::router::{Group, Matches, Receiver};

/// Who gets a topic's messages, sorted by line.
#[derive(Debug)]
pub(super) struct Routes {
    version: u64,
    /// The topic, for messages that are kept.
    pub(super) topic: TopicName,
    /// What its messages survive in the queues of sessions that the store keeps.
    pub(super) durability: Durability,
    /// The filters that the operator has it counted by.
    pub(super) classes: u64,
    /// Copies that a message is made into: one for each receiver and group.
    pub(super) copies: u64,
    /// Whether more than one queue may take a message.
    pub(super) are_several: bool,
    /// Those whose home is this line.
    pub(super) local: Vec<Receiver>,
    /// The others, by line.
    pub(super) remote: Vec<(u16, Arc<[Receiver]>)>,
    /// Shared groups: one member of each gets the message.
    pub(super) groups: Vec<Group>,
}

impl Routes {
    /// Whether anyone gets it.
    pub(super) fn any(&self) -> bool {
        !(self.local.is_empty() && self.remote.is_empty() && self.groups.is_empty())
    }

    fn new(
        version: u64,
        topic: TopicName,
        (durability, classes): (Durability, u64),
        matches: &mut Matches,
        here: u16,
    ) -> Self {
        let groups = std::mem::take(&mut matches.groups);
        let copies = matches.receivers.len() + groups.len();
        let are_several = copies > 1;
        let (local, mut far): (Vec<_>, Vec<_>) = matches
            .receivers
            .drain(..)
            .partition(|receiver| receiver.session.line() == here);
        far.sort_by_key(|receiver| receiver.session.line());
        let remote = far
            .chunk_by(|a, b| a.session.line() == b.session.line())
            .filter_map(|chunk| chunk.first().map(|first| (first.session.line(), Arc::from(chunk))))
            .collect();
        Self {
            version,
            topic,
            durability,
            classes,
            copies: copies as u64,
            are_several,
            local,
            remote,
            groups,
        }
    }
}

/// Topics that this line published to lately, in two generations: when the younger is full, the older is forgotten, so
/// that the bound costs no bookkeeping per message.
#[derive(Debug)]
pub(super) struct TopicCache {
    young: HashMap<TopicName, Rc<Routes>, foldhash::fast::FixedState>,
    old: HashMap<TopicName, Rc<Routes>, foldhash::fast::FixedState>,
    generation_max: usize,
    found: Matches,
}

impl TopicCache {
    pub(super) fn new(topics_max: usize, hasher: foldhash::fast::FixedState) -> Self {
        Self {
            young: HashMap::with_hasher(hasher.clone()),
            old: HashMap::with_hasher(hasher),
            generation_max: (topics_max / 2).max(1),
            found: Matches::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Remembers up to so many topics from here on.
    pub(super) fn resize(&mut self, topics_max: usize) {
        self.generation_max = (topics_max / 2).max(1);
        if self.young.len().max(self.old.len()) > self.generation_max {
            let hasher = self.young.hasher().clone();
            *self = Self::new(topics_max, hasher);
        }
    }

    fn insert(&mut self, topic: TopicName, routes: Rc<Routes>) {
        if self.young.len() >= self.generation_max {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.insert(topic, routes);
    }
}

impl Line {
    /// The receivers of a topic, as of this moment.
    pub(super) fn routes(&mut self, topic: &TopicName) -> Rc<Routes> {
        let version = self.turn.tables.version();
        let cache = &mut self.cache;
        if let Some(routes) = cache.young.get(topic.as_str())
            && routes.version == version
        {
            return Rc::clone(routes);
        }
        if let Some((topic, routes)) = cache.old.remove_entry(topic.as_str())
            && routes.version == version
        {
            cache.insert(topic, Rc::clone(&routes));
            return routes;
        }
        // The version is read before the table: a change in between makes this entry stale, never wrong for long.
        self.turn.tables.find(topic, &mut cache.found);
        let topic = topic.detach();
        let durability = self.turn.keeper.durability_of(&topic);
        let classes = self.turn.limits.classes.of_topic(&topic);
        let found = &mut cache.found;
        let routes = Routes::new(version, topic.clone(), (durability, classes), found, self.index);
        let routes = Rc::new(routes);
        match cache.young.get_mut(topic.as_str()) {
            Some(known) => *known = Rc::clone(&routes),
            None => cache.insert(topic, Rc::clone(&routes)),
        }
        routes
    }
}
