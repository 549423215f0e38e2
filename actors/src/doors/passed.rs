//! Sockets that the service manager opened and passed (sd_listen_fds(3)): the broker needs no right to their ports, and
//! clients wait in the kernel while it restarts.

use std::env;
use std::io;
use std::os::fd::OwnedFd;

use listenfd::ListenFd;
use socket2::{Domain, SockRef, Type};

use crate::settings::{Endpoint, ListenerSettings};

/// What systemd calls a socket without `FileDescriptorName=` that came without names at all.
const NAMELESS: &str = "unknown";

/// What a listener can do with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Streams from the network.
    Tcp,
    /// Streams from this machine.
    Unix,
    /// Datagrams from the network.
    Udp,
}

impl Kind {
    /// What a listener needs.
    pub(crate) fn of(settings: &ListenerSettings) -> Self {
        match &settings.endpoint {
            Endpoint::Address(_) | Endpoint::Passed(_) | Endpoint::Socket(_) if settings.quic.is_some() => Self::Udp,
            Endpoint::Address(_) => Self::Tcp,
            Endpoint::Socket(_) => Self::Unix,
            Endpoint::Passed(passed) if passed.is_unix => Self::Unix,
            Endpoint::Passed(_) => Self::Tcp,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Tcp => "listening TCP socket (ListenStream= with an address)",
            Self::Unix => "listening Unix socket (ListenStream= with a path)",
            Self::Udp => "UDP socket (ListenDatagram= with an address)",
        }
    }
}

/// What was passed and not taken.
pub(super) struct Passed {
    sockets: ListenFd,
    /// The name of each, until it is taken.
    names: Vec<Option<String>>,
}

impl Passed {
    /// Nothing.
    pub(super) fn none() -> Self {
        Self {
            sockets: ListenFd::empty(),
            names: Vec::new(),
        }
    }

    /// Takes over what is meant for this process. To be called once, before there are threads: the variables that tell of
    /// the sockets are removed from the environment.
    pub(super) fn receive() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let sockets = ListenFd::from_env();
        Self {
            names: named(sockets.len(), &names),
            sockets,
        }
    }

    /// Takes all sockets of a name.
    ///
    /// # Errors
    ///
    /// There is none, or one of another kind.
    pub(super) fn take(&mut self, name: &str, kind: Kind) -> io::Result<Vec<OwnedFd>> {
        let mut taken = Vec::new();
        for (at, known) in self.names.iter_mut().enumerate() {
            if known.as_deref() != Some(name) {
                continue;
            }
            let socket = take_one(&mut self.sockets, at, kind).map_err(|error| {
                let words = kind.words();
                io::Error::new(error.kind(), format!("{error}; this listener needs a {words}"))
            })?;
            taken.extend(socket);
            *known = None;
        }
        if taken.is_empty() {
            let others: Vec<&str> = self.names.iter().flatten().map(String::as_str).collect();
            let there = if others.is_empty() {
                "none is left".to_owned()
            } else {
                format!("there are: {}", others.join(", "))
            };
            let what = format!(
                "the service manager passed no socket of this name ({there}); name one with FileDescriptorName= in the \
                 socket unit"
            );
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(taken)
    }

    /// Says which sockets no listener takes: their clients would wait for nobody.
    pub(super) fn warn_of_rest(&self) {
        for name in self.names.iter().flatten() {
            tracing::warn!(
                name,
                "a socket that the service manager passed is not used; give a listener bind = \"systemd:{name}\""
            );
        }
    }
}

/// The names of `count` sockets, as the variable has them.
fn named(count: usize, names: &str) -> Vec<Option<String>> {
    let mut names = names.split(':').filter(|name| !name.is_empty());
    (0..count)
        .map(|_| Some(names.next().unwrap_or(NAMELESS).to_owned()))
        .collect()
}

pub(super) fn take_one(sockets: &mut ListenFd, at: usize, kind: Kind) -> io::Result<Option<OwnedFd>> {
    let socket: Option<OwnedFd> = match kind {
        Kind::Tcp => sockets.take_tcp_listener(at)?.map(OwnedFd::from),
        Kind::Unix => sockets.take_unix_listener(at)?.map(OwnedFd::from),
        Kind::Udp => sockets.take_udp_socket(at)?.map(OwnedFd::from),
    };
    let Some(socket) = socket else { return Ok(None) };
    check(&SockRef::from(&socket), kind)?;
    Ok(Some(socket))
}

/// A stream that is not listened on is a connection: `Accept=yes` in the socket unit.
fn check(socket: &SockRef<'_>, kind: Kind) -> io::Result<()> {
    if socket.r#type()? == Type::STREAM && !socket.is_listener()? {
        let what = "the socket is a connection: the socket unit has to say Accept=no";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if kind == Kind::Tcp && socket.domain()? != Domain::UNIX {
        // Connections inherit it, as from our own sockets.
        socket.set_tcp_nodelay(true)?;
    }
    socket.set_nonblocking(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_socket_has_its_name_and_those_that_none_was_given_have_that_of_systemd() {
        let names = |count, text| named(count, text).into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(names(2, "tls:local"), ["tls", "local"]);
        assert_eq!(names(2, "tls"), ["tls", "unknown"]);
        assert_eq!(names(1, ""), ["unknown"]);
        assert!(names(0, "tls").is_empty());
    }

    #[test]
    fn a_name_that_was_not_passed_is_refused_with_those_that_were() {
        let mut passed = Passed {
            sockets: ListenFd::empty(),
            names: vec![Some("tls".to_owned())],
        };
        let error = passed.take("tsl", Kind::Tcp).expect_err("no such name").to_string();
        assert!(error.contains("there are: tls"), "{error}");
        assert!(passed.take("tls", Kind::Tcp).is_err());
    }

    #[test]
    fn a_connection_is_no_listener() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        let refused = check(&SockRef::from(&one), Kind::Unix).expect_err("a connection");
        assert!(refused.to_string().contains("Accept=no"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        check(&SockRef::from(&listener), Kind::Tcp).expect("a listener");
    }
}
