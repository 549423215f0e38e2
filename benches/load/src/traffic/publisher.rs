//! One publisher: what it sent and how much of that is done.

use crate::frame::{Qos, Template};

/// The account of one publisher.
#[derive(Debug)]
pub(crate) struct Publisher {
    template: Template,
    /// How many subscribers hear it.
    audience: usize,
    /// Whether the broker acknowledges its messages.
    wants_acks: bool,
    sent: u32,
    acknowledged: u32,
    /// Rounds whose last message has reached the whole audience.
    rounds_arrived: u32,
    /// How many subscribers have the last message of an even round, and of an odd one: two are under way at most.
    reached: [usize; 2],
}

impl Publisher {
    /// A publisher that has sent nothing.
    pub(crate) fn new(template: Template, audience: usize, qos: Qos) -> Self {
        Self {
            template,
            audience,
            wants_acks: qos != Qos::AtMostOnce,
            sent: 0,
            acknowledged: 0,
            rounds_arrived: 0,
            reached: [0; 2],
        }
    }

    /// Appends the next messages.
    pub(crate) fn send(&mut self, count: u32, stamp_ns: u64, out: &mut Vec<u8>) {
        for sequence in self.sent..self.sent.saturating_add(count) {
            self.template.append(sequence, stamp_ns, out);
        }
        self.sent = self.sent.saturating_add(count);
    }

    /// Notes that one subscriber has this message; true when that was the end of a round.
    pub(crate) fn arrived(&mut self, sequence: u32, batch: u32) -> bool {
        if !(sequence + 1).is_multiple_of(batch) {
            return false;
        }
        let [even, odd] = &mut self.reached;
        let reached = if (sequence / batch).is_multiple_of(2) {
            even
        } else {
            odd
        };
        *reached += 1;
        if *reached < self.audience {
            return false;
        }
        *reached = 0;
        self.rounds_arrived += 1;
        true
    }

    /// Notes that the broker is done with one message.
    pub(crate) fn acknowledged(&mut self) {
        self.acknowledged += 1;
    }

    /// Whether another round fits into the window.
    pub(crate) fn may_send(&self, batch: u32, rounds: u32) -> bool {
        let acknowledged = if self.wants_acks {
            self.acknowledged / batch
        } else {
            u32::MAX
        };
        let done = self.rounds_arrived.min(acknowledged);
        (self.sent / batch).saturating_sub(done) < rounds
    }

    /// Messages sent so far.
    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    /// Messages that wait for the end of their acknowledgement.
    pub(crate) fn unacknowledged(&self) -> u64 {
        if self.wants_acks {
            u64::from(self.sent.saturating_sub(self.acknowledged))
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests;
