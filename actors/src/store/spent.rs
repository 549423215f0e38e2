//! What comes and goes within one commit: a message that its subscriber has acknowledged before the store got to it.

use std::collections::HashSet;

use broker::durable::{Change, Place};
use foldhash::fast::FixedState;

/// The places of deliveries that a group both queues and ends: nothing of them needs to be written.
///
/// Whoever published them is told after the commit as ever. Should the broker end before that, he sends again, and there
/// is nothing to be found of an attempt that was never acknowledged.
#[derive(Debug, Default)]
pub(super) struct Spent {
    queued: HashSet<u64, FixedState>,
    ended: HashSet<u64, FixedState>,
}

impl Spent {
    /// Looks through a group. What was found in the one before is forgotten.
    pub(super) fn look<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        self.queued.clear();
        self.ended.clear();
        for change in changes {
            if let Change::Queue(_, entry) = change {
                self.queued.insert(entry.place.0);
            } else if let Change::Done(_, holding) = change
                && self.queued.contains(&holding.place.0)
            {
                self.ended.insert(holding.place.0);
            }
        }
    }

    /// Whether a change concerns nothing but such a delivery.
    pub(super) fn has(&self, change: &Change) -> bool {
        !self.ended.is_empty() && place_of(change).is_some_and(|place| self.ended.contains(&place.0))
    }
}

/// The delivery that a change is about.
fn place_of(change: &Change) -> Option<Place> {
    match change {
        Change::Queue(_, entry) => Some(entry.place),
        Change::Sent(_, place, _) => Some(*place),
        Change::Released(_, holding, _) | Change::Done(_, holding) => Some(holding.place),
        Change::Session(_)
        | Change::EndSession(_)
        | Change::Subscribe(..)
        | Change::Unsubscribe(..)
        | Change::Received(..)
        | Change::Forgotten(..)
        | Change::Retained(_)
        | Change::Transfer(_)
        | Change::Transferred(..)
        | Change::Will(_)
        | Change::NoWill(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use broker::durable::{Holding, SessionId, Stage};
    use mqtt_codec::PacketId;

    use super::*;
    use crate::store::tests::entry;

    fn done(place: u64) -> Change {
        let holding = Holding {
            place: Place(place),
            stage: Stage::Queued,
            body: None,
        };
        Change::Done(SessionId(1), holding)
    }

    fn queue(place: u64) -> Change {
        Change::Queue(SessionId(1), entry(place))
    }

    #[test]
    fn what_is_queued_and_ended_in_one_group_is_spent_with_all_that_was_said_of_it() {
        let sent = |place| Change::Sent(SessionId(1), Place(place), PacketId::MIN);
        let group = [
            queue(1),
            done(9),
            queue(2),
            sent(1),
            queue(3),
            done(1),
            sent(2),
            done(3),
        ];
        let mut spent = Spent::default();
        spent.look(group.iter());
        let left: Vec<bool> = group.iter().map(|change| !spent.has(change)).collect();
        // 9 was queued in another group, and 2 still waits.
        assert_eq!(left, [false, true, true, false, false, false, true, false]);
        spent.look([done(2)].iter());
        assert!(!spent.has(&done(2)) && !spent.has(&done(1)), "another group");
    }
}
