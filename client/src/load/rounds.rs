//! Windows: who may send more because earlier messages have arrived.
//!
//! A publisher goes by rounds of half its window. A round is over when each of its messages has reached all who are to
//! hear it and, above QoS 0, all of it is acknowledged; two rounds at most are under way. So no broker is overrun, and
//! none gets a window that suits it.
//!
//! Subscribers may live on other threads than their publishers, so the count of what is still on its way is atomic: one
//! subtraction for all that one read brought of a round.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Rounds of one publisher that may be under way.
pub(super) const ROUNDS: u32 = 2;

/// A value on cache lines of its own, so that threads that write to neighbours do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// What is on its way of one publisher.
#[derive(Debug, Default)]
pub(super) struct Airborne {
    /// The sequence number with which round 0 begins. It changes only while nothing is on its way.
    base: AtomicU32,
    /// Messages of a round.
    batch: AtomicU32,
    /// For even and odd rounds: the round's number in the upper half, deliveries to come in the lower.
    slots: [AtomicU64; 2],
}

impl Airborne {
    /// Starts over with rounds of `batch` messages from this sequence number on.
    pub(super) fn restart(&self, base: u32, batch: u32) {
        self.base.store(base, Ordering::Relaxed);
        self.batch.store(batch.max(1), Ordering::Relaxed);
        for slot in &self.slots {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Announces a round before its first message leaves.
    pub(super) fn open(&self, round: u32, deliveries: u32) {
        self.slot(round).store(pack(round, deliveries), Ordering::Release);
    }

    /// How many deliveries of a round that is under way have yet to come.
    pub(super) fn left(&self, round: u32) -> u32 {
        let (of, left) = unpack(self.slot(round).load(Ordering::Acquire));
        if of == round { left } else { 0 }
    }

    /// The round that a message belongs to; meaningless numbers come from messages that are long past.
    #[inline]
    pub(super) fn round_of(&self, sequence: u32) -> u32 {
        let batch = self.batch.load(Ordering::Relaxed).max(1);
        sequence.wrapping_sub(self.base.load(Ordering::Relaxed)) / batch
    }

    /// Notes deliveries of a round; true if those were its last.
    pub(super) fn arrived(&self, round: u32, deliveries: u32) -> bool {
        let slot = self.slot(round);
        let (of, left) = unpack(slot.load(Ordering::Acquire));
        // Deliveries of a round that was given up, or more than there should be, open nothing.
        if of != round || left < deliveries {
            return false;
        }
        let (_, left) = unpack(slot.fetch_sub(u64::from(deliveries), Ordering::AcqRel));
        left == deliveries
    }

    fn slot(&self, round: u32) -> &AtomicU64 {
        let [even, odd] = &self.slots;
        if round.is_multiple_of(2) { even } else { odd }
    }
}

fn pack(round: u32, deliveries: u32) -> u64 {
    (u64::from(round) << 32) | u64::from(deliveries)
}

fn unpack(slot: u64) -> (u32, u32) {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
    (half(slot >> 32), half(slot))
}

#[cfg(test)]
mod tests;
