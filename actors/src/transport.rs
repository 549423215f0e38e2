//! What carries bytes: sockets, and the state that the line and the reader of one share.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};

use broker::session::Outbox;

pub(crate) mod tcp;

/// Pieces that one system call writes.
const SLICES: usize = 32;
/// System calls that one turn spends on one connection.
const WRITES_MAX: usize = 16;

/// The writing side of a connection, with what its reader has to know.
///
/// The line writes; one future per connection reads and waits until the socket takes more.
pub(crate) struct Socket {
    /// The connection that it belongs to.
    pub(crate) epoch: u32,
    writer: tcp::Writer,
    /// The socket is full.
    blocked: Cell<bool>,
    paused: Cell<bool>,
    last_words: RefCell<Option<Outbox>>,
    reader: RefCell<Option<Waker>>,
}

impl Socket {
    pub(crate) fn new(epoch: u32, writer: tcp::Writer) -> Self {
        Self {
            epoch,
            writer,
            blocked: Cell::new(false),
            paused: Cell::new(false),
            last_words: RefCell::new(None),
            reader: RefCell::new(None),
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.borrow().as_ref() {
            reader.wake_by_ref();
        }
    }

    /// Notes who is to be woken.
    pub(crate) fn attend(&self, waker: &Waker) {
        let mut reader = self.reader.borrow_mut();
        if reader.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
    }

    /// Ends the connection: the reader writes these bytes and closes.
    pub(crate) fn close(&self, last_words: Outbox) {
        self.last_words.replace(Some(last_words));
        self.wake();
    }

    /// What to write before closing, once the line has ended the connection.
    pub(crate) fn take_last_words(&self) -> Option<Outbox> {
        self.last_words.take()
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

    /// Writes as much as the socket takes; returns how many bytes that was.
    pub(crate) fn write(&self, out: &mut Outbox) -> io::Result<usize> {
        if self.blocked.get() {
            return Ok(0);
        }
        let mut total = 0;
        for _ in 0..WRITES_MAX {
            if out.is_empty() {
                break;
            }
            match self.write_once(out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    total += written;
                    out.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.set(true);
                    self.wake();
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn write_once(&self, out: &Outbox) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = out.gather(&mut slices);
        match slices.get(..filled) {
            Some([one]) => self.writer.try_write(one),
            Some(several) => self.writer.try_write_vectored(several),
            None => Ok(0),
        }
    }

    /// Ready when a socket that was full takes bytes again.
    pub(crate) fn poll_unblocked(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.blocked.get() {
            return Poll::Pending;
        }
        match self.writer.as_ref().poll_write_ready(cx) {
            // An error shows with the next write.
            Poll::Ready(_) => {
                self.blocked.set(false);
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes all of `out`, waiting as long as it takes: the caller sets the limit.
    pub(crate) async fn write_all(&self, out: &mut Outbox) -> io::Result<()> {
        while !out.is_empty() {
            self.writer.writable().await?;
            self.blocked.set(false);
            self.write(out)?;
        }
        Ok(())
    }

    /// Tells the client that nothing more will come.
    pub(crate) fn shut_down(&self) {
        tcp::shut_down(&self.writer);
    }
}
