//! What carries bytes: sockets, and the state that the line and the reader of one share.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use broker::session::Outbox;
use bytes::BytesMut;

pub(crate) mod channel;
pub(crate) mod layered;
pub(crate) mod proxy;
#[cfg(feature = "quic")]
pub(crate) mod quic;
#[cfg(not(feature = "quic"))]
#[path = "transport/without_quic.rs"]
pub(crate) mod quic;
pub(crate) mod tcp;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod udp;
pub(crate) mod unix;
pub(crate) mod websocket;
pub(crate) mod wire;

use channel::Channel;

use crate::recorder::Tape;

/// Bytes that are read and thrown away after a goodbye.
const FAREWELL_READ_MAX: usize = 1 << 20;
/// System calls that one turn spends on one connection.
const WRITES_MAX: usize = 16;

/// How a connection ends.
pub(crate) enum Ending {
    /// The client has left and nothing waits for it.
    AtOnce,
    /// These bytes (there may be none), then the client's turn to close.
    LastWords(Outbox),
}

/// A connection's socket, with what its line and its reader tell each other.
///
/// The line writes; one future per connection reads and waits until the socket takes more.
pub(crate) struct Socket {
    /// The connection that it belongs to.
    pub(crate) epoch: u32,
    /// The rest waits until the socket takes more, or for the next turn.
    blocked: Cell<bool>,
    paused: Cell<bool>,
    channel: RefCell<Channel>,
    ending: Cell<Option<Ending>>,
    reader: Cell<Option<Waker>>,
    /// What was said on it.
    pub(crate) tape: RefCell<Tape>,
}

impl Socket {
    pub(crate) fn new(epoch: u32, channel: Channel, tape: Tape) -> Self {
        Self {
            epoch,
            blocked: Cell::new(false),
            paused: Cell::new(false),
            channel: RefCell::new(channel),
            ending: Cell::new(None),
            reader: Cell::new(None),
            tape: RefCell::new(tape),
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake_by_ref();
            self.reader.set(Some(reader));
        }
    }

    /// Notes who is to be woken.
    pub(crate) fn attend(&self, waker: &Waker) {
        let known = self.reader.take().filter(|known| known.will_wake(waker));
        self.reader.set(known.or_else(|| Some(waker.clone())));
    }

    /// Ends the connection: the reader carries it out.
    pub(crate) fn close(&self, ending: Ending) {
        self.ending.replace(Some(ending));
        self.wake();
    }

    /// How to end, once the line has ended the connection.
    pub(crate) fn take_ending(&self) -> Option<Ending> {
        self.ending.take()
    }

    pub(crate) fn pause(&self) {
        self.paused.set(true);
    }

    pub(crate) fn resume(&self) {
        self.paused.set(false);
        self.wake();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// Reads what is there, once; ready with the number of bytes, 0 at the end of the stream.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut channel = self.channel.borrow_mut();
        let read = channel.poll_read(cx, buffer);
        // An answer of TLS or WebSocket that the socket has not taken.
        if channel.has_unsent() {
            self.blocked.set(true);
        }
        read
    }

    /// Writes as much as the socket takes; returns how many bytes that was. `note` sees what was written before it goes.
    pub(crate) fn write(&self, out: &mut Outbox, mut note: impl FnMut(&Outbox, usize)) -> io::Result<usize> {
        if self.blocked.get() {
            return Ok(0);
        }
        let mut channel = self.channel.borrow_mut();
        let mut total = 0;
        for _ in 0..WRITES_MAX {
            if out.open_len() == 0 {
                break;
            }
            match channel.write_once(out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    total += written;
                    note(out, written);
                    out.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if out.open_len() == 0 && channel.has_unsent() {
            match channel.flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        // Also where the socket would take more: the reader goes on when the others had their turn.
        if out.open_len() > 0 || channel.has_unsent() {
            self.blocked.set(true);
            self.wake();
        }
        Ok(total)
    }

    /// Ready when a socket that has not taken everything takes bytes again.
    pub(crate) fn poll_unblocked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.blocked.get() {
            return Poll::Pending;
        }
        // An error shows with the next write.
        self.channel
            .borrow()
            .poll_write_ready(cx)
            .map(|_| self.blocked.set(false))
    }

    /// Says the last words and waits for the client to close its side: what it has sent meanwhile is read and thrown
    /// away, or the kernel would answer it with a reset and the last words would be lost. The caller sets the limit.
    pub(crate) async fn part(&self, mut last_words: Outbox) -> io::Result<()> {
        self.write_all(&mut last_words).await?;
        self.channel.borrow_mut().finish();
        self.write_all(&mut last_words).await?;
        self.channel.borrow().shut_down();
        let mut buffer = BytesMut::with_capacity(4096);
        let mut total = 0;
        while total < FAREWELL_READ_MAX {
            match poll_fn(|cx| self.poll_read(cx, &mut buffer)).await? {
                0 => break,
                read => total += read,
            }
            buffer.clear();
        }
        Ok(())
    }

    async fn write_all(&self, last_words: &mut Outbox) -> io::Result<()> {
        while !last_words.is_empty() || self.channel.borrow().has_unsent() {
            poll_fn(|cx| self.channel.borrow().poll_write_ready(cx)).await?;
            self.blocked.set(false);
            // They are on the tape since the connection ended.
            self.write(last_words, |_, _| {})?;
        }
        Ok(())
    }
}
