//! How many entries share a message.

use std::collections::HashMap;

use bytes::BufMut;
use foldhash::fast::FixedState;

use super::Archive;
use crate::record::{Fields, MESSAGE, MessageId, REFERENCE, message_key, seal};
use crate::{Batch, Store, StoreError};

/// Counts that are remembered; half of them are forgotten when there are more.
const KNOWN_MAX: usize = 1 << 16;

/// The counts of shared messages: as the store has them, and as the changes that wait leave them.
///
/// A count is written once for each batch, however often it changed. Message ids rise, so an id from `known_from` on
/// that is not in the table belongs to a message that nobody shares: the first entry of a message costs no read.
#[derive(Debug)]
pub(super) struct References {
    known_from: MessageId,
    known_max: usize,
    counts: HashMap<MessageId, Count, FixedState>,
    /// Those that the changes that wait have touched.
    touched: Vec<MessageId>,
}

/// The count of one message.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// As the store has it.
    stored: u32,
    /// As it is to be.
    wanted: u32,
    /// The changes that wait put the message.
    body_waits: bool,
    touched: bool,
}

impl References {
    pub(super) fn new(known_from: MessageId) -> Self {
        Self {
            known_from,
            known_max: KNOWN_MAX,
            counts: HashMap::default(),
            touched: Vec::new(),
        }
    }

    /// With another bound on what is remembered.
    #[cfg(test)]
    pub(super) fn keeping(self, known_max: usize) -> Self {
        Self { known_max, ..self }
    }

    /// Whether the count of `id` can be changed without reading it.
    #[inline]
    pub(super) fn knows(&self, id: MessageId) -> bool {
        id >= self.known_from || self.counts.contains_key(&id)
    }

    /// Takes note of what the store has.
    pub(super) fn learn(&mut self, id: MessageId, stored: u32) {
        let count = Count {
            stored,
            wanted: stored,
            ..Count::default()
        };
        self.counts.insert(id, count);
    }

    /// One entry more. `true`: the message has to be put along with it.
    #[inline]
    pub(super) fn add(&mut self, id: MessageId) -> bool {
        let count = self.touch(id);
        count.wanted = count.wanted.saturating_add(1);
        let is_absent = count.stored == 0 && !count.body_waits;
        count.body_waits |= is_absent;
        is_absent
    }

    /// One entry less.
    #[inline]
    pub(super) fn drop(&mut self, id: MessageId) {
        let count = self.touch(id);
        count.wanted = count.wanted.saturating_sub(1);
    }

    #[inline]
    fn touch(&mut self, id: MessageId) -> &mut Count {
        let count = self.counts.entry(id).or_default();
        if !count.touched {
            count.touched = true;
            self.touched.push(id);
        }
        count
    }

    /// Adds the changed counts to the changes that wait, and the removal of messages that nobody shares any more.
    pub(super) fn write(&self, batch: &mut Batch) {
        for &id in &self.touched {
            let Some(count) = self.counts.get(&id) else { continue };
            let key = message_key(id);
            let wanted = |out: &mut Vec<u8>| seal(REFERENCE, &key, out, |out| out.put_u32(count.wanted));
            match (count.stored, count.wanted) {
                (0, 0) if count.body_waits => {
                    batch.remove(MESSAGE, &key);
                }
                (0, 0) => {}
                (0, _) => {
                    batch.put_new_with(REFERENCE, &key, wanted);
                }
                (_, 0) => {
                    batch.remove(REFERENCE, &key).remove(MESSAGE, &key);
                }
                (stored, new) if stored != new => {
                    batch.put_with(REFERENCE, &key, wanted);
                }
                (_, _) => {}
            }
        }
    }

    /// The changes that waited were taken, or they were not.
    pub(super) fn settle(&mut self, taken: bool) {
        for id in self.touched.drain(..) {
            let Some(count) = self.counts.get_mut(&id) else {
                continue;
            };
            let stored = if taken { count.wanted } else { count.stored };
            *count = Count {
                stored,
                wanted: stored,
                ..Count::default()
            };
            if stored == 0 {
                self.counts.remove(&id);
            }
        }
        if self.counts.len() > self.known_max {
            self.forget_half();
        }
    }

    /// Forgets the older half. Of ids below the newest of them the absence says nothing from then on.
    fn forget_half(&mut self) {
        let mut ids: Vec<MessageId> = self.counts.keys().copied().collect();
        let middle = ids.len() / 2;
        let (_, &mut newest, _) = ids.select_nth_unstable(middle);
        self.counts.retain(|&id, _| id > newest);
        self.known_from = self.known_from.max(MessageId(newest.0.saturating_add(1)));
    }
}

impl<S: Store> Archive<S> {
    /// Makes sure that the count of `id` is known.
    ///
    /// # Errors
    ///
    /// The store failed or the count is damaged.
    #[inline]
    pub(super) fn know(&mut self, id: MessageId) -> Result<(), StoreError> {
        if !self.references.knows(id) {
            let stored = self.read(REFERENCE, &message_key(id), Fields::u32)?;
            self.references.learn(id, stored.unwrap_or_default());
        }
        Ok(())
    }
}
