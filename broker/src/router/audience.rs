//! Who subscribed with one filter.

use std::collections::BTreeMap;

use super::SubscriptionOptions;
use super::arena::Id;
use super::roll::{Member, Roll};
use crate::key::SessionKey;

/// One session's subscription with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) session: SessionKey,
    pub(super) options: SubscriptionOptions,
}

impl Member for Subscriber {
    type Key = SessionKey;

    fn key(&self) -> SessionKey {
        self.session
    }
}

/// All who subscribed with one filter. Most filters of a large fleet have one subscriber: that case needs no box.
#[derive(Debug)]
pub(super) enum Audience {
    Nobody,
    One(Subscriber),
    Many(Box<Crowd>),
}

/// An audience of any size, with its shared groups.
#[derive(Debug)]
pub(super) struct Crowd {
    plain: Roll<Subscriber>,
    /// Groups by share name.
    groups: BTreeMap<Box<str>, Id>,
}

impl Audience {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// Those who get every message.
    pub(super) fn plain(&self) -> &[Subscriber] {
        match self {
            Self::Nobody => &[],
            Self::One(subscriber) => std::slice::from_ref(subscriber),
            Self::Many(crowd) => crowd.plain.as_slice(),
        }
    }

    pub(super) fn get(&self, session: SessionKey) -> Option<&Subscriber> {
        match self {
            Self::Nobody => None,
            Self::One(subscriber) => Some(subscriber).filter(|subscriber| subscriber.session == session),
            Self::Many(crowd) => crowd.plain.get(session),
        }
    }

    /// Adds `subscriber`, or puts it in the place of the same session's earlier one and returns that.
    pub(super) fn insert(&mut self, subscriber: Subscriber) -> Option<Subscriber> {
        match self {
            Self::Nobody => {
                *self = Self::One(subscriber);
                None
            }
            Self::One(present) if present.session == subscriber.session => Some(std::mem::replace(present, subscriber)),
            Self::One(present) => {
                let plain = Roll::from_iter([*present, subscriber]);
                *self = Self::Many(Box::new(Crowd {
                    plain,
                    groups: BTreeMap::new(),
                }));
                None
            }
            Self::Many(crowd) => crowd.plain.insert(subscriber),
        }
    }

    pub(super) fn remove(&mut self, session: SessionKey) -> Option<Subscriber> {
        match self {
            Self::Nobody => None,
            Self::One(subscriber) => {
                let gone = Some(*subscriber).filter(|subscriber| subscriber.session == session)?;
                *self = Self::Nobody;
                Some(gone)
            }
            Self::Many(crowd) => {
                let gone = crowd.plain.remove(session)?;
                self.settle();
                Some(gone)
            }
        }
    }

    /// The shared groups of this filter, in the order of their share names.
    pub(super) fn groups(&self) -> impl Iterator<Item = Id> {
        let groups = match self {
            Self::Many(crowd) => Some(&crowd.groups),
            Self::Nobody | Self::One(_) => None,
        };
        groups.into_iter().flat_map(BTreeMap::values).copied()
    }

    pub(super) fn group(&self, share: &str) -> Option<Id> {
        match self {
            Self::Many(crowd) => crowd.groups.get(share).copied(),
            Self::Nobody | Self::One(_) => None,
        }
    }

    pub(super) fn add_group(&mut self, share: &str, group: Id) {
        let plain = match self {
            Self::Nobody => Roll::new(),
            Self::One(subscriber) => Roll::from_iter([*subscriber]),
            Self::Many(crowd) => {
                crowd.groups.insert(share.into(), group);
                return;
            }
        };
        *self = Self::Many(Box::new(Crowd {
            plain,
            groups: BTreeMap::from([(share.into(), group)]),
        }));
    }

    pub(super) fn remove_group(&mut self, share: &str) {
        if let Self::Many(crowd) = self {
            crowd.groups.remove(share);
            self.settle();
        }
    }

    /// Goes back to the smallest form.
    fn settle(&mut self) {
        let Self::Many(crowd) = self else { return };
        if !crowd.groups.is_empty() {
            return;
        }
        match crowd.plain.as_slice() {
            [] => *self = Self::Nobody,
            [only] => *self = Self::One(*only),
            _ => {}
        }
    }
}
