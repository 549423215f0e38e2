//! The shells of the broker: actix actors that carry what has a life, around a brain that decides.
//!
//! A line is one thread with its own runtime. On it live the line's session actor, its acceptors and one exchange actor
//! for each connection; they share a desk with the line's brain and reach it by direct call. Only three things cross
//! threads: a turn's messages for another line, a turn's subscriptions for the router, and a connection on its way to
//! its client's home line. An `if` about MQTT in this crate is in the wrong room.

mod acceptor;
mod access;
mod authentication;
mod clock;
mod control;
mod desk;
mod doors;
mod exchange;
mod handshakes;
mod listener;
mod message;
mod network;
mod report;
mod rights;
mod router;
mod session;
mod settings;
mod state;
mod store;
mod system;
mod tables;
mod transport;

pub use control::{Answer, Call};
pub use network::{Network, NotANetwork};
pub use rights::{RightsFileError, read_rights};
pub use settings::{
    Endpoint, ListenerLimits, ListenerSettings, ProxySettings, Settings, SocketFile, StoreEngine, StoreSettings,
    TlsSettings, WebSocketSettings, open_house,
};
pub use system::{StartError, run};
pub use transport::tls::TlsError;
