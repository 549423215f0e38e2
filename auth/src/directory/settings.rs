//! Which directory, and how much it is asked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{OpenError, source};

/// One directory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which one.
    pub backend: Backend,
    /// How much it is asked.
    pub bounds: Bounds,
    /// Whether it is spoken to encrypted.
    pub tls: Tls,
    /// PEM certificates of the CAs that its certificate may come from. None: those that are trusted by default.
    pub ca_file: Option<PathBuf>,
}

/// A kind of directory.
#[derive(Debug, Clone)]
pub enum Backend {
    /// PostgreSQL, MySQL, MariaDB or SQLite.
    Sql(SqlSettings),
    /// Redis, or what speaks its protocol.
    Redis(RedisSettings),
    /// An LDAP server.
    Ldap(LdapSettings),
}

/// A database.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// `postgres://…`, `mysql://…` or `sqlite://PATH`.
    pub url: Secret,
    /// Gives `password_hash`, and if it likes `username`, `is_superuser` and `groups`, for `${username}`.
    pub query: String,
    /// Gives rows of three: whether it allows, what, and a topic filter. Empty: no rights come from there.
    pub acl_query: String,
}

/// A Redis server.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://…`, `rediss://…` or `redis+unix://PATH`.
    pub url: Secret,
    /// Names the hash with `password_hash`, `is_superuser` and `groups`; `%u` and `%c` stand for names.
    pub key: String,
    /// Names the hash of topic filters and what is allowed there. Empty: no rights come from there.
    pub acl_key: String,
}

/// An LDAP server.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// `ldap://…`, `ldaps://…` or `ldapi://…`.
    pub url: String,
    /// Who searches. Empty: nobody in particular.
    pub bind_dn: String,
    /// The password of who searches.
    pub password: Option<Secret>,
    /// Where users are searched.
    pub base: String,
    /// Finds the one entry; `%u` and `%c` stand for names.
    pub filter: String,
    /// The attribute that has to be the user name letter by letter. Empty: what the filter finds is good.
    pub name_attribute: String,
    /// The attribute that lists the groups of an entry. Empty: none does.
    pub group_attribute: String,
    /// Where groups have to stand, and where they are searched. Empty: anywhere, and they are not searched.
    pub group_base: String,
    /// Finds groups; `%d` stands for the name of the user's entry. Their `cn` is what they are called.
    pub group_filter: String,
}

/// How much a directory is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long one question may take, with the connection that it may need.
    pub timeout: Duration,
    /// How many questions are asked at a time; a database has as many connections.
    pub parallel_max: usize,
    /// How many clients may wait for their question; the next one is [`crate::Refusal::Unavailable`].
    pub waiting_max: usize,
    /// How long an answer holds for the same client with the same password, address and listener. Zero: not at all.
    pub cache_for: Duration,
    /// How many answers are kept; beyond it those that came longest ago are forgotten.
    pub cache_entries_max: usize,
}

/// Whether a directory is spoken to encrypted, and its certificate verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// As its address says.
    AsGiven,
    /// Unless it is on this machine.
    Remote,
    /// Always.
    Always,
}

impl Tls {
    /// Whether a server at `host` has to be spoken to encrypted. No host is a socket of this machine.
    #[cfg_attr(
        not(any(feature = "sql", feature = "redis", feature = "ldap")),
        allow(dead_code, reason = "each kind of directory asks")
    )]
    pub(super) fn is_due(self, host: Option<&str>) -> bool {
        let is_here = host.is_none_or(|host| {
            let host = host.trim_matches(['[', ']']);
            let is_loopback = |host: &str| {
                host.parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            };
            host.is_empty() || host == "localhost" || host.starts_with('/') || is_loopback(host)
        });
        match self {
            Self::AsGiven => false,
            Self::Remote => !is_here,
            Self::Always => true,
        }
    }
}

/// What no Debug, error or log shows: itself, or the file that holds it.
#[derive(Clone)]
pub enum Secret {
    /// The secret.
    Text(String),
    /// A file with nothing else in it; a line's end behind it does not count.
    File(PathBuf),
}

impl Secret {
    /// # Errors
    ///
    /// A file that cannot be read, or is empty.
    #[cfg_attr(
        not(any(feature = "sql", feature = "redis", feature = "ldap")),
        allow(dead_code, reason = "each kind of directory has one")
    )]
    pub(super) async fn read(&self) -> Result<String, OpenError> {
        const BYTES_MAX: u64 = 16 << 10;
        let file = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(file) => file,
        };
        let text = source::text(file, BYTES_MAX).await?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(source::empty(file, "write the secret there, and nothing else"));
        }
        Ok(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("(secret)"),
            Self::File(file) => write!(f, "(secret in {})", file.display()),
        }
    }
}
