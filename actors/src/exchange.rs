//! The exchange actor: one connection, from its first byte to its last.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use broker::line::{ConnectionKey, Flow, Lost, Peer};
use broker::session::Outbox;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{Frame, Version, decode, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::io::poll_read_buf;

use crate::acceptor::Permit;
use crate::desk::Desk;
use crate::transport::{Socket, tcp};

mod connect;

/// Bytes that one read asks for.
const READ_BYTES: usize = 64 << 10;
/// For a client to take its last packets and close its side.
const FAREWELL: Duration = Duration::from_secs(5);
/// Bytes that are read and thrown away after a goodbye, so that it is not lost in a connection reset.
const FAREWELL_READ_MAX: usize = 1 << 20;

/// Holds one conversation and ends with it.
pub(crate) struct ExchangeActor {
    conversation: Option<Conversation>,
}

impl ExchangeActor {
    /// Takes a connection on this line. `read` holds what was read from it already.
    pub(crate) fn start_with(desk: &Rc<Desk>, stream: TcpStream, peer: Peer, read: BytesMut, permit: Permit) {
        let conversation = Conversation {
            desk: Rc::clone(desk),
            stream: Some(stream),
            peer,
            read,
            permit,
        };
        Self {
            conversation: Some(conversation),
        }
        .start();
    }
}

impl Actor for ExchangeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(conversation) = self.conversation.take() else {
            return ctx.stop();
        };
        ctx.spawn(conversation.hold().into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

/// A connection before its client is known.
struct Conversation {
    desk: Rc<Desk>,
    /// `None` once it has left for another line.
    stream: Option<TcpStream>,
    peer: Peer,
    read: BytesMut,
    permit: Permit,
}

/// Counts a conversation for as long as it lasts.
struct Counted(Rc<Desk>);

impl Counted {
    fn new(desk: &Rc<Desk>) -> Self {
        desk.conversations.set(desk.conversations.get() + 1);
        Self(Rc::clone(desk))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.conversations.set(self.0.conversations.get().saturating_sub(1));
    }
}

impl Conversation {
    async fn hold(mut self) {
        let _counted = Counted::new(&self.desk);
        let Some((version, connection)) = self.open().await else {
            return;
        };
        let Self {
            desk,
            stream: Some(stream),
            read,
            permit,
            ..
        } = self
        else {
            return;
        };
        let (reader, writer) = stream.into_split();
        let socket = Rc::new(Socket::new(connection.epoch, writer));
        desk.seat(connection, Rc::clone(&socket));
        let served = Served {
            desk,
            connection,
            version,
            reader,
            socket,
            read,
            _permit: permit,
        };
        served.serve().await;
    }

    /// Writes a refusal, if there is one to write, and closes.
    async fn refuse(&mut self, bytes: &[u8]) {
        let Some(stream) = self.stream.as_mut().filter(|_| !bytes.is_empty()) else {
            return;
        };
        let farewell = async {
            stream.write_all(bytes).await?;
            stream.shutdown().await?;
            discard(stream).await
        };
        if timeout(FAREWELL, farewell).await.is_err() {
            tracing::debug!(peer = %self.peer, "the client did not take its refusal in time");
        }
    }
}

/// Reads until the client closes its side, so that the kernel does not answer unread bytes with a reset.
async fn discard(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    let mut total = 0;
    while total < FAREWELL_READ_MAX {
        match stream.read(&mut buffer).await? {
            0 => break,
            read => total += read,
        }
    }
    Ok(())
}

/// A connection whose client is known.
struct Served {
    desk: Rc<Desk>,
    connection: ConnectionKey,
    version: Version,
    reader: tcp::Reader,
    socket: Rc<Socket>,
    /// A packet that is not whole, or what came after one that has to wait. Holds no memory when empty.
    read: BytesMut,
    _permit: Permit,
}

/// What a connection woke up for.
enum Woken {
    Read(Bytes, usize),
    Waiting,
    Writable,
    Ended(io::Error),
    Closed(Outbox),
}

impl Served {
    async fn serve(mut self) {
        // What followed the CONNECT in the same read.
        let first = std::mem::take(&mut self.read).freeze();
        self.take(first);
        loop {
            match poll_fn(|cx| self.poll_woken(cx)).await {
                Woken::Read(bytes, length) => {
                    self.take(bytes);
                    if length >= READ_BYTES {
                        // There is more; the others first.
                        tokio::task::yield_now().await;
                    }
                }
                Woken::Waiting => {
                    let bytes = std::mem::take(&mut self.read).freeze();
                    self.take(bytes);
                }
                Woken::Writable => self.desk.write_out(self.connection.slot),
                Woken::Ended(error) => {
                    self.desk.lose(self.connection, &error);
                    let last_words = self.socket.take_last_words().unwrap_or_default();
                    return Box::pin(self.part(last_words)).await;
                }
                Woken::Closed(last_words) => return Box::pin(self.part(last_words)).await,
            }
        }
    }

    fn poll_woken(&mut self, cx: &mut TaskContext<'_>) -> Poll<Woken> {
        self.socket.attend(cx.waker());
        if let Some(last_words) = self.socket.take_last_words() {
            return Poll::Ready(Woken::Closed(last_words));
        }
        if self.socket.poll_unblocked(cx).is_ready() {
            return Poll::Ready(Woken::Writable);
        }
        if self.socket.is_paused() || self.desk.is_congested(cx.waker()) {
            return Poll::Pending;
        }
        if !matches!(
            frame(&self.read, self.desk.settings.packet_bytes_max),
            Ok(Frame::Partial { .. })
        ) {
            return Poll::Ready(Woken::Waiting);
        }
        self.poll_read(cx)
    }

    /// Reads into the line's buffer, or on to a packet that is not whole.
    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Woken> {
        let reader = Pin::new(&mut self.reader);
        let result = if self.read.is_empty() {
            let mut shared = self.desk.read_buffer.borrow_mut();
            shared.reserve(READ_BYTES);
            poll_read_buf(reader, cx, &mut *shared).map_ok(|length| (shared.split().freeze(), length))
        } else {
            // Grows with what has come, not with what was announced.
            self.read.reserve(self.read.len().clamp(4096, 1 << 20));
            poll_read_buf(reader, cx, &mut self.read).map_ok(|length| {
                let partial = matches!(frame(&self.read, u32::MAX), Ok(Frame::Partial { .. }));
                (
                    if partial {
                        Bytes::new()
                    } else {
                        self.read.split().freeze()
                    },
                    length,
                )
            })
        };
        result.map(|read| match read {
            Ok((_, 0)) => Woken::Ended(io::ErrorKind::UnexpectedEof.into()),
            Ok((bytes, length)) => {
                self.desk.line.borrow_mut().count_bytes_in(length);
                Woken::Read(bytes, length)
            }
            Err(error) => Woken::Ended(error),
        })
    }

    /// Hands packets to the brain, one after the other. A panic ends this connection and no other.
    fn take(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let now = self.desk.clock.now();
        let taken = catch_unwind(AssertUnwindSafe(|| self.take_packets(bytes)));
        if taken.is_err() {
            self.desk.with_line(|line| line.lost(self.connection, Lost::Panic, now));
        }
    }

    fn take_packets(&mut self, mut bytes: Bytes) {
        let Self {
            desk,
            connection,
            version,
            socket,
            ..
        } = &*self;
        let now = desk.clock.now();
        let size_max = desk.settings.packet_bytes_max;
        let flow = desk.with_line(|line| {
            loop {
                match decode(&mut bytes, *version, size_max) {
                    Ok(None) => return Flow::Continue,
                    Ok(Some(packet)) => match line.receive(*connection, packet, now) {
                        Flow::Continue => {}
                        flow @ (Flow::Hold | Flow::Closed) => {
                            if flow == Flow::Hold {
                                socket.pause();
                            }
                            return flow;
                        }
                    },
                    Err(violation) => {
                        line.violated(*connection, &violation, now);
                        return Flow::Closed;
                    }
                }
            }
        });
        let rest = if flow == Flow::Closed { &[] } else { &*bytes };
        self.read = if rest.is_empty() {
            BytesMut::new()
        } else {
            BytesMut::from(rest)
        };
    }

    /// Says the last words and waits for the client to close, within a bound.
    async fn part(mut self, mut last_words: Outbox) {
        let farewell = async {
            self.socket.write_all(&mut last_words).await?;
            self.socket.shut_down();
            discard(&mut self.reader).await
        };
        if let Ok(Err(error)) = timeout(FAREWELL, farewell).await {
            tracing::trace!(%error, "the connection was gone before the goodbye");
        }
    }
}
