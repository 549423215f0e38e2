//! The password file: names with hashed passwords, one to a line.
//!
//! ```text
//! # name:hash[:group,group]
//! sensor:$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//! clerk:$7$101$<salt>$<hash>:office,readers
//! robot:$scram-sha-256$20000$<salt>$<stored key>$<server key>
//! ```
//!
//! `strowger passwd` writes Argon2id. Mosquitto's `$6$` (SHA-512), `$7$` (PBKDF2) and `$argon2id$` are read, so that an
//! operator can move in with the file as it is. A user with a SCRAM entry can send the password or prove it
//! ([`crate::scram`]).

mod cache;
mod compare;
mod edit;
mod entries;
mod hash;
mod pool;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::Limits;
use crate::scram::{Decoy, Stored};
use crate::{Credentials, Identity, OpenError, Refusal, Verdict, source};

pub(crate) use compare::{Compare, NotCompared};
pub use edit::{EditError, put, remove};
pub use hash::{HashError, hash_for_file, scram_for_file};

use cache::Cache;
use entries::Entries;
pub(crate) use pool::HashPool;
use pool::NotHashed;

/// How the identity came about, for logs.
pub(crate) const METHOD: &str = "password file";

/// Which password file, and how long it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub file: PathBuf,
    /// The bound of its length.
    pub bytes_max: u64,
    /// How long a password that was right is right without being hashed again; zero: not at all.
    pub cache_for: Duration,
    /// How many of them are remembered.
    pub cache_entries_max: usize,
}

impl Settings {
    /// This file, up to 64 MiB; 10,000 passwords are remembered for a minute.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            bytes_max: 64 << 20,
            cache_for: Duration::from_secs(60),
            cache_entries_max: 10_000,
        }
    }
}

/// A password file as it was read.
#[derive(Debug)]
pub(crate) struct PasswordFile {
    entries: Arc<Entries>,
    cache: Cache,
}

impl PasswordFile {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let text = source::text(&settings.file, settings.bytes_max).await?;
        let entries = Arc::new(Entries::parse(&settings.file, &text)?);
        let cache = Cache::new(settings.cache_for, settings.cache_entries_max)?;
        Ok(Self { entries, cache })
    }

    /// Whether there is such a user.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.find(name).is_some()
    }

    /// Whether a user has the same hash and the same groups here and there.
    pub(crate) fn has_as(&self, name: &str, other: &Self) -> bool {
        let of = |file: &Self| {
            file.entries
                .find(name)
                .map(|entry| (entry.hash.clone(), entry.groups.clone()))
        };
        of(self) == of(other)
    }

    /// The names of its users.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.names()
    }

    /// What is kept of a user's password for SCRAM, and the user's groups.
    pub(crate) fn find_scram(&self, name: &str) -> Option<(Stored, Vec<String>)> {
        let entry = self.entries.find(name)?;
        Some((entry.hash.scram()?, entry.groups.clone()))
    }

    /// What users look like that have nothing for SCRAM; `None`: nobody has.
    pub(crate) fn scram_decoy(&self) -> Option<&Decoy> {
        self.entries.scram_decoy()
    }

    /// Hashes for everybody who brings a name and a password, in the file or not: who measures the time learns no names.
    /// Only who brought the same a moment ago, and was right, is known without it.
    pub(crate) async fn ask(&self, who: &Credentials, pool: &HashPool, limits: &Limits) -> Verdict {
        let Some(name) = &who.username else {
            return Verdict::NotMine;
        };
        let Some(password) = who.password.clone() else {
            return match self.entries.find(name) {
                Some(_) => Verdict::Refused(Refusal::BadCredentials),
                None => Verdict::NotMine,
            };
        };
        let key = self.cache.key(name, &password);
        if let Some(entry) = self.entries.find(name).filter(|_| self.cache.holds(&key)) {
            return Verdict::Known(identity(name, entry.groups.clone()));
        }
        // Many may have failed while this one waited for its turn.
        let may = || limits.allows(who);
        let (entries, sought) = (Arc::clone(&self.entries), name.clone());
        let hashed = pool.run(may, move || {
            let entry = entries.find(&sought);
            let hash = entry.map_or_else(|| entries.decoy(), |entry| &entry.hash);
            let is_right = black_box(hash.matches(&password));
            entry.map(|entry| is_right.then(|| entry.groups.clone()))
        });
        match hashed.await {
            Err(NotHashed::Forbidden) => Verdict::Refused(Refusal::TooManyFailures),
            Err(why @ (NotHashed::Full | NotHashed::Ended)) => {
                pool.complain(why);
                Verdict::Refused(Refusal::Unavailable)
            }
            Ok(None) => Verdict::NotMine,
            Ok(Some(None)) => Verdict::Refused(Refusal::BadCredentials),
            Ok(Some(Some(groups))) => {
                self.cache.keep(key);
                Verdict::Known(identity(name, groups))
            }
        }
    }
}

fn identity(name: &str, groups: Vec<String>) -> Identity {
    Identity {
        username: Some(name.to_owned()),
        groups,
        method: METHOD,
        ..Identity::default()
    }
}

#[cfg(test)]
mod tests;
