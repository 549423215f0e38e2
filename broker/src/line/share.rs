//! Shared subscriptions: one member of a group gets each message, by turns, and never one that cannot take it.

use std::collections::HashMap;
use std::sync::Arc;

use mqtt_codec::QoS;

use super::Line;
use crate::counters::Drop;
use crate::effect::Forward;
use crate::key::SessionKey;
use crate::router::{Group, Receiver, ShareKey};
use crate::session::{Delivery, Offered, Parcel};

/// Whose turn it is in each group that this line has messages for.
#[derive(Debug)]
pub(super) struct Rotation {
    turns: HashMap<Arc<ShareKey>, usize, foldhash::fast::FixedState>,
}

impl Rotation {
    /// Groups remembered; a group that is forgotten merely starts its round again.
    const GROUPS_MAX: usize = 65_536;

    pub(super) fn new(hasher: foldhash::fast::FixedState) -> Self {
        Self { turns: HashMap::with_hasher(hasher) }
    }

    fn next(&mut self, key: &Arc<ShareKey>) -> usize {
        if let Some(turn) = self.turns.get_mut(key) {
            *turn = turn.wrapping_add(1);
            return *turn;
        }
        if self.turns.len() >= Self::GROUPS_MAX {
            self.turns.clear();
        }
        self.turns.insert(Arc::clone(key), 0);
        0
    }
}

impl Line {
    /// Gives a message to one member of a group; `not` is one that has just shown that it cannot take it.
    pub(super) fn share(&mut self, parcel: &mut Parcel<'_>, group: &Group, not: Option<SessionKey>) {
        let members = &group.members;
        let start = self.rotation.next(&group.key);
        // A connected member first; one that is away only if nobody else is there, and only for what it can keep.
        for connected in [true, false] {
            for place in 0..members.len() {
                let Some(member) = members.get((start.wrapping_add(place)) % members.len()) else { continue };
                if Some(member.session) != not
                    && self.is_able(parcel, member, connected)
                    && self.share_with(parcel, member, &group.key)
                {
                    return;
                }
            }
        }
        self.turn.drop_message(Drop::NoMember);
    }

    fn is_able(&self, parcel: &Parcel<'_>, member: &Receiver, connected: bool) -> bool {
        let presence = &self.turn.presence;
        let keeps = parcel.qos.min(member.qos) != QoS::AtMostOnce;
        presence.is_connected(member.session) == connected
            && (connected || keeps)
            && !(keeps && presence.any_full() && presence.is_full(member.session))
    }

    /// Offers the message to one member; says whether it took it. A member on another line is taken at its word: if it
    /// cannot take the message after all, that line chooses again.
    fn share_with(&mut self, parcel: &mut Parcel<'_>, member: &Receiver, key: &Arc<ShareKey>) -> bool {
        if member.session.line() != self.index {
            let message = parcel.message();
            if let Some(forwards) = self.forwards.get_mut(usize::from(member.session.line())) {
                forwards.push(Forward { message, receivers: Arc::from([member.clone()]), via: Some(Arc::clone(key)) });
            }
            return true;
        }
        let Some(session) =
            self.slots.get_mut(member.session.slot() as usize).and_then(|slot| slot.session.as_deref_mut())
        else {
            return false;
        };
        session.key == member.session
            && session.offer(parcel, member, Some(key), &mut self.turn) == Offered::Taken
    }

    /// Finds another member for deliveries of a session that left or cannot take them.
    ///
    /// Returns those that nobody else could take at this moment.
    pub(super) fn share_again(&mut self, deliveries: Vec<Delivery>, not: SessionKey) -> Vec<Delivery> {
        let mut kept = Vec::new();
        for delivery in deliveries {
            let Some(key) = delivery.via.clone() else { continue };
            let members: Vec<Receiver> =
                self.turn.tables.group(&key).into_iter().filter(|member| member.session != not).collect();
            let mut parcel = Parcel::of(&delivery.message);
            self.turn.templates.next_parcel();
            let start = self.rotation.next(&key);
            let taken = (0..members.len())
                .filter_map(|place| members.get((start.wrapping_add(place)) % members.len()))
                .any(|member| self.is_able(&parcel, member, true) && self.share_with(&mut parcel, member, &key));
            if !taken {
                kept.push(delivery);
            }
        }
        kept
    }
}
