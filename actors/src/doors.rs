//! All listeners of a broker: their places taken at the start, opened when the broker serves, closed, opened again and
//! handed over as its life goes.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock;
use crate::events::Events;
use crate::listener::Listener;
use crate::reload::OpenDoors;
use crate::settings::{Endpoint, ListenerSettings, PassedSocket};
use crate::system::StartError;
use crate::transport::tcp;
use crate::transport::udp;
use crate::transport::unix::{self, Bound};

pub(crate) mod handover;
mod passed;

use handover::{Inherited, key_of};
pub(crate) use passed::Kind;

/// Between two looks at the files of certificates.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The places where clients will come in: addresses and files that are taken, certificates that were read. Nobody is
/// accepted there yet; what needs a right that the process gives up later has been done.
pub struct Premises {
    doors: Vec<Door>,
}

/// The listeners, open.
pub(crate) struct Doors(pub(crate) Vec<Door>);

/// One listener and its sockets; lines have handles of them.
pub(crate) struct Door {
    pub(crate) listener: Arc<Listener>,
    /// Its settings with the address that it has in truth.
    pub(crate) bound: ListenerSettings,
    /// Each has a queue of its own.
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) kind: Kind,
    /// Whether the service manager has it as well, so that it must stay as it is.
    pub(crate) is_passed: bool,
    /// The file of a Unix socket.
    pub(crate) file: Option<Bound>,
}

/// A handle of a socket for a line, and whose it is.
pub(crate) type Share = (OwnedFd, Arc<Listener>);

impl Premises {
    /// Reads certificates, and takes the endpoints: those that are inherited, and otherwise those that are free. To be
    /// called before there are threads.
    ///
    /// # Errors
    ///
    /// The first listener that cannot be opened.
    pub fn take(settings: &[ListenerSettings], lines: u16, mut inherited: Inherited) -> Result<Self, StartError> {
        let is_passed = |settings: &ListenerSettings| matches!(settings.endpoint, Endpoint::Passed(_));
        let take = |settings: &ListenerSettings| inherited.take(&key_of(settings), is_passed(settings));
        let groups: Vec<_> = settings.iter().map(take).collect();
        // What nobody takes may be in the way of what somebody wants.
        inherited.close_rest();
        let mut doors = Vec::new();
        for (settings, groups) in settings.iter().zip(groups) {
            let found = if groups.is_empty() {
                sockets_of(settings, lines, &mut inherited)
            } else {
                adopt(settings, groups, lines)
            };
            for (endpoint, sockets, file) in found.map_err(|error| failed(settings, error))? {
                let listener = Listener::new(doors.len(), settings.clone()).map_err(|error| StartError::Tls {
                    listener: settings.name.clone(),
                    error,
                })?;
                doors.push(Door {
                    listener,
                    bound: ListenerSettings {
                        endpoint,
                        ..settings.clone()
                    },
                    sockets,
                    kind: Kind::of(settings),
                    is_passed: is_passed(settings),
                    file,
                });
            }
        }
        inherited.passed.warn_of_rest();
        Ok(Self { doors })
    }
}

/// Reads the files of the listeners' TLS.
///
/// # Errors
///
/// The first that is not good.
pub(crate) fn read_certificates(settings: &[ListenerSettings]) -> Result<(), StartError> {
    settings.iter().try_for_each(|settings| {
        let read = Listener::new(0, settings.clone());
        read.map(drop).map_err(|error| StartError::Tls {
            listener: settings.name.clone(),
            error,
        })
    })
}

/// Finds out whether the next binary could take its premises: endpoints that are not among `held`, the keys of
/// [`Handover::keys`](handover::Handover::keys), are free.
///
/// # Errors
///
/// The first listener that could not be opened.
pub fn probe(settings: &[ListenerSettings], held: &[&str]) -> Result<(), StartError> {
    for settings in settings {
        if held.contains(&&*key_of(settings)) {
            continue;
        }
        let probed = match &settings.endpoint {
            Endpoint::Address(address) if settings.quic.is_some() => udp::probe(*address),
            Endpoint::Address(address) => tcp::probe(*address),
            Endpoint::Socket(file) => unix::probe(file),
            Endpoint::Passed(_) => {
                let what = "the service manager passes sockets only when it starts the broker: restart it";
                Err(io::Error::new(io::ErrorKind::NotFound, what))
            }
        };
        probed.map_err(|error| failed(settings, error))?;
    }
    Ok(())
}

/// Where a listener is in truth, with its sockets and its file.
type Found = (Endpoint, Vec<OwnedFd>, Option<Bound>);

/// Takes what a listener is to be opened on.
fn sockets_of(settings: &ListenerSettings, lines: u16, inherited: &mut Inherited) -> io::Result<Vec<Found>> {
    let is_quic = settings.quic.is_some();
    if is_quic && !crate::HAS_QUIC {
        let what = "this binary was built without the cargo feature `quic`";
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    let found = match &settings.endpoint {
        Endpoint::Address(address) if is_quic => {
            let (address, socket) = udp::listen(*address)?;
            (Endpoint::Address(address), vec![socket.into()], None)
        }
        Endpoint::Address(address) => {
            let (address, sockets) = tcp::bind(*address, lines)?;
            (Endpoint::Address(address), sockets, None)
        }
        Endpoint::Socket(file) => {
            let (bound, socket) = unix::listen(file)?;
            (settings.endpoint.clone(), vec![socket], Some(bound))
        }
        Endpoint::Passed(PassedSocket { name, .. }) => {
            let sockets = inherited.passed.take(name, Kind::of(settings))?;
            let found = sockets.into_iter();
            return Ok(found
                .map(|socket| (settings.endpoint.clone(), vec![socket], None))
                .collect());
        }
    };
    Ok(vec![found])
}

/// Goes on with what the binary before has left.
fn adopt(settings: &ListenerSettings, groups: Vec<Vec<OwnedFd>>, lines: u16) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for mut sockets in groups {
        found.push(match &settings.endpoint {
            Endpoint::Address(configured) => {
                let address = sockets.first().map_or(Ok(*configured), tcp::address_of)?;
                let missing = usize::from(lines).saturating_sub(sockets.len());
                if settings.quic.is_none() {
                    // Where the right to the address has been given up, lines share what there is.
                    sockets.extend((0..missing).map_while(|_| tcp::bind_another(address).ok()));
                }
                (Endpoint::Address(address), sockets, None)
            }
            Endpoint::Socket(file) => (settings.endpoint.clone(), sockets, Some(Bound::adopt(file))),
            Endpoint::Passed(_) => (settings.endpoint.clone(), sockets, None),
        });
    }
    Ok(found)
}

fn failed(settings: &ListenerSettings, error: io::Error) -> StartError {
    StartError::Listen {
        endpoint: settings.endpoint.to_string(),
        error,
    }
}

impl Doors {
    /// Has the kernel take connections.
    ///
    /// # Errors
    ///
    /// The first listener that cannot be opened.
    pub(crate) fn open(premises: Premises) -> Result<Self, StartError> {
        for door in &premises.doors {
            listen(door.kind, door.is_passed, &door.sockets).map_err(|error| failed(&door.bound, error))?;
        }
        Ok(Self(premises.doors))
    }

    /// The listeners' settings with the addresses that they have in truth.
    pub(crate) fn bound(&self) -> Vec<ListenerSettings> {
        self.0.iter().map(|door| door.bound.clone()).collect()
    }
}

/// Has the kernel take connections for sockets of streams that are this process's alone.
///
/// # Errors
///
/// One of them cannot listen.
pub(crate) fn listen(kind: Kind, is_passed: bool, sockets: &[OwnedFd]) -> io::Result<()> {
    if kind != Kind::Tcp || is_passed {
        return Ok(());
    }
    sockets.iter().try_for_each(tcp::listen)
}

/// Handles of sockets, each with the number of the line that accepts from it. All sockets have a line, and all lines have a
/// socket.
///
/// # Errors
///
/// There are no more descriptors.
pub(crate) fn spread(sockets: &[OwnedFd], lines: usize) -> io::Result<Vec<(usize, OwnedFd)>> {
    let count = if sockets.is_empty() {
        0
    } else {
        lines.max(sockets.len())
    };
    let spread = sockets.iter().cycle().take(count).enumerate();
    spread
        .map(|(at, socket)| Ok((at % lines.max(1), socket.try_clone()?)))
        .collect()
}

/// Reads the certificates of listeners again that have a file that has changed. What is not good is told, and changes
/// nothing.
async fn renew(listeners: Vec<Arc<Listener>>, events: Arc<Events>) {
    let renewed = spawn_blocking(move || {
        for listener in &listeners {
            renew_one(listener, &events);
        }
    });
    if renewed.await.is_err() {
        tracing::error!("reading certificates again ended in a panic; those in force stay");
    }
}

fn renew_one(listener: &Listener, events: &Events) {
    let Some(security) = &listener.security else { return };
    let name = &*listener.settings.name;
    if security.has_changed() {
        match security.reload() {
            Ok(()) => {
                tracing::info!(listener = name, "certificates renewed; connected clients stay");
                events.tell("listener", || {
                    format!("{name}: certificates renewed; connected clients stay")
                });
            }
            Err(error) => {
                tracing::error!(listener = name, %error, "certificates not renewed: those in force stay");
                events.tell("listener", || {
                    format!("{name}: certificates not renewed, those in force stay: {error}")
                });
            }
        }
    }
    let now_secs = clock::wall().0 / 1000;
    security.warn_of_ends(i64::try_from(now_secs).unwrap_or(i64::MAX));
}

/// Looks for files that have changed, for as long as the broker runs.
pub(crate) async fn renew_forever(doors: Arc<OpenDoors>, events: Arc<Events>) {
    loop {
        renew(doors.listeners(), Arc::clone(&events)).await;
        sleep(LOOK_INTERVAL).await;
    }
}
