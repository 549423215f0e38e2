//! The numbers that tie packets together: packet identifiers and subscription identifiers.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use crate::encode::REMAINING_LENGTH_MAX;

/// Ties an acknowledgement to its packet. 0 is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The lowest identifier.
    pub const MIN: Self = Self(NonZeroU16::MIN);
    /// The highest identifier, 65,535.
    pub const MAX: Self = Self(NonZeroU16::MAX);

    /// `None` for 0.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number as the wire carries it.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that a 5.0 subscriber gave its subscription: 1 to 268,435,455.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(NonZeroU32);

impl SubscriptionId {
    /// The highest identifier, 268,435,455.
    pub const MAX: u32 = REMAINING_LENGTH_MAX;

    /// `None` for 0 and for what a variable byte integer cannot hold.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(checked) if number <= Self::MAX => Some(Self(checked)),
            Some(_) | None => None,
        }
    }

    /// The number as the wire carries it.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
