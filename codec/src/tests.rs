//! What holds for every packet: it survives the round trip, no prefix of it is taken for a packet, and damage is found.

pub(crate) mod arbitrary;
mod damage;
mod roundtrip;
pub(crate) mod support;
