//! Who a client is, as whoever authenticated it says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::acl::Rule;
use crate::line::Peer;
use crate::message::Millis;

/// Who is on the other end of a connection, and what that alone says about his rights.
///
/// A session belongs to the identity that opened it. What outlives the broker of it is the user name: an identity that
/// comes back from the store is a [shadow](Identity::shadow) of the one that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name that was proven. `None`: nobody asked for one.
    pub username: Option<Box<str>>,
    /// The name that its CONNECT claims, where that is not the one that was proven. It gives no rights, and can be banned.
    pub claimed: Option<Box<str>>,
    /// The groups that the authenticator put him into.
    pub groups: Vec<Box<str>>,
    /// Everything is allowed to him.
    pub is_superuser: bool,
    /// Rights that came with the authentication. They are looked at before those of the book, the first that fits
    /// decides.
    pub grants: Vec<Rule>,
    /// When the proof is over, and with it the connection.
    pub expires_at: Option<Millis>,
    /// The name of the listener that he came in by.
    pub listener: Arc<str>,
    /// How he was known, in the words of whoever knew him; empty: he was not asked.
    pub method: &'static str,
    /// Its name is all that is known: see [`Identity::shadow`].
    pub is_shadow: bool,
}

impl Identity {
    /// A client of whom nothing is known but the door.
    #[must_use]
    pub fn anonymous(listener: Arc<str>) -> Self {
        Self::named(None, listener)
    }

    /// A client with this name, proven or, where nothing is proven, claimed.
    #[must_use]
    pub fn named(username: Option<&str>, listener: Arc<str>) -> Self {
        Self {
            username: username.map(Box::from),
            claimed: None,
            groups: Vec::new(),
            is_superuser: false,
            grants: Vec::new(),
            expires_at: None,
            listener,
            method: "",
            is_shadow: false,
        }
    }

    /// What the store remembers of a client: its name. Its groups and its listener are not known, so that whatever is
    /// denied to any of them is denied to it, and nothing is allowed to it for their sake.
    #[must_use]
    pub fn shadow(username: Option<Box<str>>) -> Self {
        Self {
            username,
            is_shadow: true,
            ..Self::anonymous(Arc::default())
        }
    }

    /// Its names: the one that was proven, and the one that it claims if that is another.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.username.iter().chain(&self.claimed).map(|name| &**name)
    }

    /// The same, with the name that its CONNECT claims.
    #[must_use]
    pub fn claiming(mut self: Arc<Self>, claimed: Option<&str>) -> Arc<Self> {
        if let Some(name) = claimed.filter(|name| self.username.as_deref() != Some(name)) {
            Arc::make_mut(&mut self).claimed = Some(Box::from(name));
        }
        self
    }

    /// Whether a session that `owner` opened may be taken up by this one. A session without an owner is anyone's.
    #[must_use]
    pub fn may_take_over(&self, owner: &Self) -> bool {
        owner.username.is_none() || owner.username == self.username
    }
}

/// A connection that asks to come in, apart from its CONNECT.
#[derive(Clone, Debug)]
pub struct Arriving {
    /// The other end.
    pub peer: Peer,
    /// Who that is.
    pub identity: Arc<Identity>,
    /// The last word of the authentication method that its CONNECT names, for the CONNACK. `None`: there was none, and a
    /// CONNECT that names one is refused.
    pub proof: Option<Bytes>,
}

impl Peer {
    /// The network address, if it has one. An IPv4 address that came in by a socket of both kinds is one of IPv4.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip().to_canonical()),
            Self::Local(_) => None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.username.as_deref().unwrap_or("anonymous"))
    }
}
