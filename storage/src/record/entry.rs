//! An entry of a session's queue: one delivery.

use std::sync::Arc;

use bytes::BufMut;
use bytestring::ByteString;
use mqtt_codec::{PacketId, QoS, SubscriptionId};

use super::fields::{Fields, flag, put_block, put_varint, qos};
use super::{MessageId, MessageRecord, MessageRef, StoreTime};

const RETAIN: u8 = 1 << 2;
const PACKET_ID: u8 = 1 << 3;
const SUBSCRIPTION_IDS: u8 = 1 << 4;
const GROUP: u8 = 1 << 5;
const SHARED: u8 = 1 << 6;
/// Of a shared message; one that stands here says itself when it expires.
const EXPIRES: u8 = 1 << 7;

/// A delivery as it is written, borrowed from where it stands.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a> {
    /// QoS towards this session.
    pub qos: QoS,
    /// RETAIN flag towards this session.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub ids: &'a [SubscriptionId],
    /// The packet id with which it was sent at once; `None`: it waits.
    pub packet_id: Option<PacketId>,
    /// The filter of the shared subscription that chose this session, with `$share/` and the share name.
    pub group: Option<&'a str>,
    /// Bytes that it counts for in the account of its queue, by the reckoning of who keeps the account.
    pub cost_bytes: u32,
    /// The message.
    pub content: ContentRef<'a>,
}

/// The message of a delivery that is written.
#[derive(Clone, Copy, Debug)]
pub enum ContentRef<'a> {
    /// In the entry itself: for one receiver.
    Inline(MessageRef<'a>),
    /// Once for all entries that name it: for several receivers.
    Shared(MessageId, MessageRef<'a>),
}

/// A delivery as it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// QoS towards this session.
    pub qos: QoS,
    /// RETAIN flag towards this session.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub ids: Vec<SubscriptionId>,
    /// The packet id with which it was sent at once.
    pub packet_id: Option<PacketId>,
    /// The filter of the shared subscription that chose this session, with `$share/` and the share name.
    pub group: Option<ByteString>,
    /// Bytes that it counts for in the account of its queue.
    pub cost_bytes: u32,
    /// The message.
    pub content: Content,
}

/// The message of a delivery that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// It stands in the entry.
    Inline(Arc<MessageRecord>),
    /// It stands in the table of messages.
    Shared {
        /// Its key there.
        id: MessageId,
        /// As the message says it, so that it need not be read to be found expired.
        expires_at: Option<StoreTime>,
    },
}

impl EntryRef<'_> {
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let (shared, message) = match self.content {
            ContentRef::Inline(message) => (None, message),
            ContentRef::Shared(id, message) => (Some(id), message),
        };
        let expires_at = message.expires_at.filter(|_| shared.is_some());
        out.push(
            u8::from(self.qos)
                | flag(RETAIN, self.retain)
                | flag(PACKET_ID, self.packet_id.is_some())
                | flag(SUBSCRIPTION_IDS, !self.ids.is_empty())
                | flag(GROUP, self.group.is_some())
                | flag(SHARED, shared.is_some())
                | flag(EXPIRES, expires_at.is_some()),
        );
        put_varint(out, self.cost_bytes);
        if let Some(id) = self.packet_id {
            out.put_u16(id.get());
        }
        if !self.ids.is_empty() {
            put_varint(out, self.ids.len() as u32);
            self.ids.iter().for_each(|id| put_varint(out, id.get()));
        }
        if let Some(group) = self.group {
            put_block(out, group.as_bytes());
        }
        match shared {
            None => message.write(out),
            Some(id) => out.put_u64(id.0),
        }
        if let Some(at) = expires_at {
            out.put_u64(at.0);
        }
    }
}

impl Entry {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let flags = fields.u8()?;
        let has = |bit| flags & bit != 0;
        Ok(Self {
            qos: qos(flags)?,
            retain: has(RETAIN),
            cost_bytes: fields.varint()?,
            packet_id: has(PACKET_ID).then(|| packet_id(fields)).transpose()?,
            ids: if has(SUBSCRIPTION_IDS) {
                subscription_ids(fields)?
            } else {
                Vec::new()
            },
            group: has(GROUP).then(|| fields.text()).transpose()?,
            content: if has(SHARED) {
                Content::Shared {
                    id: MessageId(fields.u64()?),
                    expires_at: has(EXPIRES).then(|| fields.u64()).transpose()?.map(StoreTime),
                }
            } else {
                Content::Inline(Arc::new(MessageRecord::read(fields)?))
            },
        })
    }

    /// The number of its message, if others share it.
    #[must_use]
    pub fn shared(&self) -> Option<MessageId> {
        match self.content {
            Content::Inline(_) => None,
            Content::Shared { id, .. } => Some(id),
        }
    }

    /// From when on it is not delivered any more.
    #[must_use]
    pub fn expires_at(&self) -> Option<StoreTime> {
        match &self.content {
            Content::Inline(message) => message.expires_at,
            Content::Shared { expires_at, .. } => *expires_at,
        }
    }
}

pub(super) fn packet_id(fields: &mut Fields) -> Result<PacketId, &'static str> {
    PacketId::new(fields.u16()?).ok_or("its packet id is 0")
}

pub(super) fn subscription_id(fields: &mut Fields) -> Result<SubscriptionId, &'static str> {
    SubscriptionId::new(fields.varint()?).ok_or("its subscription id is out of range")
}

pub(super) fn subscription_ids(fields: &mut Fields) -> Result<Vec<SubscriptionId>, &'static str> {
    let count = fields.varint()?;
    (0..count).map(|_| subscription_id(fields)).collect()
}
