//! What a chain is made of: plain data, which the daemon fills from its configuration.

use std::time::Duration;

use crate::{anonymous, bans, certificate, directory, flapping, http, jwt, limits, password};

/// A chain of authenticators and its limits.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who is asked, in this order. With none, nobody comes in.
    pub authenticators: Vec<Authenticator>,
    /// What password hashing may take.
    pub hashing: Hashing,
    /// How much failing is borne.
    pub limits: limits::Settings,
    /// How much coming and going is borne.
    pub flapping: flapping::Settings,
    /// Who stays outside whatever it brings.
    pub bans: bans::Settings,
    /// How long a client may wait for its answer; then it is [`crate::Refusal::Unavailable`].
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            authenticators: Vec::new(),
            hashing: Hashing::default(),
            limits: limits::Settings::default(),
            flapping: flapping::Settings::default(),
            bans: bans::Settings::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// One authenticator.
#[derive(Debug, Clone)]
pub enum Authenticator {
    /// Names and hashed passwords in a file.
    PasswordFile(password::Settings),
    /// Signed tokens.
    Jwt(jwt::Settings),
    /// A server that is asked.
    Http(http::Settings),
    /// A database, Redis or an LDAP server that knows users.
    Directory(Box<directory::Settings>),
    /// Certificates that the listener verified.
    Certificate(certificate::Settings),
    /// Nobody in particular.
    Anonymous(anonymous::Settings),
}

/// What password hashing may take. It is slow and large on purpose, so it has bounds of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashing {
    /// How many passwords are hashed at a time, each on a thread and, with Argon2id, in 19 MiB or what its entry says.
    pub parallel_max: usize,
    /// How many clients may wait for that; the next one is [`crate::Refusal::Unavailable`].
    pub waiting_max: usize,
}

impl Default for Hashing {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            parallel_max: (cores / 2).max(1),
            waiting_max: 1_000,
        }
    }
}
