//! Every setting of the broker: the type, the meaning, the default and what is allowed, written once.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::access::{Acl, Auth};
use crate::listeners::LISTENERS;
pub use crate::listeners::{ClientCertificate, FurtherListener, ProxyProtocol, TlsVersion, Transport};
use crate::metrics::Metrics;
use crate::rule::{
    ACCOUNT_OR_NONE, ADMIN_BIND, BIND_OR_NONE, FILE_MODE, HOST, LOG_LEVEL, PATH, PATH_OR_NONE, TOPIC_FILTER,
    TOPIC_START,
};
use crate::table::Allowed::{self, List, OneOf, Range, Text};
use crate::table::{Section, Setting, Tables, choice, element, section};
use crate::traces::Traces;

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
const GIB: i64 = 1024 * MIB;

/// The longest packet that the wire format can express: fixed header apart, 268,435,455 bytes.
const WIRE_BYTES_MAX: i64 = 268_435_455;

section! {
    /// Taking connections: where, how many, how fast.
    "listener" Listener {
        /// Address to listen on, or a list of them. A host name stands for all its addresses; port 0 takes a free port;
        /// "systemd:NAME" takes the TCP sockets of this name that the service manager passes; "none" opens none.
        bind: Vec<String> = vec!["127.0.0.1:1883".to_owned()], List(BIND_OR_NONE);
        /// Connections open at once on one listener. It is also held to 80 % of the limit of open files.
        connections_max: usize = 100_000, Range(1..=10_000_000), "connections";
        /// Connections taken per second on one listener in the long run; more wait in the kernel's queue.
        connect_rate_per_sec: u32 = 1000, Range(1..=1_000_000), "connections per second";
        /// Connections taken at once, above the rate, after a quiet time.
        connect_burst: u32 = 2000, Range(1..=1_000_000), "connections";
        /// How long a connection may take to send its CONNECT.
        connect_timeout_secs: u64 = 10, Range(1..=3600), "seconds";
        /// How long a connection may take for its PROXY header, for its TLS handshake and for its WebSocket upgrade: for each
        /// of them.
        tls_handshake_timeout_secs: u64 = 10, Range(1..=3600), "seconds";
        /// TLS handshakes under way at once on one line of one listener, and of QUIC on one listener; one more ends the oldest
        /// of them.
        tls_handshakes_max: usize = 1000, Range(1..=1_000_000), "handshakes";
        /// Silence after which a connection of QUIC is over. A client that is there is asked after half of it.
        quic_idle_timeout_secs: u64 = 300, Range(2..=86_400), "seconds";
        /// Bytes of one connection of QUIC that may be under way, in each direction; with the round trip they bound its
        /// speed.
        quic_window_bytes: u32 = 262_144, Range(16 * KIB..=64 * MIB), "bytes";
        /// PUBLISH packets per second that one client may send in the long run; 0 is any number.
        client_messages_per_sec: u32 = 0, Range(0..=4_294_967_295), "messages per second";
        /// PUBLISH packets that one client may send at once, above the rate, after a quiet time.
        client_messages_burst: u32 = 1000, Range(1..=4_294_967_295), "messages";
        /// Bytes per second that one client may send in the long run; 0 is any number.
        client_bytes_per_sec: u32 = 0, Range(0..=4_294_967_295), "bytes per second";
        /// Bytes that one client may send at once, above the rate, after a quiet time.
        client_bytes_burst: u32 = 1_048_576, Range(1..=4_294_967_295), "bytes";
        /// Topic filters per second that one client may subscribe to and unsubscribe from in the long run; 0 is any number.
        client_filters_per_sec: u32 = 1000, Range(0..=4_294_967_295), "topic filters per second";
        /// Topic filters at once, above the rate, after a quiet time.
        client_filters_burst: u32 = 10_000, Range(1..=4_294_967_295), "topic filters";
        /// What becomes of a client that is faster than these rates.
        client_too_fast: TooFast = TooFast::Slow, OneOf(TooFast::WORDS);
    }
}

choice! {
    /// What becomes of a client that sends faster than it may.
    TooFast {
        /// It is read more slowly; nothing is lost.
        Slow = "slow",
        /// Its connection ends (0x96 in 5.0).
        Disconnect = "disconnect",
    }
}

section! {
    /// What the broker does when there is more of everything than it can bear: clients that are in go first.
    "overload" Overload {
        /// Memory that the process may use; 0 takes what its control group allows, or what the machine has.
        memory_bytes_max: u64 = 0, Range(0..=1024 * 1024 * GIB), "bytes";
        /// Share of it above which QoS 1 and 2 for absent clients and further retained messages are refused (0x97).
        memory_growth_percent: u8 = 70, Range(1..=100), "percent";
        /// Share of it above which also clients without a session are refused (0x97) and QoS 0 is dropped.
        memory_connect_percent: u8 = 85, Range(1..=100), "percent";
        /// How late a line may be before it takes up nobody new until it keeps up again; 0 is any time.
        line_lag_ms_max: u64 = 500, Range(0..=60_000), "milliseconds";
    }
}

section! {
    /// What is to happen when: rules in CEL over what clients ask for and are sent. docs/POLICY.md teaches them.
    "rules" Rules {
        /// File of rules. A file with a mistake keeps the broker from starting; SIGHUP reads it anew, and a mistake refuses
        /// the whole reload. Empty: none.
        file: String = String::new(), Text(PATH_OR_NONE);
        /// Steps that one condition or one value may take.
        steps_max: u32 = 10_000, Range(100..=10_000_000), "steps";
        /// Length of a text that a rule puts together, and of a payload that it sets.
        text_bytes_max: usize = 65_536, Range(KIB..=WIRE_BYTES_MAX), "bytes";
        /// Length of a payload that a rule may read as JSON.
        json_bytes_max: usize = 65_536, Range(KIB..=WIRE_BYTES_MAX), "bytes";
        /// Buckets of rate() that one line remembers, at some 40 bytes each, one for each rate and client. Those that were
        /// asked longest ago are forgotten first.
        rate_buckets_max: usize = 65_536, Range(16..=100_000_000), "buckets";
        /// Lines that rules may write into the log per second, on each line of the broker; the others are counted.
        log_lines_per_sec_max: u32 = 100, Range(0..=1_000_000), "lines per second";
    }
}

section! {
    /// Sizes that a packet and its parts may have.
    "packet" Packet {
        /// Size of one packet. A 5.0 client is told; a larger packet ends the connection (0x95).
        bytes_max: u32 = 1_048_576, Range(KIB..=WIRE_BYTES_MAX), "bytes";
        /// Length of a client identifier.
        client_id_bytes_max: usize = 256, Range(23..=65_535), "bytes";
        /// Length of a topic name or topic filter.
        topic_bytes_max: usize = 4096, Range(64..=65_535), "bytes";
        /// Levels in a topic name or topic filter: one more than its slashes.
        topic_levels_max: usize = 128, Range(8..=1024), "levels";
        /// Bytes that a connection may send before its CONNECT is complete.
        before_connect_bytes_max: usize = 65_536, Range(KIB..=WIRE_BYTES_MAX), "bytes";
    }
}

section! {
    /// What one client's session may hold, and the windows it works with.
    "session" Session {
        /// Longest life of a session whose client is away; a 5.0 client that asks for more is told this.
        /// 4294967295 keeps sessions for ever.
        expiry_max_secs: u32 = 604_800, Range(0..=4_294_967_295), "seconds";
        /// Messages waiting for one client.
        queue_messages_max: usize = 10_000, Range(1..=10_000_000), "messages";
        /// Messages waiting for one client that are held in memory; the others are read from the store as room is made.
        queue_memory_messages: usize = 1000, Range(16..=10_000_000), "messages";
        /// Bytes of messages waiting for one client.
        queue_bytes_max: usize = 16_777_216, Range(KIB..=64 * GIB), "bytes";
        /// What happens to a QoS 1 or 2 message when a receiver's queue is full.
        queue_full: QueueFull = QueueFull::Refuse, OneOf(QueueFull::WORDS);
        /// QoS 1 and 2 messages that a client may have unacknowledged towards the broker.
        receive_maximum: u16 = 1000, Range(32..=65_535), "messages";
        /// QoS 1 and 2 messages unacknowledged towards a 5.0 client; the client's Receive Maximum may lower it.
        inflight_max: u16 = 65_535, Range(1..=65_535), "messages";
        /// QoS 1 and 2 messages unacknowledged towards a 3.1 or 3.1.1 client, which cannot name its own limit.
        inflight_max_v3: u16 = 1000, Range(1..=65_535), "messages";
        /// QoS 2 messages of one client that wait for its PUBREL; receive_maximum applies as well.
        qos2_pending_max: u16 = 1000, Range(100..=65_535), "messages";
        /// Subscriptions of one client.
        subscriptions_max: usize = 1000, Range(1..=1_000_000), "subscriptions";
        /// Topic aliases that a 5.0 client may set on its connection; 0 allows none.
        topic_alias_max: u16 = 32, Range(0..=65_535), "aliases";
        /// Topic aliases that the broker sets towards a 5.0 client that allows them; 0 uses none.
        topic_alias_out_max: u16 = 32, Range(0..=65_535), "aliases";
        /// Longest keep alive; a 5.0 client that asks for more, or for none, is given this one.
        keep_alive_max_secs: u16 = 3600, Range(1..=65_535), "seconds";
        /// Start of the Response Information that a 5.0 client may ask for; its client identifier follows. Empty: none.
        response_prefix: String = "response/".to_owned(), Text(TOPIC_START);
        /// Bytes of packets written for one connection that its socket has not taken yet.
        out_buffer_bytes_max: usize = 1_048_576, Range(16 * KIB..=GIB), "bytes";
    }
}

choice! {
    /// What happens to a QoS 1 or 2 message when a receiver's queue is full.
    QueueFull {
        /// The publisher is told (0x97 in 5.0) and nobody gets the message.
        Refuse = "refuse",
        /// That receiver goes without it; the loss is counted.
        Drop = "drop",
    }
}

section! {
    /// Retained messages of the whole broker.
    "retained" Retained {
        /// Topics with a retained message.
        messages_max: usize = 1_000_000, Range(1..=100_000_000), "messages";
        /// Payload of one retained message.
        payload_bytes_max: usize = 1_048_576, Range(0..=WIRE_BYTES_MAX), "bytes";
    }
}

section! {
    /// The broker as a process.
    "broker" Broker {
        /// Lines, each a thread that serves its share of the connections; 0 takes one less than there are cores, and at least one.
        lines: usize = 0, Range(0..=1024), "lines";
        /// Topics whose receivers a line remembers, at some 300 bytes each; half of them at least are found again.
        topics_cached_max: usize = 262_144, Range(1024..=100_000_000), "topics";
        /// Bytes of messages on their way from the other lines to one line.
        line_inbox_bytes_max: usize = 67_108_864, Range(MIB..=64 * GIB), "bytes";
        /// How often the $SYS topics are published; 0 publishes none.
        sys_interval_secs: u64 = 10, Range(0..=86_400), "seconds";
        /// How long a reload, a plan and a drain wait for the answer of a line that is stuck. A reload is refused then; if
        /// it is under way, the line follows when it goes on.
        line_timeout_secs: u64 = 30, Range(1..=50), "seconds";
        /// How long a stop may take to say goodbye to all clients before it goes on all the same.
        drain_timeout_secs: u64 = 10, Range(0..=3600), "seconds";
    }
}

section! {
    /// The process: what it is called by, whom it belongs to, and how it makes way for the next binary.
    "daemon" Daemon {
        /// File with the number of the process, locked for as long as it runs: a second start is refused. Empty: none.
        pid_file: String = String::new(), Text(PATH_OR_NONE);
        /// User that the process becomes when its ports are bound, by name or number; only root can. Empty: it stays who it
        /// is.
        user: String = String::new(), Text(ACCOUNT_OR_NONE);
        /// Group that it becomes. Empty: that of the user.
        group: String = String::new(), Text(ACCOUNT_OR_NONE);
        /// Where relative paths start with `strowger serve --daemon`. Empty: where the command was given.
        working_directory: String = String::new(), Text(PATH_OR_NONE);
        /// Rights that files of the process never have with `strowger serve --daemon`, in octal.
        umask: String = "0027".to_owned(), Text(FILE_MODE);
        /// Unix socket for `strowger stop`, `status`, `reload`, `drain`, `upgrade`, `plan` and `backup`. Empty: control.sock
        /// in storage.directory.
        control_socket: String = String::new(), Text(PATH_OR_NONE);
        /// How long wills wait for the return of clients that an upgrade sent away; 0 publishes them at once.
        upgrade_grace_secs: u64 = 30, Range(0..=3600), "seconds";
    }
}

section! {
    /// The listener for operators: administration over HTTP, metrics, health, and the dashboard.
    "admin" Admin {
        /// Address to listen on, or a list of them; "none" opens none.
        bind: Vec<String> = vec!["127.0.0.1:18083".to_owned()], List(ADMIN_BIND);
        /// Unix socket for operators on this machine: whoever can open it is an admin, and only the broker's user can. Empty:
        /// admin.sock in storage.directory, unless storage.engine is "memory"; "none" opens none.
        socket: String = String::new(), Text(PATH_OR_NONE);
        /// File of the tokens that let operators in, which "strowger token" writes. Empty: admin.tokens in
        /// storage.directory. A file that is missing lets nobody in; changes count within a second.
        tokens_file: String = String::new(), Text(PATH_OR_NONE);
        /// Certificate of the listener in PEM, with those between it and the authority. Empty: plain HTTP.
        certificate: String = String::new(), Text(PATH_OR_NONE);
        /// Private key of the certificate, in PEM.
        key: String = String::new(), Text(PATH_OR_NONE);
        /// Authorities of operators' certificates, in PEM. Whoever shows one has the role that the tokens file gives to its
        /// common name. Empty: none is asked for.
        client_ca: String = String::new(), Text(PATH_OR_NONE);
        /// Who may read /metrics.
        metrics_access: MetricsAccess = MetricsAccess::Open, OneOf(MetricsAccess::WORDS);
        /// Names by which /metrics may be asked for over the loopback without a token, besides addresses: what the header Host
        /// holds. A page of the web that has its own name lead to this machine reads nothing.
        metrics_hosts: Vec<String> = vec!["localhost".to_owned()], List(HOST);
        /// Length of the body of a request.
        body_bytes_max: usize = 2_097_152, Range(KIB..=WIRE_BYTES_MAX), "bytes";
        /// How long a request may take to arrive and to be answered, and how long a caller may take nothing of its answer.
        timeout_secs: u64 = 10, Range(1..=3600), "seconds";
        /// Wrong tokens from one address before it is locked out. Tokens that "strowger token" made are let in all the same.
        failures_max: u32 = 10, Range(1..=1_000_000), "wrong tokens";
        /// How long an address is locked out.
        lockout_secs: u64 = 60, Range(1..=86_400), "seconds";
        /// How long a browser stays logged in.
        session_secs: u64 = 43_200, Range(60..=2_592_000), "seconds";
        /// Connections of operators at once; more wait.
        connections_max: usize = 128, Range(1..=100_000), "connections";
        /// Connections of one address at once, so that no address has all of them; more are closed. Three quarters of
        /// connections_max if that is less. Behind a proxy all operators have one address.
        address_connections_max: usize = 96, Range(1..=100_000), "connections";
    }
}

choice! {
    /// Who may read /metrics.
    MetricsAccess {
        /// Everyone who reaches the listener.
        Open = "open",
        /// Who has a token.
        Token = "token",
    }
}

section! {
    /// The flight recorder: what each client sent and was sent last, and what was decided about it. Passwords are left out.
    "recorder" Recorder {
        /// Bytes for one client; they are taken as it sends and is sent to. The older half goes when the younger is full.
        bytes_per_client: usize = 2048, Range(512..=MIB), "bytes";
        /// Bytes for all clients, connected or gone; each gets less when they are many. 0 records nothing.
        bytes_max: usize = 67_108_864, Range(0..=64 * GIB), "bytes";
        /// Bytes that are kept of one packet: its start.
        packet_bytes_max: usize = 160, Range(32..=65_000), "bytes";
        /// Clients that are remembered when they have gone; a fourth of them are those that were never let in.
        gone_clients_max: usize = 10_000, Range(0..=10_000_000), "clients";
    }
}

section! {
    /// The log.
    "log" Log {
        /// Which records are written: a level, also by crate.
        level: String = "info".to_owned(), Text(LOG_LEVEL);
        /// How a record is written.
        format: LogFormat = LogFormat::Text, OneOf(LogFormat::WORDS);
        /// File that it is appended to; SIGUSR1 and SIGHUP open it anew, as logrotate wants. Empty: standard error.
        file: String = String::new(), Text(PATH_OR_NONE);
    }
}

choice! {
    /// How a log record is written.
    LogFormat {
        /// One line for people.
        Text = "text",
        /// One JSON object per line for machines.
        Json = "json",
    }
}

section! {
    /// What outlives the process, where, and how surely.
    "storage" Storage {
        /// What keeps sessions and messages on disk; "memory" loses them when the process ends.
        engine: Engine = Engine::Fjall, OneOf(Engine::WORDS);
        /// Directory of the store, made if it is missing. A relative path starts at the working directory.
        directory: PathBuf = PathBuf::from("strowger-data"), Text(PATH);
        /// What an acknowledged message survives: "disk" a power cut, "os" the end of the process, "memory" neither.
        /// With the engine "memory" it is "memory".
        durability: Durability = Durability::Disk, OneOf(Durability::WORDS);
        /// Durability of some topics in place of storage.durability; the first topic filter that matches decides.
        overrides as "override": Vec<Override> = Vec::new(), Allowed::Tables(OVERRIDES);
        /// Longest wait of a busy store's commit for further changes; a store with nothing else to do does not wait.
        commit_wait_max_ms: u64 = 2, Range(0..=100), "milliseconds";
        /// Bytes of changes that are committed together; a larger change is committed by itself.
        commit_bytes_max: usize = 8_388_608, Range(64 * KIB..=GIB), "bytes";
        /// Size of one file of the journal.
        journal_segment_bytes: u64 = 8_388_608, Range(MIB..=GIB), "bytes";
        /// Journal, what counts of it also held in memory, that is kept before it is settled into the engine; two segments
        /// at least.
        journal_bytes_max: u64 = 134_217_728, Range(2 * MIB..=64 * GIB), "bytes";
        /// Memory that the engine may use to keep what it has read.
        cache_bytes: u64 = 16_777_216, Range(MIB..=64 * GIB), "bytes";
        /// Free space on the medium below which messages that would have to be stored are refused.
        free_bytes_min: u64 = 16_777_216, Range(0..=1024 * GIB), "bytes";
        /// Bytes of changes that may wait for the store before their publishers are read more slowly.
        backlog_bytes_max: usize = 67_108_864, Range(MIB..=64 * GIB), "bytes";
        /// How long the store may take to write and sync what it has when the broker stops or makes way for another binary,
        /// after the goodbyes (broker.drain_timeout_secs). Then the process ends all the same, with exit code 74.
        close_timeout_secs: u64 = 60, Range(1..=3600), "seconds";
    }
}

choice! {
    /// What keeps sessions and messages behind the journal.
    Engine {
        /// A log-structured merge tree.
        Fjall = "fjall",
        /// A lock-free tree, with more work for the processor and the disk.
        Sled = "sled",
        /// Memory only, without files.
        Memory = "memory",
    }
}

choice! {
    /// What an acknowledged message survives.
    Durability {
        /// A power cut: it is on the medium before the acknowledgement leaves.
        Disk = "disk",
        /// The end of the process: it is with the kernel before the acknowledgement leaves.
        Os = "os",
        /// Neither: it is not written.
        Memory = "memory",
    }
}

element! {
    /// The durability of some topics.
    "storage.override" Override {
        /// Topic filter of the messages.
        filter: String, Text(TOPIC_FILTER);
        /// What they survive once they are acknowledged.
        durability: Durability, OneOf(Durability::WORDS);
    }
}

/// Each is tried for each topic until one matches, so that their number is bounded.
const OVERRIDES: Tables = Tables {
    keys: Override::KEYS,
    tables_max: 256,
    agree: |_| Ok(()),
    example: r#"[{ filter = "telemetry/#", durability = "memory" }]"#,
};

/// What stands in no section, and therefore before all of them.
const UNSECTIONED: Section = Section {
    name: "",
    about: &["What stands in no section."],
    settings: &[Setting {
        section: "",
        key: "listeners",
        about: &[
            "Listeners beside that of the section listener: TLS, WebSocket, Unix sockets, and further TCP. Limits that one",
            "does not give are those of the section listener.",
        ],
        unit: "",
        allowed: Allowed::Tables(LISTENERS),
        optional: false,
    }],
};

/// All settings of the broker. `Configuration::default()` is what an empty file gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Listeners beside that of the section `listener`.
    pub listeners: Vec<FurtherListener>,
    /// Taking connections.
    pub listener: Listener,
    /// What the broker does when there is more of everything than it can bear.
    pub overload: Overload,
    /// Who may come in.
    pub auth: Auth,
    /// What clients may do.
    pub acl: Acl,
    /// What is to happen when.
    pub rules: Rules,
    /// Sizes that a packet and its parts may have.
    pub packet: Packet,
    /// What one client's session may hold, and the windows it works with.
    pub session: Session,
    /// Retained messages of the whole broker.
    pub retained: Retained,
    /// The broker as a process.
    pub broker: Broker,
    /// The process.
    pub daemon: Daemon,
    /// The listener for operators.
    pub admin: Admin,
    /// The flight recorder.
    pub recorder: Recorder,
    /// What is counted apart.
    pub metrics: Metrics,
    /// Traces of sampled messages.
    pub traces: Traces,
    /// The log.
    pub log: Log,
    /// What outlives the process, where, and how surely.
    pub storage: Storage,
}

/// The table: every section in the order of the generated file.
pub(crate) const SECTIONS: &[Section] = &[
    UNSECTIONED,
    Listener::TABLE,
    Overload::TABLE,
    Auth::TABLE,
    Acl::TABLE,
    Rules::TABLE,
    Packet::TABLE,
    Session::TABLE,
    Retained::TABLE,
    Broker::TABLE,
    Daemon::TABLE,
    Admin::TABLE,
    Recorder::TABLE,
    Metrics::TABLE,
    Traces::TABLE,
    Log::TABLE,
    Storage::TABLE,
];

/// Every setting, section by section.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

#[cfg(test)]
mod tests;
