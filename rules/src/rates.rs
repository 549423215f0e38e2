//! Token buckets: how often a client may do what a rule counts.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashMap;

/// A rate that a book names: so many in so many seconds, and no more at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) name: Box<str>,
    pub(crate) count: u32,
    pub(crate) per_secs: u32,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at_ms: u64,
}

/// The buckets of one line, one for each client and name.
///
/// Two tables of half the bound each: who asks moves to the younger one, and when that is full, the older one goes. So the
/// bound holds without an order being kept, and only those who have not asked for long are forgotten.
#[derive(Debug)]
pub(crate) struct Rates {
    rates: Box<[Rate]>,
    // Random keys, so that nobody can choose client identifiers that share a bucket.
    hasher: RandomState,
    young: HashMap<u64, Bucket, foldhash::fast::FixedState>,
    old: HashMap<u64, Bucket, foldhash::fast::FixedState>,
    half: usize,
}

impl Rates {
    pub(crate) fn new(rates: Box<[Rate]>, buckets_max: usize) -> Self {
        Self {
            rates,
            hasher: RandomState::new(),
            young: HashMap::default(),
            old: HashMap::default(),
            half: (buckets_max / 2).max(1),
        }
    }

    /// Takes a token of rate `number` for `client_id`, and says whether there was one.
    pub(crate) fn take(&mut self, number: u16, client_id: &str, now_ms: u64) -> bool {
        let Some(rate) = self.rates.get(usize::from(number)) else {
            return false;
        };
        let key = self.hasher.hash_one((number, client_id));
        let full = f64::from(rate.count);
        let known = self.young.get(&key).or_else(|| self.old.get(&key)).copied();
        let mut bucket = known.unwrap_or(Bucket {
            tokens: full,
            at_ms: now_ms,
        });
        let passed_ms = u32::try_from(now_ms.saturating_sub(bucket.at_ms)).unwrap_or(u32::MAX);
        let gained = f64::from(passed_ms) * full / (f64::from(rate.per_secs) * 1000.0);
        bucket.tokens = (bucket.tokens + gained).min(full);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        let is_within = bucket.tokens >= 1.0;
        if is_within {
            bucket.tokens -= 1.0;
        }
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, bucket);
        is_within
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests;
