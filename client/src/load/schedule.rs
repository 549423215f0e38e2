//! When messages are due that leave by the clock.
//!
//! Message `k` of a run is due `k` intervals after its start and belongs to publisher `k` modulo all publishers. That
//! depends on nothing that happens: a publisher that was held up sends what it owes with the times at which it was
//! due, and the delay shows in the latency of every message that it hit.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Evenly spaced messages of many publishers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start_ns: u64,
    interval_ns: f64,
    crowd: u32,
}

impl Schedule {
    /// A schedule from `start_ns` on with `per_sec` messages a second of `crowd` publishers together.
    pub(super) fn new(start_ns: u64, per_sec: f64, crowd: u32) -> Self {
        Self {
            start_ns,
            interval_ns: 1e9 / per_sec,
            crowd,
        }
    }

    /// When a publisher's message is due, counted from 0 at the start of the schedule.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative or huge times cannot arise from positive rates; the cast saturates"
    )]
    pub(super) fn due_ns(&self, publisher: u32, message: u32) -> u64 {
        let number = f64::from(message) * f64::from(self.crowd) + f64::from(publisher);
        self.start_ns.saturating_add((number * self.interval_ns) as u64)
    }
}

/// The publishers of one thread in the order in which their next messages are due.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    /// Due time, publisher's place within the thread, publisher's number, number of the message.
    next: BinaryHeap<Reverse<(u64, usize, u32, u32)>>,
}

impl Agenda {
    /// An agenda with the first message of each publisher, given by place and number.
    pub(super) fn new(schedule: &Schedule, publishers: impl Iterator<Item = (usize, u32)>) -> Self {
        Self {
            next: publishers
                .map(|(place, publisher)| Reverse((schedule.due_ns(publisher, 0), place, publisher, 0)))
                .collect(),
        }
    }

    /// When the next message is due, if there is anybody to send one.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.next.peek().map(|Reverse((due_ns, ..))| *due_ns)
    }

    /// The place of the publisher whose message is due by `now_ns`; its next one takes its turn.
    pub(super) fn pop_due(&mut self, schedule: &Schedule, now_ns: u64) -> Option<usize> {
        let Reverse((due_ns, place, publisher, message)) = *self.next.peek()?;
        if due_ns > now_ns {
            return None;
        }
        self.next.pop();
        let message = message.checked_add(1)?;
        let due_ns = schedule.due_ns(publisher, message);
        self.next.push(Reverse((due_ns, place, publisher, message)));
        Some(place)
    }
}

#[cfg(test)]
mod tests;
