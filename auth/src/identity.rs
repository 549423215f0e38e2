//! The chain's answer.

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The name that was proven. None for an anonymous client, whatever name it claimed.
    pub username: Option<String>,
    /// The groups that rights may be given to.
    pub groups: Vec<String>,
    /// Whether rights are not asked for.
    pub is_superuser: bool,
    /// Rights that came with the identity, in the order in which they are to be looked at.
    pub grants: Vec<Grant>,
    /// When the identity ends, in seconds of Unix time; the connection ends with it.
    pub expires_at_unix_secs: Option<u64>,
    /// How the client was known, for logs: "password file", "jwt".
    pub method: &'static str,
}

/// One right that an authenticator gave or took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whether it allows; else it denies.
    pub allow: bool,
    /// What it is about.
    pub actions: Actions,
    /// A topic filter, valid by \[MQTT-4.7\].
    pub filter: String,
}

/// What a [`Grant`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actions {
    /// To publish.
    Publish,
    /// To subscribe, and to receive.
    Subscribe,
    /// All of it.
    Both,
}

/// What the chain says about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is this one.
    Known(Identity),
    /// It stays outside.
    Refused(Refusal),
}

/// Why a client stays outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No authenticator knows it, or one knows it and its secret is wrong.
    BadCredentials,
    /// It is known, and may not come in here.
    NotAuthorized,
    /// Its client id, user name or address is banned.
    Banned,
    /// Too many attempts failed from its address or under its name.
    TooManyFailures,
    /// It connects again and again: see [`crate::flapping`].
    Flapping,
    /// An authenticator could not answer.
    Unavailable,
}
