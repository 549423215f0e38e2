//! From the settings of listeners to the actors' own: host names become addresses, accounts become numbers.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use actors::{
    Endpoint, ListenerLimits, ListenerSettings, Network, PassedSocket, ProxySettings, QuicSettings, SocketFile,
    TlsSettings, WebSocketSettings,
};

use super::connections_max;
use crate::failure::Failure;

/// What the listeners of the section `listener` are called.
const DEFAULT_NAME: &str = "default";
/// Where the path of a WebSocket is not given.
const WEBSOCKET_PATH: &str = "/mqtt";
/// Rights of a Unix socket where they are not given.
const SOCKET_MODE: u32 = 0o660;

/// All listeners: those of the section `listener`, then the others.
///
/// # Errors
///
/// A host or an account that the system does not know.
pub(super) fn of(conf: &conf::Configuration) -> Result<Vec<ListenerSettings>, Failure> {
    let plain = |name: &str, endpoint, limits| ListenerSettings {
        name: name.to_owned(),
        endpoint,
        tls: None,
        websocket: None,
        quic: None,
        proxies: ProxySettings::default(),
        limits,
    };
    let limits = limits(&conf.listener);
    let mut addresses = Vec::new();
    let mut listeners = Vec::new();
    for bind in conf.listener.bind.iter().filter(|bind| *bind != "none") {
        match conf::passed_socket(bind) {
            Some(name) => listeners.push(plain(DEFAULT_NAME, passed(name, conf::Transport::Tcp), limits)),
            None => addresses.extend(resolve(bind)?),
        }
    }
    addresses.dedup();
    let addresses = addresses.into_iter().map(Endpoint::Address);
    listeners.extend(addresses.map(|address| plain(DEFAULT_NAME, address, limits)));
    for further in &conf.listeners {
        can_speak(further)?;
        for endpoint in endpoints(further)? {
            listeners.push(ListenerSettings {
                tls: tls(further),
                websocket: websocket(further),
                quic: quic(further, &conf.listener),
                proxies: proxies(further),
                ..plain(&further.name(), endpoint, further_limits(further, limits))
            });
        }
    }
    Ok(listeners)
}

fn limits(listener: &conf::Listener) -> ListenerLimits {
    ListenerLimits {
        connections_max: connections_max(listener.connections_max),
        connect_rate_per_sec: listener.connect_rate_per_sec,
        connect_burst: listener.connect_burst,
        connect_timeout: Duration::from_secs(listener.connect_timeout_secs),
        handshake_timeout: Duration::from_secs(listener.tls_handshake_timeout_secs),
        handshakes_max: listener.tls_handshakes_max,
    }
}

/// The limits of the section `listener`, but for those that the listener gives.
fn further_limits(further: &conf::FurtherListener, of_all: ListenerLimits) -> ListenerLimits {
    let secs = |secs: Option<u64>, otherwise| secs.map_or(otherwise, Duration::from_secs);
    ListenerLimits {
        connections_max: further.connections_max.map_or(of_all.connections_max, connections_max),
        connect_rate_per_sec: further.connect_rate_per_sec.unwrap_or(of_all.connect_rate_per_sec),
        connect_burst: further.connect_burst.unwrap_or(of_all.connect_burst),
        connect_timeout: secs(further.connect_timeout_secs, of_all.connect_timeout),
        handshake_timeout: secs(further.tls_handshake_timeout_secs, of_all.handshake_timeout),
        handshakes_max: further.tls_handshakes_max.unwrap_or(of_all.handshakes_max),
    }
}

/// Whether this binary has what a listener speaks.
///
/// # Errors
///
/// Names the listener and what the binary was built without.
pub(crate) fn can_speak(further: &conf::FurtherListener) -> Result<(), Failure> {
    if further.transport != conf::Transport::Quic || actors::HAS_QUIC {
        return Ok(());
    }
    let what = "transport = \"quic\": this binary was built without the cargo feature `quic`; take another \
                one, or the listener out";
    let source = io::Error::new(io::ErrorKind::Unsupported, what);
    Err(Failure::listen(further.bind.clone(), source))
}

fn passed(name: &str, transport: conf::Transport) -> Endpoint {
    Endpoint::Passed(PassedSocket {
        name: name.to_owned(),
        is_unix: transport == conf::Transport::Unix,
    })
}

fn endpoints(further: &conf::FurtherListener) -> Result<Vec<Endpoint>, Failure> {
    if let Some(name) = conf::passed_socket(&further.bind) {
        return Ok(vec![passed(name, further.transport)]);
    }
    if further.transport != conf::Transport::Unix {
        return Ok(resolve(&further.bind)?.into_iter().map(Endpoint::Address).collect());
    }
    let mode = further.mode.as_deref().map(|mode| u32::from_str_radix(mode, 8));
    Ok(vec![Endpoint::Socket(SocketFile {
        path: PathBuf::from(&further.bind),
        mode: mode.and_then(Result::ok).unwrap_or(SOCKET_MODE),
        owner: account(further.owner.as_deref(), "/etc/passwd", &further.bind)?,
        group: account(further.group.as_deref(), "/etc/group", &further.bind)?,
    })])
}

/// The number of a user or a group: a number stands for itself, a name is looked up in the system's table.
fn account(name: Option<&str>, table: &str, bind: &str) -> Result<Option<u32>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    let refuse = |source| Failure::listen(bind.to_owned(), source);
    let text = fs::read_to_string(table).map_err(refuse)?;
    let number = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name))
            .then(|| fields.nth(1)?.parse().ok())
            .flatten()
    });
    let unknown = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("`{name}` is not in {table}; give its number"),
        )
    };
    number.ok_or_else(unknown).map(Some).map_err(refuse)
}

fn tls(further: &conf::FurtherListener) -> Option<TlsSettings> {
    let (chains, keys) = (further.certificate.as_ref()?, further.key.as_ref()?);
    let pairs = chains.iter().zip(keys);
    Some(TlsSettings {
        certificates: pairs.map(|(chain, key)| (chain.into(), key.into())).collect(),
        client_ca: further.client_ca.as_ref().map(PathBuf::from),
        client_crls: further.client_crl.iter().flatten().map(PathBuf::from).collect(),
        client_certificate_required: further.client_certificate != Some(conf::ClientCertificate::Optional),
        tls13_only: further.tls_min == Some(conf::TlsVersion::V13) || further.transport == conf::Transport::Quic,
    })
}

fn websocket(further: &conf::FurtherListener) -> Option<WebSocketSettings> {
    match further.transport {
        conf::Transport::WebSocket | conf::Transport::SecureWebSocket => Some(WebSocketSettings {
            path: further.path.clone().unwrap_or_else(|| WEBSOCKET_PATH.to_owned()),
            origins: further.origins.clone().unwrap_or_default(),
        }),
        conf::Transport::Tcp | conf::Transport::Tls | conf::Transport::Unix | conf::Transport::Quic => None,
    }
}

fn quic(further: &conf::FurtherListener, of_all: &conf::Listener) -> Option<QuicSettings> {
    let idle_secs = further.quic_idle_timeout_secs.unwrap_or(of_all.quic_idle_timeout_secs);
    (further.transport == conf::Transport::Quic).then(|| QuicSettings {
        idle_timeout: Duration::from_secs(idle_secs),
        window_bytes: further.quic_window_bytes.unwrap_or(of_all.quic_window_bytes),
    })
}

fn proxies(further: &conf::FurtherListener) -> ProxySettings {
    let trusted = further.trusted_proxies.iter().flatten();
    ProxySettings {
        header_required: further.proxy_protocol == Some(conf::ProxyProtocol::Required),
        // A text that is no network was refused when the settings were read.
        trusted: trusted.filter_map(|network| network.parse::<Network>().ok()).collect(),
    }
}

/// The addresses behind a name.
fn resolve(name: &str) -> Result<Vec<SocketAddr>, Failure> {
    let found = name
        .to_socket_addrs()
        .map_err(|source| Failure::listen(name.to_owned(), source))?;
    let mut addresses: Vec<_> = found.collect();
    addresses.dedup();
    Ok(addresses)
}
