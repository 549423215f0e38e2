//! A subscription with its options.

use bytes::BufMut;
use bytestring::ByteString;
use mqtt_codec::{QoS, SubscriptionId};

use super::entry::subscription_id;
use super::fields::{Fields, flag, put_varint, qos, text};

const NO_LOCAL: u8 = 1 << 2;
const RETAIN_AS_PUBLISHED: u8 = 1 << 3;
const ID: u8 = 1 << 4;
const UNUSED: u8 = 0b1110_0000;

/// A subscription of a session. Owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRecord {
    /// Which topics, as it was subscribed: perhaps with `$share/` and a share name in front, which means something in
    /// 5.0 only.
    pub filter: ByteString,
    /// The highest QoS wanted.
    pub qos: QoS,
    /// Without the client's own messages.
    pub no_local: bool,
    /// With the RETAIN flag as the publisher set it.
    pub retain_as_published: bool,
    /// Comes back with each message that it matched.
    pub id: Option<SubscriptionId>,
}

impl SubscriptionRecord {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(
            u8::from(self.qos)
                | flag(NO_LOCAL, self.no_local)
                | flag(RETAIN_AS_PUBLISHED, self.retain_as_published)
                | flag(ID, self.id.is_some()),
        );
        if let Some(id) = self.id {
            put_varint(out, id.get());
        }
        out.put_slice(self.filter.as_bytes());
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let flags = fields.u8()?;
        if flags & UNUSED != 0 {
            return Err("its flags are not known");
        }
        let has = |bit| flags & bit != 0;
        Ok(Self {
            qos: qos(flags)?,
            no_local: has(NO_LOCAL),
            retain_as_published: has(RETAIN_AS_PUBLISHED),
            id: has(ID).then(|| subscription_id(fields)).transpose()?,
            filter: ByteString::from(&*text(fields.rest())?),
        })
    }
}
