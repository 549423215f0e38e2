//! All listeners of a broker: opened at the start, their certificates renewed while it runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock;
use crate::listener::Listener;
use crate::settings::{Endpoint, ListenerSettings};
use crate::system::StartError;
use crate::transport::tcp;
use crate::transport::unix::{self, Bound};

/// Between two looks at the files of certificates.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The listeners, open.
pub(crate) struct Doors {
    pub(crate) listeners: Vec<Arc<Listener>>,
    /// For each listener, a socket for each line.
    pub(crate) sockets: Vec<Vec<OwnedFd>>,
    /// The listeners' settings with the addresses that they have in truth.
    pub(crate) bound: Vec<ListenerSettings>,
    /// The files of Unix sockets, which go when this is dropped.
    pub(crate) files: Vec<Bound>,
}

/// Reads certificates and finds out whether the endpoints are free.
///
/// # Errors
///
/// The first listener that cannot be opened.
pub(crate) fn prepare(settings: &[ListenerSettings]) -> Result<Vec<Arc<Listener>>, StartError> {
    let mut listeners = Vec::new();
    for (number, settings) in settings.iter().enumerate() {
        let probed = match &settings.endpoint {
            Endpoint::Address(address) => tcp::probe(*address),
            Endpoint::Socket(file) => unix::probe(file),
        };
        probed.map_err(|error| failed(settings, error))?;
        let listener = Listener::new(number, settings.clone()).map_err(|error| StartError::Tls {
            listener: settings.name.clone(),
            error,
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn failed(settings: &ListenerSettings, error: std::io::Error) -> StartError {
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
    pub(crate) fn open(listeners: Vec<Arc<Listener>>, lines: u16) -> Result<Self, StartError> {
        let mut doors = Self {
            listeners: Vec::new(),
            sockets: Vec::new(),
            bound: Vec::new(),
            files: Vec::new(),
        };
        for listener in listeners {
            let mut bound = listener.settings.clone();
            let sockets = match &listener.settings.endpoint {
                Endpoint::Address(address) => tcp::listen(*address, lines).map(|(address, sockets)| {
                    bound.endpoint = Endpoint::Address(address);
                    sockets
                }),
                Endpoint::Socket(file) => unix::listen(file, lines).map(|(file, sockets)| {
                    doors.files.push(file);
                    sockets
                }),
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
