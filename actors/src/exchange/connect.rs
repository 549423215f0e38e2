//! From the first byte of a connection to its admission: the CONNECT packet, the way to the client's home line.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use broker::acl::Subject;
use broker::exchange::Refusal;
use broker::identity::{Arriving, Identity};
use broker::line::{Admission, ConnectionKey, home_line};
use broker::session::Outbox;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{Connect, Frame, Version, Violation, decode_connect, frame};
use tokio::time::timeout;

use super::prove::Unproven;
use super::{Opening, Served, part};
use crate::authentication::{Doorway, check, identify, refusal_of};
use crate::listener::tally::Arrived;
use crate::message::Arrival;
use crate::recorder::{Tape, story};
use crate::transport::Socket;

/// Bytes that a connection without a CONNECT gets room for at a time.
pub(super) const FIRST_READ_BYTES: usize = 1024;

/// How the wait for a CONNECT ended.
enum First {
    Connect(Box<Connect>, Bytes),
    /// With what was sent of the packet that broke a rule.
    Violation(Violation, Bytes),
    Gone(io::Error),
}

impl Opening {
    /// Admits the client. `None`: it was refused, or it went to its home line.
    pub(super) async fn open(mut self: Box<Self>) -> Option<Served> {
        let desk = Rc::clone(&self.desk.0);
        // A CONNECT that is there gets an answer.
        let first = tokio::select! {
            biased;
            first = self.first() => first?,
            () = desk.barred() => {
                tracing::debug!(peer = %self.peer, "connection closed before its CONNECT: the broker ends");
                return None;
            }
        };
        match first {
            First::Connect(connect, packet) => {
                let home = home_line(&connect.client_id, self.desk.settings.lines, self.desk.index);
                if home != self.desk.index {
                    (*self).hand_over(home, &packet);
                    return None;
                }
                self.permit.listener().tally.count(Arrived::Established);
                self.record_connect(&connect, &packet);
                self.admit(*connect).await
            }
            First::Violation(violation, sent) => {
                self.permit.listener().tally.count(Arrived::Violation);
                tracing::warn!(peer = %self.peer, %violation, "connection refused");
                let answer = self.desk.with_line(|line| line.refuse_violation(&violation, &sent));
                self.record_strange(&sent);
                self.record_refused("", &violation.to_string(), &answer);
                self.refuse(&answer).await;
                None
            }
            First::Gone(error) => {
                self.permit.listener().tally.count(Arrived::Broken);
                tracing::debug!(peer = %self.peer, %error, "connection gone before its CONNECT");
                None
            }
        }
    }

    /// Waits for what a connection begins with. `None`: it came to nothing.
    async fn first(&mut self) -> Option<First> {
        let limit = self.permit.listener().settings.limits.connect_timeout;
        if timeout(limit, self.desk.lag.at_ease()).await.is_err() {
            self.desk.line.borrow_mut().count_turned_away();
            self.permit.listener().tally.count(Arrived::LineLate);
            tracing::info!(peer = %self.peer, after_ms = limit.as_millis(), "connection closed: its line does not keep up");
            return None;
        }
        if !self.is_established
            && let Err(broken) = Box::pin(self.establish()).await
        {
            self.permit.listener().tally.count(broken.arrived());
            let listener = &*self.permit.listener().settings.name;
            tracing::info!(peer = %self.peer, listener, error = %broken, "connection closed before MQTT");
            self.record_refused("", &format!("closed before MQTT on listener {listener}: {broken}"), &[]);
            return None;
        }
        let Ok(first) = timeout(limit, self.read_connect()).await else {
            self.permit.listener().tally.count(Arrived::NoConnect);
            tracing::info!(peer = %self.peer, after_ms = limit.as_millis(), "no CONNECT in time; connection closed");
            self.record_refused("", "no CONNECT in time (listener.connect_timeout_secs)", &[]);
            return None;
        };
        Some(first)
    }

    async fn read_connect(&mut self) -> First {
        let size_max = self.desk.settings.connect_bytes_max;
        loop {
            match frame(&self.read, size_max) {
                Ok(Frame::Whole { len }) => {
                    let packet = self.read.split_to(len).freeze();
                    return match decode_connect(&mut packet.clone(), size_max) {
                        Ok(Some(connect)) => First::Connect(Box::new(connect), packet),
                        Ok(None) => First::Gone(io::ErrorKind::InvalidData.into()),
                        Err(violation) => First::Violation(violation, packet),
                    };
                }
                // Another packet than CONNECT is refused before it is whole.
                Ok(Frame::Partial { .. }) => {
                    let sent = Bytes::copy_from_slice(&self.read);
                    if let Err(violation) = decode_connect(&mut sent.clone(), size_max) {
                        return First::Violation(violation, sent);
                    }
                }
                Err(violation) => return First::Violation(violation, self.read.split().freeze()),
            }
            self.read.reserve(FIRST_READ_BYTES);
            let Self { channel, read, .. } = self;
            match poll_fn(|cx| channel.poll_read(cx, read)).await {
                Ok(0) => return First::Gone(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.desk.line.borrow_mut().count_bytes_in(length),
                Err(error) => return First::Gone(error),
            }
        }
    }

    /// Says who comes in.
    async fn identify(&mut self, connect: &Connect) -> Result<Arriving, Unproven> {
        let greeted = self.desk.chain.greet(&connect.client_id, self.peer.address());
        greeted.map_err(|refusal| Unproven::Refused(refusal_of(refusal)))?;
        // Those who are in go first.
        let limit = self.permit.listener().settings.limits.connect_timeout;
        if timeout(limit, self.desk.lag.at_ease()).await.is_err() {
            return Err(Unproven::Refused(Refusal::ServerUnavailable));
        }
        if self.permit.listener().is_inside {
            return Ok(Arriving {
                peer: self.peer.clone(),
                identity: Arc::clone(&self.permit.listener().stranger),
                proof: None,
            });
        }
        let (identity, proof) = match connect.properties.authentication_method.as_deref() {
            Some(method) => {
                let (identity, last) = self.prove(method, connect).await?;
                (identity, Some(last))
            }
            None => {
                let stranger = &self.permit.listener().stranger;
                let door = Doorway {
                    peer: &self.peer,
                    stranger,
                    certificate: self.channel.peer_certificate(),
                };
                let known = identify(&self.desk.chain, connect, &door).await;
                (known.map_err(Unproven::Refused)?, None)
            }
        };
        Ok(Arriving {
            peer: self.peer.clone(),
            identity: identity.claiming(connect.username.as_deref()),
            proof,
        })
    }

    /// Who the client is; refused, if the door has closed meanwhile.
    async fn learn(&mut self, connect: &Connect) -> Result<Arriving, Unproven> {
        let desk = Rc::clone(&self.desk.0);
        let known = tokio::select! {
            biased;
            () = desk.barred() => Err(Unproven::Refused(Refusal::ServerUnavailable)),
            known = self.identify(connect) => known,
        };
        let arriving = known?;
        let allowed = self.check(&connect.client_id, &arriving.identity);
        allowed.map(|()| arriving).map_err(Unproven::Refused)
    }

    async fn admit(mut self: Box<Self>, connect: Connect) -> Option<Served> {
        let version = connect.version;
        let client = connect.client_id.clone();
        let fresh = match client.is_empty().then(random).transpose() {
            Ok(fresh) => fresh.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "no random numbers from the system; connection closed");
                return None;
            }
        };
        let desk = Rc::clone(&self.desk.0);
        let known = self.learn(&connect).await;
        let identity = known.as_ref().ok().map(|arriving| Arc::clone(&arriving.identity));
        let now = desk.clock.now();
        let mut admission = match known {
            Ok(arriving) => self.desk.with_line(|line| line.admit(connect, arriving, fresh, now)),
            Err(Unproven::Refused(refusal)) => self.desk.with_line(|line| line.reject(&connect, refusal, now)),
            Err(Unproven::Wrong(violation, answer)) => {
                tracing::warn!(client = %&*client, peer = %self.peer, violation, "connection refused");
                self.record_refused(&client, &violation, &answer);
                self.refuse(&answer).await;
                return None;
            }
            Err(Unproven::Gone(error)) => {
                tracing::debug!(client = %&*client, peer = %self.peer, %error, "connection gone before its CONNACK");
                self.record_refused(
                    &client,
                    &format!("the client was gone before its CONNACK: {error}"),
                    &[],
                );
                return None;
            }
        };
        loop {
            match admission {
                Admission::Admitted(connection) => {
                    tracing::debug!(client = %&*client, peer = %self.peer, %version, listener = &*self.permit.listener().settings.name, "connected");
                    self.record_admitted(&client);
                    return Some((*self).serve(version, connection));
                }
                Admission::Refused(answer, refusal) => {
                    if refusal == Refusal::ConnectionRateExceeded {
                        // It was named when it was held off, and may come often.
                        tracing::debug!(client = %&*client, peer = %self.peer, %version, ?refusal, "connection refused");
                    } else {
                        tracing::warn!(client = %&*client, peer = %self.peer, %version, ?refusal, "connection refused");
                    }
                    self.record_refused(&client, story::refused(refusal), &answer);
                    self.refuse(&answer).await;
                    return None;
                }
                Admission::Held(held, millis) => {
                    let is_barred = timeout(Duration::from_millis(millis), desk.barred()).await.is_ok();
                    let refusal = if is_barred {
                        Some(Refusal::ServerUnavailable)
                    } else {
                        let known = identity.as_deref();
                        known.and_then(|identity| self.check(&client, identity).err())
                    };
                    let now = self.desk.clock.now();
                    admission = self.desk.with_line(|line| match refusal {
                        Some(refusal) => line.reject_held(*held, refusal, now),
                        None => line.admit_held(*held, now),
                    });
                }
            }
        }
    }

    /// Whether the client may come in at this moment: it may have been banned, its user removed or its listener closed,
    /// while others said who it is, and whoever disconnects those who are in has not seen it.
    fn check(&self, client_id: &str, identity: &Identity) -> Result<(), Refusal> {
        if self.permit.listener().is_closed() {
            return Err(Refusal::ServerUnavailable);
        }
        if self.permit.listener().is_inside {
            return Ok(());
        }
        let subject = Subject {
            identity,
            client_id,
            address: self.peer.address(),
        };
        check(&self.desk.chain, &subject)
    }

    /// The second part of the conversation.
    fn serve(self, version: Version, connection: ConnectionKey) -> Served {
        let Self {
            desk,
            channel,
            read,
            permit,
            tape,
            ..
        } = self;
        let socket = Rc::new(Socket::new(connection.epoch, channel, tape.unwrap_or_default()));
        desk.seat(connection, Rc::clone(&socket));
        let counts_bytes = desk.line.borrow().counts_bytes_of(connection);
        let mut served = Served {
            desk,
            connection,
            counts_bytes,
            version,
            socket,
            read: BytesMut::new(),
            parting: None,
            _permit: permit,
        };
        // What followed the CONNECT in the same read.
        if served.desk.line.borrow().is_paused(connection) {
            served.socket.pause();
            served.read = read;
        } else {
            served.take(read.freeze());
        }
        served
    }

    /// Writes a refusal, if there is one to write, and closes.
    async fn refuse(self: Box<Self>, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut answer = Outbox::default();
            answer.append(|buffer| buffer.extend_from_slice(bytes));
            let socket = Rc::new(Socket::new(0, self.channel, Tape::default()));
            part(socket, answer).await;
        }
    }

    /// Sends the connection with all that was read from it to the line where the client's session lives.
    fn hand_over(self, home: u16, packet: &[u8]) {
        let mut read = BytesMut::with_capacity(packet.len() + self.read.len());
        read.extend_from_slice(packet);
        read.extend_from_slice(&self.read);
        let Self {
            desk,
            channel,
            peer,
            permit,
            ..
        } = self;
        match channel.park() {
            Ok(channel) => desk.hand_over(
                home,
                Arrival {
                    channel,
                    peer,
                    read,
                    permit,
                    is_established: true,
                },
            ),
            Err(error) => tracing::warn!(%peer, %error, "connection lost on the way to its home line"),
        }
    }
}

fn random() -> Result<u128, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_ne_bytes(bytes))
}
