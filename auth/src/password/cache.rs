//! Passwords that were right a moment ago: hashing one takes 20 ms, and a fleet that reconnects brings thousands.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::time::Instant;

use crate::OpenError;
use crate::recent::Recent;

/// Names with passwords that were right, as keyed hashes. It is the file's, and goes with it when that is read again.
pub(super) struct Cache {
    /// Of this process alone: who reads its memory cannot try passwords without it, and it is not on any disk.
    secret: [u8; 64],
    right: Mutex<Recent<Key, Instant>>,
    holds_for: Duration,
}

/// A keyed hash of a name and a password. What can be learned from the time of a look-up is about it, not about them.
pub(super) type Key = [u8; 32];

impl Cache {
    pub(super) fn new(holds_for: Duration, entries_max: usize) -> Result<Self, OpenError> {
        let mut secret = [0; 64];
        getrandom::fill(&mut secret).map_err(|error| OpenError::Setting {
            setting: "auth.password_file".to_owned(),
            what: format!("the system has no random numbers to give: {error}"),
            remedy: "start the broker again".to_owned(),
        })?;
        Ok(Self {
            secret,
            right: Mutex::new(Recent::new(entries_max)),
            holds_for,
        })
    }

    pub(super) fn key(&self, name: &str, password: &[u8]) -> Key {
        let mut hash = Hmac::<Sha256>::new(&self.secret.into());
        hash.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update(password);
        hash.finalize().into_bytes().into()
    }

    /// Whether it was right not long ago.
    pub(super) fn holds(&self, key: &Key) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.peek(key).is_some_and(|since| since.elapsed() < self.holds_for)
    }

    /// Remembers that it was right.
    pub(super) fn keep(&self, key: Key) {
        if !self.holds_for.is_zero() {
            let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
            right.insert(key, Instant::now());
        }
    }
}

/// Neither secret nor keys.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("holds_for", &self.holds_for)
            .finish_non_exhaustive()
    }
}
