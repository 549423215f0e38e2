//! How far a delivery has come, where its entry does not say it.

use bytes::BufMut;
use mqtt_codec::PacketId;

use super::Fields;
use super::entry::packet_id;

const SENT: u8 = 1;
const RELEASED: u8 = 2;

/// A delivery under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlightRecord {
    /// With which it was sent.
    pub packet_id: PacketId,
    /// How far it has come.
    pub step: FlightStep,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightStep {
    /// The PUBLISH was sent; its entry stands in the queue.
    Sent,
    /// The PUBREC was seen: the message is the receiver's, a PUBREL is owed, the entry is gone.
    Released,
}

impl FlightRecord {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.push(match self.step {
            FlightStep::Sent => SENT,
            FlightStep::Released => RELEASED,
        });
        out.put_u16(self.packet_id.get());
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, &'static str> {
        Ok(Self {
            step: match fields.u8()? {
                SENT => FlightStep::Sent,
                RELEASED => FlightStep::Released,
                _ => return Err("its step is not known"),
            },
            packet_id: packet_id(fields)?,
        })
    }
}
