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
mod lag;
mod listener;
mod message;
mod network;
mod overload;
mod policy;
#[cfg(feature = "quic")]
mod quic;
#[cfg(not(feature = "quic"))]
#[path = "without_quic.rs"]
mod quic;
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
pub use policy::{OpenHouse, Policy};
pub use rights::{RightsFileError, read_rights};
pub use settings::{
    Endpoint, ListenerLimits, ListenerSettings, OverloadSettings, PassedSocket, ProxySettings, QuicSettings, Settings,
    SocketFile, StoreEngine, StoreSettings, TlsSettings, WebSocketSettings,
};
pub use system::{StartError, run};
pub use transport::tls::TlsError;

/// Whether this binary can open listeners of MQTT over QUIC: the cargo feature `quic`.
pub const HAS_QUIC: bool = cfg!(feature = "quic");
