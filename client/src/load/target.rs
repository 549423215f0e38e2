//! The broker under load.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// Where a broker listens, which processes it consists of, and how to log in.
#[derive(Clone, Debug)]
pub struct Target {
    /// What tables and reports call it.
    pub name: String,
    /// Its listener.
    pub address: SocketAddr,
    /// Its processes on this machine; without any, its CPU time and memory stay unknown.
    pub pids: Vec<u32>,
    /// The user name for every connection.
    pub user: Option<String>,
    /// The password for every connection.
    pub password: Option<String>,
    /// What every connection is secured with; without it, MQTT goes over plain TCP.
    pub security: Option<Security>,
}

/// TLS, as a client.
#[derive(Clone, Debug)]
pub struct Security {
    /// Whom to trust, and what to show.
    pub config: Arc<ClientConfig>,
    /// The name that the broker's certificate has to be for.
    pub server_name: ServerName<'static>,
}

impl Target {
    /// A broker at this address that asks for no password, named after the address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: address.to_string(),
            address,
            pids: Vec::new(),
            user: None,
            password: None,
            security: None,
        }
    }
}
