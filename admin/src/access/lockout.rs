//! Addresses that showed too many wrong tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Addresses that are remembered; then the one that failed longest ago is forgotten.
const ADDRESSES_MAX: usize = 10_000;

/// See the module. Of IPv6 the network of 64 bits is the address: one customer has all of it.
pub(super) struct Lockout {
    failures_max: u32,
    duration: Duration,
    failed: HashMap<IpAddr, Failed>,
}

struct Failed {
    times: u32,
    last: Instant,
}

impl Lockout {
    pub(super) fn new(failures_max: u32, duration: Duration) -> Self {
        Self {
            failures_max,
            duration,
            failed: HashMap::new(),
        }
    }

    /// How long the address is still locked out, if it is.
    pub(super) fn left(&mut self, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let network = network(address?);
        let failed = self.failed.get(&network)?;
        let past = now.saturating_duration_since(failed.last);
        if past >= self.duration {
            self.failed.remove(&network);
            return None;
        }
        (failed.times >= self.failures_max).then(|| self.duration - past)
    }

    /// Notes a failure; says whether it is the one that locks the address out.
    pub(super) fn note(&mut self, address: Option<IpAddr>, now: Instant) -> bool {
        let Some(network) = address.map(network) else {
            return false;
        };
        if self.failed.len() >= ADDRESSES_MAX && !self.failed.contains_key(&network) {
            let oldest = self.failed.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.failed.remove(&oldest);
            }
        }
        let failed = self.failed.entry(network).or_insert(Failed { times: 0, last: now });
        failed.times += 1;
        failed.last = now;
        failed.times == self.failures_max
    }
}

/// What counts as one address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}
