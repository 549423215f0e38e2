//! Hashed passwords, as password files write them.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

use crate::error::Flaw;
use crate::scram::{self, Stored};

/// Mosquitto pads its base64, the PHC format does not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const SHA512_BYTES: usize = 64;
const SCRAM_KEY_BYTES: usize = 32;
/// Salts are a few bytes; a bound keeps nonsense out.
const SALT_BYTES_MAX: usize = 1_024;
/// One guess must not take the machine: 1 GiB, 100 passes, 10,000,000 rounds.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 100;
const ROUNDS_MAX: u32 = 10_000_000;

/// A hashed password, with what is needed to compare another one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    function: Function,
    salt: Box<[u8]>,
    output: Box<[u8]>,
}

/// What a hash was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Function {
    /// RFC 9106.
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
    /// Mosquitto's `$7$`: PBKDF2 with HMAC-SHA-512.
    Pbkdf2 { rounds: u32 },
    /// RFC 7677; the output is the stored key and the server's key.
    ScramSha256 { rounds: u32 },
    /// Mosquitto's `$6$`: SHA-512 of password and salt, once.
    Sha512,
}

impl Hash {
    /// Reads `$argon2id$v=19$m=..,t=..,p=..$salt$hash`, `$7$rounds$salt$hash`, `$6$salt$hash` or
    /// `$scram-sha-256$rounds$salt$stored$server`.
    pub(super) fn parse(text: &str) -> Result<Self, Flaw> {
        let mut fields = text.split('$');
        let plain = || {
            Flaw::new(
                "the password is plain text",
                "hash it with strowger passwd FILE NAME; plain passwords are not read",
            )
        };
        if fields.next() != Some("") {
            return Err(plain());
        }
        let fields: Vec<&str> = fields.collect();
        if let ["scram-sha-256", scram @ ..] = fields.as_slice() {
            return Self::parse_scram(scram);
        }
        let (function, salt, output) = match fields.as_slice() {
            ["argon2id", "v=19", costs, salt, output] => (parse_argon2(costs)?, salt, output),
            ["argon2id", "v=19", ..] | ["7" | "6"] => return Err(cut_off()),
            ["argon2id", ..] => return Err(unknown("an Argon2id of another version than 19")),
            ["7", rounds, salt, output] => (parse_pbkdf2(rounds)?, salt, output),
            ["6", salt, output] => (Function::Sha512, salt, output),
            ["7" | "6", ..] => return Err(cut_off()),
            [
                kind @ ("argon2i" | "argon2d" | "1" | "2a" | "2b" | "2y" | "5" | "y"),
                ..,
            ] => {
                return Err(unknown(&format!("${kind}$")));
            }
            _ => return Err(plain()),
        };
        let hash = Self {
            function,
            salt: decode(salt, "salt")?,
            output: decode(output, "hash")?,
        };
        hash.check()?;
        Ok(hash)
    }

    fn parse_scram(fields: &[&str]) -> Result<Self, Flaw> {
        let [rounds, salt, stored_key, server_key] = fields else {
            return Err(cut_off());
        };
        let rounds = number(Some(rounds), "the number of rounds", ROUNDS_MAX)?;
        let keys = [decode(stored_key, "stored key")?, decode(server_key, "server key")?];
        let hash = Self {
            function: Function::ScramSha256 { rounds },
            salt: decode(salt, "salt")?,
            output: keys.concat().into(),
        };
        if keys.iter().any(|key| key.len() != SCRAM_KEY_BYTES) {
            return Err(cut_off());
        }
        hash.check()?;
        Ok(hash)
    }

    /// What SCRAM needs of it, if it was made for that.
    pub(super) fn scram(&self) -> Option<Stored> {
        let Function::ScramSha256 { rounds } = self.function else {
            return None;
        };
        let (stored_key, server_key) = self.output.split_at_checked(SCRAM_KEY_BYTES)?;
        Some(Stored {
            rounds,
            salt: self.salt.clone(),
            stored_key: stored_key.try_into().ok()?,
            server_key: server_key.try_into().ok()?,
        })
    }

    /// Whether the lengths are those of whole hashes.
    fn check(&self) -> Result<(), Flaw> {
        let (salt, output) = (self.salt.len(), self.output.len());
        let is_right = match self.function {
            Function::Argon2id { .. } => salt >= argon2::MIN_SALT_LEN && (16..=128).contains(&output),
            Function::Pbkdf2 { .. } | Function::Sha512 => salt > 0 && output == SHA512_BYTES,
            Function::ScramSha256 { .. } => salt > 0 && output == 2 * SCRAM_KEY_BYTES,
        };
        if is_right && salt <= SALT_BYTES_MAX {
            Ok(())
        } else {
            Err(cut_off())
        }
    }

    /// Compares in a time that does not depend on where they differ.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        let mut output = vec![0; self.output.len()];
        let is_hashed = self.function.hash(password, &self.salt, &mut output);
        is_hashed & bool::from(output.ct_eq(&self.output))
    }

    /// Two hashes with the same cost take the same time.
    pub(super) fn cost(&self) -> Function {
        self.function
    }
}

impl Function {
    fn hash(self, password: &[u8], salt: &[u8], output: &mut [u8]) -> bool {
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => Params::new(memory_kib, passes, lanes, Some(output.len()))
                .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
                .and_then(|argon2| argon2.hash_password_into(password, salt, output))
                .is_ok(),
            Self::Pbkdf2 { rounds } => {
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, output);
                true
            }
            Self::ScramSha256 { rounds } => {
                let stored = Stored::of(password, salt, rounds);
                let keys = [stored.stored_key, stored.server_key].concat();
                let fits = keys.len() == output.len();
                if fits {
                    output.copy_from_slice(&keys);
                }
                fits
            }
            Self::Sha512 => {
                let digest = Sha512::new().chain_update(password).chain_update(salt).finalize();
                let fits = digest.len() == output.len();
                if fits {
                    output.copy_from_slice(&digest);
                }
                fits
            }
        }
    }
}

/// Neither salt nor hash: whoever has them can guess at leisure.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

/// Why a password was not hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The system gave no random bytes for the salt.
    #[error("the system has no random numbers to give: {0}")]
    NoRandomness(String),
    /// Argon2 refused the password, which is longer than 4 GiB, or had no memory.
    #[error("Argon2id failed: {0}")]
    Argon2(String),
}

/// Hashes a password as `strowger passwd` writes it: Argon2id with 19 MiB, two passes, one lane and a random salt.
///
/// # Errors
///
/// When the system has neither randomness nor memory.
pub fn hash_for_file(password: &[u8]) -> Result<String, HashError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| HashError::NoRandomness(error.to_string()))?;
    let params = Params::DEFAULT;
    let (memory_kib, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    let mut output = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, &salt, &mut output)
        .map_err(|error| HashError::Argon2(error.to_string()))?;
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    Ok(format!(
        "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${output}"
    ))
}

/// What is kept of a password for SCRAM-SHA-256, as `strowger passwd --scram` writes it, with a random salt.
///
/// # Errors
///
/// When the system has no randomness.
pub fn scram_for_file(password: &[u8]) -> Result<String, HashError> {
    let mut salt = [0; scram::SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| HashError::NoRandomness(error.to_string()))?;
    let stored = Stored::of(password, &salt, scram::ROUNDS);
    let [salt, stored_key, server_key] =
        [salt.as_slice(), &stored.stored_key, &stored.server_key].map(|part| STANDARD_NO_PAD.encode(part));
    Ok(format!(
        "$scram-sha-256${}${salt}${stored_key}${server_key}",
        scram::ROUNDS
    ))
}

/// `m=..,t=..,p=..`, in this order, as the PHC format has it.
fn parse_argon2(costs: &str) -> Result<Function, Flaw> {
    let mut costs = costs.split(',');
    let mut cost = |name: &str, max: u32| {
        let text = costs.next().and_then(|cost| cost.strip_prefix(name));
        number(text, name.trim_end_matches('='), max)
    };
    let (memory_kib, passes, lanes) = (cost("m=", MEMORY_KIB_MAX)?, cost("t=", PASSES_MAX)?, cost("p=", 64)?);
    if costs.next().is_some() {
        return Err(unknown("an Argon2id with more than m, t and p"));
    }
    if Params::new(memory_kib, passes, lanes, None).is_err() {
        return Err(unknown("an Argon2id with less than 8 KiB of memory for each lane"));
    }
    Ok(Function::Argon2id {
        memory_kib,
        passes,
        lanes,
    })
}

fn parse_pbkdf2(rounds: &str) -> Result<Function, Flaw> {
    let rounds = number(Some(rounds), "the number of rounds", ROUNDS_MAX)?;
    Ok(Function::Pbkdf2 { rounds })
}

/// A number from 1 to `max` in plain digits.
fn number(text: Option<&str>, name: &str, max: u32) -> Result<u32, Flaw> {
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| {
            let remedy = format!("set the password again with strowger passwd FILE NAME; 1 to {max} are allowed");
            Flaw::new(format!("{name} of the hash is no number, or out of bounds"), remedy)
        })
}

fn decode(text: &str, part: &str) -> Result<Box<[u8]>, Flaw> {
    BASE64.decode(text).map(Vec::into_boxed_slice).map_err(|_| {
        let remedy = "set the password again with strowger passwd FILE NAME";
        Flaw::new(format!("the {part} is not base64"), remedy)
    })
}

fn cut_off() -> Flaw {
    Flaw::new(
        "the hash is incomplete or of a wrong length",
        "set the password again with strowger passwd FILE NAME",
    )
}

fn unknown(kind: &str) -> Flaw {
    Flaw::new(
        format!("{kind} is a hash that is not read"),
        "set the password again with strowger passwd FILE NAME; $argon2id$, $scram-sha-256$, $7$ and $6$ are read",
    )
}
