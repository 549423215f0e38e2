//! All that the broker knows of one client, connected or not. A value with exactly one holder: the client's home line.

use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{ClientId, PacketId, Version, Will};

pub(crate) use feed::{Feed, Feeds};
pub(crate) use inflight::{Acknowledged, Resend};
pub use inflight::{Delivery, Inflight};
pub(crate) use link::{Asked, Authentication, Held, Link, Pending, Said};
pub(crate) use offer::Offered;
pub use outbox::{Buffer, Outbox};
pub(crate) use parcel::{Parcel, Security, Templates};
pub use queue::Queue;
pub use trail::Trail;

use crate::acl::Subject;
use crate::durable::SessionId;
use crate::exchange::{Ask, Exchange, Request, phase};
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::line::ConnectionKey;
use crate::message::Millis;

mod feed;
mod inflight;
mod judge;
mod kept;
mod link;
mod measure;
mod offer;
mod outbox;
mod parcel;
mod pump;
mod queue;
#[cfg(test)]
mod tests;
mod trail;

/// Session Expiry Interval that means "as long as the broker allows".
pub(crate) const NEVER_SECS: u32 = u32::MAX;

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) client_id: ClientId,
    /// Whose it is, as its last connection has shown.
    pub(crate) identity: Arc<Identity>,
    /// Which identity of the line's that is, counted: see [`Asked`](crate::acl::Asked).
    pub(crate) bearer: u32,
    /// What its client spoke last; `None`: it has not been there since the broker started.
    pub(crate) version: Option<Version>,
    /// Where its client was last connected from, as long as its rights or its will may depend on it.
    pub(crate) last_address: Option<Box<IpAddr>>,
    /// Seconds that it outlives its connection; 0: it ends with it.
    pub(crate) expiry_secs: u32,
    pub(crate) queue: Queue,
    pub(crate) inflight: Inflight,
    /// QoS 2 messages from the client that were passed on and await their PUBREL, by packet id: a client that never sends
    /// one has each of its messages looked up among all of them.
    pub(crate) unreleased: Vec<Unreleased>,
    /// Retained messages on their way to new subscriptions.
    pub(crate) feeds: Feeds,
    /// A will that waits for its delay while the client is away.
    pub(crate) will: Option<Box<Will>>,
    /// When its last connection ended.
    pub(crate) left_at: Millis,
    /// Whether the router may have subscriptions of it.
    pub(crate) routed: bool,
    /// Whether it is or was a member of a shared group: others may have a claim to what waits in it.
    pub(crate) in_groups: bool,
    /// Its number in the store; `None`: it ends with the broker.
    pub(crate) id: Option<SessionId>,
    /// Deliveries wait until then, by the overseer's verdict.
    pub(crate) held_until: Option<Millis>,
    /// The connection, while there is one.
    pub(crate) link: Option<Box<Link>>,
}

/// A QoS 2 message of the client's whose PUBREL is awaited.
#[derive(Debug)]
pub(crate) struct Unreleased {
    pub(crate) packet_id: PacketId,
    pub(crate) exchange: Exchange<phase::Running>,
    /// The store remembers it too.
    pub(crate) kept: bool,
}

impl Session {
    pub(crate) fn new(key: SessionKey, client_id: ClientId, identity: Arc<Identity>) -> Self {
        Self {
            key,
            client_id,
            identity,
            bearer: 0,
            version: None,
            last_address: None,
            expiry_secs: 0,
            queue: Queue::default(),
            inflight: Inflight::default(),
            unreleased: Vec::new(),
            feeds: Feeds::default(),
            will: None,
            left_at: Millis::default(),
            routed: false,
            in_groups: false,
            id: None,
            held_until: None,
            link: None,
        }
    }

    /// What its client asks of the overseer.
    #[inline]
    pub(crate) fn request<'a>(&'a self, ask: Ask<'a>, now: Millis) -> Request<'a> {
        Request {
            client_id: &self.client_id,
            identity: &self.identity,
            address: self.address(),
            version: self.version,
            now,
            ask,
        }
    }

    /// Where its client is or was connected from.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match &self.link {
            Some(link) => link.peer.address(),
            None => self.last_address.as_deref().copied(),
        }
    }

    /// Its client as the rights see it.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            identity: &self.identity,
            client_id: &self.client_id,
            address: self.address(),
        }
    }

    /// The connection that it has.
    pub(crate) fn connection(&self) -> Option<ConnectionKey> {
        self.link.as_ref().map(|link| ConnectionKey {
            slot: self.key.slot(),
            epoch: link.epoch,
        })
    }

    /// Where a QoS 2 message of the client's is among those that await their PUBREL, or would be.
    pub(crate) fn find_unreleased(&self, id: PacketId) -> Result<usize, usize> {
        self.unreleased.binary_search_by_key(&id, |known| known.packet_id)
    }

    /// The session's address with its connection's number, if it has this connection.
    pub(crate) fn has_epoch(&self, epoch: u32) -> bool {
        self.link.as_ref().is_some_and(|link| link.epoch == epoch)
    }
}
