//! The acceptor actor: takes connections on a listener of one line, within the listener's bounds.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use broker::line::Peer;
use broker::message::Millis;
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::desk::Desk;
use crate::exchange::ExchangeActor;
use crate::settings::ListenerLimits;
use crate::transport::tcp;

/// After an error of the system's, such as no free descriptor.
const PAUSE: Duration = Duration::from_millis(100);

/// Counts the connections of one listener over all lines.
#[derive(Debug)]
pub(crate) struct Gate {
    open: AtomicUsize,
    max: usize,
}

impl Gate {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            max,
        })
    }

    fn enter(self: &Arc<Self>) -> Option<Permit> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit(Arc::new(Inside(Arc::clone(self)))))
    }
}

/// A connection's leave to be open; goes with it from line to line.
#[derive(Clone, Debug)]
pub(crate) struct Permit(#[allow(dead_code, reason = "held for its Drop")] Arc<Inside>);

#[derive(Debug)]
struct Inside(Arc<Gate>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A token bucket: `rate` connections per second in the long run, `burst` after a pause.
#[derive(Debug)]
struct Bucket {
    rate_per_sec: u64,
    /// In thousandths of a connection.
    burst: u64,
    level: u64,
    at: Millis,
}

impl Bucket {
    fn new(rate_per_sec: u64, burst: u64, now: Millis) -> Self {
        let burst = burst.max(1) * 1000;
        Self {
            rate_per_sec: rate_per_sec.max(1),
            burst,
            level: burst,
            at: now,
        }
    }

    /// Takes one, or says how long to wait for it.
    fn take(&mut self, now: Millis) -> Result<(), Duration> {
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
    listener: TcpListener,
    desk: Rc<Desk>,
    gate: Arc<Gate>,
    bucket: Bucket,
}

/// See the module.
pub(crate) struct AcceptorActor {
    share: Option<Share>,
}

impl AcceptorActor {
    /// Takes one line's share of a listener.
    pub(crate) fn new(listener: TcpListener, desk: Rc<Desk>, gate: Arc<Gate>, limits: ListenerLimits) -> Self {
        let lines = u64::from(desk.settings.lines.max(1));
        let rate = u64::from(limits.connect_rate_per_sec).div_ceil(lines);
        let bucket = Bucket::new(rate, u64::from(limits.connect_burst).div_ceil(lines), desk.clock.now());
        Self {
            share: Some(Share {
                listener,
                desk,
                gate,
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
            if let Err(error) = share.accept_forever().await {
                tracing::error!(%error, "a listener failed; this line takes no more connections on it");
            }
        };
        ctx.spawn(accepting.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Share {
    async fn accept_forever(self) -> io::Result<()> {
        let Self {
            listener,
            desk,
            gate,
            mut bucket,
        } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut refused: u64 = 0;
        loop {
            while let Err(wait) = bucket.take(desk.clock.now()) {
                sleep(wait).await;
            }
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; waiting");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(permit) = gate.enter() else {
                refused += 1;
                if refused.is_power_of_two() {
                    tracing::warn!(peer = %address, max = gate.max, refused, "connection closed: listener.connections_max");
                }
                continue;
            };
            admit(&desk, stream, Peer::Address(address), permit);
        }
    }
}

fn admit(desk: &Rc<Desk>, stream: TcpStream, peer: Peer, permit: Permit) {
    if let Err(error) = tcp::prepare(&stream) {
        tracing::debug!(%peer, %error, "connection gone as soon as it was there");
        return;
    }
    ExchangeActor::start_with(desk, stream, peer, BytesMut::new(), permit);
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

    #[test]
    fn a_gate_counts_those_inside_and_forgets_those_who_left() {
        let gate = Gate::new(1);
        let permit = gate.enter();
        assert!(permit.is_some());
        assert!(gate.enter().is_none());
        drop(permit);
        assert!(gate.enter().is_some());
    }
}
