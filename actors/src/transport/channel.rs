//! What is between a client and its bytes: a plain TCP stream, or a socket with TLS, WebSocket or both on top.
//!
//! Plain TCP is a case of its own, so that it pays nothing for the others. The others move between lines whole: their
//! socket leaves one event queue and enters another, and TLS and WebSocket go on where they were.

use std::io;
use std::task::{Context, Poll};

use broker::session::Outbox;
use bytes::BytesMut;
use tokio::net::TcpStream;

use super::layered::Layered;
use super::wire::{self, ParkedWire, Wire};

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Channel {
    /// TCP alone.
    Tcp(TcpStream),
    /// Everything else.
    Layered(Box<Layered<Wire>>),
}

/// A channel that no event queue knows.
#[derive(Debug)]
pub(crate) enum Parked {
    /// TCP alone.
    Tcp(std::net::TcpStream),
    /// Everything else.
    Layered(Box<Layered<ParkedWire>>),
}

impl Channel {
    /// Enters this line's event queue.
    ///
    /// # Errors
    ///
    /// The queue does not take it.
    pub(crate) fn attend(parked: Parked) -> io::Result<Self> {
        Ok(match parked {
            Parked::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream)?),
            Parked::Layered(layered) => Self::Layered(Box::new(layered.with_wire(Wire::attend)?)),
        })
    }

    /// Leaves this line's event queue.
    ///
    /// # Errors
    ///
    /// The queue does not give it back.
    pub(crate) fn park(self) -> io::Result<Parked> {
        Ok(match self {
            Self::Tcp(stream) => Parked::Tcp(stream.into_std()?),
            Self::Layered(layered) => Parked::Layered(Box::new(layered.with_wire(Wire::park)?)),
        })
    }

    /// The client's certificate in DER, if it showed one. It was found good.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Tcp(_) => None,
            Self::Layered(layered) => layered.peer_certificate(),
        }
    }

    /// Reads what is there, once, behind what `buffer` has; ready with the number of bytes, 0 at the end of the stream.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => wire::poll_read_stream(stream, cx, buffer),
            Self::Layered(layered) => layered.poll_read(cx, buffer),
        }
    }

    /// Writes what one system call takes; returns how many bytes of the outbox that was.
    pub(crate) fn write_once(&mut self, out: &Outbox) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => wire::write_outbox(stream, out),
            Self::Layered(layered) => layered.write_once(out),
        }
    }

    /// Whether bytes wait here that are not an outbox's any more.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Layered(layered) => layered.has_unsent(),
        }
    }

    /// Writes what waits here.
    ///
    /// # Errors
    ///
    /// What the socket says; `WouldBlock` if it takes no more.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Layered(layered) => layered.flush(),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Layered(layered) => layered.wire.poll_write_ready(cx),
        }
    }

    /// Puts the ends of WebSocket and TLS behind what waits.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Tcp(_) => {}
            Self::Layered(layered) => layered.finish(),
        }
    }

    /// Closes the sending direction.
    pub(crate) fn shut_down(&self) {
        match self {
            Self::Tcp(stream) => wire::shut_down(stream),
            Self::Layered(layered) => layered.wire.shut_down(),
        }
    }
}
