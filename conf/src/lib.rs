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
mod entry;
mod environment;
mod error;
mod file;
mod flag;
mod layers;
mod listeners;
mod live;
mod loaded;
pub mod manual;
mod metrics;
mod nearest;
mod origin;
mod rule;
mod table;
mod traces;

pub use access::{
    Acl, Anonymous, Auth, CertificateName, DirectoryTls, LostSubscriptions, SessionsOf, TokenField, WideSubscriptions,
};
pub use configuration::{
    Admin, Broker, Configuration, Daemon, Listener, Log, Packet, Recorder, Retained, Rules, Session, Storage,
};
pub use configuration::{ClientCertificate, FurtherListener, ProxyProtocol, TlsVersion, Transport};
pub use configuration::{Durability, Engine, LogFormat, MetricsAccess, Overload, Override, QueueFull, TooFast};
pub use entry::Entry;
pub use error::{Contradiction, Error};
pub use layers::Layers;
pub use live::{Change, Live, changes, live, taken};
pub use loaded::Loaded;
pub use metrics::{CountedFilter, CountedGroup, Metrics};
pub use origin::Origin;
pub use rule::passed_socket;
pub use traces::Traces;
