//! The exchange actor: one connection, from its first byte to its last.

use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use broker::line::{ConnectionKey, Flow, Lost, Peer};
use broker::message::Millis;
use broker::session::Outbox;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{Frame, Version, decode, frame};
use tokio::time::timeout;

use crate::desk::Desk;
use crate::listener::Permit;
use crate::message::Arrival;
use crate::recorder::Tape;
use crate::transport::channel::Channel;
use crate::transport::{Ending, Socket};

mod connect;
mod establish;
mod prove;
mod recorded;

/// Bytes that one read asks for.
const READ_BYTES: usize = 64 << 10;
/// For a client to take its last packets and close its side.
const FAREWELL: Duration = Duration::from_secs(5);

/// Holds one conversation and ends with it.
///
/// A conversation has two parts, each a future of its own, so that the many that idle in the second hold no room for the
/// first.
pub(crate) struct ExchangeActor {
    opening: Option<Box<Opening>>,
}

impl ExchangeActor {
    /// Takes a connection on this line.
    pub(crate) fn start_with(desk: &Rc<Desk>, arrival: Arrival) {
        let Arrival {
            channel,
            peer,
            read,
            permit,
            is_established,
        } = arrival;
        let channel = match Channel::attend(channel) {
            Ok(channel) => channel,
            Err(error) => return tracing::warn!(%peer, %error, "connection closed: the event queue does not take it"),
        };
        let opening = Opening {
            desk: Conversing::at(desk),
            channel,
            peer,
            read,
            permit,
            is_established,
            tape: None,
        };
        Self {
            opening: Some(Box::new(opening)),
        }
        .start();
    }
}

impl Actor for ExchangeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(opening) = self.opening.take() else {
            return ctx.stop();
        };
        ctx.spawn(opening.open().into_actor(self).map(|served, actor, ctx| match served {
            Some(served) => {
                ctx.spawn(served.into_actor(actor).map(|(), _, ctx| ctx.stop()));
            }
            None => ctx.stop(),
        }));
    }
}

/// The line's desk, which counts a conversation for as long as this is held.
struct Conversing(Rc<Desk>);

impl Conversing {
    fn at(desk: &Rc<Desk>) -> Self {
        desk.conversations.set(desk.conversations.get() + 1);
        desk.overload.connection_opened();
        Self(Rc::clone(desk))
    }
}

impl Drop for Conversing {
    fn drop(&mut self) {
        self.0.conversations.set(self.0.conversations.get().saturating_sub(1));
        self.0.overload.connection_closed();
    }
}

impl Deref for Conversing {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.0
    }
}

/// A connection before its client is known.
struct Opening {
    desk: Conversing,
    channel: Channel,
    peer: Peer,
    read: BytesMut,
    permit: Permit,
    /// What comes is MQTT.
    is_established: bool,
    /// What the flight recorder has of it, from its CONNECT on.
    tape: Option<Tape>,
}

/// A connection whose client is known: a future that lasts as long as the connection.
struct Served {
    desk: Conversing,
    connection: ConnectionKey,
    version: Version,
    socket: Rc<Socket>,
    /// A packet that is not whole, or what came after one that has to wait. Holds no memory when empty.
    read: BytesMut,
    /// Whether bytes of packets are counted against a rate.
    counts_bytes: bool,
    /// The goodbye, once it is being said.
    parting: Option<Pin<Box<dyn Future<Output = ()>>>>,
    _permit: Permit,
}

/// Bytes to make room for: up to the end of the packet that has begun, and never more than four times what has come of
/// it, so that an announcement alone takes no memory.
fn room_for(begun: &[u8]) -> usize {
    let packet = match frame(begun, u32::MAX) {
        Ok(Frame::Partial { need: Some(packet) }) => packet,
        Ok(Frame::Partial { need: None } | Frame::Whole { .. }) | Err(_) => 0,
    };
    let missing = packet.saturating_sub(begun.len());
    missing.min(begun.len() * 4).clamp(4096, 1 << 20)
}

/// Says goodbye within a bound.
async fn part(socket: Rc<Socket>, last_words: Outbox) {
    match timeout(FAREWELL, socket.part(last_words)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::trace!(%error, "the connection was gone before the goodbye"),
        Err(_) => tracing::debug!("a client did not take its goodbye in time"),
    }
}

/// What a connection woke up for.
enum Woken {
    Read(Bytes, usize),
    Waiting,
    Writable,
    Gone(io::Error),
    Closed(Ending),
}

impl Future for Served {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            if let Some(parting) = &mut self.parting {
                return parting.as_mut().poll(cx);
            }
            match ready!(self.poll_woken(cx)) {
                Woken::Read(bytes, length) => {
                    self.take(bytes);
                    if length >= READ_BYTES {
                        // There is more; the others first.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Woken::Waiting => {
                    let bytes = std::mem::take(&mut self.read).freeze();
                    self.take(bytes);
                }
                Woken::Writable => self.desk.write_out(self.connection.slot),
                Woken::Gone(error) => {
                    self.desk.lose(self.connection, &error);
                    // A client may have closed one direction only, and await what it is owed.
                    match self.socket.take_ending() {
                        Some(Ending::LastWords(last_words)) => self.say(last_words),
                        Some(Ending::AtOnce) | None => return Poll::Ready(()),
                    }
                }
                Woken::Closed(Ending::LastWords(last_words)) => self.say(last_words),
                Woken::Closed(Ending::AtOnce) => return Poll::Ready(()),
            }
        }
    }
}

impl Served {
    fn say(&mut self, last_words: Outbox) {
        self.parting = Some(Box::pin(part(Rc::clone(&self.socket), last_words)));
    }

    fn poll_woken(&mut self, cx: &mut TaskContext<'_>) -> Poll<Woken> {
        self.socket.attend(cx.waker());
        if let Some(ending) = self.socket.take_ending() {
            return Poll::Ready(Woken::Closed(ending));
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
        let result = if self.read.is_empty() {
            let mut shared = self.desk.read_buffer.borrow_mut();
            shared.reserve(READ_BYTES);
            let read = self.socket.poll_read(cx, &mut shared);
            read.map_ok(|length| (shared.split().freeze(), length))
        } else {
            self.read.reserve(room_for(&self.read));
            self.socket.poll_read(cx, &mut self.read).map_ok(|length| {
                let partial = matches!(frame(&self.read, u32::MAX), Ok(Frame::Partial { .. }));
                let whole = if partial {
                    Bytes::new()
                } else {
                    self.read.split().freeze()
                };
                (whole, length)
            })
        };
        result.map(|read| match read {
            Ok((_, 0)) => Woken::Gone(io::ErrorKind::UnexpectedEof.into()),
            Ok((bytes, length)) => {
                self.desk.line.borrow_mut().count_bytes_in(length);
                Woken::Read(bytes, length)
            }
            Err(error) => Woken::Gone(error),
        })
    }

    /// Hands packets to the brain, one after the other. A panic ends this connection and no other.
    fn take(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let micros = self.desk.clock.micros();
        let now = Millis(micros / 1000);
        let taken = catch_unwind(AssertUnwindSafe(|| self.take_packets(bytes, micros)));
        if taken.is_err() {
            self.desk.with_line(|line| line.lost(self.connection, Lost::Panic, now));
        }
    }

    fn take_packets(&mut self, mut bytes: Bytes, micros: u64) {
        let Self {
            desk,
            connection,
            version,
            socket,
            counts_bytes,
            ..
        } = &*self;
        let now = Millis(micros / 1000);
        let size_max = desk.settings.packet_bytes_max;
        let read = bytes.len();
        socket.tape.borrow_mut().read(&bytes, now, &desk.recorder);
        let flow = desk.with_line(|line| {
            line.clock_is(micros);
            let flow = loop {
                match decode(&mut bytes, *version, size_max) {
                    Ok(None) => break Flow::Continue,
                    Ok(Some(packet)) => match line.receive(*connection, packet, now) {
                        Flow::Continue => {}
                        flow @ (Flow::Hold | Flow::Closed) => break flow,
                    },
                    Err(violation) => {
                        let mut tape = socket.tape.borrow_mut();
                        tape.broken(read - bytes.len(), &bytes, now, &desk.recorder);
                        drop(tape);
                        line.violated(*connection, &violation, now);
                        break Flow::Closed;
                    }
                }
            };
            let flow = match flow {
                Flow::Continue | Flow::Hold if *counts_bytes => {
                    flow.and(line.count_bytes_of(*connection, read - bytes.len(), now))
                }
                Flow::Continue | Flow::Hold | Flow::Closed => flow,
            };
            if flow == Flow::Hold {
                socket.pause();
            }
            flow
        });
        socket.tape.borrow_mut().taken(read - bytes.len());
        let rest = if flow == Flow::Closed { &[] } else { &*bytes };
        self.read = if rest.is_empty() {
            BytesMut::new()
        } else {
            BytesMut::from(rest)
        };
    }
}
