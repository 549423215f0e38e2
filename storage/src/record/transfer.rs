//! Who gets a message that travels from one line to another.

use mqtt_codec::{QoS, SubscriptionId};

use super::entry::subscription_ids;
use super::fields::{flag, put_varint, qos};
use super::{Fields, SessionId};

const RETAIN: u8 = 1 << 2;
const SUBSCRIPTION_IDS: u8 = 1 << 3;
const UNUSED: u8 = 0b1111_0000;

/// A session that a message travels to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// Which.
    pub session: SessionId,
    /// QoS towards it.
    pub qos: QoS,
    /// RETAIN flag towards it.
    pub retain: bool,
    /// Identifiers of the subscriptions that the message matched.
    pub ids: Vec<SubscriptionId>,
}

/// Those that one message travels to; the message itself stands in a queue of its own ([`TRANSIT`](super::TRANSIT)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRecord {
    /// At least one.
    pub receivers: Vec<Addressee>,
}

impl TransferRecord {
    pub(crate) fn write(receivers: &[Addressee], out: &mut Vec<u8>) {
        put_varint(out, receivers.len() as u32);
        for receiver in receivers {
            out.extend_from_slice(&receiver.session.0.to_be_bytes());
            out.push(
                u8::from(receiver.qos)
                    | flag(RETAIN, receiver.retain)
                    | flag(SUBSCRIPTION_IDS, !receiver.ids.is_empty()),
            );
            if !receiver.ids.is_empty() {
                put_varint(out, receiver.ids.len() as u32);
                receiver.ids.iter().for_each(|id| put_varint(out, id.get()));
            }
        }
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        let count = fields.varint()?;
        let receivers = (0..count).map(|_| addressee(fields)).collect::<Result<_, _>>()?;
        Ok(Self { receivers })
    }
}

fn addressee(fields: &mut Fields) -> Result<Addressee, &'static str> {
    let session = SessionId(fields.u64()?);
    let flags = fields.u8()?;
    if flags & UNUSED != 0 {
        return Err("its flags are not known");
    }
    Ok(Addressee {
        session,
        qos: qos(flags)?,
        retain: flags & RETAIN != 0,
        ids: if flags & SUBSCRIPTION_IDS != 0 {
            subscription_ids(fields)?
        } else {
            Vec::new()
        },
    })
}
