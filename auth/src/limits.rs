//! How often an address or a name may fail before it is not listened to for a while.
//!
//! Only failures count: a fleet behind one address that reconnects with right passwords is never held up. The question
//! comes before any password is hashed, and once more when its turn has come.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Credentials;
use crate::recent::Recent;

/// How much failing is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// From one IPv4 address, or one /64 network of IPv6. None: any number.
    pub per_address: Option<Rate>,
    /// Under one user name, from wherever. Whoever knows a name can use this up for its owner, so it is a slow second
    /// line behind the first one. None: any number.
    pub per_name: Option<Rate>,
    /// How many addresses and how many names are remembered; beyond it those that failed longest ago are forgotten.
    pub entries_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            per_address: Some(Rate {
                failures_max: 100,
                forget_one_after: Duration::from_secs(1),
            }),
            per_name: Some(Rate {
                failures_max: 20,
                forget_one_after: Duration::from_secs(5),
            }),
            entries_max: 100_000,
        }
    }
}

/// A token bucket of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many in a row.
    pub failures_max: u32,
    /// The time after which one of them is forgotten.
    pub forget_one_after: Duration,
}

/// The failures of all addresses and names. Its lock is held for a look-up, never across a wait.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: Settings,
    /// Keys are hashes: a name may be 64 KiB long, and its entry is not.
    hasher: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Debug)]
struct Tables {
    addresses: Recent<u64, Failures>,
    names: Recent<u64, Failures>,
}

/// The failures that are not forgotten, as the time at which all will be.
#[derive(Debug, Clone, Copy)]
struct Failures {
    forgotten_at: Instant,
}

/// The entries that one client counts on.
#[derive(Debug, Clone, Copy)]
struct Keys {
    address: Option<u64>,
    name: Option<u64>,
}

impl Limits {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            hasher: RandomState::new(),
            tables: Mutex::new(Tables {
                addresses: Recent::new(settings.entries_max),
                names: Recent::new(settings.entries_max),
            }),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether this client may try.
    pub(crate) fn allows(&self, who: &Credentials) -> bool {
        let (keys, now) = (self.keys(who), Instant::now());
        let tables = self.tables();
        let bears = |rate: Option<Rate>, table: &Recent<u64, Failures>, key: Option<u64>| match (rate, key) {
            (Some(rate), Some(key)) => table.peek(&key).is_none_or(|failures| failures.are_below(rate, now)),
            (None, _) | (_, None) => true,
        };
        bears(self.settings.per_address, &tables.addresses, keys.address)
            && bears(self.settings.per_name, &tables.names, keys.name)
    }

    /// Counts a failure of this client.
    pub(crate) fn count_failure(&self, who: &Credentials) {
        let (keys, now) = (self.keys(who), Instant::now());
        let mut tables = self.tables();
        if let (Some(rate), Some(key)) = (self.settings.per_address, keys.address) {
            count(&mut tables.addresses, key, rate, now);
        }
        if let (Some(rate), Some(key)) = (self.settings.per_name, keys.name) {
            count(&mut tables.names, key, rate, now);
        }
    }

    fn keys(&self, who: &Credentials) -> Keys {
        Keys {
            address: who.address.map(|address| self.hasher.hash_one(neighbourhood(address))),
            name: who.username.as_ref().map(|name| self.hasher.hash_one(name)),
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        let tables = self.tables();
        tables.addresses.len() + tables.names.len()
    }
}

fn count(table: &mut Recent<u64, Failures>, key: u64, rate: Rate, now: Instant) {
    let before = table
        .remove(&key)
        .map_or(now, |failures| failures.forgotten_at.max(now));
    // What failed beyond the limit while its turn had not come does not lengthen the wait.
    let latest = now + rate.forget_one_after.saturating_mul(rate.failures_max);
    let forgotten_at = (before + rate.forget_one_after).min(latest);
    table.insert(key, Failures { forgotten_at });
}

impl Failures {
    fn are_below(self, rate: Rate, now: Instant) -> bool {
        let left = self.forgotten_at.saturating_duration_since(now);
        left <= rate
            .forget_one_after
            .saturating_mul(rate.failures_max.saturating_sub(1))
    }
}

/// Whoever has one IPv6 address usually has all of its /64.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
