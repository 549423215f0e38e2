//! What an archive should hold, as plainly as it can be said.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::Holding;
use crate::record::{MessageId, StoreTime};

/// One delivery of the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelEntry {
    pub(super) text: String,
    pub(super) shared: Option<u64>,
    pub(super) expires_at: Option<StoreTime>,
    pub(super) group: Option<String>,
    pub(super) cost_bytes: u32,
    /// Set once it was sent.
    pub(super) packet_id: Option<u16>,
    pub(super) is_released: bool,
    pub(super) holding: Holding,
}

/// A message of the model that is on its way between lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelTransfer {
    /// As each of its receivers gets it.
    pub(super) entry: ModelEntry,
    /// Numbers of sessions.
    pub(super) receivers: Vec<u64>,
}

/// One session of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ModelSession {
    pub(super) queue: BTreeMap<u64, ModelEntry>,
    pub(super) received: BTreeSet<u16>,
    pub(super) subscriptions: BTreeSet<String>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Model {
    /// The session that stands for each of the few that steps name.
    pub(super) names: BTreeMap<u64, u64>,
    pub(super) sessions: BTreeMap<u64, ModelSession>,
    /// Ended, and not known to be swept.
    pub(super) ended: BTreeMap<u64, ModelSession>,
    pub(super) retained: BTreeMap<String, String>,
    pub(super) transfers: BTreeMap<u64, ModelTransfer>,
}

impl ModelEntry {
    pub(super) fn waits(&self) -> bool {
        self.packet_id.is_none()
    }
}

impl ModelSession {
    /// The first place that waits.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.queue
            .iter()
            .find(|(_, entry)| entry.waits())
            .map(|(&place, _)| place)
    }

    /// A place under way, whichever `pick` says.
    pub(super) fn under_way(&self, pick: usize, fits: impl Fn(&ModelEntry) -> bool) -> Option<u64> {
        let places: Vec<u64> = self
            .queue
            .iter()
            .filter(|(_, entry)| !entry.waits() && fits(entry))
            .map(|(&place, _)| place)
            .collect();
        places.get(pick % places.len().max(1)).copied()
    }
}

impl Model {
    /// Puts a message that is on its way into the queues that it is for, at the places that `next` gives.
    pub(super) fn finish(&mut self, place: u64, mut next: impl FnMut() -> u64) {
        let Some(transfer) = self.transfers.remove(&place) else {
            return;
        };
        for number in transfer.receivers {
            if let Some(session) = self.sessions.get_mut(&number) {
                session.queue.insert(next(), transfer.entry.clone());
            }
        }
    }

    /// How many entries share each message.
    pub(super) fn references(&self) -> BTreeMap<MessageId, u32> {
        let mut counts = BTreeMap::new();
        let sessions = self.sessions.values().chain(self.ended.values());
        let entries = sessions.flat_map(|session| session.queue.values());
        let entries = entries.chain(self.transfers.values().map(|transfer| &transfer.entry));
        for id in entries
            .filter(|entry| !entry.is_released)
            .filter_map(|entry| entry.shared)
        {
            *counts.entry(MessageId(id)).or_default() += 1;
        }
        counts
    }
}
