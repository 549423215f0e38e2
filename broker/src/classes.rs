//! Classes of messages that the operator wants counted apart: by topic filter, and by group of clients.

use mqtt_codec::{ClientId, TopicFilter};

use crate::identity::Identity;
use crate::router;

/// Classes of one kind at most: one bit each in a mask.
pub const CLASSES_MAX: usize = 64;

/// What is to be counted apart. Nothing, unless the operator names something.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    /// Messages, by their topics, each with its name.
    pub filters: Vec<(Box<str>, TopicFilter)>,
    /// Clients, likewise.
    pub groups: Vec<(Box<str>, ClientGroup)>,
}

/// Clients that are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientGroup {
    /// Those whose user is in this group.
    User(Box<str>),
    /// Those whose client id starts so.
    ClientIdStart(Box<str>),
}

impl ClientGroup {
    fn has(&self, client_id: &ClientId, identity: &Identity) -> bool {
        match self {
            Self::User(group) => identity.groups.iter().any(|own| own == group),
            Self::ClientIdStart(start) => client_id.starts_with(&**start),
        }
    }
}

impl Classes {
    /// Whether nothing is counted apart.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.groups.is_empty()
    }

    /// The filters that a topic matches, one bit each.
    pub(crate) fn of_topic(&self, topic: &str) -> u64 {
        mask(&self.filters, |(_, filter)| router::matches(filter, topic))
    }

    /// The groups that a client is in, one bit each.
    pub(crate) fn of_client(&self, client_id: &ClientId, identity: &Identity) -> u64 {
        mask(&self.groups, |(_, group)| group.has(client_id, identity))
    }
}

fn mask<T>(items: &[T], has: impl Fn(&T) -> bool) -> u64 {
    let bit = |(place, item): (usize, &T)| u64::from(has(item)) << place;
    items
        .iter()
        .take(CLASSES_MAX)
        .enumerate()
        .map(bit)
        .fold(0, |all, bit| all | bit)
}

/// What was counted of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassCount {
    /// Messages received and sent.
    pub messages: [u64; 2],
    /// Payload bytes of these.
    pub bytes: [u64; 2],
}

/// The way of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Received,
    Sent,
}

/// Counts a message in each class of the mask.
pub(crate) fn count(counts: &mut Vec<ClassCount>, mask: u64, direction: Direction, payload: usize) {
    let mut left = mask;
    while left != 0 {
        let place = left.trailing_zeros() as usize;
        left &= left - 1;
        if counts.len() <= place {
            counts.resize(place + 1, ClassCount::default());
        }
        if let Some(of_class) = counts.get_mut(place) {
            let way = direction as usize;
            of_class.messages.get_mut(way).into_iter().for_each(|count| *count += 1);
            let bytes = of_class.bytes.get_mut(way);
            bytes.into_iter().for_each(|count| *count += payload as u64);
        }
    }
}

/// Adds another line's counts to these.
pub(crate) fn add(mine: &mut Vec<ClassCount>, theirs: &[ClassCount]) {
    if mine.len() < theirs.len() {
        mine.resize(theirs.len(), ClassCount::default());
    }
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        for way in [Direction::Received as usize, Direction::Sent as usize] {
            let pairs = [
                (mine.messages.get_mut(way), theirs.messages.get(way)),
                (mine.bytes.get_mut(way), theirs.bytes.get(way)),
            ];
            for (mine, theirs) in pairs {
                if let (Some(mine), Some(theirs)) = (mine, theirs) {
                    *mine += theirs;
                }
            }
        }
    }
}
