//! The law of conservation: whatever was received and whatever was to be delivered is somewhere.
//!
//! Two sums hold on each line at each moment between its turns, because one thread changes all their terms:
//!
//! - each PUBLISH that was taken up was answered, refused or given up, or is under way;
//! - each copy that matching made, another line sent, or the store gave back was delivered, dropped for a reason or sent to
//!   another line, or it waits or is in flight.
//!
//! What is between two lines is what the one sent and the other has not counted.

use super::{Counters, Drop};
use crate::exchange::Kind;

/// Where copies come from and go to, apart from what other counters tell. A copy is one receiver's of one message; one
/// that a shared group gives to another member of the same line stays the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// Made here: for each receiver that a message matched, for each retained message that a subscription asked for, and
    /// for a will or a rule's message that was not let go.
    pub made: u64,
    /// Came from other lines.
    pub forwarded_in: u64,
    /// Went to other lines.
    pub forwarded_out: u64,
    /// Came back from the store, which alone knew of them.
    pub restored: u64,
    /// Were counted as waiting and are not in the store that had them.
    pub vanished: u64,
}

impl Copies {
    pub(super) const fn add(&mut self, other: Self) {
        self.made += other.made;
        self.forwarded_in += other.forwarded_in;
        self.forwarded_out += other.forwarded_out;
        self.restored += other.restored;
        self.vanished += other.vanished;
    }

    /// The store has told how many there are: known before and after.
    pub(crate) const fn corrected(&mut self, before: u64, after: u64) {
        self.restored += after.saturating_sub(before);
        self.vanished += before.saturating_sub(after);
    }
}

/// The terms of both sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Law {
    /// PUBLISH exchanges started.
    pub received: u64,
    /// Finished: acknowledged to the end, or taken where nothing is to be acknowledged.
    pub answered: u64,
    /// Refused, whatever the reason.
    pub refused: u64,
    /// Given up, because their connection or session ended or a rule wanted it so.
    pub canceled: u64,
    /// Under way: they await their PUBREL, or the end of a hold.
    pub open: u64,
    /// Copies: see [`Copies`].
    pub copies: Copies,
    /// Written (QoS 0) or acknowledged to the end (QoS 1 and 2).
    pub delivered: u64,
    /// Waiting.
    pub queued: u64,
    /// Sent and not acknowledged to the end.
    pub inflight: u64,
    /// Dropped because their time was over.
    pub expired: u64,
    /// Dropped for another reason.
    pub dropped: u64,
}

impl Law {
    /// PUBLISH exchanges that nobody knows about; below zero: some that ended twice.
    #[must_use]
    pub fn received_unaccounted(&self) -> i64 {
        let known = self.answered + self.refused + self.canceled + self.open;
        difference(self.received, known)
    }

    /// Copies that nobody knows about; below zero: some that are counted twice.
    #[must_use]
    pub fn copies_unaccounted(&self) -> i64 {
        let from = self.copies.made + self.copies.forwarded_in + self.copies.restored;
        let gone = self.delivered + self.expired + self.dropped + self.copies.forwarded_out + self.copies.vanished;
        difference(from, gone + self.queued + self.inflight)
    }

    /// Messages of both sums that are unaccounted for; 0 unless the broker has a fault.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        self.received_unaccounted().unsigned_abs() + self.copies_unaccounted().unsigned_abs()
    }
}

fn difference(one: u64, other: u64) -> i64 {
    i64::try_from(i128::from(one) - i128::from(other)).unwrap_or(i64::MAX)
}

impl Counters {
    /// The terms of the law, as they are counted.
    #[must_use]
    pub fn law(&self) -> Law {
        let of = |counts: &[u64], kind: Kind| counts.get(kind as usize).copied().unwrap_or(0);
        let refusals = self.stopped.get(Kind::Publish as usize).copied().unwrap_or_default();
        let expired = self.dropped.get(Drop::Expired as usize).copied().unwrap_or(0);
        Law {
            received: of(&self.started, Kind::Publish),
            answered: of(&self.finished, Kind::Publish),
            refused: refusals.iter().sum(),
            canceled: of(&self.canceled, Kind::Publish),
            open: self.publish_open,
            copies: self.copies,
            delivered: of(&self.finished, Kind::Deliver),
            queued: self.queued,
            inflight: self.inflight,
            expired,
            dropped: self.dropped_total() - expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_did_nothing_owes_nothing() {
        assert_eq!(Counters::default().law().unaccounted(), 0);
    }

    #[test]
    fn every_term_that_is_off_by_one_shows() {
        let balanced = Law {
            received: 10,
            answered: 4,
            refused: 3,
            canceled: 2,
            open: 1,
            copies: Copies {
                made: 20,
                forwarded_in: 3,
                forwarded_out: 4,
                restored: 2,
                vanished: 1,
            },
            delivered: 10,
            queued: 4,
            inflight: 3,
            expired: 1,
            dropped: 2,
        };
        assert_eq!(balanced.unaccounted(), 0);
        let terms: [fn(&mut Law) -> &mut u64; 15] = [
            |law| &mut law.received,
            |law| &mut law.answered,
            |law| &mut law.refused,
            |law| &mut law.canceled,
            |law| &mut law.open,
            |law| &mut law.copies.made,
            |law| &mut law.copies.forwarded_in,
            |law| &mut law.copies.forwarded_out,
            |law| &mut law.copies.restored,
            |law| &mut law.copies.vanished,
            |law| &mut law.delivered,
            |law| &mut law.queued,
            |law| &mut law.inflight,
            |law| &mut law.expired,
            |law| &mut law.dropped,
        ];
        for term in terms {
            let mut law = balanced;
            *term(&mut law) += 1;
            assert_eq!(law.unaccounted(), 1, "{law:?}");
        }
    }
}
