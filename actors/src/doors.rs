//! All listeners of a broker: opened at the start, their certificates renewed while it runs.

use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock;
use crate::listener::Listener;
use crate::settings::{Endpoint, ListenerSettings, PassedSocket};
use crate::system::StartError;
use crate::transport::tcp;
use crate::transport::udp;
use crate::transport::unix::{self, Bound};

mod passed;

use passed::{Kind, Passed};

/// Between two looks at the files of certificates.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The listeners, open.
pub(crate) struct Doors {
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// For each listener, a socket for each line; none for QUIC.
    pub(crate) sockets: Vec<Vec<OwnedFd>>,
    /// The sockets of QUIC.
    pub(crate) datagrams: Vec<(Arc<Listener>, UdpSocket)>,
    /// The listeners' settings with the addresses that they have in truth.
    pub(crate) bound: Vec<ListenerSettings>,
    /// The files of Unix sockets, which go when this is dropped.
    pub(crate) files: Vec<Bound>,
}

/// A listener that can be opened.
pub(crate) struct Prepared {
    listener: Arc<Listener>,
    /// The socket that the service manager passed for it.
    passed: Option<OwnedFd>,
}

/// Takes over what the service manager passed, reads certificates and finds out whether the endpoints are free. To be
/// called before there are threads.
///
/// # Errors
///
/// The first listener that cannot be opened.
pub(crate) fn prepare(settings: &[ListenerSettings]) -> Result<Vec<Prepared>, StartError> {
    let mut listeners = Vec::new();
    let mut passed = Passed::receive();
    for settings in settings {
        let sockets = sockets_of(settings, &mut passed).map_err(|error| failed(settings, error))?;
        for passed in sockets {
            let listener = Listener::new(listeners.len(), settings.clone()).map_err(|error| StartError::Tls {
                listener: settings.name.clone(),
                error,
            })?;
            listeners.push(Prepared { listener, passed });
        }
    }
    passed.warn_of_rest();
    Ok(listeners)
}

/// What a listener is to be opened on: the sockets that were passed for it, or none, and its endpoint is free.
fn sockets_of(settings: &ListenerSettings, passed: &mut Passed) -> io::Result<Vec<Option<OwnedFd>>> {
    let is_quic = settings.quic.is_some();
    if is_quic && !crate::HAS_QUIC {
        let what = "this binary was built without the cargo feature `quic`";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    match &settings.endpoint {
        Endpoint::Address(address) if is_quic => udp::probe(*address)?,
        Endpoint::Address(address) => tcp::probe(*address)?,
        Endpoint::Socket(file) => unix::probe(file)?,
        Endpoint::Passed(PassedSocket { name, is_unix }) => {
            let kind = match (is_quic, is_unix) {
                (true, _) => Kind::Udp,
                (false, true) => Kind::Unix,
                (false, false) => Kind::Tcp,
            };
            return Ok(passed.take(name, kind)?.into_iter().map(Some).collect());
        }
    }
    Ok(vec![None])
}

fn failed(settings: &ListenerSettings, error: io::Error) -> StartError {
    StartError::Listen {
        endpoint: settings.endpoint.to_string(),
        error,
    }
}

impl Doors {
    /// Opens all listeners.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened.
    pub(crate) fn open(listeners: Vec<Prepared>, lines: u16) -> Result<Self, StartError> {
        let mut doors = Self {
            listeners: Vec::new(),
            sockets: Vec::new(),
            datagrams: Vec::new(),
            bound: Vec::new(),
            files: Vec::new(),
        };
        for Prepared { listener, passed } in listeners {
            let mut bound = listener.settings.clone();
            let sockets = match (&listener.settings.endpoint, passed) {
                (_, Some(socket)) if bound.quic.is_some() => {
                    doors.datagrams.push((Arc::clone(&listener), passed::datagrams(socket)));
                    Ok(Vec::new())
                }
                (_, Some(socket)) => passed::share(socket, lines),
                (Endpoint::Address(address), None) if bound.quic.is_some() => {
                    udp::listen(*address).map(|(address, socket)| {
                        bound.endpoint = Endpoint::Address(address);
                        doors.datagrams.push((Arc::clone(&listener), socket));
                        Vec::new()
                    })
                }
                (Endpoint::Address(address), None) => tcp::listen(*address, lines).map(|(address, sockets)| {
                    bound.endpoint = Endpoint::Address(address);
                    sockets
                }),
                (Endpoint::Socket(file), None) => unix::listen(file, lines).map(|(file, sockets)| {
                    doors.files.push(file);
                    sockets
                }),
                (Endpoint::Passed(_), None) => Err(io::ErrorKind::NotFound.into()),
            };
            doors.sockets.push(sockets.map_err(|error| failed(&bound, error))?);
            doors.bound.push(bound);
            doors.listeners.push(listener);
        }
        Ok(doors)
    }
}

/// Whose files are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Those of all listeners.
    All,
    /// Those of listeners with a file that has changed.
    Changed,
}

/// Reads the certificates of listeners again. What is not good is told, and changes nothing.
pub(crate) async fn renew(listeners: Vec<Arc<Listener>>, which: Renewal) {
    let renewed = spawn_blocking(move || {
        for listener in &listeners {
            renew_one(listener, which);
        }
    });
    if renewed.await.is_err() {
        tracing::error!("reading certificates again ended in a panic; those in force stay");
    }
}

fn renew_one(listener: &Listener, which: Renewal) {
    let Some(security) = &listener.security else { return };
    let name = &*listener.settings.name;
    if which == Renewal::All || security.has_changed() {
        match security.reload() {
            Ok(()) => tracing::info!(listener = name, "certificates renewed; connected clients stay"),
            Err(error) => tracing::error!(listener = name, %error, "certificates not renewed: those in force stay"),
        }
    }
    let now_secs = clock::wall().0 / 1000;
    security.warn_of_ends(i64::try_from(now_secs).unwrap_or(i64::MAX));
}

/// Looks for files that have changed, for as long as the broker runs.
pub(crate) async fn renew_forever(listeners: Vec<Arc<Listener>>) {
    if listeners.iter().all(|listener| listener.security.is_none()) {
        return;
    }
    loop {
        renew(listeners.clone(), Renewal::Changed).await;
        sleep(LOOK_INTERVAL).await;
    }
}
