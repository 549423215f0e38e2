//! The acceptor actor: takes connections on a listener of one line, within the listener's bounds.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use broker::line::{Peer, home_line};
use broker::message::Millis;
use bytes::{Bytes, BytesMut};
use mqtt_codec::decode_connect;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::desk::Desk;
use crate::exchange::ExchangeActor;
use crate::listener::{Listener, Permit};
use crate::message::Arrival;
use crate::transport::channel::Parked;
use crate::transport::layered::Layered;
use crate::transport::tcp;
use crate::transport::wire::ParkedWire;

/// After an error of the system's, such as no free descriptor.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections accepted before others have their turn.
const TURN: u64 = 32;
/// Bytes that are read from a connection as soon as it is accepted.
const FIRST_READ_BYTES: usize = 512;

/// A token bucket: `rate` connections per second in the long run, `burst` after a pause.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate_per_sec: u64,
    /// In thousandths of a connection.
    burst: u64,
    level: u64,
    at: Millis,
}

impl Bucket {
    pub(crate) fn new(rate_per_sec: u64, burst: u64, now: Millis) -> Self {
        let burst = burst.max(1) * 1000;
        Self {
            rate_per_sec: rate_per_sec.max(1),
            burst,
            level: burst,
            at: now,
        }
    }

    /// Takes one, or says how long to wait for it.
    pub(crate) fn take(&mut self, now: Millis) -> Result<(), Duration> {
        let gained = now.since(self.at).saturating_mul(self.rate_per_sec);
        self.level = self.level.saturating_add(gained).min(self.burst);
        self.at = now;
        if self.level >= 1000 {
            self.level -= 1000;
            return Ok(());
        }
        Err(Duration::from_millis((1000 - self.level).div_ceil(self.rate_per_sec)))
    }
}

/// What one line's share of a listener is made of.
struct Share {
    socket: OwnedFd,
    desk: Rc<Desk>,
    listener: Arc<Listener>,
    bucket: Bucket,
}

/// See the module.
pub(crate) struct AcceptorActor {
    share: Option<Share>,
}

impl AcceptorActor {
    /// Takes one line's share of a listener.
    pub(crate) fn new(socket: OwnedFd, desk: Rc<Desk>, listener: Arc<Listener>) -> Self {
        let limits = listener.settings.limits;
        let lines = u64::from(desk.settings.lines.max(1));
        let rate = u64::from(limits.connect_rate_per_sec).div_ceil(lines);
        let bucket = Bucket::new(rate, u64::from(limits.connect_burst).div_ceil(lines), desk.clock.now());
        Self {
            share: Some(Share {
                socket,
                desk,
                listener,
                bucket,
            }),
        }
    }
}

impl Actor for AcceptorActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(share) = self.share.take() else {
            return ctx.stop();
        };
        let accepting = async move {
            let name = share.listener.settings.name.clone();
            if let Err(error) = share.accept_forever().await {
                tracing::error!(listener = name, %error, "a listener failed; this line takes no more connections on it");
            }
        };
        ctx.spawn(accepting.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Share {
    async fn accept_forever(self) -> io::Result<()> {
        let Self {
            socket,
            desk,
            listener,
            mut bucket,
        } = self;
        #[expect(
            deprecated,
            reason = "its successor is unsafe on account of types that change their descriptor; an OwnedFd does not"
        )]
        let socket = AsyncFd::with_interest(socket, Interest::READABLE)?;
        let mut refused: u64 = 0;
        let mut waits = Waits::default();
        for accepted_count in 1_u64.. {
            if accepted_count.is_multiple_of(TURN) {
                yield_now().await;
            }
            while let Err(wait) = bucket.take(desk.clock.now()) {
                sleep(wait).await;
            }
            desk.lag.at_ease().await;
            while desk.overload.has_no_descriptors() {
                waits.begin(
                    &listener,
                    &format_args!("{} connections are open", desk.overload.connections_max()),
                );
                sleep(PAUSE).await;
            }
            let (stream, address) = match tcp::accept(&socket).await {
                Ok(accepted) => accepted,
                Err(error) => {
                    waits.begin(&listener, &error);
                    sleep(PAUSE).await;
                    continue;
                }
            };
            waits.end(&listener);
            let Some(permit) = listener.enter() else {
                desk.line.borrow_mut().count_turned_away();
                refused += 1;
                if refused.is_power_of_two() {
                    let (name, max) = (&*listener.settings.name, listener.settings.limits.connections_max);
                    tracing::warn!(
                        listener = name,
                        max,
                        refused,
                        "connection closed: connections_max of its listener"
                    );
                }
                continue;
            };
            admit(&desk, arrival(stream, address, permit));
        }
        Ok(())
    }
}

/// Whether an acceptor waits for the system to give it a descriptor: those who are in are served meanwhile.
#[derive(Debug, Default)]
struct Waits(bool);

impl Waits {
    fn begin(&mut self, listener: &Listener, why: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.0, true) {
            tracing::warn!(
                listener = listener.settings.name,
                %why,
                "no connections are accepted for want of descriptors; raise the limit of open files (LimitNOFILE, ulimit -n)"
            );
        }
    }

    fn end(&mut self, listener: &Listener) {
        if std::mem::take(&mut self.0) {
            tracing::info!(listener = listener.settings.name, "connections are accepted again");
        }
    }
}

/// A connection as it arrives. One without an address is of a Unix socket.
fn arrival(stream: OwnedFd, address: Option<SocketAddr>, permit: Permit) -> Arrival {
    let listener = permit.listener();
    let is_established = listener.is_bare();
    let (channel, peer) = match address {
        Some(address) if is_established => (Parked::Tcp(TcpStream::from(stream)), Peer::Address(address)),
        Some(address) => (layered(ParkedWire::Tcp(stream.into())), Peer::Address(address)),
        None => (
            layered(ParkedWire::Unix(stream.into())),
            Peer::Local(listener.settings.name.clone()),
        ),
    };
    Arrival {
        channel,
        peer,
        read: BytesMut::new(),
        permit,
        is_established,
    }
}

fn layered(wire: ParkedWire) -> Parked {
    Parked::Layered(Box::new(Layered::bare(wire)))
}

/// Gives a connection to this line, or to its client's home line if a whole CONNECT is there to tell.
fn admit(desk: &Rc<Desk>, mut arrival: Arrival) {
    let home = match read_first(desk, &mut arrival) {
        Ok(home) => home,
        Err(error) => {
            return tracing::debug!(peer = %arrival.peer, %error, "connection gone as soon as it was there");
        }
    };
    if home == desk.index {
        ExchangeActor::start_with(desk, arrival);
    } else {
        desk.hand_over(home, arrival);
    }
}

/// Reads what has come with a connection of plain TCP. A client's home is here for as long as its CONNECT is not known.
fn read_first(desk: &Desk, arrival: &mut Arrival) -> io::Result<u16> {
    let Parked::Tcp(stream) = &mut arrival.channel else {
        return Ok(desk.index);
    };
    let mut first = [0; FIRST_READ_BYTES];
    let read = match stream.read(&mut first) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(length) => first.get(..length).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(desk.index),
        Err(error) => return Err(error),
    };
    desk.line.borrow_mut().count_bytes_in(read.len());
    arrival.read = BytesMut::from(read);
    if desk.settings.lines == 1 {
        return Ok(desk.index);
    }
    let mut packet = Bytes::copy_from_slice(read);
    // What breaks a rule is refused here.
    Ok(match decode_connect(&mut packet, desk.settings.connect_bytes_max) {
        Ok(Some(connect)) => home_line(&connect.client_id, desk.settings.lines, desk.index),
        Ok(None) | Err(_) => desk.index,
    })
}

/// From the line, when the broker stops: accept nobody any more.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

impl Handler<Close> for AcceptorActor {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_pass_and_then_its_rate() {
        let mut bucket = Bucket::new(10, 3, Millis(0));
        for _ in 0..3 {
            assert_eq!(bucket.take(Millis(0)), Ok(()));
        }
        assert_eq!(bucket.take(Millis(0)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.take(Millis(100)), Ok(()));
        assert!(bucket.take(Millis(150)).is_err());
        assert_eq!((0..5).filter(|_| bucket.take(Millis(100_000)).is_ok()).count(), 3);
    }
}
