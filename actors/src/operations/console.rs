//! A way in for those who operate the broker: MQTT over a pair of sockets, for somebody who was let in elsewhere.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use broker::identity::Identity;
use broker::line::Peer;
use bytes::BytesMut;

use super::Operations;
use crate::listener::Listener;
use crate::message::{Adopt, Arrival};
use crate::settings::{Endpoint, ListenerLimits, ListenerSettings, PassedSocket, ProxySettings};
use crate::transport::channel::Parked;
use crate::transport::layered::Layered;
use crate::transport::wire::ParkedWire;

/// The listener that rights and logs know consoles by.
const LISTENER: &str = "admin";
/// From the connection to its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// There is no way in at this moment.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The system has no descriptors.
    #[error("a console cannot be opened: {0}; raise the limit of open files (LimitNOFILE, ulimit -n)")]
    Io(#[from] io::Error),
    /// The line that would take it does not answer.
    #[error("a console cannot be opened: the broker does not keep up or is stopping; try again")]
    Busy,
}

impl Operations {
    /// Opens a connection of MQTT as the user `admin:NAME` of the listener `admin`. It does not block, and no event queue
    /// knows it.
    ///
    /// Its rights are those that the book gives to this user and this listener. What the CONNECT says of a user is not
    /// looked at: whoever calls this has proven who he is.
    ///
    /// # Errors
    ///
    /// There are no descriptors, or the broker stops.
    pub async fn console(&self, name: &str) -> Result<UnixStream, ConsoleError> {
        let user = format!("{LISTENER}:{name}");
        let identity = Identity::named(Some(&user), Arc::from(LISTENER));
        let listener = Listener::inside(settings(), identity);
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let arrival = Arrival {
            channel: Parked::Layered(Box::new(Layered::bare(ParkedWire::Unix(theirs)))),
            peer: Peer::Local(user),
            read: BytesMut::new(),
            permit: listener.enter().ok_or(ConsoleError::Busy)?,
            is_established: true,
        };
        // Any line will do: the CONNECT shows which one is the client's home.
        let line = self.house.lines.first().ok_or(ConsoleError::Busy)?;
        let adopt = Adopt {
            arrivals: vec![arrival],
        };
        line.send(adopt).await.map_err(|_| ConsoleError::Busy)?;
        Ok(ours)
    }
}

/// Of a listener for one connection, which nobody else finds.
fn settings() -> ListenerSettings {
    ListenerSettings {
        name: LISTENER.to_owned(),
        endpoint: Endpoint::Passed(PassedSocket {
            name: LISTENER.to_owned(),
            is_unix: true,
        }),
        tls: None,
        websocket: None,
        quic: None,
        proxies: ProxySettings::default(),
        limits: ListenerLimits {
            connections_max: 1,
            connect_rate_per_sec: 1,
            connect_burst: 1,
            connect_timeout: CONNECT_TIMEOUT,
            handshake_timeout: CONNECT_TIMEOUT,
            handshakes_max: 1,
        },
    }
}
