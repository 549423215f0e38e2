//! One subscriber: which message of each publisher it awaits next.

use super::{Listener, Publisher};
use crate::frame::Mark;

/// What a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The awaited message, or one after it.
    Fresh,
    /// A message whose number had passed, or one that was not for this subscriber.
    Stale,
}

/// The account of one subscriber.
#[derive(Debug)]
pub(crate) struct Subscriber {
    counts: bool,
    /// The lowest number among the publishers that it hears.
    first: u32,
    /// The awaited sequence number of each publisher, from `first` on.
    awaited: Vec<u32>,
    stale: u64,
    gaps: u64,
}

impl Subscriber {
    /// A subscriber that has heard nothing.
    pub(crate) fn new(listener: &Listener) -> Self {
        let awaited = listener.hears.clone().map(|_| 0).collect();
        Self {
            counts: listener.counts,
            first: listener.hears.start,
            awaited,
            stale: 0,
            gaps: 0,
        }
    }

    /// Notes a delivery.
    pub(crate) fn hear(&mut self, mark: Mark) -> Heard {
        let place = mark
            .publisher
            .checked_sub(self.first)
            .and_then(|place| usize::try_from(place).ok());
        match place.and_then(|place| self.awaited.get_mut(place)) {
            Some(awaited) if mark.sequence >= *awaited => {
                self.gaps += u64::from(mark.sequence > *awaited);
                *awaited = mark.sequence + 1;
                Heard::Fresh
            }
            _ => {
                self.stale += 1;
                Heard::Stale
            }
        }
    }

    /// Whether its deliveries are part of the tally.
    pub(crate) fn counts(&self) -> bool {
        self.counts
    }

    /// How many deliveries it should have had by the end.
    pub(crate) fn expects(&self, publishers: &[Publisher]) -> u64 {
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        publishers
            .iter()
            .skip(first)
            .take(self.awaited.len())
            .map(|publisher| u64::from(publisher.sent()))
            .sum()
    }

    /// Deliveries that were [`Heard::Stale`].
    pub(crate) fn stale(&self) -> u64 {
        self.stale
    }

    /// Places where a publisher's numbers skipped forward.
    pub(crate) fn gaps(&self) -> u64 {
        self.gaps
    }
}

#[cfg(test)]
mod tests;
