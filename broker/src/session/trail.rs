//! The last packets of a connection, for the record of its end.

use std::fmt;

use mqtt_codec::PacketKind;

const LENGTH: usize = 8;

/// The last eight packets in both directions, oldest first; costs a byte each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trail {
    steps: [Option<(Way, PacketKind)>; LENGTH],
    at: u8,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    In,
    Out,
}

impl Trail {
    /// Notes a packet from the client.
    pub fn received(&mut self, kind: PacketKind) {
        self.note(Way::In, kind);
    }

    /// Notes a packet to the client.
    pub fn sent(&mut self, kind: PacketKind) {
        self.note(Way::Out, kind);
    }

    fn note(&mut self, way: Way, kind: PacketKind) {
        if let Some(step) = self.steps.get_mut(usize::from(self.at) % LENGTH) {
            *step = Some((way, kind));
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
        for (way, kind) in older.iter().chain(younger).flatten() {
            let sign = match way {
                Way::In => '<',
                Way::Out => '>',
            };
            write!(f, "{}{sign}{kind}", if first { "" } else { " " })?;
            first = false;
        }
        Ok(())
    }
}
