//! Who stays outside whatever it brings: client ids, user names and addresses, each until a time or for good.
//!
//! ```text
//! # what whom [until when]
//! client meter-7
//! user "a name with spaces" until 2027-01-31T12:00:00Z
//! address 203.0.113.0/24
//! ```

mod instant;
mod line;
mod live;

pub(crate) use live::Live;
pub use live::{LiveBan, LiveError};

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ipnet::IpNet;

use crate::{Credentials, OpenError, source};

/// The bans of the settings and those of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Those of the settings.
    pub bans: Vec<Ban>,
    /// One to a line. It may be empty, but has to be there.
    pub file: Option<PathBuf>,
    /// The bound of the file's length.
    pub bytes_max: u64,
    /// Where those of operators are kept, made with the first of them. `None`: they end with the broker.
    pub live_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bans: Vec::new(),
            file: None,
            bytes_max: 16 << 20,
            live_file: None,
        }
    }
}

/// One ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Whom it keeps outside.
    pub whom: Banned,
    /// When it ends, in seconds of Unix time. None: never.
    pub until_unix_secs: Option<u64>,
}

/// Whom a ban keeps outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Banned {
    /// A client id.
    Client(String),
    /// A user name, claimed or proven.
    User(String),
    /// An address, or all of a network.
    Address(IpNet),
}

/// Until when; `u64::MAX` is for good.
type Until = u64;

/// All bans, ready for a look-up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bans {
    clients: HashMap<String, Until>,
    users: HashMap<String, Until>,
    networks: HashMap<IpNet, Until>,
    /// The lengths of prefix that `networks` has, so that a look-up asks for each of them, not for each network.
    prefix_lens_v4: Vec<u8>,
    prefix_lens_v6: Vec<u8>,
}

impl Bans {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let mut bans = Self::default();
        for ban in &settings.bans {
            bans.add(ban.clone());
        }
        let Some(file) = &settings.file else {
            return Ok(bans);
        };
        let text = source::text(file, settings.bytes_max).await?;
        for line in source::lines(file, &text)? {
            bans.add(line::parse(line.text).map_err(|flaw| flaw.at(file, line.number))?);
        }
        Ok(bans)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.clients.len() + self.users.len() + self.networks.len()
    }

    fn add(&mut self, ban: Ban) {
        let until = ban.until_unix_secs.unwrap_or(Until::MAX);
        match ban.whom {
            Banned::Client(id) => extend(&mut self.clients, id, until),
            Banned::User(name) => extend(&mut self.users, name, until),
            Banned::Address(network) => {
                let lens = match network {
                    IpNet::V4(_) => &mut self.prefix_lens_v4,
                    IpNet::V6(_) => &mut self.prefix_lens_v6,
                };
                if !lens.contains(&network.prefix_len()) {
                    lens.push(network.prefix_len());
                }
                extend(&mut self.networks, network.trunc(), until);
            }
        }
    }

    /// All that have not ended.
    pub(crate) fn all(&self) -> Vec<Ban> {
        let now = unix_secs();
        let ban = |whom, until: Until| Ban {
            whom,
            until_unix_secs: (until != Until::MAX).then_some(until),
        };
        let clients = self
            .clients
            .iter()
            .map(|(id, until)| ban(Banned::Client(id.clone()), *until));
        let users = self
            .users
            .iter()
            .map(|(name, until)| ban(Banned::User(name.clone()), *until));
        let networks = self
            .networks
            .iter()
            .map(|(network, until)| ban(Banned::Address(*network), *until));
        let all = clients.chain(users).chain(networks);
        all.filter(|ban| ban.until_unix_secs.is_none_or(|until| until > now))
            .collect()
    }

    /// Whether what the client says of itself, or where it is, is banned.
    pub(crate) fn hold(&self, who: &Credentials) -> bool {
        self.hold_client(&who.client_id, who.address)
            || who.username.as_deref().is_some_and(|name| self.hold_user(name))
    }

    /// Whether an identifier is banned, or where its client is.
    pub(crate) fn hold_client(&self, client_id: &str, address: Option<IpAddr>) -> bool {
        let now = unix_secs();
        self.clients.get(client_id).is_some_and(|&until| until > now)
            || address.is_some_and(|address| self.hold_address(address, now))
    }

    /// Whether a name is banned, claimed or proven.
    pub(crate) fn hold_user(&self, name: &str) -> bool {
        self.users.get(name).is_some_and(|&until| until > unix_secs())
    }

    fn hold_address(&self, address: IpAddr, now: u64) -> bool {
        let address = address.to_canonical();
        let lens = match address {
            IpAddr::V4(_) => &self.prefix_lens_v4,
            IpAddr::V6(_) => &self.prefix_lens_v6,
        };
        lens.iter().any(|&len| {
            let network = IpNet::new(address, len).map(|network| network.trunc());
            let until = network.ok().and_then(|network| self.networks.get(&network));
            until.is_some_and(|&until| until > now)
        })
    }
}

/// The network that an operator names, which may be a single address.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    line::network(text).ok().map(|network| network.trunc())
}

/// Whether the network, as text, holds this address, which may have a port.
#[must_use]
pub fn holds(network_text: &str, address: &str) -> bool {
    let with_port = address.parse::<std::net::SocketAddr>().map(|address| address.ip());
    let address = with_port.or_else(|_| address.parse::<IpAddr>());
    match (network(network_text), address) {
        (Some(network), Ok(address)) => network.contains(&address.to_canonical()),
        (_, _) => false,
    }
}

/// Of two bans on one, the longer holds.
fn extend<K: Eq + Hash>(table: &mut HashMap<K, Until>, key: K, until: Until) {
    let held = table.entry(key).or_insert(until);
    *held = until.max(*held);
}

/// Seconds of Unix time. A clock before 1970 counts as 1970: bans hold then.
pub(crate) fn unix_secs() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
