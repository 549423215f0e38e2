//! Which slot a client's session has.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use mqtt_codec::ClientId;
use std::hash::BuildHasher;

use super::Slot;

/// Finds slots by client identifier. The identifier itself stands in the session alone, so that a client costs no second
/// copy of it.
pub(super) struct Directory {
    /// Slots with the hash of their client's identifier.
    entries: HashTable<(u64, u32)>,
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
        let found = self.entries.find(hash, |(of, slot)| {
            let session = slots.get(*slot as usize).and_then(|slot| slot.session.as_ref());
            *of == hash && session.is_some_and(|session| session.client_id.as_str() == client_id)
        });
        found.map(|(_, slot)| *slot)
    }

    /// Notes a session; the client has none yet.
    pub(super) fn insert(&mut self, client_id: &ClientId, slot: u32) {
        let hash = self.hasher.hash_one(client_id.as_str());
        self.entries.insert_unique(hash, (hash, slot), |(of, _)| *of);
    }

    /// Forgets a session, if it is the client's.
    pub(super) fn remove(&mut self, client_id: &ClientId, slot: u32) {
        let hash = self.hasher.hash_one(client_id.as_str());
        if let Ok(entry) = self.entries.find_entry(hash, |entry| *entry == (hash, slot)) {
            entry.remove();
        }
    }
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("clients", &self.entries.len())
            .finish()
    }
}
