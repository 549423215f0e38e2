//! Which slot a client's session has.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use mqtt_codec::ClientId;
use std::hash::BuildHasher;

use super::Slot;

/// Finds slots by client identifier. The identifier itself stands in the session alone, so that a client costs no second
/// copy of it.
pub(super) struct Directory {
    entries: HashTable<u32>,
    hasher: FixedState,
}

impl Directory {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            entries: HashTable::new(),
            hasher,
        }
    }

    /// The slot of the client's session.
    pub(super) fn find(&self, client_id: &str, slots: &[Slot]) -> Option<u32> {
        let hash = self.hasher.hash_one(client_id);
        let found = self
            .entries
            .find(hash, |slot| client_of(*slot, slots) == Some(client_id));
        found.copied()
    }

    /// Notes the session in a slot; its client has none yet.
    pub(super) fn insert(&mut self, slot: u32, slots: &[Slot]) {
        let hash_of = |slot: &u32| self.hasher.hash_one(client_of(*slot, slots).unwrap_or_default());
        self.entries.insert_unique(hash_of(&slot), slot, hash_of);
    }

    /// Forgets the slot that a client's session had.
    pub(super) fn remove(&mut self, client_id: &ClientId, slot: u32) {
        let hash = self.hasher.hash_one(client_id.as_str());
        if let Ok(entry) = self.entries.find_entry(hash, |entry| *entry == slot) {
            entry.remove();
        }
    }
}

fn client_of(slot: u32, slots: &[Slot]) -> Option<&str> {
    let session = slots.get(slot as usize)?.session.as_ref()?;
    Some(session.client_id.as_str())
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("clients", &self.entries.len())
            .finish()
    }
}
