//! Clients sent away by the operator: to another server, for good, or until another binary has taken over and they return.
//!
//! All go through the sessions slice by slice, so that no client waits for the end of a long list.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use mqtt_codec::{ClientId, Disconnect, DisconnectReason, Packet, Version};

use super::{ConnectionKey, Line};
use crate::acl::Subject;
use crate::durable::{Change, WillImage};
use crate::effect::{Cause, Closing, Effect};
use crate::message::Millis;
use crate::session::Session;
use crate::timers::Timer;

/// Sessions that one slice looks at.
const SLICE: u32 = 2000;
/// What a client of 5.0 reads that is to return at once.
const BACK_SOON: &str = "the broker is being upgraded: connect again";

/// Where clients are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// To stay there (0x9D, server moved), not only this time (0x9C, use another server).
    pub for_good: bool,
    /// The server to go to, as 5.0 writes it: `host:port`, or several with spaces between them.
    pub reference: Option<String>,
}

impl Elsewhere {
    fn reason(&self) -> DisconnectReason {
        if self.for_good {
            DisconnectReason::ServerMoved
        } else {
            DisconnectReason::UseAnotherServer
        }
    }
}

/// Says whether a client is meant.
pub type IsMeant = dyn Fn(&Subject<'_>) -> bool + Send + Sync;

/// How far a slice has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Connections that were ended.
    pub ended: usize,
    /// Where the next slice begins; `None`: there is none.
    pub next: Option<u32>,
}

/// Wills of clients that were connected when another binary took over, until they are back or their time is over.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Until then; nobody is awaited any more after it.
    until: Millis,
    /// With a will that no session holds.
    clients: HashMap<ClientId, Option<WillImage>, FixedState>,
}

impl Awaited {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            until: Millis::default(),
            clients: HashMap::with_hasher(hasher),
        }
    }
}

impl Line {
    /// Sends clients to another server, `max` at most, beginning with slot `from`. Their sessions stay, and their wills
    /// are published as after any end that the client did not ask for: section 3.1.2.5 in 5.0.
    pub fn send_away(&mut self, to: &Elsewhere, from: u32, max: usize, now: Millis) -> Slice {
        self.turn.now = now;
        let slice = self.slice(
            (from, max),
            |_| true,
            |line, connection| line.send_one_away(connection, to),
        );
        self.settle();
        slice
    }

    /// Ends connections whose clients are to return to the same sessions, beginning with slot `from`: 0x8B in 5.0. What
    /// the store holds of them stays as it is, wills too: who reads it next decides about them
    /// ([`Line::await_return`]). Nothing that happens to this line afterwards is to be relied on.
    pub fn suspend(&mut self, from: u32, now: Millis) -> Slice {
        self.turn.now = now;
        let slice = self.slice((from, usize::MAX), |_| true, Self::suspend_one);
        self.settle();
        slice
    }

    /// Ends the connections of clients that are meant, `max` at most, beginning with slot `from`: 0x98 in 5.0. Their
    /// sessions stay.
    pub fn disconnect_meant(
        &mut self,
        is_meant: &IsMeant,
        words: &str,
        (from, max): (u32, usize),
        now: Millis,
    ) -> Slice {
        self.turn.now = now;
        let is_session_meant = |session: &Session| is_meant(&session.subject());
        let slice = self.slice((from, max), is_session_meant, |line, connection| {
            let cause = Cause::Administrative(words.to_owned());
            line.close_with(connection, DisconnectReason::AdministrativeAction, cause);
        });
        self.settle();
        slice
    }

    fn slice(
        &mut self,
        (from, max): (u32, usize),
        is_meant: impl Fn(&Session) -> bool,
        mut end: impl FnMut(&mut Self, ConnectionKey),
    ) -> Slice {
        let slots = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let mut ended = 0;
        let last = from.saturating_add(SLICE).min(slots);
        for slot in from..last {
            if ended >= max {
                return Slice {
                    ended,
                    next: Some(slot),
                };
            }
            let session = self.slots.get(slot as usize).and_then(|slot| slot.session.as_deref());
            let meant = session.filter(|session| is_meant(session));
            if let Some(connection) = meant.and_then(Session::connection) {
                end(self, connection);
                ended += 1;
            }
        }
        Slice {
            ended,
            next: (last < slots).then_some(last),
        }
    }

    fn send_one_away(&mut self, connection: ConnectionKey, to: &Elsewhere) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        if let Some(link) = &mut session.link {
            // In the order of every goodbye: what the store has not made good is not given.
            link.out.cut_gated();
            let is_greeted = link.is_greeted || link.out.open_len() > 0;
            if is_greeted && link.version == Version::V5 {
                let mut packet = Disconnect::new(to.reason());
                packet.server_reference = to.reference.as_deref().map(Into::into);
                if !link.write(connection.slot, &Packet::Disconnect(packet), turn) {
                    // [MQTT-3.14.2-3] in 5.0 is of the reason in words; a reference that is too long helps no more.
                    link.write_disconnect(connection.slot, to.reason(), "", turn);
                }
            }
        }
        self.close_as(connection, Cause::SentAway, to.reason(), false);
    }

    fn suspend_one(&mut self, connection: ConnectionKey) {
        let Some((session, turn)) = self.connected(connection) else {
            return;
        };
        let Some(mut link) = session.link.take() else { return };
        let key = session.key;
        turn.counters.connected -= 1;
        turn.presence.set_connected(key, false);
        turn.timers.cancel(link.looks_at, key, Timer::KeepAlive(link.epoch));
        link.out.cut_gated();
        if link.is_greeted || link.out.open_len() > 0 {
            let reason = DisconnectReason::ServerShuttingDown;
            link.write_disconnect(connection.slot, reason, BACK_SOON, turn);
        }
        for pending in link.pending.drain(..) {
            turn.end(pending.exchange.cancel());
        }
        if let Some(held) = link.held.take() {
            turn.end(held.exchange.cancel());
        }
        let reason = DisconnectReason::ServerShuttingDown.code();
        let record = super::close::record_of(session, &link, Cause::ServerStopping, reason, turn.now);
        let last_words = std::mem::take(&mut link.out);
        turn.effects.push(Effect::Close(Box::new(Closing {
            connection,
            last_words,
            record,
        })));
        if let Some(at) = session.identity.expires_at {
            turn.timers.cancel(at, key, Timer::Identity(link.epoch));
        }
        link.forget_authentication(key, turn);
        session.left_at = turn.now;
        if session.id.is_none() && session.expiry_secs == 0 {
            // What a group chose it for goes to members that are kept.
            self.end_session(connection.slot);
        }
    }

    /// Lets wills wait until then for clients that were connected when what is restored from here on was written. To be
    /// called before [`Line::restore`].
    pub fn await_return(&mut self, until: Millis) {
        self.awaited.until = until;
    }

    /// Notes that the will of a session that is being restored waits for its client, and how long: in seconds since
    /// `left_at`.
    pub(super) fn await_session(&mut self, client_id: &ClientId, left_at: Millis) -> Option<u32> {
        let wait = self.awaited.until.since(left_at).div_ceil(1000);
        if wait == 0 {
            return None;
        }
        self.awaited.clients.insert(client_id.clone(), None);
        Some(u32::try_from(wait).unwrap_or(u32::MAX))
    }

    /// Keeps a will without a session for its client's return. Gives back the one that is not to wait.
    pub(super) fn await_client(&mut self, image: WillImage) -> Option<WillImage> {
        if self.awaited.until <= self.turn.now {
            return Some(image);
        }
        let of_before = self.awaited.clients.insert(image.client_id.clone(), Some(image));
        of_before.flatten()
    }

    /// A client is here: what was to be told of its absence is not.
    pub(super) fn welcome_back(&mut self, client_id: &ClientId) {
        if self.awaited.clients.is_empty() {
            return;
        }
        match self.awaited.clients.remove(client_id) {
            Some(Some(image)) => self.turn.keeper.note(Change::NoWill(image.id)),
            Some(None) => {
                let found = self.directory.find(client_id, &self.slots);
                if let Some(session) = found.and_then(|slot| self.session_at(slot)) {
                    session.will = None;
                }
            }
            None => {}
        }
    }

    /// When those who have not come back are given up.
    pub(super) fn awaited_until(&self) -> Option<Millis> {
        (!self.awaited.clients.is_empty()).then_some(self.awaited.until)
    }

    /// Publishes the wills of those who have not come back, a bounded number of them.
    pub(super) fn give_up_awaited(&mut self) {
        if self.awaited.until > self.turn.now || self.awaited.clients.is_empty() {
            return;
        }
        let gone: Vec<ClientId> = self.awaited.clients.keys().take(SLICE as usize).cloned().collect();
        for client_id in gone {
            if let Some(Some(image)) = self.awaited.clients.remove(&client_id) {
                self.publish_image(&image);
            }
        }
    }
}
