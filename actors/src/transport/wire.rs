//! A socket of the operating system, TCP or Unix, within an event queue or outside; or a stream of QUIC.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use broker::session::Outbox;
use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::poll_read_buf;

use super::quic::QuicStream;

/// Pieces that one system call writes.
pub(crate) const SLICES: usize = 32;

/// A socket in this line's event queue.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Which no event queue has.
    Quic(Box<QuicStream>),
}

/// A socket that no event queue knows.
#[derive(Debug)]
pub(crate) enum ParkedWire {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
    Quic(Box<QuicStream>),
}

impl Wire {
    pub(crate) fn attend(parked: ParkedWire) -> io::Result<Self> {
        Ok(match parked {
            ParkedWire::Tcp(stream) => Self::Tcp(TcpStream::from_std(stream)?),
            ParkedWire::Unix(stream) => Self::Unix(UnixStream::from_std(stream)?),
            ParkedWire::Quic(stream) => Self::Quic(stream),
        })
    }

    pub(crate) fn park(self) -> io::Result<ParkedWire> {
        Ok(match self {
            Self::Tcp(stream) => ParkedWire::Tcp(stream.into_std()?),
            Self::Unix(stream) => ParkedWire::Unix(stream.into_std()?),
            Self::Quic(stream) => ParkedWire::Quic(stream),
        })
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => poll_read_stream(stream, cx, buffer),
            Self::Unix(stream) => poll_read_stream(stream, cx, buffer),
            Self::Quic(stream) => stream.poll_read(cx, buffer),
        }
    }

    /// Reads into `bytes`; ready with the number of bytes, 0 at the end of the stream.
    pub(crate) fn poll_read_slice(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut bytes = ReadBuf::new(bytes);
        ready!(match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut bytes),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut bytes),
            Self::Quic(stream) => stream.poll_read_slice(cx, &mut bytes),
        })?;
        Poll::Ready(Ok(bytes.filled().len()))
    }

    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
            Self::Quic(stream) => stream.try_write(slices),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Unix(stream) => stream.poll_write_ready(cx),
            Self::Quic(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(crate) fn shut_down(&self) {
        match self {
            Self::Tcp(stream) => shut_down(stream),
            Self::Unix(stream) => shut_down(stream),
            Self::Quic(stream) => stream.shut_down(),
        }
    }

    /// The client's certificate in DER, where the wire itself has seen to it.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => None,
            Self::Quic(stream) => stream.peer_certificate(),
        }
    }
}

/// A socket as rustls writes to it.
pub(crate) struct Sink<'a>(pub(crate) &'a Wire);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what is there, once.
pub(crate) fn poll_read_stream(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    buffer: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    poll_read_buf(Pin::new(stream), cx, buffer)
}

/// Writes as much of an outbox as one system call takes.
pub(crate) fn write_outbox(stream: &TcpStream, out: &Outbox) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SLICES];
    let filled = out.gather(&mut slices);
    match slices.get(..filled) {
        Some([one]) => stream.try_write(one),
        Some(several) => stream.try_write_vectored(several),
        None => Ok(0),
    }
}

/// Closes the sending direction.
pub(crate) fn shut_down(stream: &impl AsFd) {
    if let Err(error) = SockRef::from(stream).shutdown(Shutdown::Write) {
        tracing::trace!(%error, "the client was gone before the goodbye");
    }
}
