//! Shared messages that somebody holds, so that all who read one get the same value.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use foldhash::fast::FixedState;

use super::Archive;
use crate::record::{Fault, Flaw, MESSAGE, MessageId, MessageRecord, message_key};
use crate::{Store, StoreError};

const PRUNED_FROM: usize = 1024;

/// Messages by number, as long as somebody holds them.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    known: HashMap<MessageId, Weak<MessageRecord>, FixedState>,
    /// Entries from which on it pays to look for messages that nobody holds.
    prune_from: usize,
}

impl Bodies {
    fn get(&self, id: MessageId) -> Option<Arc<MessageRecord>> {
        self.known.get(&id)?.upgrade()
    }

    fn insert(&mut self, id: MessageId, message: &Arc<MessageRecord>) {
        if self.known.len() >= self.prune_from.max(PRUNED_FROM) {
            self.known.retain(|_, message| message.strong_count() > 0);
            self.prune_from = self.known.len() * 2;
        }
        self.known.insert(id, Arc::downgrade(message));
    }
}

impl<S: Store> Archive<S> {
    /// The shared message `id`, which an entry names.
    pub(super) fn body(&mut self, id: MessageId) -> Result<Arc<MessageRecord>, StoreError> {
        if let Some(message) = self.bodies.get(id) {
            return Ok(message);
        }
        let key = message_key(id);
        let message = self.read(MESSAGE, &key, MessageRecord::read)?;
        let message = message
            .map(Arc::new)
            .ok_or_else(|| self.damaged(&Fault::new(MESSAGE, &key, Flaw::Content("it is missing"))))?;
        self.bodies.insert(id, &message);
        Ok(message)
    }
}
