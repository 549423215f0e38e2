//! How fast one client may send: token buckets, counted in whole numbers.

use std::sync::Arc;

use mqtt_codec::Packet;

use super::Limit;
use crate::message::Millis;

/// So many a second in the long run, and `burst` at once after a pause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many a second; 0: as many as may be.
    pub per_sec: u32,
    /// How many at once. At least one is let pass.
    pub burst: u32,
}

impl Rate {
    /// No bound.
    pub const OPEN: Self = Self { per_sec: 0, burst: 0 };

    /// Whether there is a bound.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        self.per_sec != 0
    }
}

/// What becomes of a client that sends faster than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFast {
    /// It is not read until its rate is kept again. Nothing is lost, and the order stays.
    Slow,
    /// Its connection ends: 0x96 in 5.0.
    Disconnect,
}

/// How fast one client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// PUBLISH packets.
    pub messages: Rate,
    /// Bytes of packets of all kinds.
    pub bytes: Rate,
    /// Topic filters in SUBSCRIBE and UNSUBSCRIBE: each changes the table that all lines read.
    pub filters: Rate,
    /// What becomes of a client that is faster.
    pub too_fast: TooFast,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            messages: Rate::OPEN,
            bytes: Rate::OPEN,
            filters: Rate::OPEN,
            too_fast: TooFast::Slow,
        }
    }
}

/// The rates of all listeners.
#[derive(Clone, Debug, Default)]
pub struct RateBook {
    /// Where a listener has none of its own.
    pub common: Arc<Rates>,
    /// By the name of the listener.
    pub listeners: Vec<(Box<str>, Arc<Rates>)>,
}

impl RateBook {
    /// What holds for clients of this listener.
    pub(crate) fn of(&self, listener: &str) -> &Arc<Rates> {
        let own = self.listeners.iter().find(|(name, _)| **name == *listener);
        own.map_or(&self.common, |(_, rates)| rates)
    }
}

/// What is left of a rate, in thousandths; less than nothing is a debt that time pays.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: i64,
    at: Millis,
}

impl Bucket {
    fn full(rate: Rate, now: Millis) -> Self {
        Self {
            level: Self::brim(rate),
            at: now,
        }
    }

    fn brim(rate: Rate) -> i64 {
        i64::from(rate.burst.max(1)) * 1000
    }

    /// Takes `count` out; returns the milliseconds until the debt is paid, 0 if there is none.
    fn take(&mut self, rate: Rate, count: usize, now: Millis) -> u64 {
        let per_sec = i64::from(rate.per_sec.max(1));
        let gained = i64::try_from(now.since(self.at))
            .unwrap_or(i64::MAX)
            .saturating_mul(per_sec);
        self.at = now;
        let taken = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(1000);
        self.level = self
            .level
            .saturating_add(gained)
            .min(Self::brim(rate))
            .saturating_sub(taken);
        let debt = self.level.min(0).unsigned_abs();
        debt.div_ceil(per_sec.unsigned_abs())
    }
}

/// How much faster than it may a client was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) limit: Limit,
    pub(crate) too_fast: TooFast,
    /// Until the rate is kept again.
    pub(crate) millis: u64,
}

/// The rates of one connection. There are no buckets before something is counted, so that a connection that idles
/// holds none.
#[derive(Debug)]
pub(crate) struct Pace {
    rates: Arc<Rates>,
    buckets: Option<Box<Buckets>>,
    /// The connection is not read before.
    pub(crate) until: Option<Millis>,
}

#[derive(Debug)]
struct Buckets {
    messages: Bucket,
    bytes: Bucket,
    filters: Bucket,
}

impl Pace {
    pub(crate) fn new(rates: &Arc<Rates>) -> Self {
        Self {
            rates: Arc::clone(rates),
            buckets: None,
            until: None,
        }
    }

    /// Keeps other rates from here on. What was sent before is not forgotten.
    pub(crate) fn change(&mut self, rates: &Arc<Rates>) {
        if !Arc::ptr_eq(&self.rates, rates) {
            self.rates = Arc::clone(rates);
        }
    }

    /// Whether bytes are counted.
    pub(crate) fn counts_bytes(&self) -> bool {
        self.rates.bytes.is_bound()
    }

    /// Counts a packet.
    #[inline]
    pub(crate) fn excess(&mut self, packet: &Packet, now: Millis) -> Option<Excess> {
        let (limit, count) = match packet {
            Packet::Publish(_) if self.rates.messages.is_bound() => (Limit::MessageRate, 1),
            Packet::Subscribe(packet) if self.rates.filters.is_bound() => (Limit::FilterRate, packet.filters.len()),
            Packet::Unsubscribe(packet) if self.rates.filters.is_bound() => (Limit::FilterRate, packet.filters.len()),
            Packet::Publish(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Puback(_)
            | Packet::Pubrec(_)
            | Packet::Pubrel(_)
            | Packet::Pubcomp(_)
            | Packet::Suback(_)
            | Packet::Unsuback(_)
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Disconnect(_)
            | Packet::Auth(_) => return None,
        };
        self.count(limit, count, now)
    }

    /// Counts bytes.
    pub(crate) fn excess_of_bytes(&mut self, bytes: usize, now: Millis) -> Option<Excess> {
        if !self.counts_bytes() {
            return None;
        }
        self.count(Limit::ByteRate, bytes, now)
    }

    fn count(&mut self, limit: Limit, count: usize, now: Millis) -> Option<Excess> {
        let rates = &*self.rates;
        let buckets = self.buckets.get_or_insert_with(|| {
            Box::new(Buckets {
                messages: Bucket::full(rates.messages, now),
                bytes: Bucket::full(rates.bytes, now),
                filters: Bucket::full(rates.filters, now),
            })
        });
        let millis = match limit {
            Limit::ByteRate => buckets.bytes.take(rates.bytes, count, now),
            Limit::FilterRate => buckets.filters.take(rates.filters, count, now),
            Limit::MessageRate
            | Limit::Subscriptions
            | Limit::TopicSize
            | Limit::Queue
            | Limit::OutgoingBuffer
            | Limit::Retained
            | Limit::Memory => buckets.messages.take(rates.messages, count, now),
        };
        (millis > 0).then_some(Excess {
            limit,
            too_fast: rates.too_fast,
            millis,
        })
    }
}

#[cfg(test)]
mod tests;
