//! The endpoints of QUIC in a binary without QUIC: none. A listener that wants one is refused before it comes to this.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;

use actix::Addr;
use auth::Chain;

use crate::clock::Clock;
use crate::listener::Listener;
use crate::session::SessionActor;

/// No value of this type exists.
pub(crate) enum QuicHouse {}

impl QuicHouse {
    pub(crate) fn open(
        sockets: Vec<(Arc<Listener>, UdpSocket)>,
        _: &[Addr<SessionActor>],
        _: (Clock, &Arc<Chain>),
    ) -> io::Result<Option<Self>> {
        if sockets.is_empty() {
            return Ok(None);
        }
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn close(&self) {
        match *self {}
    }

    pub(crate) fn reopen(&self) {
        match *self {}
    }

    pub(crate) fn stop(self) -> JoinHandle<()> {
        match self {}
    }
}
