//! What the brain decided about a client and the wire does not tell, for the flight recorder and for those who watch.

use mqtt_codec::{ClientId, QoS, TopicFilter};

use crate::counters::Drop;
use crate::exchange::{Kind, Refusal};
use crate::limits::Limit;
use crate::message::Millis;

#[cfg(test)]
mod tests;

/// Notes of the same kind about one client are this far apart at least; the later one says how many it stands for.
const INTERVAL_MILLIS: u64 = 1000;
/// Notes of one line in that time, whatever clients do.
const NOTES_MAX: u32 = 2000;
/// Places of the memory for what was noted lately.
const PLACES: usize = 256;

/// A decision about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The client.
    pub client_id: ClientId,
    /// How often it was decided since the last such note: notes of one kind about one client are a second apart.
    pub times: u32,
    /// What was decided.
    pub decision: Decision,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A request was refused. QoS 0 and clients of 3.x are not told.
    Refused(Kind, Refusal),
    /// A message did not reach the client.
    Dropped(Drop),
    /// The client reached a limit.
    Limited(Limit),
    /// Subscriptions came into force. Only while somebody watches.
    Subscribed(Vec<(TopicFilter, QoS)>),
    /// Subscriptions ended. Only while somebody watches.
    Unsubscribed(Vec<TopicFilter>),
    /// A session began. Only while somebody watches.
    SessionCreated,
    /// A session ended, with all that it held. Only while somebody watches.
    SessionEnded,
}

impl Decision {
    /// Decisions of one kind and about one thing; `None`: each is noted.
    fn sort(&self) -> Option<u32> {
        match self {
            Self::Refused(kind, refusal) => Some(*kind as u32 * 64 + *refusal as u32),
            Self::Dropped(reason) => Some(0x1000 + *reason as u32),
            Self::Limited(limit) => Some(0x2000 + *limit as u32),
            Self::Subscribed(_) | Self::Unsubscribed(_) | Self::SessionCreated | Self::SessionEnded => None,
        }
    }
}

/// Decides which decisions become notes, so that a client that is refused ten thousand times a second makes one of them.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Whether somebody watches.
    pub(crate) watched: bool,
    recent: Box<[Recent]>,
    /// When counting began, and what was counted since.
    since: Millis,
    count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    /// Of the client and the decision; 0: none.
    hash: u32,
    at: Millis,
    unsaid: u32,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            watched: false,
            recent: vec![Recent::default(); PLACES].into_boxed_slice(),
            since: Millis::default(),
            count: 0,
        }
    }
}

impl Notes {
    /// How often this was decided since it was noted last, if it is to be noted.
    pub(crate) fn take(&mut self, client_id: &ClientId, decision: &Decision, now: Millis) -> Option<u32> {
        let times = match decision.sort() {
            Some(sort) => self.times_of(hash_of(client_id, sort), now)?,
            None => 1,
        };
        if now.since(self.since) >= INTERVAL_MILLIS {
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
        (self.count <= NOTES_MAX).then_some(times)
    }

    fn times_of(&mut self, hash: u32, now: Millis) -> Option<u32> {
        let recent = self.recent.get_mut(hash as usize % PLACES)?;
        if recent.hash == hash {
            recent.unsaid = recent.unsaid.saturating_add(1);
            if now.since(recent.at) < INTERVAL_MILLIS {
                return None;
            }
            recent.at = now;
            return Some(std::mem::take(&mut recent.unsaid));
        }
        *recent = Recent {
            hash,
            at: now,
            unsaid: 0,
        };
        Some(1)
    }
}

/// FNV-1a over what identifiers differ in: their ends.
fn hash_of(client_id: &ClientId, sort: u32) -> u32 {
    let end = client_id.len().saturating_sub(16);
    let bytes = client_id.as_bytes().get(end..).unwrap_or_default();
    let hash = bytes
        .iter()
        .chain(&sort.to_le_bytes())
        .fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    (hash ^ (hash >> 15)).max(1)
}
