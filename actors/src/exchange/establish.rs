//! From the first byte of a connection to the first byte of MQTT: PROXY header, TLS handshake, WebSocket upgrade, each
//! within its time, and each in the future of its connection, so that nobody else waits.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use broker::line::Peer;
use bytes::BytesMut;
use tokio::time::timeout;

use super::Opening;
use crate::listener::Listener;
use crate::listener::tally::Arrived;
use crate::settings::WebSocketSettings;
use crate::transport::channel::Channel;
use crate::transport::layered::Layered;
use crate::transport::proxy;
use crate::transport::tls::Security;
use crate::transport::websocket::WebSocket;
use crate::transport::websocket::upgrade::{Refusal, judge};
use crate::transport::wire::Wire;

/// Why a connection came to nothing before MQTT.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// A PROXY header could be from anybody.
    #[error("not from a trusted proxy: only listeners.trusted_proxies may connect here")]
    Untrusted,
    /// Its address alone decides.
    #[error("its address is not listened to: {0:?}")]
    TurnedAway(auth::Refusal),
    #[error(transparent)]
    Proxy(#[from] proxy::NoHeader),
    #[error("the WebSocket upgrade was refused: {}: {}", .0.status, .0.what)]
    Upgrade(Refusal),
    #[error("too many handshakes under way (tls_handshakes_max), and this was the oldest")]
    Displaced,
    #[error("the {0} did not come in time")]
    Late(&'static str),
    #[error("TLS cannot be begun: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Broken {
    /// The same for the listener's tally.
    pub(super) const fn arrived(&self) -> Arrived {
        match self {
            Self::Untrusted | Self::Proxy(_) => Arrived::Proxy,
            Self::TurnedAway(_) => Arrived::TurnedAway,
            Self::Upgrade(_) => Arrived::Upgrade,
            Self::Displaced => Arrived::Displaced,
            Self::Late(_) => Arrived::Late,
            Self::Tls(_) | Self::Io(_) => Arrived::Broken,
        }
    }
}

/// Waits for a step no longer than `limit`.
async fn within<T>(
    limit: Duration,
    what: &'static str,
    step: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Broken> {
    timeout(limit, step).await.unwrap_or(Err(Broken::Late(what)))
}

impl Opening {
    /// Does what the listener wants before MQTT. The connection is closed with an error.
    pub(super) async fn establish(&mut self) -> Result<(), Broken> {
        let listener = Arc::clone(self.permit.listener());
        let limit = listener.settings.limits.handshake_timeout;
        if listener.settings.proxies.header_required {
            within(limit, "PROXY header", self.read_proxy_header(&listener)).await?;
        }
        self.look_at_address(&listener)?;
        if let Some(security) = &listener.security {
            within(limit, "TLS handshake", self.shake_hands(security, &listener)).await?;
        }
        if let Some(websocket) = &listener.settings.websocket {
            within(limit, "WebSocket upgrade", self.upgrade(websocket, &listener)).await?;
        }
        self.is_established = true;
        Ok(())
    }

    /// Nobody shakes hands with an address that is banned. Whom a proxy of the web speaks for shows later.
    fn look_at_address(&self, listener: &Listener) -> Result<(), Broken> {
        let speaks_for_others = |address| {
            let mut trusted = listener.settings.proxies.trusted.iter();
            !listener.settings.proxies.header_required && trusted.any(|network| network.contains(address))
        };
        match self.address() {
            Some(address) if !speaks_for_others(address) => {
                let admitted = self.desk.chain.admits(address.to_canonical());
                admitted.map_err(|refusal| {
                    self.desk.line.borrow_mut().count_turned_away();
                    Broken::TurnedAway(refusal)
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The layers; a plain stream has none.
    fn layered(&mut self) -> Result<(&mut Layered<Wire>, &mut BytesMut), Broken> {
        match &mut self.channel {
            Channel::Layered(layered) => Ok((layered, &mut self.read)),
            Channel::Tcp(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        }
    }

    /// Reads on; an end is an error.
    async fn read_more(&mut self) -> Result<(), Broken> {
        match poll_fn(|cx| self.channel.poll_read(cx, &mut self.read)).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    async fn read_proxy_header(&mut self, listener: &Listener) -> Result<(), Broken> {
        let is_trusted = self.address().is_some_and(|address| {
            let mut trusted = listener.settings.proxies.trusted.iter();
            trusted.any(|network| network.contains(address))
        });
        if !is_trusted {
            return Err(Broken::Untrusted);
        }
        loop {
            if let Some(header) = proxy::read(&self.read)? {
                let _ = self.read.split_to(header.length);
                if let Some(source) = header.source {
                    self.peer = Peer::Address(source);
                }
                return Ok(());
            }
            self.read_more().await?;
        }
    }

    async fn shake_hands(&mut self, security: &Security, listener: &Listener) -> Result<(), Broken> {
        let max = listener.settings.limits.handshakes_max;
        let place = self.desk.handshakes.begin(listener.number, max);
        let (layered, read) = self.layered()?;
        layered.tls = Some(security.accept()?);
        poll_fn(|cx| {
            if place.poll_displaced(cx).is_ready() {
                return Poll::Ready(Err(Broken::Displaced));
            }
            layered.poll_handshake(cx, read).map_err(Broken::Io)
        })
        .await
    }

    async fn upgrade(&mut self, settings: &WebSocketSettings, listener: &Listener) -> Result<(), Broken> {
        let upgrade = loop {
            match judge(&self.read, settings, &listener.settings.proxies, self.address()) {
                Ok(Some(upgrade)) => break upgrade,
                Ok(None) => self.read_more().await?,
                Err(refusal) => {
                    let (layered, _) = self.layered()?;
                    layered.send(refusal.answer().as_bytes()).await?;
                    return Err(Broken::Upgrade(refusal));
                }
            }
        };
        if let Some(address) = upgrade.forwarded_for {
            self.peer = Peer::Address((address, 0).into());
        }
        let frame_bytes_max = self.desk.settings.packet_bytes_max;
        let (layered, read) = self.layered()?;
        layered.send(upgrade.answer.as_bytes()).await?;
        let _ = read.split_to(upgrade.length);
        layered.websocket = Some(Box::new(WebSocket::new(frame_bytes_max)));
        Ok(layered.take_frames(read, 0)?)
    }

    fn address(&self) -> Option<IpAddr> {
        match &self.peer {
            Peer::Address(address) => Some(address.ip()),
            Peer::Local(_) => None,
        }
    }
}
