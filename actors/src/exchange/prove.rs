//! A client that proves itself between its CONNECT and its CONNACK: AUTH to and fro, within the time and the size that a
//! CONNECT may have.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use broker::exchange::Refusal;
use broker::identity::Identity;
use broker::line::{Heard, Proof};
use broker::session::Outbox;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{Connect, Frame, Version, decode, frame};
use tokio::time::timeout;

use super::Opening;
use super::connect::FIRST_READ_BYTES;
use crate::authentication::Prover;

/// Why a client has not proven itself.
pub(super) enum Unproven {
    /// It is told so with the refusal of its CONNECT.
    Refused(Refusal),
    /// It has said what it may not, named here, and is told so by these bytes.
    Wrong(String, BytesMut),
    /// It is not there any more.
    Gone(io::Error),
}

impl Opening {
    /// Lets the client prove itself by the method that its CONNECT names. Says who it is and what it is told last.
    pub(super) async fn prove(&mut self, method: &str, connect: &Connect) -> Result<(Arc<Identity>, Bytes), Unproven> {
        let limit = self.permit.listener().settings.limits.connect_timeout;
        let conversation = Box::pin(self.converse(method, connect));
        timeout(limit, conversation).await.unwrap_or_else(|_| {
            tracing::info!(client = %&*connect.client_id, after_ms = limit.as_millis(), "no proof in time");
            Err(Unproven::Refused(Refusal::NotAuthorized))
        })
    }

    async fn converse(&mut self, method: &str, connect: &Connect) -> Result<(Arc<Identity>, Bytes), Unproven> {
        let client = (&*connect.client_id, connect.username.as_deref(), self.peer.address());
        let listener = &self.permit.listener().stranger.listener;
        let chain = Arc::clone(&self.desk.chain);
        let mut prover = Prover::by(method, &chain, client, listener).map_err(Unproven::Refused)?;
        let mut data = connect.properties.authentication_data.clone().unwrap_or_default();
        loop {
            let challenge = match prover.judge(&chain, &data) {
                Proof::Given(identity, last) => return Ok((identity, last)),
                Proof::Failed(refusal) => return Err(Unproven::Refused(refusal)),
                Proof::More(challenge) => challenge,
            };
            let packet = self.desk.with_line(|line| line.challenge(connect, challenge));
            let packet = packet.map_err(Unproven::Refused)?;
            self.record_aside(true, &packet);
            self.tell(&packet).await.map_err(Unproven::Gone)?;
            data = self.hear(connect).await?;
        }
    }

    async fn hear(&mut self, connect: &Connect) -> Result<Bytes, Unproven> {
        let size_max = self.desk.settings.connect_bytes_max;
        loop {
            let heard = match frame(&self.read, size_max) {
                Ok(Frame::Partial { .. }) => None,
                Ok(Frame::Whole { len }) => {
                    let mut packet = self.read.split_to(len).freeze();
                    self.record_aside(false, &packet);
                    decode(&mut packet, Version::V5, size_max).transpose()
                }
                Err(violation) => Some(Err(violation)),
            };
            let Some(heard) = heard else {
                self.read_on().await.map_err(Unproven::Gone)?;
                continue;
            };
            let heard = self.desk.with_line(|line| match &heard {
                Ok(packet) => line.hear(connect, packet),
                Err(violation) => line.mishear(violation),
            });
            return match heard {
                Heard::Data(data) => Ok(data),
                Heard::Left => Err(Unproven::Gone(io::ErrorKind::ConnectionAborted.into())),
                Heard::Wrong(what, answer) => Err(Unproven::Wrong(what, answer)),
            };
        }
    }

    async fn read_on(&mut self) -> io::Result<()> {
        self.read.reserve(FIRST_READ_BYTES);
        let Self { channel, read, .. } = self;
        match poll_fn(|cx| channel.poll_read(cx, read)).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.desk.line.borrow_mut().count_bytes_in(length);
                Ok(())
            }
        }
    }

    async fn tell(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = Outbox::default();
        out.append(|buffer| buffer.extend_from_slice(bytes));
        while !out.is_empty() || self.channel.has_unsent() {
            poll_fn(|cx| self.channel.poll_write_ready(cx)).await?;
            let written = match out.is_empty() {
                true => self.channel.flush().map(|()| 0),
                false => self.channel.write_once(&out),
            };
            match written {
                Ok(written) => out.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
