//! Clients that bring no name.

use crate::{Credentials, Identity, Verdict};

/// [`Identity::method`] of an anonymous client.
pub const METHOD: &str = "anonymous";

/// Where a client may stay anonymous.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// On which listeners.
    pub on: Listeners,
    /// Whether a client that brings a name or a password may come in as well. Nobody checked them, so it stays
    /// anonymous. For brokers without any other authenticator; with one, it would let in whoever that one does not know.
    pub are_names_ignored: bool,
}

/// Some of the listeners.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Listeners {
    /// Any, for clients on this machine: from a loopback address, or by a Unix socket. A proxy on this machine that does
    /// not say for whom it speaks makes all its clients local.
    #[default]
    Local,
    /// Any, from anywhere.
    All,
    /// Those with these names, from anywhere.
    Named(Vec<String>),
}

/// Whether a client may stay anonymous.
pub(crate) fn admits(settings: &Settings, who: &Credentials) -> bool {
    let is_here = match &settings.on {
        Listeners::Local => who.address.is_none_or(|address| address.to_canonical().is_loopback()),
        Listeners::All => true,
        Listeners::Named(names) => names.contains(&who.listener),
    };
    let has_a_name = who.username.is_some() || who.password.is_some();
    is_here && (!has_a_name || settings.are_names_ignored)
}

pub(crate) fn ask(settings: &Settings, who: &Credentials) -> Verdict {
    if !admits(settings, who) {
        return Verdict::NotMine;
    }
    Verdict::Known(Identity {
        method: METHOD,
        ..Identity::default()
    })
}

#[cfg(test)]
mod tests;
