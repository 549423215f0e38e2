//! One record of a tape, and how it stands there.

use broker::message::Millis;

/// Bytes of a record beside what it carries.
pub(super) const HEAD_BYTES: usize = 10;
/// Largest number that a head can hold: a packet's size is below it.
pub(super) const NUMBER_MAX: u32 = (1 << 28) - 1;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A packet from a client of 3.x.
    In3,
    /// A packet from a client of 5.0.
    In5,
    /// A packet to a client of 3.x.
    Out3,
    /// A packet to a client of 5.0.
    Out5,
    /// A connection began: its address, listener and version, with tabs between.
    Connected,
    /// A connection was refused: why.
    Refused,
    /// A connection ended: who ended it, why, and the reason code, with tabs between.
    Closed,
    /// A limit was reached.
    Limited,
    /// Messages for the client were dropped.
    Dropped,
    /// A request was refused.
    Denied,
    /// So many packets of one read or write were not recorded.
    Gap,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::In3,
        Self::In5,
        Self::Out3,
        Self::Out5,
        Self::Connected,
        Self::Refused,
        Self::Closed,
        Self::Limited,
        Self::Dropped,
        Self::Denied,
        Self::Gap,
    ];

    /// Whether it is a packet.
    pub(crate) const fn is_packet(self) -> bool {
        matches!(self, Self::In3 | Self::In5 | Self::Out3 | Self::Out5)
    }

    /// Whether it is a packet to the client.
    pub(crate) const fn is_out(self) -> bool {
        matches!(self, Self::Out3 | Self::Out5)
    }

    /// Whether it is a packet of 5.0.
    pub(crate) const fn is_v5(self) -> bool {
        matches!(self, Self::In5 | Self::Out5)
    }
}

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) at: Millis,
    pub(crate) kind: Kind,
    /// The packet's size in bytes; else how often it happened.
    pub(crate) number: u32,
    /// The start of the packet, or words.
    pub(crate) data: Vec<u8>,
}

/// The head of a record: kind and number, bytes carried, the low half of the time.
#[inline]
pub(super) fn head(kind: Kind, number: u32, carried: usize, at: Millis) -> [u8; HEAD_BYTES] {
    let first = (kind as u32) << 28 | number.min(NUMBER_MAX);
    let [a, b, c, d] = first.to_le_bytes();
    let [e, f] = (carried as u16).to_le_bytes();
    let [g, h, i, j] = (at.0 as u32).to_le_bytes();
    [a, b, c, d, e, f, g, h, i, j]
}

/// Takes a record off the front of `bytes`. `last` is the time of the tape's last record: older ones are told from it.
pub(super) fn take(bytes: &mut &[u8], last: Millis) -> Option<Record> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [a, b, c, d, e, f, g, h, i, j] = *head;
    let first = u32::from_le_bytes([a, b, c, d]);
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([e, f])))?;
    *bytes = rest;
    let before = (last.0 as u32).wrapping_sub(u32::from_le_bytes([g, h, i, j]));
    Some(Record {
        at: Millis(last.0.saturating_sub(u64::from(before))),
        kind: *Kind::ALL.get((first >> 28) as usize)?,
        number: first & NUMBER_MAX,
        data: data.to_vec(),
    })
}
