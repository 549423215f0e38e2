//! What sessions hold in memory, found out a slice at a time, so that nothing is counted where messages go through.

use super::Line;
use crate::session::Session;

/// What the sessions of a line hold in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What messages that wait in memory count for; one that waits in several queues counts in each.
    pub queue_bytes: usize,
    /// What waits to be written to connections.
    pub outbox_bytes: usize,
}

impl Holdings {
    fn add(&mut self, session: &Session) {
        self.queue_bytes += session.queue.bytes_in_memory();
        self.outbox_bytes += session.link.as_ref().map_or(0, |link| link.out.len());
    }
}

/// How far a round through all sessions has come.
#[derive(Debug, Default)]
pub(super) struct Weighing {
    next: usize,
    so_far: Holdings,
    last: Holdings,
}

impl Line {
    /// Looks at so many slots more.
    pub fn weigh(&mut self, slots_max: usize) {
        let end = (self.weighing.next + slots_max).min(self.slots.len());
        let slice = self.slots.get(self.weighing.next..end).unwrap_or_default();
        for session in slice.iter().filter_map(|slot| slot.session.as_deref()) {
            self.weighing.so_far.add(session);
        }
        self.weighing.next = end;
        if end == self.slots.len() {
            self.weighing = Weighing {
                last: self.weighing.so_far,
                ..Weighing::default()
            };
        }
    }

    /// What sessions held when the last round through all of them was over.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.weighing.last
    }
}
