//! Compares passwords with hashes that stand elsewhere than in a password file.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::hash::{Hash, HashError, hash_for_file};
use super::pool::{HashPool, NotHashed};

/// Hashes for everybody who brings a password, known or not: who measures the time learns no names.
#[derive(Debug)]
pub(crate) struct Compare {
    /// What is hashed for names that are not known: at the cost that the last known one had.
    decoy: Mutex<Hash>,
}

/// Why there is no comparison.
#[derive(Debug)]
pub(crate) enum NotCompared {
    /// The stored hash is none; what is wrong with it, without anything of it.
    Flawed(String),
    /// It failed too often meanwhile.
    Forbidden,
    /// There is no thread for it.
    Unavailable,
}

impl Compare {
    /// # Errors
    ///
    /// When the system has neither randomness nor memory.
    pub(crate) fn new() -> Result<Self, HashError> {
        let mut nobodys = [0; 32];
        getrandom::fill(&mut nobodys).map_err(|error| HashError::NoRandomness(error.to_string()))?;
        let hash = Hash::parse(&hash_for_file(&nobodys)?).map_err(|flaw| HashError::Argon2(flaw.what))?;
        Ok(Self { decoy: hash.into() })
    }

    /// Whether `password` is that of `stored`, which is a hash as password files have it; never without one.
    pub(crate) async fn run(
        &self,
        stored: Option<&str>,
        password: Bytes,
        pool: &HashPool,
        may: impl FnOnce() -> bool,
    ) -> Result<bool, NotCompared> {
        let known = stored.map(Hash::parse).transpose();
        let known = known.map_err(|flaw| NotCompared::Flawed(format!("{}; {}", flaw.what, flaw.remedy)))?;
        let is_known = known.is_some();
        let hash = {
            let mut decoy = self.decoy.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(hash) = known {
                *decoy = hash;
            }
            decoy.clone()
        };
        let hashed = pool.run(may, move || is_known & black_box(hash.matches(&password)));
        hashed.await.map_err(|why| match why {
            NotHashed::Forbidden => NotCompared::Forbidden,
            NotHashed::Full | NotHashed::Ended => {
                pool.complain(why);
                NotCompared::Unavailable
            }
        })
    }
}
