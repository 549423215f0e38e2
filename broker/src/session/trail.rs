//! The last packets of a connection, for the record of its end.

use std::fmt;

use mqtt_codec::PacketKind;

const LENGTH: usize = 8;

/// The last eight packets in both directions, oldest first; costs a byte each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trail {
    /// The packet's number, and [`OUT`] if it went to the client; 0: none.
    steps: [u8; LENGTH],
    at: u8,
}

/// Above all numbers of packets.
const OUT: u8 = 0x80;

impl Trail {
    /// Notes a packet from the client.
    pub fn received(&mut self, kind: PacketKind) {
        self.note(kind as u8);
    }

    /// Notes a packet to the client.
    pub fn sent(&mut self, kind: PacketKind) {
        self.note(kind as u8 | OUT);
    }

    fn note(&mut self, packet: u8) {
        if let Some(step) = self.steps.get_mut(usize::from(self.at) % LENGTH) {
            *step = packet;
        }
        self.at = self.at.wrapping_add(1);
    }
}

/// `<CONNECT >CONNACK <PUBLISH`: `<` came from the client, `>` went to it.
impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = usize::from(self.at) % LENGTH;
        let (younger, older) = self.steps.split_at(at);
        let mut first = true;
        for step in older.iter().chain(younger) {
            let sign = if step & OUT == 0 { '<' } else { '>' };
            let number = usize::from(step & !OUT);
            let Some(kind) = number.checked_sub(1).and_then(|place| PacketKind::ALL.get(place)) else {
                continue;
            };
            write!(f, "{}{sign}{kind}", if first { "" } else { " " })?;
            first = false;
        }
        Ok(())
    }
}
