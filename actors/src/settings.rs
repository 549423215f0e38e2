//! What the shells need to know; the brain has its own [`Limits`].

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use broker::limits::Limits;
use broker::router::{RetainedLimits, RouterLimits};

use crate::figures::Probes;
use crate::network::Network;
use crate::policy::Policy;
use crate::recorder::RecorderSettings;
use crate::reload::Configurator;
use crate::watcher::Watcher;

/// How long the end of a broker may take: the sum of these, and some seconds for threads to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndsWithin {
    /// For all clients to take their goodbye.
    pub goodbye: Duration,
    /// For the lines to end and the store to write and sync what it has.
    pub store: Duration,
}

/// Everything that a broker is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients come in.
    pub listeners: Vec<ListenerSettings>,
    /// Lines; each is a thread.
    pub lines: u16,
    /// Longest CONNECT packet, in bytes.
    pub connect_bytes_max: u32,
    /// Bytes that may be on their way from line to line before reading stops.
    pub inbox_bytes_max: usize,
    /// Sessions that one line may hold.
    pub sessions_max: usize,
    /// Between two reports to `$SYS`; zero: none.
    pub state_interval: Duration,
    /// How long a reload and a drain wait for the answer of a line.
    pub line_answers_within: Duration,
    /// How long its end may take.
    pub ends_within: EndsWithin,
    /// The brain's bounds.
    pub limits: Limits,
    /// The routing table's bounds.
    pub router: RouterLimits,
    /// The retained messages' bounds.
    pub retained: RetainedLimits,
    /// Who may come in.
    pub authentication: auth::Settings,
    /// The file that says what clients may do; `None`: everything.
    pub rights_file: Option<PathBuf>,
    /// When the process is overloaded.
    pub overload: OverloadSettings,
    /// What the flight recorder keeps.
    pub recorder: RecorderSettings,
    /// What is to happen when.
    pub policy: Arc<dyn Policy>,
    /// Each so many deliveries is lost on purpose; 0: none.
    #[cfg(feature = "faults")]
    pub lose_every: u64,
    /// Who is told of traced messages.
    pub watcher: Arc<dyn Watcher>,
    /// Where figures come from that only the process knows.
    pub probes: Probes,
    /// Where other settings come from while the broker runs.
    pub configurator: Arc<dyn Configurator>,
    /// What `$SYS/broker/version` says.
    pub version: String,
    /// Where promises are kept; `None`: nothing outlives the process.
    pub store: Option<StoreSettings>,
    /// Where operators' commands reach the broker; `None`: nowhere.
    pub control_socket: Option<PathBuf>,
    /// How long wills wait for the return of clients that an upgrade sent away.
    pub upgrade_grace: Duration,
}

/// When the process is overloaded.
#[derive(Debug, Clone, Copy)]
pub struct OverloadSettings {
    /// Memory that the process may use.
    pub memory_bytes_max: u64,
    /// In percent of it: above, queues of absent clients and retained messages do not grow.
    pub memory_growth_percent: u8,
    /// In percent of it: above, newcomers are refused and QoS 0 is dropped.
    pub memory_connect_percent: u8,
    /// Says how much memory the process uses, in bytes; `None`: the system does not tell.
    pub memory_used: fn() -> Option<u64>,
    /// How late a line may be before nobody new is taken up on it; zero: as late as it likes.
    pub line_lag_max: Duration,
    /// Connections at once on all listeners, for which there are descriptors.
    pub connections_max: usize,
}

/// Where and how promises are kept.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The data directory, made if it is missing.
    pub directory: PathBuf,
    /// What holds what has left the journal.
    pub engine: StoreEngine,
    /// Size of one file of the journal, in bytes.
    pub segment_bytes: u64,
    /// Bytes of journal that are held in memory too before they are settled into the engine.
    pub journal_bytes_max: u64,
    /// Bytes that the engine keeps of what it has read.
    pub cache_bytes: u64,
    /// Free space, in bytes, below which messages are refused.
    pub free_bytes_min: u64,
    /// Bytes that may wait for the store before reading stops.
    pub backlog_bytes_max: usize,
    /// Longest wait of a commit for company when the store is busy.
    pub commit_wait_max: Duration,
    /// Bytes that one commit takes.
    pub commit_bytes_max: usize,
}

/// What holds what has left the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreEngine {
    /// A log-structured merge tree.
    Fjall,
    /// A tree of fragments.
    Sled,
}

/// One listener: where it is, what carries MQTT there, and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSettings {
    /// What logs and access rules call it.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// TLS, if it is spoken.
    pub tls: Option<TlsSettings>,
    /// WebSocket, if it is spoken.
    pub websocket: Option<WebSocketSettings>,
    /// QUIC, if it is spoken; then `tls` is there and is TLS 1.3 alone.
    pub quic: Option<QuicSettings>,
    /// The proxies in front of it.
    pub proxies: ProxySettings,
    /// Its bounds.
    pub limits: ListenerLimits,
}

impl ListenerSettings {
    /// What carries MQTT, in words.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        if self.quic.is_some() {
            return "QUIC";
        }
        if self.endpoint.is_unix() {
            return "a Unix socket";
        }
        match (&self.websocket, &self.tls) {
            (None, None) => "TCP",
            (None, Some(_)) => "TLS",
            (Some(_), None) => "WebSocket",
            (Some(_), Some(_)) => "WebSocket over TLS",
        }
    }
}

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A network address.
    Address(SocketAddr),
    /// A file.
    Socket(SocketFile),
    /// What the service manager has opened.
    Passed(PassedSocket),
}

impl Endpoint {
    fn is_unix(&self) -> bool {
        match self {
            Self::Address(_) => false,
            Self::Socket(_) => true,
            Self::Passed(socket) => socket.is_unix,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Socket(file) => write!(f, "{}", file.path.display()),
            Self::Passed(socket) => write!(f, "systemd:{}", socket.name),
        }
    }
}

/// The file of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    /// Its path.
    pub path: PathBuf,
    /// Its rights.
    pub mode: u32,
    /// The number of its owner, if that is not the process's.
    pub owner: Option<u32>,
    /// The number of its group, if that is not the process's.
    pub group: Option<u32>,
}

/// Sockets that the service manager has opened and passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedSocket {
    /// What the service manager calls them; there may be several.
    pub name: String,
    /// Whether they are Unix sockets.
    pub is_unix: bool,
}

/// How a listener speaks QUIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuicSettings {
    /// Silence after which a connection is over. A client that is there is asked after half of it, and answers.
    pub idle_timeout: Duration,
    /// Bytes of one connection that may be under way, in each direction.
    pub window_bytes: u32,
}

/// How a listener speaks TLS. All files are PEM and read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificate chains, each with its private key. A client that names none of them is shown the first.
    pub certificates: Vec<(PathBuf, PathBuf)>,
    /// The authorities of client certificates; `None`: no client certificate is asked for.
    pub client_ca: Option<PathBuf>,
    /// Revocation lists for client certificates.
    pub client_crls: Vec<PathBuf>,
    /// Whether nobody comes in without a certificate.
    pub client_certificate_required: bool,
    /// Whether TLS 1.2 is refused.
    pub tls13_only: bool,
}

/// How a listener speaks WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketSettings {
    /// The path of the URL.
    pub path: String,
    /// Origins of the web pages that may connect; empty: any.
    pub origins: Vec<String>,
}

/// What is believed of the proxies in front of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// Whether every connection starts with a PROXY header, from a trusted proxy.
    pub header_required: bool,
    /// Where trusted proxies are.
    pub trusted: Vec<Network>,
}

/// The bounds of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections per second that are accepted in the long run, and at once after a pause.
    pub connect_rate_per_sec: u32,
    /// See `connect_rate_per_sec`.
    pub connect_burst: u32,
    /// Time from the connection to its CONNECT.
    pub connect_timeout: Duration,
    /// Time for the TLS handshake, and again for the WebSocket upgrade.
    pub handshake_timeout: Duration,
    /// TLS handshakes under way on one line; of QUIC, on all of them.
    pub handshakes_max: usize,
}

/// The part that every line keeps a copy of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineSettings {
    pub(crate) lines: u16,
    pub(crate) connect_bytes_max: u32,
    pub(crate) packet_bytes_max: u32,
    pub(crate) inbox_bytes_max: usize,
    pub(crate) recorder: RecorderSettings,
}

impl Settings {
    pub(crate) fn of_line(&self) -> LineSettings {
        LineSettings {
            lines: self.lines,
            connect_bytes_max: self.connect_bytes_max,
            packet_bytes_max: self.limits.packet_bytes_max,
            inbox_bytes_max: self.inbox_bytes_max,
            recorder: self.recorder,
        }
    }
}
