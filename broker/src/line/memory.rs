//! What a line does not take while the process is short of memory. Who is in and reads what it is sent notices nothing
//! of it before QoS 0 is dropped.

use std::rc::Rc;

use mqtt_codec::{Connect, QoS, TopicFilter, Version};

use super::Line;
use super::routes::Routes;
use crate::counters::Drop;
use crate::exchange::Refusal;
use crate::key::SessionKey;
use crate::limits::{Limit, QueueFull};
use crate::memory::Memory;
use crate::router::Receiver;
use crate::session::Parcel;

impl Line {
    /// How much memory there is from this moment on.
    pub fn memory_is(&mut self, memory: Memory) {
        self.turn.memory = memory;
    }

    /// Whether a client's message is for somebody, with memory short. Those that are not are dropped and counted.
    ///
    /// # Errors
    ///
    /// Refuses what would have to be kept, before anything is done with it.
    #[inline(never)]
    pub(super) fn spare(&mut self, parcel: &mut Parcel<'_>, routes: &Rc<Routes>) -> Result<bool, Refusal> {
        let is_refused = self.grows_retained(parcel) || (parcel.qos != QoS::AtMostOnce && self.grows_queues(routes));
        if is_refused {
            self.reached_by(Limit::Memory, parcel.publisher);
            return Err(Refusal::QuotaExceeded);
        }
        if parcel.qos != QoS::AtMostOnce || self.turn.memory != Memory::Scarce {
            return Ok(true);
        }
        for _ in 0..routes.copies {
            self.turn.drop_unmatched(Drop::Memory);
        }
        if routes.any() {
            self.reached_by(Limit::Memory, parcel.publisher);
        }
        Ok(false)
    }

    /// Whether a message of QoS 1 or 2 would wait for somebody who is away.
    fn grows_queues(&self, routes: &Rc<Routes>) -> bool {
        if self.turn.limits.queue_full == QueueFull::Drop {
            return false;
        }
        let presence = &self.turn.presence;
        let waits = |receiver: &Receiver| {
            receiver.qos != QoS::AtMostOnce
                && presence.is_present(receiver.session)
                && !presence.is_connected(receiver.session)
        };
        let is_here = |receiver: &Receiver| presence.is_connected(receiver.session);
        let remote = routes.remote.iter().flat_map(|(_, receivers)| receivers.iter());
        let mut groups = routes.groups.iter().map(|group| &group.members);
        routes.local.iter().chain(remote).any(waits)
            || groups.any(|members| members.iter().any(waits) && !members.iter().any(is_here))
    }

    /// Whether a message would be retained in addition to what is, or in place of a shorter one.
    fn grows_retained(&self, parcel: &Parcel<'_>) -> bool {
        if !parcel.retain || parcel.payload.is_empty() {
            return false;
        }
        let Ok(topic) = TopicFilter::new(parcel.topic.to_string()) else {
            return true;
        };
        let mut found = Vec::new();
        self.turn.tables.retained(&topic, None, self.turn.now, &mut found);
        found
            .first()
            .is_none_or(|before| before.payload.len() < parcel.payload.len())
    }

    /// With memory scarce nobody comes in but those whose sessions are here: they take away what waits for them.
    pub(super) fn check_memory(&self, connect: &Connect) -> Result<(), Refusal> {
        let is_known = || self.directory.find(&connect.client_id, &self.slots).is_some();
        if self.turn.memory != Memory::Scarce || is_known() {
            return Ok(());
        }
        // 3.x has no code for a bound.
        Err(match connect.version {
            Version::V5 => Refusal::QuotaExceeded,
            Version::V31 | Version::V311 => Refusal::ServerUnavailable,
        })
    }

    /// Counts that the client of a session has reached a limit.
    pub(super) fn reached_by(&mut self, limit: Limit, session: Option<SessionKey>) {
        let Some(key) = session else { return };
        let slot = self.slots.get(key.slot() as usize);
        if let Some(session) = slot.and_then(|slot| slot.session.as_deref()) {
            self.turn.reached(limit, &session.client_id);
        }
    }
}
