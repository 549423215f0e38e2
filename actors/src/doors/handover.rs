//! Sockets that one binary leaves to the next in the same process: the kernel's queues go on, and nobody is refused.
//!
//! They keep their descriptors over `exec`, in a row, as sd_listen_fds(3) has it; a variable of ours says what each was
//! configured as. docs/adr/0014 says what else was considered.

use std::env;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use listenfd::ListenFd;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::passed::{Kind, Passed, take_one};
use crate::settings::ListenerSettings;

/// The variable that tells the next binary of the sockets that it is left: a line for each, with the number of its listener
/// and what that was configured as. For a binary that is only asked, it tells of those that there are.
pub const SOCKETS: &str = "STROWGER_SOCKETS";

/// What a process has been given when it starts.
pub struct Inherited {
    pub(super) sockets: Vec<Left>,
    pub(super) passed: Passed,
}

/// Sockets for the next binary.
#[derive(Debug)]
pub struct Handover {
    pub(crate) sockets: Vec<Left>,
}

/// One socket that is left to the next binary.
#[derive(Debug)]
pub(crate) struct Left {
    /// Sockets of one listener have the same.
    pub(crate) group: usize,
    /// See [`key_of`].
    pub(crate) key: String,
    pub(crate) socket: OwnedFd,
}

/// What a listener was configured as: the listener of the next binary that has the same takes its sockets.
pub(crate) fn key_of(settings: &ListenerSettings) -> String {
    let kind = word_of(Kind::of(settings));
    format!("{kind} {}", settings.endpoint).escape_debug().to_string()
}

/// The key of a TCP socket that is listened on for others than clients. Its name is not to read like the endpoint of a
/// listener.
#[must_use]
pub fn key_beside(name: &str) -> String {
    format!("{} {name}", word_of(Kind::Tcp)).escape_debug().to_string()
}

fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Tcp => "tcp",
        Kind::Unix => "unix",
        Kind::Udp => "udp",
    }
}

fn kind_of(key: &str) -> Option<Kind> {
    let (word, _) = key.split_once(' ')?;
    [Kind::Tcp, Kind::Unix, Kind::Udp]
        .into_iter()
        .find(|kind| word_of(*kind) == word)
}

impl Inherited {
    /// Takes over what the service manager, or the binary before, has left for this process. To be called once, before
    /// there are threads: the variables that tell of the sockets are removed from the environment.
    #[must_use]
    pub fn receive() -> Self {
        // Set by nobody else than the binary before, which has replaced what the service manager had said.
        match env::var(SOCKETS) {
            Ok(text) => Self {
                sockets: left_by(&text),
                passed: Passed::none(),
            },
            Err(_) => Self {
                sockets: Vec::new(),
                passed: Passed::receive(),
            },
        }
    }

    /// Takes a TCP socket that is listened on for others than clients, if the binary before has left one of this name with
    /// [`Handover::add`].
    pub fn take_beside(&mut self, name: &str) -> Option<TcpListener> {
        let mut groups = self.take(&key_beside(name), false);
        Some(TcpListener::from(groups.pop()?.pop()?))
    }

    /// The sockets of the listeners with a key, listener by listener.
    pub(super) fn take(&mut self, key: &str, all: bool) -> Vec<Vec<OwnedFd>> {
        let mut groups: Vec<usize> = self
            .sockets
            .iter()
            .filter(|left| left.key == key)
            .map(|left| left.group)
            .collect();
        groups.dedup();
        groups.truncate(if all { usize::MAX } else { 1 });
        let mut taken = Vec::new();
        for group in groups {
            let of_group = self
                .sockets
                .extract_if(.., |left| left.key == key && left.group == group);
            taken.push(of_group.map(|left| left.socket).collect());
        }
        taken
    }

    /// Closes what no listener has taken.
    pub(super) fn close_rest(&mut self) {
        for left in self.sockets.drain(..) {
            tracing::info!(socket = left.key, "closed: no listener of these settings is there");
        }
    }
}

impl From<Handover> for Inherited {
    /// What was to be handed over stays with this binary.
    fn from(handover: Handover) -> Self {
        Self {
            sockets: handover.sockets,
            passed: Passed::none(),
        }
    }
}

fn left_by(text: &str) -> Vec<Left> {
    let mut sockets = ListenFd::from_env();
    let mut left = Vec::new();
    for (at, line) in text.lines().enumerate().take(sockets.len()) {
        let named = line.split_once(' ').and_then(|(group, key)| {
            let group = group.parse().ok()?;
            Some((group, key, kind_of(key)?))
        });
        let Some((group, key, kind)) = named else { continue };
        match take_one(&mut sockets, at, kind) {
            Ok(Some(socket)) => left.push(Left {
                group,
                key: key.to_owned(),
                socket,
            }),
            Ok(None) => {}
            Err(error) => tracing::error!(socket = key, %error, "the binary before has left no such socket"),
        }
    }
    left
}

/// Sockets that outlive `exec`, for as long as this is held.
#[derive(Debug)]
pub struct Released {
    _sockets: Vec<OwnedFd>,
    /// What the environment of the next binary says of them, besides what it says to this one.
    pub variables: Vec<(&'static str, String)>,
}

impl Handover {
    /// Leaves one more socket, which is listened on for others than clients.
    pub fn add(&mut self, name: &str, socket: TcpListener) {
        let group = self.sockets.iter().map(|left| left.group + 1).max().unwrap_or(0);
        self.sockets.push(Left {
            group,
            key: key_beside(name),
            socket: socket.into(),
        });
    }

    /// Which listeners the sockets are of, for a binary that is asked whether it would take over.
    #[must_use]
    pub fn keys(&self) -> String {
        let lines = self.sockets.iter().map(|left| format!("{} {}", left.group, left.key));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Gives the sockets descriptors that the next binary finds. Nothing else may open files meanwhile.
    ///
    /// # Errors
    ///
    /// There are no more descriptors, or another thread has taken one.
    pub fn release(&self) -> io::Result<Released> {
        let first = last_descriptor()? + 1;
        let mut sockets = Vec::new();
        for (number, left) in (first..).zip(&self.sockets) {
            let socket = fcntl_dupfd_cloexec(&left.socket, number)?;
            if socket.as_raw_fd() != number {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            sockets.push(socket);
        }
        for socket in &sockets {
            fcntl_setfd(socket, FdFlags::empty())?;
        }
        let variables = vec![
            (SOCKETS, self.keys()),
            ("LISTEN_PID", std::process::id().to_string()),
            ("LISTEN_FDS", sockets.len().to_string()),
            ("LISTEN_FDS_FIRST_FD", first.to_string()),
        ];
        Ok(Released {
            _sockets: sockets,
            variables,
        })
    }
}

fn last_descriptor() -> io::Result<RawFd> {
    let open = fs::read_dir("/proc/self/fd")?;
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.max().unwrap_or(2))
}
