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
        Self {
            turns: HashMap::with_hasher(hasher),
        }
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
    /// Gives a message to one member of a group.
    pub(super) fn share(&mut self, parcel: &mut Parcel<'_>, group: &Group) {
        if !self.share_among(parcel, &group.key, &group.members, Among::All, &mut Vec::new()) {
            self.turn.drop_message(Drop::NoMember);
        }
    }

    /// Whether it is full queues alone that keep every member from taking the message.
    pub(super) fn is_group_full(&self, parcel: &Parcel<'_>, group: &Group) -> bool {
        let full = |member: &Receiver| member.qos != QoS::AtMostOnce && self.turn.presence.is_full(member.session);
        let able = |member: &Receiver| self.is_able(parcel, member, true) || self.is_able(parcel, member, false);
        group.members.iter().any(full) && !group.members.iter().any(able)
    }

    /// Asks the members by turns, those with a connection first; one that is away only if nobody else takes the
    /// message, and only for what it can keep. Those in `refused` are not asked; others who refuse join them, so that
    /// this ends on whatever lines the members are.
    fn share_among(
        &mut self,
        parcel: &mut Parcel<'_>,
        key: &Arc<ShareKey>,
        members: &[Receiver],
        among: Among,
        refused: &mut Vec<SessionKey>,
    ) -> bool {
        let start = self.rotation.next(key);
        for connected in among.rounds() {
            for place in 0..members.len() {
                let Some(member) = members.get((start.wrapping_add(place)) % members.len()) else {
                    continue;
                };
                if refused.contains(&member.session) || !self.is_able(parcel, member, *connected) {
                    continue;
                }
                if self.share_with(parcel, member, key, refused) {
                    return true;
                }
                refused.push(member.session);
            }
        }
        false
    }

    fn is_able(&self, parcel: &Parcel<'_>, member: &Receiver, connected: bool) -> bool {
        let presence = &self.turn.presence;
        let keeps = parcel.qos.min(member.qos) != QoS::AtMostOnce;
        presence.is_connected(member.session) == connected
            && presence.is_present(member.session)
            && (connected || keeps)
            && !(keeps && presence.any_full() && presence.is_full(member.session))
    }

    /// Offers the message to one member; says whether it took it. A member on another line is taken at its word: if it
    /// cannot take the message after all, that line chooses again.
    fn share_with(
        &mut self,
        parcel: &mut Parcel<'_>,
        member: &Receiver,
        key: &Arc<ShareKey>,
        refused: &[SessionKey],
    ) -> bool {
        if member.session.line() != self.index {
            let message = parcel.message();
            let transfer = self.transfer(parcel, std::slice::from_ref(member), Some(key));
            self.turn.counters.copies.forwarded_out += 1;
            if let Some(forwards) = self.forwards.get_mut(usize::from(member.session.line())) {
                let receivers = Arc::from([member.clone()]);
                forwards.push(Forward {
                    message,
                    receivers,
                    via: Some(Arc::clone(key)),
                    refused: refused.to_vec(),
                    durability: parcel.durability,
                    shared: parcel.shared,
                    transfer,
                });
            }
            return true;
        }
        let Some(session) = self
            .slots
            .get_mut(member.session.slot() as usize)
            .and_then(|slot| slot.session.as_deref_mut())
        else {
            return false;
        };
        session.key == member.session && session.offer(parcel, member, Some(key), &mut self.turn) == Offered::Taken
    }

    /// Finds another member for a delivery of a session that left or cannot take it; says whether one took it.
    pub(super) fn share_again(&mut self, delivery: &Delivery, among: Among, mut refused: Vec<SessionKey>) -> bool {
        let Some(key) = &delivery.via else { return false };
        let members = self.turn.tables.group(key);
        self.turn.templates.next_parcel();
        let mut parcel = Parcel::of(&delivery.message);
        parcel.durability = self.turn.keeper.durability_of(&delivery.message.topic);
        parcel.shared = delivery.shared;
        self.share_among(&mut parcel, key, &members, among, &mut refused)
    }
}

/// Which members are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Among {
    /// Those that are connected.
    Connected,
    /// All, those that are away last.
    All,
}

impl Among {
    const fn rounds(self) -> &'static [bool] {
        match self {
            Self::Connected => &[true],
            Self::All => &[true, false],
        }
    }
}
