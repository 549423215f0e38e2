//! Clients that connect again and again: two devices with one client identifier that take turns, one that dies of each
//! message and comes back, or somebody who takes a session over ten thousand times a second.
//!
//! Counted are connections of one client identifier from one address. Who has too many is held off for a while, before
//! anybody looks at its name or password; others with the same identifier from elsewhere are not.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::neighbourhood;
use crate::recent::Recent;

/// How much coming and going is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Connections of one client identifier from one address within [`Settings::window`]; 0: any number.
    pub connects_max: u32,
    /// The time within which they are counted.
    pub window: Duration,
    /// How long a client with more of them is held off.
    pub ban: Duration,
    /// How many clients are remembered; beyond it those that connected longest ago are forgotten.
    pub entries_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connects_max: 120,
            window: Duration::from_secs(60),
            ban: Duration::from_secs(60),
            entries_max: 100_000,
        }
    }
}

/// The connections of all clients. Its lock is held for a look-up.
#[derive(Debug)]
pub(crate) struct Flapping {
    settings: Settings,
    /// Keys are hashes: an identifier may be long, and its entry is not.
    hasher: RandomState,
    clients: Mutex<Recent<u64, Connects>>,
}

/// The connections of one client.
#[derive(Debug, Clone, Copy)]
struct Connects {
    /// Until when they are counted, or held off.
    until: Instant,
    count: u32,
}

impl Flapping {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            hasher: RandomState::new(),
            clients: Mutex::new(Recent::new(settings.entries_max)),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
    }

    /// Counts a connection. Says whether the client may go on.
    ///
    /// A client without an identifier is none that could come again. One that is held off and does not stop is let in
    /// all the same when its time is over: it may not have been the one to blame.
    pub(crate) fn allows(&self, client_id: &str, address: Option<IpAddr>) -> bool {
        let Settings { connects_max, .. } = self.settings;
        if connects_max == 0 || client_id.is_empty() {
            return true;
        }
        let key = self.hasher.hash_one((client_id, address.map(neighbourhood)));
        let now = Instant::now();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let before = clients.remove(&key).filter(|connects| connects.until > now);
        let mut connects = before.unwrap_or(Connects {
            until: now + self.settings.window,
            count: 0,
        });
        connects.count = connects.count.saturating_add(1);
        let begins = connects.count == connects_max.saturating_add(1);
        if begins {
            connects.until = now + self.settings.ban;
        }
        clients.insert(key, connects);
        drop(clients);
        if begins {
            self.complain(client_id, address);
        }
        connects.count <= connects_max
    }

    /// Once for each time that a client is held off.
    fn complain(&self, client_id: &str, address: Option<IpAddr>) {
        let Settings {
            connects_max,
            window,
            ban,
            ..
        } = self.settings;
        let address = address.map_or_else(|| "a Unix socket".to_owned(), |address| address.to_string());
        tracing::warn!(
            client = client_id,
            address,
            held_off_secs = ban.as_secs(),
            "more than {connects_max} connections in {} s: the client is held off; see that no other has its identifier, \
             and that it waits before it connects again (auth.flapping_connects_max)",
            window.as_secs()
        );
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.clients.lock().unwrap().len()
    }
}

#[cfg(test)]
mod tests;
