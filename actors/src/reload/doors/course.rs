//! The listeners on the broker's course: shared out to lines, refused, opened again, handed over.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use super::{Held, OpenDoors};
use crate::doors::handover::{Handover, Left, key_of};
use crate::doors::{Kind, Share, listen, spread};
use crate::listener::Listener;
use crate::settings::Endpoint;
use crate::transport::tcp;
use crate::transport::unix::Bound;

impl Held {
    fn kind(&self) -> Kind {
        Kind::of(&self.listener.settings)
    }

    fn is_passed(&self) -> bool {
        matches!(self.listener.settings.endpoint, Endpoint::Passed(_))
    }

    fn refuse(&self) -> io::Result<()> {
        match (&self.file, self.kind()) {
            (Some(file), _) => file.hide(),
            (None, Kind::Tcp) if !self.is_passed() => self.sockets.iter().try_for_each(tcp::refuse),
            (None, Kind::Tcp | Kind::Unix | Kind::Udp) => Ok(()),
        }
    }

    fn listen_again(&self) -> io::Result<()> {
        self.file.as_deref().map_or(Ok(()), Bound::show)?;
        listen(self.kind(), self.is_passed(), &self.sockets)
    }
}

impl OpenDoors {
    /// Handles for the lines to accept from, line by line.
    ///
    /// # Errors
    ///
    /// There are no more descriptors.
    pub(crate) fn shares(&self, lines: u16) -> io::Result<Vec<Vec<Share>>> {
        let mut shares: Vec<Vec<Share>> = (0..lines).map(|_| Vec::new()).collect();
        for held in &*self.held.lock() {
            for (line, socket) in spread(&held.sockets, usize::from(lines))? {
                if let Some(share) = shares.get_mut(line) {
                    share.push((socket, Arc::clone(&held.listener)));
                }
            }
        }
        Ok(shares)
    }

    /// Handles of the sockets of QUIC.
    ///
    /// # Errors
    ///
    /// There are no more descriptors.
    pub(crate) fn datagrams(&self) -> io::Result<Vec<(Arc<Listener>, UdpSocket)>> {
        let held = self.held.lock();
        let sockets = held
            .iter()
            .flat_map(|held| held.datagrams.iter().map(move |socket| (held, socket)));
        sockets
            .map(|(held, socket)| Ok((Arc::clone(&held.listener), socket.try_clone()?.into())))
            .collect()
    }

    /// Has the kernel refuse connections, where the sockets are this process's alone; elsewhere they wait.
    pub(crate) fn refuse(&self) {
        for held in &*self.held.lock() {
            if let Err(error) = held.refuse() {
                let listener = &*held.listener.settings.name;
                tracing::warn!(listener, %error, "connections wait instead of being refused");
            }
        }
    }

    /// Has the kernel take connections again.
    ///
    /// # Errors
    ///
    /// A listener does not open; the others do.
    pub(crate) fn listen_again(&self) -> io::Result<()> {
        let held = self.held.lock();
        held.iter()
            .map(|held| held.listen_again())
            .fold(Ok(()), io::Result::and)
    }

    /// Leaves the sockets and the files to the next binary. What arrives meanwhile waits in the kernel.
    pub(crate) fn hand_over(&self) -> Handover {
        let mut sockets = Vec::new();
        for (group, held) in self.held.lock().drain(..).enumerate() {
            let key = key_of(&held.listener.settings);
            let Some(held) = Arc::into_inner(held) else {
                tracing::error!(socket = key, "a listener is still in use and is not handed over");
                continue;
            };
            if let Some(file) = held.file.and_then(Arc::into_inner) {
                file.leave();
            }
            let of_group = held.sockets.into_iter().chain(held.datagrams);
            sockets.extend(of_group.map(|socket| Left {
                group,
                key: key.clone(),
                socket,
            }));
        }
        Handover { sockets }
    }

    /// What [`OpenDoors::hand_over`] would leave, in words.
    pub(crate) fn keys(&self) -> String {
        let held = self.held.lock();
        let keys = held.iter().enumerate();
        let keys = keys.map(|(group, held)| format!("{group} {}", key_of(&held.listener.settings)));
        keys.collect::<Vec<_>>().join("\n")
    }
}
