//! Users that there are not, and that look like those that there are: or whoever asks for a salt would learn the names.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Stored, hmac};

/// Of so many users the keys make the secret: more than one, since each knows his own.
const KEYS: usize = 8;
/// Longer salts than a hash has bytes are not made.
const SALT_BYTES_MAX: usize = 32;

/// What the entries of a file have in common, gathered one by one.
#[derive(Default)]
pub(crate) struct Mould {
    keys: Vec<[u8; 32]>,
    /// How many have these rounds and this many bytes of salt.
    shapes: HashMap<(u32, usize), usize>,
}

impl Mould {
    /// Takes an entry, in the order of the file.
    pub(crate) fn add(&mut self, entry: &Stored) {
        if self.keys.len() < KEYS {
            self.keys.push(entry.server_key);
        }
        *self.shapes.entry((entry.rounds, entry.salt.len())).or_default() += 1;
    }

    /// What users that are not known look like; `None` if nobody was added.
    pub(crate) fn decoy(self) -> Option<Decoy> {
        let ((rounds, salt_len), _) = self.shapes.into_iter().max_by_key(|(shape, count)| (*count, *shape))?;
        let mut secret = Hmac::<Sha256>::new(&[0; 64].into());
        self.keys.iter().for_each(|key| secret.update(key));
        Some(Decoy {
            secret: secret.finalize().into_bytes().into(),
            rounds,
            salt_len: salt_len.min(SALT_BYTES_MAX),
        })
    }
}

/// Makes users that are not known: always the same for one name, also after a restart, as long as the first entries of
/// the file stay.
#[derive(Clone)]
pub struct Decoy {
    pub(super) secret: [u8; 32],
    pub(super) rounds: u32,
    pub(super) salt_len: usize,
}

impl Decoy {
    pub(super) fn stored(&self, name: &str) -> Stored {
        let part = |what: &[u8]| hmac(&self.secret, &[what, name.as_bytes()].concat());
        let [salt, stored_key, server_key] = [part(b"salt"), part(b"stored"), part(b"server")];
        Stored {
            rounds: self.rounds,
            salt: salt.iter().take(self.salt_len).copied().collect(),
            stored_key,
            server_key,
        }
    }
}

/// Without the secret.
impl fmt::Debug for Decoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoy")
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}
