//! What a client brings along.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

/// What is known of a client that asks to come in.
#[derive(Clone)]
pub struct Credentials {
    /// The client id of CONNECT, or the one that the broker assigned.
    pub client_id: String,
    /// The User Name of CONNECT.
    pub username: Option<String>,
    /// The Password of CONNECT: a secret, which no Debug, error or log shows.
    pub password: Option<Bytes>,
    /// Where the client is, as a trusted proxy or the socket says. None for Unix sockets, which only this machine reaches.
    pub address: Option<IpAddr>,
    /// The name of the listener that took the connection.
    pub listener: String,
    /// The certificate of the client, verified by the listener against its CAs.
    pub certificate: Option<Certificate>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(secret)"))
            .field("address", &self.address)
            .field("listener", &self.listener)
            .field("certificate", &self.certificate)
            .finish()
    }
}

/// A client's certificate, after the listener verified it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The subject as RFC 4514 writes it: `CN=sensor,O=Works`.
    pub subject: String,
    /// The subject's last common name.
    pub common_name: Option<String>,
    /// The DNS names among the alternative names.
    pub dns_names: Vec<String>,
    /// The e-mail addresses among the alternative names.
    pub emails: Vec<String>,
    /// The end of its validity, in seconds of Unix time.
    pub not_after_unix_secs: i64,
}
