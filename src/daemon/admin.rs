//! From the section `admin` to the listener for operators.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::{Handover, Inherited, key_beside};
use admin::knowledge::Knowledge;

use crate::failure::Failure;
use crate::log::journal::ProcessLog;

/// The Unix socket in the data directory.
const SOCKET: &str = "admin.sock";
/// The tokens file in the data directory.
const TOKENS: &str = "admin.tokens";

/// The sockets by which operators come in from the network. They outlive the listener, so that nobody is refused while
/// another binary takes over.
pub(super) struct Places(Vec<Place>);

struct Place {
    address: SocketAddr,
    socket: Option<TcpListener>,
}

impl Place {
    /// What the socket is called among those that are left to the next binary.
    fn name(&self) -> String {
        format!("admin:{}", self.address)
    }
}

impl Places {
    /// Takes what the binary before has left.
    ///
    /// # Errors
    ///
    /// A name that has no address.
    pub(super) fn inherit(conf: &conf::Configuration, inherited: &mut Inherited) -> Result<Self, Failure> {
        let mut places = Self::of(conf)?;
        for place in &mut places.0 {
            place.socket = inherited.take_beside(&place.name());
        }
        Ok(places)
    }

    fn of(conf: &conf::Configuration) -> Result<Self, Failure> {
        let mut places = Vec::new();
        for bind in conf.admin.bind.iter().filter(|bind| *bind != "none") {
            let resolved = bind
                .to_socket_addrs()
                .map_err(|error| Failure::listen_for_operators(bind, error))?;
            places.extend(resolved.map(|address| Place { address, socket: None }));
        }
        Ok(Self(places))
    }

    /// Listens on all of them.
    fn open(&mut self) -> Result<Vec<TcpListener>, Failure> {
        let opened = self.0.iter_mut().map(|place| {
            let failed = |error| Failure::listen_for_operators(place.address.to_string(), error);
            let socket = match place.socket.take() {
                Some(socket) => socket,
                None => TcpListener::bind(place.address).map_err(failed)?,
            };
            place.socket.insert(socket).try_clone().map_err(failed)
        });
        opened.collect()
    }

    /// What [`Places::leave`] would leave, in words.
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.iter().map(|place| key_beside(&place.name())).collect()
    }

    /// Leaves them to the next binary. What arrives meanwhile waits in the kernel.
    pub(super) fn leave(self, handover: &mut Handover) {
        for place in self.0 {
            let name = place.name();
            if let Some(socket) = place.socket {
                handover.add(&name, socket);
            }
        }
    }
}

/// Opens the listener for operators, which answers that the broker starts until it is told of one; `None`: there is to be
/// none.
///
/// # Errors
///
/// An address that cannot be listened on, or a file of its TLS that is not good.
pub(super) fn open(
    conf: &conf::Configuration,
    places: &mut Places,
    knowledge: Arc<dyn Knowledge>,
) -> Result<Option<admin::Office>, Failure> {
    let socket = socket(conf);
    if places.0.is_empty() && socket.is_none() {
        return Ok(None);
    }
    let settings = settings(conf, socket, knowledge)?;
    admin::Office::open(settings, places.open()?).map(Some).map_err(failure)
}

/// Finds out whether the next binary could open the listener for operators, with the sockets that it is left.
///
/// # Errors
///
/// As those of [`open`].
pub(super) fn probe(conf: &conf::Configuration, held: &[&str]) -> Result<(), Failure> {
    let mut places = Places::of(conf)?;
    places
        .0
        .retain(|place| !held.contains(&key_beside(&place.name()).as_str()));
    places.open().map(drop)
}

/// Reads the files of the TLS for operators.
///
/// # Errors
///
/// One that is not good, or missing.
pub(super) fn check(conf: &conf::Configuration) -> Result<(), Failure> {
    tls(&conf.admin)?.map_or(Ok(()), |files| files.check()).map_err(failure)
}

fn settings(
    conf: &conf::Configuration,
    socket: Option<PathBuf>,
    knowledge: Arc<dyn Knowledge>,
) -> Result<admin::Settings, Failure> {
    let section = &conf.admin;
    Ok(admin::Settings {
        socket,
        tls: tls(section)?,
        tokens_file: tokens_file(conf),
        is_metrics_open: section.metrics_access == conf::MetricsAccess::Open,
        metrics_hosts: section.metrics_hosts.clone(),
        body_bytes_max: section.body_bytes_max,
        timeout: Duration::from_secs(section.timeout_secs),
        failures_max: section.failures_max,
        lockout: Duration::from_secs(section.lockout_secs),
        session: Duration::from_secs(section.session_secs),
        connections_max: section.connections_max,
        address_connections_max: section.address_connections_max,
        knowledge,
        journal: Arc::new(ProcessLog),
    })
}

/// The Unix socket for operators. Without a store nobody has the lock of the data directory, so that the socket there
/// may be another broker's.
pub(super) fn socket(conf: &conf::Configuration) -> Option<PathBuf> {
    match &*conf.admin.socket {
        "none" => None,
        "" if conf.storage.engine == conf::Engine::Memory => None,
        "" => Some(conf.storage.directory.join(SOCKET)),
        path => Some(PathBuf::from(path)),
    }
}

/// Where operators' commands ask a broker with these settings. One that has no socket for them does not answer there.
pub(crate) fn socket_asked(conf: &conf::Configuration) -> PathBuf {
    socket(conf).unwrap_or_else(|| conf.storage.directory.join(SOCKET))
}

/// The file of the tokens that let operators in.
pub(crate) fn tokens_file(conf: &conf::Configuration) -> PathBuf {
    match &*conf.admin.tokens_file {
        "" => conf.storage.directory.join(TOKENS),
        path => PathBuf::from(path),
    }
}

fn tls(conf: &conf::Admin) -> Result<Option<admin::TlsFiles>, Failure> {
    let given = |path: &str| (!path.is_empty()).then(|| Path::new(path).to_owned());
    match (given(&conf.certificate), given(&conf.key), given(&conf.client_ca)) {
        (None, None, None) => Ok(None),
        (Some(certificate), Some(key), client_ca) => Ok(Some(admin::TlsFiles {
            certificate,
            key,
            client_ca,
        })),
        (_, _, _) => Err(Failure::Usage(
            "TLS for operators needs both admin.certificate and admin.key; admin.client_ca comes on top".to_owned(),
        )),
    }
}

fn failure(error: admin::OpenError) -> Failure {
    match error {
        admin::OpenError::Tls(what) => Failure::Policy(format!(
            "cannot listen for operators: {what}; mend the file, or name another in [admin]"
        )),
        admin::OpenError::Thread(source) => Failure::Io {
            doing: "start the listener for operators".to_owned(),
            source,
        },
    }
}
