//! From the section `admin` to the listener for operators.

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin::knowledge::Knowledge;

use crate::failure::Failure;
use crate::log::journal::ProcessLog;

/// The Unix socket in the data directory.
const SOCKET: &str = "admin.sock";
/// The tokens file in the data directory.
const TOKENS: &str = "admin.tokens";

/// Opens the listener for operators, which answers that the broker starts until it is told of one; `None`: there is to be
/// none.
///
/// # Errors
///
/// An address that cannot be listened on, or a file of its TLS that is not good.
pub(super) fn open(
    conf: &conf::Configuration,
    knowledge: Arc<dyn Knowledge>,
) -> Result<Option<admin::Office>, Failure> {
    let mut addresses = Vec::new();
    for bind in conf.admin.bind.iter().filter(|bind| *bind != "none") {
        let resolved = bind.to_socket_addrs().map_err(|error| Failure::listen(bind, error))?;
        addresses.extend(resolved);
    }
    let socket = socket(conf);
    if addresses.is_empty() && socket.is_none() {
        return Ok(None);
    }
    let settings = settings(conf, addresses, socket, knowledge)?;
    admin::Office::open(settings).map(Some).map_err(failure)
}

fn settings(
    conf: &conf::Configuration,
    addresses: Vec<std::net::SocketAddr>,
    socket: Option<PathBuf>,
    knowledge: Arc<dyn Knowledge>,
) -> Result<admin::Settings, Failure> {
    let section = &conf.admin;
    Ok(admin::Settings {
        addresses,
        socket,
        tls: tls(section)?,
        tokens_file: tokens_file(conf),
        is_metrics_open: section.metrics_access == conf::MetricsAccess::Open,
        body_bytes_max: section.body_bytes_max,
        timeout: Duration::from_secs(section.timeout_secs),
        failures_max: section.failures_max,
        lockout: Duration::from_secs(section.lockout_secs),
        session: Duration::from_secs(section.session_secs),
        connections_max: section.connections_max,
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
        admin::OpenError::Listen { address, error } => Failure::listen(address, error),
        admin::OpenError::Tls(what) => Failure::Policy(format!(
            "cannot listen for operators: {what}; mend the file, or name another in [admin]"
        )),
        admin::OpenError::Thread(source) => Failure::Io {
            doing: "start the listener for operators".to_owned(),
            source,
        },
    }
}
