//! The messages that wait for a session: away, or its window is used up.

use std::collections::VecDeque;

use super::Delivery;
use crate::durable::{Place, Wanted, Window};
use crate::message::Millis;

/// First in, first out, with an account in messages and bytes.
///
/// The front is in memory. Where the store keeps the queue, what is behind a bound is there alone, and comes back in
/// windows.
#[derive(Debug, Default)]
pub struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    beyond: Option<Box<Beyond>>,
}

/// What the store alone has of a queue.
#[derive(Debug)]
struct Beyond {
    /// It lies behind this place.
    after: Place,
    /// Entries and bytes, as far as they are known.
    entries: usize,
    bytes: usize,
    /// What was asked of the store and is not answered.
    asked: Option<Wanted>,
    /// Entries and bytes that have come since.
    since: (usize, usize),
    /// Whether entries from before the broker's start have been counted.
    counted: bool,
    /// See [`Queue::is_asleep`]: however short the queue is, there is something to be read.
    asleep: bool,
}

impl Queue {
    /// The queue of a session from the store, none of which is known.
    pub(crate) fn kept() -> Self {
        let mut queue = Self::default();
        queue.go_beyond(Place(0), false).asleep = true;
        queue
    }

    fn go_beyond(&mut self, after: Place, counted: bool) -> &mut Beyond {
        self.beyond.get_or_insert_with(|| {
            Box::new(Beyond {
                after,
                entries: 0,
                bytes: 0,
                asked: None,
                since: (0, 0),
                counted,
                asleep: false,
            })
        })
    }

    /// Messages waiting, as far as they are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deliveries.len() + self.beyond.as_ref().map_or(0, |beyond| beyond.entries)
    }

    /// Messages that the store alone has, as far as they are known.
    pub(crate) fn entries_beyond(&self) -> usize {
        self.beyond.as_ref().map_or(0, |beyond| beyond.entries)
    }

    /// When the oldest of those in memory arrived, where that is known.
    #[must_use]
    pub(crate) fn oldest_arrived(&self) -> Option<Millis> {
        let micros = self.deliveries.front()?.message.arrived_micros;
        (micros > 0).then_some(Millis(micros / 1000))
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.beyond.is_none()
    }

    /// Whether none waits in memory.
    pub(crate) fn is_drained(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// What they count for, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.beyond.as_ref().map_or(0, |beyond| beyond.bytes)
    }

    /// What those in memory count for, in bytes.
    pub(crate) fn bytes_in_memory(&self) -> usize {
        self.bytes
    }

    /// Whether one of the bounds is reached.
    pub(crate) fn is_full(&self, messages_max: usize, bytes_max: usize) -> bool {
        self.len() >= messages_max || self.bytes() >= bytes_max
    }

    /// Appends a delivery. One that the store keeps stays there alone when `memory_max` messages are in memory or others
    /// wait in the store already.
    pub(crate) fn push(&mut self, delivery: Delivery, memory_max: usize) {
        let cost = delivery.message.cost();
        if let Some(place) = delivery.place
            && (self.beyond.is_some() || self.deliveries.len() >= memory_max)
        {
            // Whatever has a lower place was here before.
            let beyond = self.go_beyond(Place(place.0.saturating_sub(1)), true);
            beyond.entries += 1;
            beyond.bytes += cost;
            beyond.since.0 += 1;
            beyond.since.1 += cost;
            return;
        }
        self.bytes += cost;
        self.deliveries.push_back(delivery);
    }

    /// Puts back what [`Queue::pop`] took.
    pub(crate) fn push_front(&mut self, delivery: Delivery) {
        self.bytes += delivery.message.cost();
        self.deliveries.push_front(delivery);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.bytes -= delivery.message.cost();
        if self.deliveries.is_empty() && self.deliveries.capacity() > 64 {
            self.deliveries = VecDeque::new();
        }
        Some(delivery)
    }

    /// What to ask of the store, if there is room in memory for more and nothing is asked yet.
    pub(crate) fn wants(&mut self, memory_max: usize) -> Option<Wanted> {
        let room = memory_max.saturating_sub(self.deliveries.len());
        let beyond = self.beyond.as_mut().filter(|beyond| beyond.asked.is_none())?;
        if room < memory_max.div_ceil(2) {
            return None;
        }
        Some(beyond.ask(Wanted::Window(beyond.after, room)))
    }

    /// Asks the store what the session's conversations are.
    pub(crate) fn wake(&mut self, memory_max: usize) -> Option<Wanted> {
        let beyond = self.beyond.as_mut()?;
        if matches!(beyond.asked, Some(Wanted::Conversations(_))) {
            return None;
        }
        Some(beyond.ask(Wanted::Conversations(memory_max)))
    }

    /// Asks the store how long the queue is, if that is not known or `again` is set.
    pub(crate) fn count(&mut self, again: bool) -> Option<Wanted> {
        let beyond = self.beyond.as_mut()?;
        if beyond.asked.is_some() || (beyond.counted && !again) {
            return None;
        }
        Some(beyond.ask(Wanted::Count(beyond.after)))
    }

    /// Takes a window from the store. Returns what it changes in the account of messages: known before and after.
    pub(crate) fn take_window(&mut self, window: Window) -> (usize, usize) {
        let before = self.len();
        let Some(beyond) = &mut self.beyond else {
            return (before, before);
        };
        beyond.asked = None;
        beyond.asleep = false;
        for delivery in window.deliveries {
            let cost = delivery.message.cost();
            if let Some(place) = delivery.place {
                beyond.after = place;
            }
            beyond.entries = beyond.entries.saturating_sub(1);
            beyond.bytes = beyond.bytes.saturating_sub(cost);
            self.bytes += cost;
            self.deliveries.push_back(delivery);
        }
        if !window.more {
            // What has come since is all that is left.
            (beyond.entries, beyond.bytes) = beyond.since;
            beyond.counted = true;
            if beyond.entries == 0 {
                self.beyond = None;
            }
        }
        (before, self.len())
    }

    /// Takes the store's count of what lies behind `after`. Returns messages known before and after.
    pub(crate) fn take_count(&mut self, after: Place, (entries, bytes): (usize, usize)) -> (usize, usize) {
        let before = self.len();
        if let Some(beyond) = &mut self.beyond
            && beyond.asked == Some(Wanted::Count(after))
        {
            beyond.asked = None;
            beyond.entries = entries + beyond.since.0;
            beyond.bytes = bytes + beyond.since.1;
            beyond.counted = true;
            if beyond.entries == 0 && !beyond.asleep {
                self.beyond = None;
            }
        }
        (before, self.len())
    }

    /// The store could not answer: it may be asked again.
    pub(crate) fn give_up_asking(&mut self) {
        if let Some(beyond) = &mut self.beyond {
            beyond.asked = None;
        }
    }

    /// When the next of them expires, of those in memory.
    pub(crate) fn next_expiry(&self) -> Option<Millis> {
        self.deliveries
            .iter()
            .filter_map(|delivery| delivery.message.expires_at)
            .min()
    }

    /// The place behind which the store alone has it, if it has part of it.
    pub(crate) fn beyond(&self) -> Option<Place> {
        self.beyond.as_ref().map(|beyond| beyond.after)
    }

    /// Whether the store was asked for what comes next, and has not answered.
    pub(crate) fn is_being_read(&self) -> bool {
        let asked = self.beyond.as_ref().and_then(|beyond| beyond.asked);
        matches!(asked, Some(Wanted::Window(..) | Wanted::Conversations(_)))
    }

    /// Whether entries have come since the store was asked for what comes next: its answer need not have them.
    pub(crate) fn has_come_since(&self) -> bool {
        self.beyond.as_ref().is_some_and(|beyond| beyond.since.0 > 0)
    }

    /// Whether the session's conversations are in the store alone: nothing is sent until they have been read.
    pub(crate) fn is_asleep(&self) -> bool {
        self.beyond.as_ref().is_some_and(|beyond| beyond.asleep)
    }

    /// Whether the store has part of it.
    pub(crate) fn is_beyond(&self) -> bool {
        self.beyond.is_some()
    }

    /// Takes out those in memory whose time is over: [MQTT-3.3.2-5] in 5.0.
    pub(crate) fn take_expired(&mut self, now: Millis) -> Vec<Delivery> {
        self.take_out(|delivery| delivery.message.is_expired(now))
    }

    /// Takes out those in memory that a shared group can give to another member.
    pub(crate) fn take_shared(&mut self) -> Vec<Delivery> {
        self.take_out(|delivery| delivery.via.is_some())
    }

    fn take_out(&mut self, wanted: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        if !self.deliveries.iter().any(&wanted) {
            return Vec::new();
        }
        let (taken, rest): (Vec<_>, Vec<_>) = self.deliveries.drain(..).partition(wanted);
        self.deliveries = rest.into();
        self.bytes = self.deliveries.iter().map(|delivery| delivery.message.cost()).sum();
        taken
    }

    /// Puts back what [`Queue::take_shared`] took and nobody else wanted.
    pub(crate) fn put_back(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.bytes += delivery.message.cost();
            self.deliveries.push_back(delivery);
        }
    }
}

impl Beyond {
    fn ask(&mut self, wanted: Wanted) -> Wanted {
        self.asked = Some(wanted);
        self.since = (0, 0);
        wanted
    }
}
