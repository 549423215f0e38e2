//! SCRAM-SHA-256 (RFC 5802, RFC 7677): client and broker prove to each other that they know a password, and neither
//! sends it.
//!
//! ```text
//! client                                     broker
//!   n,,n=user,r=<nonce>                 ->     begin: looks the user up
//!              <-  r=<nonce><more>,s=<salt>,i=<rounds>
//!   c=biws,r=<nonce><more>,p=<proof>    ->     finish: checks the proof
//!              <-  v=<the broker's own proof>
//! ```
//!
//! [`Server`] is this conversation as a value, without I/O, clock or randomness. It binds to no channel, so a client
//! that asks for that is refused. Names and passwords are compared as the bytes that they are: who uses letters beyond
//! ASCII has to write them in one way.

mod decoy;
mod message;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub use decoy::Decoy;
pub(crate) use decoy::Mould;
use message::{ClientFinal, ClientFirst};

/// What is kept of a password: enough to check a proof, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// How often the password is hashed.
    pub rounds: u32,
    /// What it is hashed with.
    pub salt: Box<[u8]>,
    /// The hash of the client's key.
    pub stored_key: [u8; 32],
    /// The broker's own key.
    pub server_key: [u8; 32],
}

impl Stored {
    /// Of a password. This is the slow part, for whoever has the password itself.
    #[must_use]
    pub fn of(password: &[u8], salt: &[u8], rounds: u32) -> Self {
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut salted);
        let client_key = hmac(&salted, b"Client Key");
        Self {
            rounds,
            salt: salt.into(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, b"Server Key"),
        }
    }
}

/// What `strowger passwd --scram` writes. The client pays for each round at each connection; RFC 7677 wants 4,096.
pub(crate) const ROUNDS: u32 = 20_000;
pub(crate) const SALT_BYTES: usize = 16;

/// Neither salt nor keys.
impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

/// Why a client has proven nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// It does not speak the protocol.
    #[error("a SCRAM message cannot be read: {0}")]
    Malformed(&'static str),
    /// It wants what is not done here.
    #[error("the client demands {0}")]
    Unsupported(&'static str),
    /// It does not know the password, or there is no such user.
    #[error("the proof is wrong")]
    WrongProof,
}

/// The broker's side between the client's two messages.
#[derive(Debug)]
pub struct Server {
    name: String,
    is_known: bool,
    stored: Stored,
    gs2_header: String,
    nonce: String,
    /// What both sides sign, up to the client's last message.
    signed: String,
}

impl Server {
    /// Takes the client's first message and gives the answer to it.
    ///
    /// `nonce` is random, of printable ASCII without commas. `find` knows the user, or does not; then the conversation
    /// goes on all the same, with a salt of the `decoy`, and fails at its end.
    ///
    /// # Errors
    ///
    /// What cannot be read, and demands that are not met.
    pub fn begin(
        message: &[u8],
        nonce: &str,
        decoy: &Decoy,
        find: impl FnOnce(&str) -> Option<Stored>,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let first = ClientFirst::read(message)?;
        let found = find(&first.name);
        let is_known = found.is_some();
        let stored = found.unwrap_or_else(|| decoy.stored(&first.name));
        let nonce = format!("{}{nonce}", first.nonce);
        let answer = format!("r={nonce},s={},i={}", BASE64.encode(&stored.salt), stored.rounds);
        let server = Self {
            signed: format!("{},{answer},", first.bare),
            gs2_header: first.gs2_header.to_owned(),
            name: first.name,
            is_known,
            stored,
            nonce,
        };
        Ok((server, answer.into_bytes()))
    }

    /// The name that the client claims.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the client's last message and gives the answer to it, which proves the broker to the client.
    ///
    /// # Errors
    ///
    /// [`ScramError::WrongProof`] for a wrong password as for an unknown user; what cannot be read.
    pub fn finish(self, message: &[u8]) -> Result<Vec<u8>, ScramError> {
        let last = ClientFinal::read(message)?;
        let binding = BASE64
            .decode(last.binding)
            .map_err(|_| ScramError::Malformed("c is not base64"))?;
        if binding != self.gs2_header.as_bytes() {
            return Err(ScramError::Malformed("c is not the header of the first message"));
        }
        if last.nonce != self.nonce {
            return Err(ScramError::Malformed("r is not the nonce of this conversation"));
        }
        let proof = BASE64
            .decode(last.proof)
            .map_err(|_| ScramError::Malformed("p is not base64"))?;
        let proof: [u8; 32] = proof
            .try_into()
            .map_err(|_| ScramError::Malformed("p is not 32 bytes"))?;

        let signed = format!("{}{}", self.signed, last.without_proof);
        let mut client_key = hmac(&self.stored.stored_key, signed.as_bytes());
        for (byte, proof) in client_key.iter_mut().zip(proof) {
            *byte ^= proof;
        }
        let is_proven = Sha256::digest(client_key).ct_eq(&self.stored.stored_key);
        if !(bool::from(is_proven) & self.is_known) {
            return Err(ScramError::WrongProof);
        }
        let own_proof = hmac(&self.stored.server_key, signed.as_bytes());
        Ok(format!("v={}", BASE64.encode(own_proof)).into_bytes())
    }
}

/// A key of 32 bytes is filled up to SHA-256's block of 64 with zeros, as RFC 2104 has it.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte = *key;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
pub(crate) mod tests;
