//! Other bounds for a line that runs.

use super::Line;
use crate::limits::Limits;
use crate::message::Millis;

impl Line {
    /// Puts other bounds in force, from the next packet on.
    ///
    /// What a connection was promised in its CONNACK holds until it ends: Receive Maximum, Topic Alias Maximum, keep alive
    /// and session expiry. What sessions hold beyond a bound stays; [`Line::enforce`] follows for each of them. The size of
    /// a packet and what sessions survive are given at the start and stay.
    pub fn set_limits(&mut self, limits: Limits, now: Millis) {
        self.turn.now = now;
        self.cache.resize(limits.cached_topics_max);
        self.turn.lately.resize(limits.access.cached_decisions_max);
        self.turn.keeper.set_rules(limits.durability_rules.clone());
        self.turn.limits = Limits {
            packet_bytes_max: self.turn.limits.packet_bytes_max,
            durability: self.turn.limits.durability,
            ..limits
        };
    }
}
