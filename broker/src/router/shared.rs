//! Shared subscriptions: the members of a group get each message once between them.

use std::sync::Arc;

use mqtt_codec::TopicFilter;

use super::arena::Id;
use super::audience::Subscriber;
use super::matches::{Group, Receiver};
use super::roll::Roll;

/// What makes a group: the same share name with another filter is another group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareKey {
    /// The share name, the second level of `$share/name/filter`.
    pub share: Box<str>,
    /// The filter behind the share name, which decides what matches.
    pub filter: Box<str>,
}

impl ShareKey {
    /// The group that a `$share/name/filter` asks for; `None`: it is no shared subscription.
    #[must_use]
    pub fn of(filter: &TopicFilter) -> Option<Self> {
        let (share, inner) = filter.share()?;
        Some(Self {
            share: share.into(),
            filter: inner.into(),
        })
    }
}

impl std::fmt::Display for ShareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "$share/{}/{}", self.share, self.filter)
    }
}

/// A group of at least one member.
#[derive(Debug)]
pub(super) struct SharedGroup {
    /// Where its filter ends in the trie.
    pub(super) node: Id,
    pub(super) key: Arc<ShareKey>,
    pub(super) members: Roll<Subscriber>,
}

impl SharedGroup {
    pub(super) fn receivers(&self) -> Vec<Receiver> {
        self.members.as_slice().iter().map(Receiver::alone).collect()
    }

    pub(super) fn to_group(&self) -> Group {
        Group {
            key: Arc::clone(&self.key),
            members: self.receivers(),
        }
    }
}
