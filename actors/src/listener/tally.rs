//! How often connections came to something on a listener, and why others did not.

use std::sync::atomic::{AtomicU64, Ordering};

/// How the way of a connection to its CONNECT ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Its CONNECT came.
    Established,
    /// The listener has as many connections as it may.
    Full,
    /// Its line did not keep up.
    LineLate,
    /// A PROXY header was wanted of a peer that is no proxy, or was none.
    Proxy,
    /// Its address may not come in.
    TurnedAway,
    /// The WebSocket upgrade was refused.
    Upgrade,
    /// It was the oldest of too many handshakes.
    Displaced,
    /// A step did not come in time.
    Late,
    /// TLS failed, or the connection broke.
    Broken,
    /// No CONNECT came in time.
    NoConnect,
    /// What came was no CONNECT, or a broken one.
    Violation,
}

impl Arrived {
    const ALL: [Self; 11] = [
        Self::Established,
        Self::Full,
        Self::LineLate,
        Self::Proxy,
        Self::TurnedAway,
        Self::Upgrade,
        Self::Displaced,
        Self::Late,
        Self::Broken,
        Self::NoConnect,
        Self::Violation,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Full => "connections_max",
            Self::LineLate => "line_late",
            Self::Proxy => "proxy_header",
            Self::TurnedAway => "address_refused",
            Self::Upgrade => "websocket_upgrade",
            Self::Displaced => "handshakes_max",
            Self::Late => "too_slow",
            Self::Broken => "broken",
            Self::NoConnect => "no_connect",
            Self::Violation => "no_valid_connect",
        }
    }
}

/// Counts of all lines; arrivals are rare beside messages.
#[derive(Debug, Default)]
pub(crate) struct Tally([AtomicU64; Arrived::ALL.len()]);

impl Tally {
    pub(crate) fn count(&self, arrived: Arrived) {
        if let Some(count) = self.0.get(arrived as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Connections that got through to MQTT.
    pub(crate) fn established(&self) -> u64 {
        self.0.first().map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Those that did not, by the reason.
    pub(crate) fn failures(&self) -> Vec<(&'static str, u64)> {
        let counts = Arrived::ALL.iter().zip(&self.0).skip(1);
        counts
            .map(|(arrived, count)| (arrived.word(), count.load(Ordering::Relaxed)))
            .collect()
    }
}
