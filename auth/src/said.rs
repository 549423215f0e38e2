//! What somebody who was asked says of a client, and how long it holds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::time::Instant;

use crate::recent::Recent;
use crate::{Credentials, Grant, Identity, OpenError, Refusal, Verdict};

/// A clear answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Allow(Privileges),
    Deny,
    Ignore,
}

/// What comes with a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Privileges {
    pub(crate) groups: Vec<String>,
    pub(crate) is_superuser: bool,
    /// In the order in which they are to be looked at.
    pub(crate) grants: Vec<Grant>,
}

impl Said {
    pub(crate) fn verdict(&self, who: &Credentials, method: &'static str) -> Verdict {
        match self {
            Self::Allow(privileges) => Verdict::Known(Identity {
                username: who.username.clone(),
                groups: privileges.groups.clone(),
                is_superuser: privileges.is_superuser,
                grants: privileges.grants.clone(),
                expires_at_unix_secs: None,
                method,
            }),
            Self::Deny => Verdict::Refused(Refusal::BadCredentials),
            Self::Ignore => Verdict::NotMine,
        }
    }
}

/// The answers of the last seconds.
#[derive(Debug)]
pub(crate) struct Cache {
    /// Of this process alone: who reads its memory cannot try passwords without it, and it is not on any disk.
    secret: [u8; 64],
    said: Mutex<Recent<Key, (Instant, Said)>>,
    holds_for: Duration,
}

pub(crate) type Key = [u8; 32];

impl Cache {
    /// `setting` is what an operator would look for.
    pub(crate) fn new(setting: &str, holds_for: Duration, entries_max: usize) -> Result<Self, OpenError> {
        let mut secret = [0; 64];
        getrandom::fill(&mut secret).map_err(|error| OpenError::Setting {
            setting: setting.to_owned(),
            what: format!("the system has no random numbers to give: {error}"),
            remedy: "start the broker again".to_owned(),
        })?;
        Ok(Self {
            secret,
            said: Mutex::new(Recent::new(entries_max)),
            holds_for,
        })
    }

    /// A keyed hash of all that decides, each part with its length and whether it is there at all.
    pub(crate) fn key(&self, who: &Credentials) -> Key {
        let address = who.address.map(|address| address.to_string());
        let parts = [
            Some(who.client_id.as_bytes()),
            who.username.as_deref().map(str::as_bytes),
            who.password.as_deref(),
            address.as_deref().map(str::as_bytes),
            Some(who.listener.as_bytes()),
        ];
        let mut hash = Hmac::<Sha256>::new(&self.secret.into());
        for part in parts {
            let len = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(u64::MAX - 1));
            hash.update(&len.to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        hash.finalize().into_bytes().into()
    }

    pub(crate) fn find(&self, key: &Key) -> Option<Said> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (came_at, said) = said.peek(key)?;
        (came_at.elapsed() < self.holds_for).then(|| said.clone())
    }

    pub(crate) fn keep(&self, key: Key, what: Said) {
        if !self.holds_for.is_zero() {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.insert(key, (Instant::now(), what));
        }
    }
}
