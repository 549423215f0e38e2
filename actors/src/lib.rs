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
mod events;
mod exchange;
mod figures;
mod handshakes;
mod inboxes;
mod lag;
mod life;
mod listener;
mod message;
mod network;
mod operations;
mod overload;
mod patience;
mod plan;
mod policy;
mod process;
#[cfg(feature = "quic")]
mod quic;
#[cfg(not(feature = "quic"))]
#[path = "without_quic.rs"]
mod quic;
mod recorder;
mod reload;
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
mod watcher;

/// The brain, whose words figures and answers are made of.
pub use broker;
pub use control::{Answer, Call};
pub use doors::handover::{Handover, Inherited, Released, SOCKETS, key_beside};
pub use doors::{Premises, probe};
pub use events::{Event, Listening};
pub use figures::{AllocatorFigures, Figures, LineFigures, ListenerFigures, Probes, StoreFigures};
pub use network::{Network, NotANetwork};
pub use operations::life::{Declined, DrainOrder, Stage, Status, UpgradeOrder};
pub use operations::{
    Ban, Client, ClientFilter, ConsoleError, Deletion, ListenerSight, Operations, Outcome, Overview, Properties,
    Publication, RetainedMessage, SentAway, Subscription, SubscriptionFilter, Trace, Tree, TreeLevel, Unanswered, Whom,
    Will,
};
pub use plan::{Plan, SettingChange, Step, StepKind, When};
pub use policy::{OpenHouse, Policy};
pub use process::{Moment, Past, Process, Successor};
pub use recorder::{Captured, Happening, RecorderSettings, Recording, RecordingEntry};
pub use reload::{Configurator, Draft, NewFile};
pub use rights::{RightsFileError, read_rights};
pub use settings::{
    Endpoint, EndsWithin, ListenerLimits, ListenerSettings, OverloadSettings, PassedSocket, ProxySettings,
    QuicSettings, Settings, SocketFile, StoreEngine, StoreSettings, TlsSettings, WebSocketSettings,
};
pub use system::{Ending, StartError, check, run};
pub use transport::tls::TlsError;
pub use watcher::{Nobody, Watcher};

/// Whether this binary can open listeners of MQTT over QUIC: the cargo feature `quic`.
pub const HAS_QUIC: bool = cfg!(feature = "quic");
