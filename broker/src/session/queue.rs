//! The messages that wait for a session: away, or its window is used up.

use std::collections::VecDeque;

use super::Delivery;
use crate::message::Millis;

/// First in, first out, with an account in messages and bytes.
#[derive(Debug, Default)]
pub struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
}

impl Queue {
    /// Messages waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// What they count for, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one of the bounds is reached.
    pub(crate) fn is_full(&self, messages_max: usize, bytes_max: usize) -> bool {
        self.deliveries.len() >= messages_max || self.bytes >= bytes_max
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        self.bytes += delivery.message.cost();
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

    /// When the next of them expires.
    pub(crate) fn next_expiry(&self) -> Option<Millis> {
        self.deliveries
            .iter()
            .filter_map(|delivery| delivery.message.expires_at)
            .min()
    }

    /// Takes out those whose time is over; returns how many: [MQTT-3.3.2-5] in 5.0.
    pub(crate) fn remove_expired(&mut self, now: Millis) -> usize {
        let before = self.deliveries.len();
        self.deliveries.retain(|delivery| !delivery.message.is_expired(now));
        self.bytes = self.deliveries.iter().map(|delivery| delivery.message.cost()).sum();
        before - self.deliveries.len()
    }

    /// Takes out those that a shared group can give to another member.
    pub(crate) fn take_shared(&mut self) -> Vec<Delivery> {
        let (shared, own): (Vec<_>, Vec<_>) = self.deliveries.drain(..).partition(|delivery| delivery.via.is_some());
        self.deliveries = own.into();
        self.bytes = self.deliveries.iter().map(|delivery| delivery.message.cost()).sum();
        shared
    }
}
