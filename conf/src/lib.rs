//! Strowger's settings: one typed [`Configuration`] and where each of its values came from.
//!
//! The sections in [`Configuration`] are written once, in a table that carries each setting's meaning, default,
//! allowed values and unit. Validation, `conf/strowger.toml`, `docs/CONFIG.md` and `--print-conf` are read off that
//! table, so none of them can disagree with the type.
//!
//! [`Layers`] reads a configuration. Later layers win: the defaults, the file, the environment, the flags.
//! A key or value that is not in the table is refused with its origin and a remedy; nothing is skipped in silence.

mod access;
mod configuration;
mod consistency;
mod environment;
mod error;
mod file;
mod flag;
mod layers;
mod listeners;
mod loaded;
pub mod manual;
mod nearest;
mod origin;
mod rule;
mod table;

pub use access::{
    Acl, Anonymous, Auth, CertificateName, DirectoryTls, LostSubscriptions, SessionsOf, TokenField, WideSubscriptions,
};
pub use configuration::{Broker, Configuration, Listener, Log, Packet, Retained, Rules, Session, Storage};
pub use configuration::{ClientCertificate, FurtherListener, ProxyProtocol, TlsVersion, Transport};
pub use configuration::{Durability, Engine, LogFormat, Overload, Override, QueueFull, TooFast};
pub use error::{Contradiction, Error};
pub use layers::Layers;
pub use loaded::Loaded;
pub use origin::Origin;
pub use rule::passed_socket;
