//! One endpoint: who comes in, within the bounds of its listener, and on which line a stream begins.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix::Addr;
use actix::dev::SendError;
use auth::Chain;
use broker::line::Peer;
use bytes::BytesMut;
use quinn::{Connecting, Connection, Endpoint, Incoming};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::Stage;
use super::config::Configs;
use crate::acceptor::Bucket;
use crate::clock::Clock;
use crate::handshakes::{Handshake, Handshakes};
use crate::listener::{Listener, Permit};
use crate::message::{Adopt, Arrival};
use crate::session::SessionActor;
use crate::transport::channel::Parked;
use crate::transport::layered::Layered;
use crate::transport::quic::QuicStream;
use crate::transport::wire::ParkedWire;

/// Why a connection came to nothing before MQTT.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("too many handshakes under way (tls_handshakes_max), and this was the oldest")]
    Displaced,
    #[error("the {0} did not come in time")]
    Late(&'static str),
    #[error("{0}")]
    Quic(#[from] quinn::ConnectionError),
    #[error("its home line does not keep up")]
    Crowded,
}

/// See the module.
pub(super) struct Door {
    listener: Arc<Listener>,
    endpoint: Endpoint,
    configs: Configs,
    lines: Vec<Addr<SessionActor>>,
    clock: Clock,
    chain: Arc<Chain>,
    stage: watch::Receiver<Stage>,
    bucket: RefCell<Bucket>,
    handshakes: Rc<Handshakes>,
    /// The line that takes the next stream.
    next: Cell<usize>,
    refused: Cell<u64>,
}

impl Door {
    pub(super) fn new(
        (listener, endpoint): (Arc<Listener>, Endpoint),
        configs: Configs,
        lines: Vec<Addr<SessionActor>>,
        (clock, chain, stage): (Clock, Arc<Chain>, watch::Receiver<Stage>),
    ) -> Self {
        let limits = listener.settings.limits;
        let (rate, burst) = (limits.connect_rate_per_sec, limits.connect_burst);
        let bucket = Bucket::new(u64::from(rate), u64::from(burst), clock.now());
        Self {
            listener,
            endpoint,
            configs,
            lines,
            clock,
            chain,
            stage,
            bucket: RefCell::new(bucket),
            handshakes: Rc::default(),
            next: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// Whether newcomers are heard.
    pub(super) fn let_in(&self, open: bool) {
        let config = match self.configs.current() {
            Ok(config) => open.then(|| (*config).clone()),
            Err(error) => return tracing::error!(%error, "the endpoint of QUIC stays as it is"),
        };
        self.endpoint.set_server_config(config);
    }

    /// Takes connections for as long as the endpoint is open.
    pub(super) async fn receive_forever(self: Rc<Self>) {
        while let Some(incoming) = self.endpoint.accept().await {
            // Whoever says where he is from is asked to prove it before anything is kept for him.
            if self.is_crowded() && !incoming.remote_address_validated() {
                if let Err(error) = incoming.retry() {
                    tracing::debug!(%error, "no Retry packet could be sent");
                }
                continue;
            }
            let wait = self.bucket.borrow_mut().take(self.clock.now());
            if let Err(wait) = wait {
                self.wait_for_turn(wait).await;
            }
            self.receive(incoming);
        }
        if *self.stage.borrow() == Stage::Open {
            let listener = &*self.listener.settings.name;
            tracing::error!(listener, "the endpoint of QUIC failed; it takes no more connections");
        }
    }

    async fn wait_for_turn(&self, mut wait: Duration) {
        loop {
            sleep(wait).await;
            match self.bucket.borrow_mut().take(self.clock.now()) {
                Ok(()) => return,
                Err(more) => wait = more,
            }
        }
    }

    /// Whether half of the handshakes that may be under way are.
    fn is_crowded(&self) -> bool {
        let max = self.listener.settings.limits.handshakes_max;
        self.handshakes.under_way(self.listener.number) * 2 >= max
    }

    fn receive(self: &Rc<Self>, incoming: Incoming) {
        let address = canonical(incoming.remote_address());
        // Nobody shakes hands with an address that is banned.
        if let Err(refusal) = self.chain.admits(address.ip()) {
            let listener = &*self.listener.settings.name;
            tracing::info!(peer = %address, listener, ?refusal, "connection closed before MQTT");
            return incoming.refuse();
        }
        let Some(permit) = self.listener.enter() else {
            incoming.refuse();
            return self.tell_refused();
        };
        let begun = self.configs.current().and_then(|config| {
            let begun = incoming.accept_with(config);
            begun.map_err(io::Error::other)
        });
        match begun {
            Ok(connecting) => {
                let door = Rc::clone(self);
                let limit = self.listener.settings.limits.handshakes_max;
                let place = self.handshakes.begin(self.listener.number, limit);
                spawn_local(async move {
                    if let Err(broken) = door.admit(connecting, place, permit).await {
                        let listener = &*door.listener.settings.name;
                        tracing::info!(peer = %address, listener, error = %broken, "connection closed before MQTT");
                    }
                });
            }
            Err(error) => tracing::debug!(peer = %address, %error, "no connection of QUIC begun"),
        }
    }

    fn tell_refused(&self) {
        let refused = self.refused.get() + 1;
        self.refused.set(refused);
        if refused.is_power_of_two() {
            let (name, max) = (
                &*self.listener.settings.name,
                self.listener.settings.limits.connections_max,
            );
            tracing::warn!(
                listener = name,
                max,
                refused,
                "connection refused: connections_max of its listener"
            );
        }
    }

    /// From the handshake to the stream.
    async fn admit(&self, connecting: Connecting, place: Handshake, permit: Permit) -> Result<(), Broken> {
        let limits = self.listener.settings.limits;
        let shaken = timeout(limits.handshake_timeout, shake_hands(connecting, &place));
        let connection = shaken.await.unwrap_or(Err(Broken::Late("handshake of QUIC")))?;
        drop(place);
        let opened = timeout(limits.connect_timeout, connection.accept_bi()).await;
        let stream = opened.map_err(|_| Broken::Late("stream of MQTT"))??;
        let peer = canonical(connection.remote_address());
        let stream = QuicStream::new(connection, stream);
        self.hand_over(Arrival {
            channel: Parked::Layered(Box::new(Layered::bare(ParkedWire::Quic(Box::new(stream))))),
            peer: Peer::Address(peer),
            read: BytesMut::new(),
            permit,
            is_established: true,
        })
    }

    /// Which line is the client's home shows with its CONNECT; the lines take turns in reading it.
    fn hand_over(&self, arrival: Arrival) -> Result<(), Broken> {
        let turn = self.next.get();
        self.next.set(turn.wrapping_add(1));
        let Some(line) = self.lines.get(turn % self.lines.len().max(1)) else {
            return Err(Broken::Crowded);
        };
        let arrivals = vec![arrival];
        match line.try_send(Adopt { arrivals }) {
            Ok(()) => Ok(()),
            Err(SendError::Full(_) | SendError::Closed(_)) => Err(Broken::Crowded),
        }
    }
}

async fn shake_hands(connecting: Connecting, place: &Handshake) -> Result<Connection, Broken> {
    let mut connecting = std::pin::pin!(connecting);
    poll_fn(|cx| {
        if place.poll_displaced(cx).is_ready() {
            return Poll::Ready(Err(Broken::Displaced));
        }
        connecting.as_mut().poll(cx).map_err(Broken::Quic)
    })
    .await
}

/// An IPv4 address is itself also on a socket for both families, as a service manager may pass it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
