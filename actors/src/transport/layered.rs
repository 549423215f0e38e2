//! A socket with layers on top: WebSocket over TLS over TCP or Unix, each of the first two as the listener wants.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use broker::session::Outbox;
use bytes::BytesMut;

use super::tls::Tls;
use super::websocket::WebSocket;
use super::wire::{SLICES, Sink, Wire};

/// Encrypted bytes that one read asks for.
const ENCRYPTED_READ_BYTES: usize = 32 << 10;

thread_local! {
    // Encrypted bytes pass through here on their way into rustls, so that no connection has a buffer for them.
    static ENCRYPTED: RefCell<Vec<u8>> = RefCell::new(vec![0; ENCRYPTED_READ_BYTES]);
}

/// A socket with what is spoken over it. Without layers it is a plain Unix socket, or TCP that is yet to get some.
#[derive(Debug)]
pub(crate) struct Layered<W> {
    pub(crate) wire: W,
    pub(crate) tls: Option<Tls>,
    pub(crate) websocket: Option<Box<WebSocket>>,
}

impl<W> Layered<W> {
    /// A socket without layers.
    pub(crate) fn bare(wire: W) -> Self {
        Self {
            wire,
            tls: None,
            websocket: None,
        }
    }

    /// The same layers on the same socket, made into another type.
    pub(crate) fn with_wire<V>(self, turn: impl FnOnce(W) -> io::Result<V>) -> io::Result<Layered<V>> {
        Ok(Layered {
            wire: turn(self.wire)?,
            tls: self.tls,
            websocket: self.websocket,
        })
    }
}

impl Layered<Wire> {
    /// The client's certificate in DER, if it showed one. It was found good.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        match &self.tls {
            Some(tls) => tls.peer_certificate(),
            None => self.wire.peer_certificate(),
        }
    }

    /// Reads once from the socket, or until it makes a byte: ready with the number of bytes of MQTT, 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let from = buffer.len();
        loop {
            if self.websocket.as_ref().is_some_and(|websocket| websocket.is_over()) {
                return Poll::Ready(Ok(0));
            }
            if ready!(self.poll_read_plain(cx, buffer))? == 0 {
                return Poll::Ready(Ok(0));
            }
            let taken = self.take_frames(buffer, from);
            self.answer();
            taken?;
            if buffer.len() > from {
                return Poll::Ready(Ok(buffer.len() - from));
            }
        }
    }

    /// Turns frames behind the first `from` bytes into what they carry.
    pub(crate) fn take_frames(&mut self, buffer: &mut BytesMut, from: usize) -> io::Result<()> {
        match &mut self.websocket {
            Some(websocket) => websocket
                .take(buffer, from)
                .map_err(|fault| io::Error::new(io::ErrorKind::InvalidData, fault.to_string())),
            None => Ok(()),
        }
    }

    /// Sends what TLS and WebSocket have to say by themselves. What the socket does not take goes with what is written
    /// next, and an error shows there.
    fn answer(&mut self) {
        if self.has_unsent()
            && let Err(error) = self.flush()
        {
            tracing::trace!(%error, "an answer of TLS or WebSocket waits");
        }
    }

    fn poll_read_plain(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else {
            return self.wire.poll_read(cx, buffer);
        };
        let from = buffer.len();
        while buffer.len() == from {
            if tls.is_over() {
                return Poll::Ready(Ok(0));
            }
            let taken = ENCRYPTED.with_borrow_mut(|encrypted| {
                let read = ready!(self.wire.poll_read_slice(cx, encrypted))?;
                let taken = tls.take(encrypted.get(..read).unwrap_or_default(), buffer);
                Poll::Ready(taken.map(|()| read))
            });
            // An alert, a key update.
            let answered = tls.flush(&mut Sink(&self.wire));
            match ready!(taken) {
                Ok(0) => return Poll::Ready(Ok(0)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if let Err(error) = answered
                && error.kind() != io::ErrorKind::WouldBlock
            {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(buffer.len() - from))
    }

    /// Writes what one pass through the layers takes; returns how many bytes of the outbox that was.
    pub(crate) fn write_once(&mut self, out: &Outbox) -> io::Result<usize> {
        let Some(websocket) = &mut self.websocket else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = out.gather(&mut slices);
            return push(&self.wire, &mut self.tls, slices.get(..filled).unwrap_or_default());
        };
        loop {
            websocket.begin_sending(out.open_len());
            let mut gathered = [IoSlice::new(&[]); SLICES - 1];
            let filled = out.gather(&mut gathered);
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut left = websocket.frame_left;
            let pieces = gathered.iter().take(filled).map(|piece| {
                let piece = piece.get(..left).unwrap_or(piece);
                left -= piece.len();
                piece
            });
            let pieces = std::iter::once(websocket.head.as_slice()).chain(pieces);
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces.filter(|piece| !piece.is_empty())) {
                *slice = IoSlice::new(piece);
                used += 1;
            }
            if used == 0 {
                return Ok(0);
            }
            let written = push(&self.wire, &mut self.tls, slices.get(..used).unwrap_or_default())?;
            match websocket.sent(written) {
                0 => {}
                of_outbox => return Ok(of_outbox),
            }
        }
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::has_unsent) || self.websocket.as_ref().is_some_and(|ws| ws.has_unsent())
    }

    /// Writes what waits in the layers.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some(websocket) = &mut self.websocket {
            websocket.begin_sending(0);
            if websocket.head.is_empty() {
                break;
            }
            let written = push(&self.wire, &mut self.tls, &[IoSlice::new(&websocket.head)])?;
            websocket.sent(written);
        }
        match &mut self.tls {
            Some(tls) => tls.flush(&mut Sink(&self.wire)),
            None => Ok(()),
        }
    }

    /// Puts the ends of WebSocket and TLS behind what waits.
    pub(crate) fn finish(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            websocket.close(1000);
        }
        self.answer();
        if let Some(tls) = &mut self.tls {
            tls.finish();
        }
    }

    /// Does the handshake of TLS; `early` is what was read before, and gets what the client says behind it.
    ///
    /// # Errors
    ///
    /// What the client did wrong, or what the socket says.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>, early: &mut BytesMut) -> Poll<io::Result<()>> {
        let Some(tls) = &mut self.tls else {
            return Poll::Ready(Ok(()));
        };
        if !early.is_empty() {
            let encrypted = early.split();
            tls.take(&encrypted, early)?;
        }
        loop {
            while let Err(error) = tls.flush(&mut Sink(&self.wire)) {
                if error.kind() != io::ErrorKind::WouldBlock {
                    return Poll::Ready(Err(error));
                }
                ready!(self.wire.poll_write_ready(cx))?;
            }
            if !tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let taken = ENCRYPTED.with_borrow_mut(|encrypted| {
                let read = ready!(self.wire.poll_read_slice(cx, encrypted))?;
                if read == 0 {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                Poll::Ready(tls.take(encrypted.get(..read).unwrap_or_default(), early))
            });
            if let Err(error) = ready!(taken) {
                // The alert says why; who does not take it goes without.
                let _ = tls.flush(&mut Sink(&self.wire));
                return Poll::Ready(Err(error));
            }
        }
    }

    /// Writes all of `bytes`, before there is an outbox.
    ///
    /// # Errors
    ///
    /// What the socket says.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() || self.tls.as_ref().is_some_and(Tls::has_unsent) {
            let pushed = match bytes {
                [] => self
                    .tls
                    .as_mut()
                    .map_or(Ok(()), |tls| tls.flush(&mut Sink(&self.wire)))
                    .map(|()| 0),
                bytes => push(&self.wire, &mut self.tls, &[IoSlice::new(bytes)]),
            };
            match pushed {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll_fn(|cx| self.wire.poll_write_ready(cx)).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Gives bytes to the socket, through TLS if it is spoken; returns how many were taken.
fn push(wire: &Wire, tls: &mut Option<Tls>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let Some(tls) = tls else {
        return wire.try_write(slices);
    };
    let taken = tls.encrypt(slices)?;
    match tls.flush(&mut Sink(wire)) {
        Ok(()) if taken == 0 => tls.encrypt(slices),
        Err(error) if taken == 0 || error.kind() != io::ErrorKind::WouldBlock => Err(error),
        Ok(()) | Err(_) => Ok(taken),
    }
}
