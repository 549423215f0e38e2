//! The broker's life as a process: settings become the rooms' own values, listeners open, signals end it.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::{
    Ending, Endpoint, EndsWithin, Inherited, ListenerSettings, Operations, Premises, Process, RecorderSettings,
    Settings, StartError, StoreEngine, StoreSettings,
};
use broker::durable::Durability;
use broker::limits::{Access, Limits, QueueFull};
use broker::router::{RetainedLimits, RouterLimits};
use mqtt_codec::TopicFilter;

use self::admin::Places;
use self::background::Report;
use self::books::Books;
use self::pid_file::PidFile;
use self::privileges::Account;
use self::surroundings::Surroundings;
use crate::failure::Failure;
use crate::policy::{Edition, Policy};
use reload::Reader;

pub(crate) mod access;
pub(crate) mod admin;
pub(crate) mod background;
mod books;
mod classes;
#[cfg(feature = "faults")]
mod faults;
pub(crate) mod listeners;
mod overload;
pub(crate) mod pid_file;
pub(crate) mod privileges;
pub(crate) mod probes;
mod rates;
mod reload;
mod surroundings;
pub(crate) mod takeover;
mod traces;
pub(crate) mod writable;

/// Share of the open files that connections may take: the rest is for everything else.
const FILES_PERCENT: u64 = 80;
/// Sessions that one line can hold: room is taken only as they come.
const SESSIONS_MAX: usize = 1 << 24;
/// The file of bans that operators make, in the data directory.
const LIVE_BANS: &str = "admin.bans";
/// SUBSCRIBE and UNSUBSCRIBE packets of one client that may be under way.
const ROUTE_REQUESTS_MAX: usize = 64;

/// Serves until it is told to stop. Another binary may take over in this process, and then this one is never back.
/// `layers` are what `conf` was read from, for reloads.
pub(crate) fn serve(
    (layers, conf): (&conf::Layers, &conf::Configuration),
    pid_file: Option<&PidFile>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut inherited = Inherited::receive();
    let mut surroundings = Surroundings::new();
    let account = Account::find(&conf.daemon)?;
    let data = store(&conf.storage).is_some().then_some(&*conf.storage.directory);
    let mut conf = Cow::Borrowed(conf);
    loop {
        let (settings, books, reader) = settings_of(layers, &conf)?;
        let mut places = Places::inherit(&conf, &mut inherited)?;
        let premises = Premises::take(&settings.listeners, settings.lines, inherited).map_err(failure)?;
        if let (Some(account), Some(data)) = (&account, data) {
            account.give_directory(data)?;
        }
        let office = admin::open(&conf, &mut places, books)?;
        surroundings.places = places.keys();
        if let Some(account) = &account {
            let own = pid_file.map(PidFile::path).into_iter().chain(log_file(&conf));
            let socket = admin::socket(&conf);
            account.assume(&own.chain(socket.as_deref()).collect::<Vec<_>>())?;
        }
        let lines = settings.lines;
        let process: Arc<dyn Process> = Arc::new(surroundings.clone());
        let ended = actors::run(settings, premises, &process, |operations, listeners| {
            greet(&conf, lines, listeners);
            if let Some(office) = &office {
                office.serve(Operations::clone(operations));
            }
            report.ready();
        });
        drop(office);
        match ended.map_err(failure)? {
            Ending::Stopped => {
                tracing::info!("stopped");
                return Ok(());
            }
            Ending::CutShort(why) => return Err(Failure::CutShort(why)),
            Ending::HandedOver(mut handover, successor) => {
                places.leave(&mut handover);
                let (binary, past) = (&successor.binary, &surroundings.past);
                let error = takeover::exec(&handover, binary, past, pid_file);
                let why = format!("{} could not take over: {error}", binary.display());
                tracing::error!(why, "the upgrade has failed; this binary goes on");
                surroundings.past.upgrade_failure = Some(why);
                surroundings.past.awaits_clients = true;
                inherited = handover.into();
                // What reloads have changed stays, listeners above all.
                conf = Cow::Owned(reader.running());
            }
        }
    }
}

/// Tells the log what serves, and where.
fn greet(conf: &conf::Configuration, lines: u16, listeners: &[ListenerSettings]) {
    let connections_max = connections_max(conf.listener.connections_max);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        lines,
        connections_max,
        "strowger started"
    );
    if connections_max < conf.listener.connections_max {
        tracing::info!("listener.connections_max is held to {FILES_PERCENT} % of the limit of open files");
    }
    say_what_is_not_promised(&conf.storage);
    for listener in listeners {
        let (name, endpoint) = (&*listener.name, &listener.endpoint);
        let transport = listener.transport();
        match endpoint {
            Endpoint::Address(address) => {
                tracing::info!(%address, name, "listening for MQTT 3.1, 3.1.1 and 5.0 over {transport}");
            }
            Endpoint::Socket(_) | Endpoint::Passed(_) => {
                tracing::info!(path = %endpoint, name, "listening for MQTT 3.1, 3.1.1 and 5.0 over {transport}");
            }
        }
    }
}

/// Finds out whether a configuration is good, with the files of rights and rules that it names. The others may be on another
/// machine.
///
/// # Errors
///
/// The first mistake.
pub(crate) fn check(conf: &conf::Configuration) -> Result<(), Failure> {
    can_be_had(conf)?;
    if !conf.acl.file.is_empty() {
        let read = actors::read_rights(Path::new(&conf.acl.file));
        read.map_err(|error| Failure::Policy(error.to_string()))?;
    }
    Edition::read(&conf.rules).map(drop)
}

/// Finds out whether a start would be refused for a setting, for a file that the settings name, or for what the data directory
/// says of itself. Ports are not looked at: a broker may have them.
///
/// # Errors
///
/// The first mistake.
pub(crate) fn check_start(layers: &conf::Layers, conf: &conf::Configuration) -> Result<(), Failure> {
    check(conf)?;
    Account::find(&conf.daemon)?;
    actors::check(&settings_of(layers, conf)?.0).map_err(failure)?;
    admin::check(conf)
}

/// What a broker with this configuration is started with.
fn settings_of(
    layers: &conf::Layers,
    conf: &conf::Configuration,
) -> Result<(Settings, Arc<Books>, Arc<Reader>), Failure> {
    let policy = Policy::of(Edition::read(&conf.rules)?);
    let configurator = Reader::new(layers.clone(), Arc::clone(&policy), conf.clone());
    let books = Books::new(
        layers.clone(),
        Arc::clone(&policy) as Arc<dyn actors::Policy>,
        Arc::clone(&configurator),
    );
    let reader = Arc::clone(&configurator);
    Ok((settings(conf, policy, configurator)?, books, reader))
}

/// Finds out whether this binary could take over from the one that asks, with the listeners that it has.
///
/// # Errors
///
/// Why it could not.
pub(crate) fn check_takeover(layers: &conf::Layers, conf: &conf::Configuration) -> Result<(), Failure> {
    writable::check(conf)?;
    check_start(layers, conf)?;
    let held = std::env::var(actors::SOCKETS).unwrap_or_default();
    let held: Vec<&str> = held.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
    actors::probe(&settings_of(layers, conf)?.0.listeners, &held).map_err(failure)?;
    admin::probe(conf, &held)
}

/// Where operators' commands reach the broker.
pub(crate) fn control_socket(conf: &conf::Configuration) -> PathBuf {
    match conf.daemon.control_socket.as_str() {
        "" => actors::Call::socket_in(&conf.storage.directory),
        path => PathBuf::from(path),
    }
}

fn log_file(conf: &conf::Configuration) -> Option<&Path> {
    (!conf.log.file.is_empty()).then(|| Path::new(&conf.log.file))
}

/// An operator who chose speed over durability is told so at each start.
fn say_what_is_not_promised(storage: &conf::Storage) {
    if durability_of(storage) == conf::Durability::Memory {
        tracing::warn!(
            "nothing survives the end of this process, acknowledged or not: sessions, queued and retained messages are \
             kept in memory only (storage.engine or storage.durability is \"memory\")"
        );
    } else if durability_of(storage) == conf::Durability::Os {
        tracing::warn!(
            "what was acknowledged survives the end of this process but not the loss of power (storage.durability is \
             \"os\")"
        );
    }
    for rule in &storage.overrides {
        if durability(rule.durability) < durability(durability_of(storage)) {
            tracing::info!(
                filter = rule.filter,
                durability = ?rule.durability,
                "messages of these topics are promised less than others (storage.override)"
            );
        }
    }
}

fn failure(error: StartError) -> Failure {
    match error {
        StartError::Store(error) => Failure::Store(error),
        StartError::Authentication(error) => Failure::Policy(error.to_string()),
        StartError::Rights(error) => Failure::Policy(error.to_string()),
        StartError::Listen { endpoint, error } => Failure::listen(endpoint, error),
        StartError::Tls { listener, error } => Failure::Tls { listener, error },
        StartError::Io(source) => Failure::Io {
            doing: "start".to_owned(),
            source,
        },
        StartError::Actor => Failure::Io {
            doing: "start".to_owned(),
            source: std::io::Error::other("an actor ended at once"),
        },
    }
}

fn settings(
    conf: &conf::Configuration,
    policy: Arc<dyn actors::Policy>,
    configurator: Arc<dyn actors::Configurator>,
) -> Result<Settings, Failure> {
    Ok(Settings {
        listeners: listeners::of(conf)?,
        lines: lines(conf.broker.lines),
        connect_bytes_max: u32::try_from(conf.packet.before_connect_bytes_max)
            .unwrap_or(u32::MAX)
            .min(conf.packet.bytes_max),
        inbox_bytes_max: conf.broker.line_inbox_bytes_max,
        sessions_max: SESSIONS_MAX,
        state_interval: Duration::from_secs(conf.broker.sys_interval_secs),
        line_answers_within: Duration::from_secs(conf.broker.line_timeout_secs),
        ends_within: EndsWithin {
            goodbye: Duration::from_secs(conf.broker.drain_timeout_secs),
            store: Duration::from_secs(conf.storage.close_timeout_secs),
        },
        limits: limits(conf),
        router: RouterLimits {
            subscriptions_per_session_max: u32::try_from(conf.session.subscriptions_max).unwrap_or(u32::MAX),
            topic_levels_max: u16::try_from(conf.packet.topic_levels_max).unwrap_or(u16::MAX),
            // Keyed by the system's randomness, so that nobody outside can choose levels that collide.
            seed: RandomState::new().build_hasher().finish(),
        },
        retained: RetainedLimits {
            messages_max: conf.retained.messages_max,
            payload_bytes_max: conf.retained.payload_bytes_max,
        },
        authentication: authentication(conf),
        rights_file: (!conf.acl.file.is_empty()).then(|| PathBuf::from(&conf.acl.file)),
        overload: overload::settings(&conf.overload),
        recorder: recorder(&conf.recorder),
        policy,
        #[cfg(feature = "faults")]
        lose_every: faults::lose_every(),
        watcher: traces::watcher(&conf.traces),
        probes: probes::PROBES,
        configurator,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: store(&conf.storage),
        control_socket: Some(control_socket(conf)),
        upgrade_grace: Duration::from_secs(conf.daemon.upgrade_grace_secs),
    })
}

/// What the flight recorder keeps.
const fn recorder(conf: &conf::Recorder) -> RecorderSettings {
    RecorderSettings {
        bytes_per_client: conf.bytes_per_client,
        bytes_max: conf.bytes_max,
        packet_bytes_max: conf.packet_bytes_max,
        gone_clients_max: conf.gone_clients_max,
    }
}

/// Whether this binary has all that the settings want of it.
///
/// # Errors
///
/// Names the setting or the listener and what the binary was built without.
pub(crate) fn can_be_had(conf: &conf::Configuration) -> Result<(), Failure> {
    access::check(&conf.auth).map_err(|error| Failure::Policy(error.to_string()))?;
    conf.listeners.iter().try_for_each(listeners::can_speak)
}

/// Who may come in. Bans of operators stand in the data directory, where there is one.
fn authentication(conf: &conf::Configuration) -> auth::Settings {
    let mut settings = access::chain(&conf.auth);
    settings.bans.live_file = store(&conf.storage).map(|store| store.directory.join(LIVE_BANS));
    settings
}

/// The store, unless nothing is to outlive the process.
fn store(storage: &conf::Storage) -> Option<StoreSettings> {
    let engine = match storage.engine {
        conf::Engine::Fjall => StoreEngine::Fjall,
        conf::Engine::Sled => StoreEngine::Sled,
        conf::Engine::Memory => return None,
    };
    (durability_of(storage) != conf::Durability::Memory).then(|| StoreSettings {
        directory: storage.directory.clone(),
        engine,
        segment_bytes: storage.journal_segment_bytes,
        journal_bytes_max: storage.journal_bytes_max,
        cache_bytes: storage.cache_bytes,
        free_bytes_min: storage.free_bytes_min,
        backlog_bytes_max: storage.backlog_bytes_max,
        commit_wait_max: Duration::from_millis(storage.commit_wait_max_ms),
        commit_bytes_max: storage.commit_bytes_max,
    })
}

/// With an engine that keeps nothing, nothing is kept.
fn durability_of(storage: &conf::Storage) -> conf::Durability {
    match storage.engine {
        conf::Engine::Memory => conf::Durability::Memory,
        conf::Engine::Fjall | conf::Engine::Sled => storage.durability,
    }
}

fn durability(durability: conf::Durability) -> Durability {
    match durability {
        conf::Durability::Disk => Durability::Disk,
        conf::Durability::Os => Durability::Os,
        conf::Durability::Memory => Durability::Memory,
    }
}

fn limits(conf: &conf::Configuration) -> Limits {
    Limits {
        packet_bytes_max: conf.packet.bytes_max,
        client_id_bytes_max: conf.packet.client_id_bytes_max,
        topic_bytes_max: conf.packet.topic_bytes_max,
        topic_levels_max: conf.packet.topic_levels_max,
        expiry_secs_max: conf.session.expiry_max_secs,
        queue_messages_max: conf.session.queue_messages_max,
        queue_bytes_max: conf.session.queue_bytes_max,
        queue_full: match conf.session.queue_full {
            conf::QueueFull::Refuse => QueueFull::Refuse,
            conf::QueueFull::Drop => QueueFull::Drop,
        },
        receive_max: conf.session.receive_maximum,
        inflight_max: conf.session.inflight_max,
        inflight_max_v3: conf.session.inflight_max_v3,
        qos2_pending_max: usize::from(conf.session.qos2_pending_max),
        alias_max: conf.session.topic_alias_max,
        alias_out_max: conf.session.topic_alias_out_max,
        keep_alive_secs_max: conf.session.keep_alive_max_secs,
        authentication_secs_max: u32::try_from(conf.auth.timeout_secs).unwrap_or(u32::MAX),
        out_bytes_max: conf.session.out_buffer_bytes_max,
        route_requests_max: ROUTE_REQUESTS_MAX,
        cached_topics_max: conf.broker.topics_cached_max,
        durability: durability(durability_of(&conf.storage)),
        durability_rules: durability_rules(&conf.storage.overrides),
        queue_memory_messages: conf.session.queue_memory_messages,
        response_prefix: conf.session.response_prefix.clone(),
        access: Access {
            wide_subscriptions: conf.acl.wide_subscriptions == conf::WideSubscriptions::Grant,
            owned_sessions: conf.acl.sessions == conf::SessionsOf::Owner,
            loss_disconnects: conf.acl.lost_subscriptions == conf::LostSubscriptions::Disconnect,
            cached_decisions_max: conf.acl.decisions_cached_max,
        },
        rates: rates::book(conf),
        classes: classes::of(&conf.metrics),
        traces: traces::limits(&conf.traces),
    }
}

/// The rules in force. A filter that is none was refused when the settings were read.
fn durability_rules(rules: &[conf::Override]) -> Vec<(TopicFilter, Durability)> {
    let rule = |rule: &conf::Override| {
        let filter = TopicFilter::new(rule.filter.clone()).ok()?;
        Some((filter, durability(rule.durability)))
    };
    rules.iter().filter_map(rule).collect()
}

/// One core is left to the kernel's network work and to the threads beside the lines (ADR 7).
fn lines(configured: usize) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let lines = if configured == 0 {
        (cores - 1).max(1)
    } else {
        configured
    };
    u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .min(broker::key::SessionKey::LINES_MAX)
}

/// Raises the limit of open files as far as the system allows and keeps connections below it.
fn connections_max(configured: usize) -> usize {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            return configured;
        }
    };
    configured.min(usize::try_from(files / 100 * FILES_PERCENT).unwrap_or(usize::MAX))
}
