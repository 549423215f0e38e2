//! Listeners while the broker runs: those that are open, and what is made ready to take their place.

mod course;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::doors::{Doors, Kind, listen, spread};
use crate::listener::Listener;
use crate::plan::{DoorStep, door_steps};
use crate::session::reload::Rehang;
use crate::settings::{Endpoint, ListenerSettings};
use crate::transport::tls::Renewed;
use crate::transport::unix::Bound;
use crate::transport::{tcp, unix};

/// The listeners of a broker that runs.
#[derive(Default)]
pub(crate) struct OpenDoors {
    held: Mutex<Vec<Arc<Held>>>,
}

/// One listener.
struct Held {
    listener: Arc<Listener>,
    /// The address that it has in truth, where the system chose the port.
    address: Option<SocketAddr>,
    /// Of the same sockets that the lines have; none for QUIC.
    sockets: Vec<OwnedFd>,
    /// The socket of QUIC.
    datagrams: Vec<OwnedFd>,
    /// The file of a Unix socket; shared by all that have had this socket.
    file: Option<Arc<Bound>>,
}

impl OpenDoors {
    /// Notes the listeners that were opened at the start, before the lines take handles of their sockets.
    pub(crate) fn hold(doors: Doors) -> Self {
        let hold = |door: crate::doors::Door| {
            let (sockets, datagrams) = match door.kind {
                Kind::Tcp | Kind::Unix => (door.sockets, Vec::new()),
                Kind::Udp => (Vec::new(), door.sockets),
            };
            let address = match door.bound.endpoint {
                Endpoint::Address(address) => Some(address),
                Endpoint::Socket(_) | Endpoint::Passed(_) => None,
            };
            Arc::new(Held {
                listener: door.listener,
                address,
                sockets,
                datagrams,
                file: door.file.map(Arc::new),
            })
        };
        Self {
            held: Mutex::new(doors.0.into_iter().map(hold).collect()),
        }
    }

    /// Closes this broker's own handles of the listening sockets; with those of the lines they are closed.
    pub(crate) fn let_go(&self) {
        for held in &mut *self.held.lock() {
            *held = Arc::new(Held {
                listener: Arc::clone(&held.listener),
                address: held.address,
                sockets: Vec::new(),
                datagrams: Vec::new(),
                file: held.file.clone(),
            });
        }
    }

    /// Removes the files of Unix sockets.
    pub(crate) fn remove_files(&self) {
        self.held.lock().clear();
    }

    /// The listeners that are open at this moment.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        self.held.lock().iter().map(|held| Arc::clone(&held.listener)).collect()
    }

    /// As [`OpenDoors::listeners`], each with where it is in truth.
    pub(crate) fn places(&self) -> Vec<(Arc<Listener>, String)> {
        let place = |held: &Arc<Held>| {
            let address = held.address.map(|address| address.to_string());
            let place = address.unwrap_or_else(|| held.listener.settings.endpoint.to_string());
            (Arc::clone(&held.listener), place)
        };
        self.held.lock().iter().map(place).collect()
    }
}

fn copies(sockets: &[OwnedFd]) -> std::io::Result<Vec<OwnedFd>> {
    sockets.iter().map(OwnedFd::try_clone).collect()
}

/// How far listeners are made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// It is found out whether they could be opened.
    Probe,
    /// They are opened.
    Open,
}

/// Listeners that wait to take the place of those that are open.
pub(super) struct NextDoors {
    pub(super) steps: Vec<DoorStep>,
    before: Vec<Arc<Held>>,
    inside: Vec<usize>,
    after: Vec<Arc<Held>>,
    /// What each line does: sockets to accept from, by line.
    opening: Vec<Vec<(OwnedFd, Arc<Listener>)>>,
    closing: Vec<Arc<Listener>>,
    /// Certificates that were read for listeners that stay, and whether a file of them has changed.
    renewed: Vec<(Arc<Listener>, Renewed, bool)>,
}

impl NextDoors {
    /// Reads certificates and makes ready what is to be opened. Nothing of what is open changes.
    ///
    /// # Errors
    ///
    /// Which listener cannot be had, and why.
    pub(super) fn prepare(
        open: &OpenDoors,
        new: &[ListenerSettings],
        lines: u16,
        depth: Depth,
    ) -> Result<Self, String> {
        let before: Vec<Arc<Held>> = open.held.lock().clone();
        let settings: Vec<&ListenerSettings> = before.iter().map(|held| &held.listener.settings).collect();
        let mut next = Self {
            steps: door_steps(&settings, new),
            inside: before.iter().map(|held| held.listener.open()).collect(),
            before,
            after: Vec::new(),
            opening: (0..lines).map(|_| Vec::new()).collect(),
            closing: Vec::new(),
            renewed: Vec::new(),
        };
        for step in next.steps.clone() {
            next.prepare_step(step, new, lines, depth)?;
        }
        Ok(next)
    }

    fn prepare_step(
        &mut self,
        step: DoorStep,
        new: &[ListenerSettings],
        lines: u16,
        depth: Depth,
    ) -> Result<(), String> {
        match step {
            DoorStep::Keep { old } | DoorStep::Stay { old, .. } => self.keep(old),
            DoorStep::Close { old } => {
                self.closing
                    .extend(self.before.get(old).map(|held| Arc::clone(&held.listener)));
                Ok(())
            }
            DoorStep::Change { old, new: place } => self.exchange(old, new.get(place), Clients::Stay),
            DoorStep::Replace { old, new: place, .. } => self.exchange(old, new.get(place), Clients::Leave),
            DoorStep::Open { new: place } => match new.get(place) {
                Some(settings) => self.open(settings, lines, depth),
                None => Ok(()),
            },
            DoorStep::Later { .. } => Ok(()),
        }
    }

    /// Reads the certificates of a listener that stays.
    fn keep(&mut self, old: usize) -> Result<(), String> {
        let Some(held) = self.before.get(old) else {
            return Ok(());
        };
        let listener = Arc::clone(&held.listener);
        self.after.push(Arc::clone(held));
        if let Some(security) = &listener.security {
            let has_changed = security.has_changed();
            let renewed = security
                .prepare()
                .map_err(|error| refusal(&listener.settings, &error))?;
            self.renewed.push((listener, renewed, has_changed));
        }
        Ok(())
    }

    /// Another listener on the sockets of one that is open.
    fn exchange(&mut self, old: usize, settings: Option<&ListenerSettings>, clients: Clients) -> Result<(), String> {
        let (Some(held), Some(settings)) = (self.before.get(old), settings) else {
            return Ok(());
        };
        let settings = ListenerSettings {
            endpoint: held.listener.settings.endpoint.clone(),
            ..settings.clone()
        };
        let listener = match clients {
            Clients::Stay => held.listener.succeeded_by(settings.clone()),
            Clients::Leave => Listener::new(held.listener.number, settings.clone()),
        };
        let listener = listener.map_err(|error| refusal(&settings, &error))?;
        let file = held.file.clone();
        let kept = copies(&held.sockets).map_err(|error| refusal(&settings, &error))?;
        self.closing.push(Arc::clone(&held.listener));
        self.add(listener, kept, file)
    }

    fn open(&mut self, settings: &ListenerSettings, lines: u16, depth: Depth) -> Result<(), String> {
        let number = 1 + self
            .before
            .iter()
            .chain(&self.after)
            .map(|held| held.listener.number)
            .max()
            .unwrap_or(0);
        let listener = Listener::new(number, settings.clone()).map_err(|error| refusal(settings, &error))?;
        let is_beside = self.has_port_of(&settings.endpoint);
        let opened = match (&settings.endpoint, depth) {
            // An address that one of ours has in part is free for us when that one closes.
            (Endpoint::Address(_), Depth::Probe) if is_beside => Ok((Vec::new(), None)),
            (Endpoint::Address(address), Depth::Probe) => tcp::probe(*address).map(|()| (Vec::new(), None)),
            (Endpoint::Socket(file), Depth::Probe) => unix::probe(file).map(|()| (Vec::new(), None)),
            (Endpoint::Address(address), Depth::Open) if is_beside => {
                tcp::bind_beside(*address, lines).map(|(_, sockets)| (sockets, None))
            }
            (Endpoint::Address(address), Depth::Open) => tcp::bind(*address, lines).map(|(_, sockets)| (sockets, None)),
            (Endpoint::Socket(file), Depth::Open) => {
                unix::listen(file).map(|(file, socket)| (vec![socket], Some(Arc::new(file))))
            }
            (Endpoint::Passed(_), _) => Ok((Vec::new(), None)),
        };
        let opened = opened.and_then(|(sockets, file)| {
            listen(Kind::of(settings), false, &sockets)?;
            Ok((sockets, file))
        });
        let (sockets, file) = opened.map_err(|error| refusal(settings, &error))?;
        self.add(listener, sockets, file)
    }

    fn add(&mut self, listener: Arc<Listener>, sockets: Vec<OwnedFd>, file: Option<Arc<Bound>>) -> Result<(), String> {
        let spread = spread(&sockets, self.opening.len());
        for (line, socket) in spread.map_err(|error| refusal(&listener.settings, &error))? {
            if let Some(opening) = self.opening.get_mut(line) {
                opening.push((socket, Arc::clone(&listener)));
            }
        }
        let address = match (&listener.settings.endpoint, sockets.first()) {
            (Endpoint::Address(_), Some(socket)) => tcp::address_of(socket).ok(),
            (Endpoint::Address(_) | Endpoint::Socket(_) | Endpoint::Passed(_), _) => None,
        };
        self.after.push(Arc::new(Held {
            listener,
            address,
            sockets,
            datagrams: Vec::new(),
            file,
        }));
        Ok(())
    }

    /// Whether a listener that is to be closed has the same port on some address.
    fn has_port_of(&self, endpoint: &Endpoint) -> bool {
        let Endpoint::Address(address) = endpoint else {
            return false;
        };
        self.closing.iter().any(|listener| match listener.settings.endpoint {
            Endpoint::Address(closing) => closing.port() == address.port() && listener.settings.quic.is_none(),
            Endpoint::Socket(_) | Endpoint::Passed(_) => false,
        })
    }

    /// The listeners that are open, and the connections of each.
    pub(super) fn old(&self) -> Vec<(&ListenerSettings, usize)> {
        let settings = self.before.iter().map(|held| &held.listener.settings);
        settings.zip(self.inside.iter().copied()).collect()
    }

    /// The listeners with a file of certificates that is another.
    pub(super) fn renewed_names(&self) -> Vec<String> {
        let changed = self.renewed.iter().filter(|(_, _, has_changed)| *has_changed);
        changed.map(|(listener, ..)| listener.settings.name.clone()).collect()
    }

    /// The listeners whose clients leave, by the name that those have, and their numbers in [`NextDoors::old`].
    pub(super) fn leaving(&self) -> Vec<(Arc<str>, u32)> {
        let leaving = self.steps.iter().filter_map(|step| match step {
            DoorStep::Close { old } | DoorStep::Replace { old, .. } => Some(*old),
            DoorStep::Keep { .. }
            | DoorStep::Change { .. }
            | DoorStep::Open { .. }
            | DoorStep::Stay { .. }
            | DoorStep::Later { .. } => None,
        });
        let named = leaving.filter_map(|old| {
            let name = &self.before.get(old)?.listener.stranger.listener;
            Some((Arc::clone(name), u32::try_from(old).ok()?))
        });
        named.collect()
    }

    /// Puts them in the place of those that were open, and says what each line has to do for that.
    pub(super) fn hang(self, open: &OpenDoors) -> Vec<Rehang> {
        for (_, old) in self.leaving() {
            if let Some(held) = self.before.get(old as usize) {
                held.listener.close();
            }
        }
        *open.held.lock() = self.after;
        for (listener, renewed, _) in self.renewed {
            if let Some(security) = &listener.security {
                security.install(renewed);
                let name = &*listener.settings.name;
                tracing::info!(listener = name, "certificates renewed; connected clients stay");
            }
        }
        let closing = self.closing;
        let rehang = |opening| Rehang {
            closing: closing.clone(),
            opening,
        };
        self.opening.into_iter().map(rehang).collect()
    }
}

/// What becomes of the clients of a listener that is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    Stay,
    Leave,
}

fn refusal(settings: &ListenerSettings, error: &dyn std::fmt::Display) -> String {
    format!("cannot listen as {} on {}: {error}", settings.name, settings.endpoint)
}
