//! The address of a session inside one process.

use std::fmt;

/// Where a session lives: its line, its slot in that line's table, and which tenant of the slot it is.
///
/// Routes outlive sessions by the time it takes the router to drop them; the generation lets a line tell a route to
/// the session that left from one to the session that has the slot after it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(u64);

impl SessionKey {
    const SLOT_BITS: u32 = 32;
    const GENERATION_BITS: u32 = 20;

    /// Lines that a key can tell apart.
    pub const LINES_MAX: u16 = 1 << 12;

    /// Packs an address. `generation` wraps after 2^20 tenants of one slot.
    #[must_use]
    pub const fn new(line: u16, slot: u32, generation: u32) -> Self {
        let generation = (generation as u64) & ((1 << Self::GENERATION_BITS) - 1);
        let line = (line % Self::LINES_MAX) as u64;
        Self(line << (Self::SLOT_BITS + Self::GENERATION_BITS) | generation << Self::SLOT_BITS | slot as u64)
    }

    /// The line that holds the session, counted from 0.
    #[must_use]
    pub const fn line(self) -> u16 {
        (self.0 >> (Self::SLOT_BITS + Self::GENERATION_BITS)) as u16
    }

    /// Which tenant of the slot it is.
    #[must_use]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> Self::SLOT_BITS) as u32 & ((1 << Self::GENERATION_BITS) - 1)
    }

    /// The slot in that line's table.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = (self.0 >> Self::SLOT_BITS) & ((1 << Self::GENERATION_BITS) - 1);
        write!(f, "{}/{}.{generation}", self.line(), self.slot())
    }
}
