//! One stream of QUIC as a wire: what a connection of MQTT reads from and writes to.
//!
//! The stream belongs to no event queue. Its connection is driven on the thread of its endpoint (`crate::quic`), and a
//! lock inside quinn stands between that thread and the line; so a stream goes from line to line as it is.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Bytes that one write copies into the connection.
const WRITE_BYTES: usize = 64 << 10;

/// The one stream of a connection. When this is dropped the connection ends.
#[derive(Debug)]
pub(crate) struct QuicStream {
    connection: Connection,
    send: RefCell<SendStream>,
    receive: RecvStream,
    certificate: Option<Vec<u8>>,
}

impl QuicStream {
    /// Takes the stream that the client has opened.
    pub(crate) fn new(connection: Connection, (send, receive): (SendStream, RecvStream)) -> Self {
        let shown = connection
            .peer_identity()
            .and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
        Self {
            certificate: shown.and_then(|chain| Some(chain.first()?.to_vec())),
            connection,
            send: RefCell::new(send),
            receive,
        }
    }

    /// The client's certificate in DER, if it showed one. It was found good.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let read = ready!(poll_read_buf(Pin::new(&mut self.receive), cx, buffer));
        Poll::Ready(read.or_else(|error| self.end_or(error)))
    }

    /// Reads into `bytes`; ready with the number of bytes, 0 at the end of the stream.
    pub(crate) fn poll_read_slice(&mut self, cx: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.receive).poll_read(cx, bytes));
        Poll::Ready(read.or_else(|error| self.end_or(error).map(drop)))
    }

    /// A client that has closed its connection without an error of QUIC's has come to its end, as one that closes TCP.
    fn end_or(&self, error: io::Error) -> io::Result<usize> {
        match self.connection.close_reason() {
            Some(ConnectionError::ApplicationClosed(_)) => Ok(0),
            Some(_) | None => Err(error),
        }
    }

    /// Writes what flow control and the window let through.
    pub(crate) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut send = self.send.borrow_mut();
        let mut pieces = slices.iter().filter(|piece| !piece.is_empty());
        let written = match (pieces.next(), pieces.next()) {
            (None, _) => return Ok(0),
            (Some(only), None) => Pin::new(&mut *send).poll_write(&mut cx, only),
            // A packet of QUIC takes them together; each by itself would take the connection's lock again.
            (Some(_), Some(_)) => Pin::new(&mut *send).poll_write(&mut cx, &gather(slices)),
        };
        match written {
            Poll::Ready(written) => Ok(written?),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Ready when there is room for a byte, or never will be.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = ready!(Pin::new(&mut *self.send.borrow_mut()).poll_write(cx, &[]));
        Poll::Ready(ready.map(drop).map_err(io::Error::from))
    }

    /// Says that nothing more comes.
    pub(crate) fn shut_down(&self) {
        if let Err(error) = self.send.borrow_mut().finish() {
            tracing::trace!(%error, "the client was gone before the goodbye");
        }
    }
}

fn gather(slices: &[IoSlice<'_>]) -> Vec<u8> {
    let total: usize = slices.iter().map(|piece| piece.len()).sum();
    let mut gathered = Vec::with_capacity(total.min(WRITE_BYTES));
    for piece in slices {
        let room = WRITE_BYTES - gathered.len();
        gathered.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
    gathered
}
