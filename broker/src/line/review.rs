//! A look at those whom other settings would hit, and what becomes of them when the settings are in force.
//!
//! Both are done in slices: a line has others to serve, and whoever asks comes again with the place that he was given.

use std::fmt;
use std::sync::Arc;

use mqtt_codec::ClientId;

use super::Line;
use crate::acl::{Rights, Subject};
use crate::effect::{Cause, Parting};
use crate::limits::Limits;
use crate::message::Millis;
use crate::session::Session;

/// Subscriptions after which a slice takes no further session.
const SUBSCRIPTIONS_MAX: usize = 256;

/// Says whether a connected client may stay.
pub type MayStay = dyn Fn(&Subject<'_>) -> Result<(), Parting> + Send + Sync;

/// Settings that are to come.
#[derive(Clone)]
pub struct Review {
    /// The bounds.
    pub limits: Arc<Limits>,
    /// The rights.
    pub rights: Rights,
    /// Whether subscriptions are to be looked at: what they may be has changed.
    pub are_rights_other: bool,
    /// Who may stay.
    pub may_stay: Arc<MayStay>,
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Review")
            .field("are_rights_other", &self.are_rights_other)
            .finish_non_exhaustive()
    }
}

/// Clients: some by name, all by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clients {
    /// The first of them.
    pub names: Vec<ClientId>,
    /// How many they are.
    pub count: u64,
}

impl Clients {
    /// So many are named.
    pub const NAMES_MAX: usize = 10;

    fn one(client: &ClientId) -> Self {
        Self {
            names: vec![client.clone()],
            count: 1,
        }
    }

    fn add(&mut self, client: &ClientId) {
        self.extend(Self::one(client));
    }

    /// Adds those of another line.
    pub fn extend(&mut self, others: Self) {
        self.count += others.count;
        let room = Self::NAMES_MAX.saturating_sub(self.names.len());
        self.names.extend(others.names.into_iter().take(room));
    }
}

/// Whom settings that are to come would hit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Those whose connections would end, by reason.
    pub parting: Vec<(Parting, Clients)>,
    /// Those who would lose subscriptions.
    pub losing: Clients,
    /// The subscriptions that they would lose.
    pub subscriptions_lost: u64,
    /// Those who are away and have more queued than they might.
    pub overfull: Clients,
}

impl Findings {
    fn part(&mut self, why: Parting, clients: Clients) {
        match self.parting.iter_mut().find(|(known, _)| *known == why) {
            Some((_, known)) => known.extend(clients),
            None => self.parting.push((why, clients)),
        }
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, others: Self) {
        for (why, clients) in others.parting {
            self.part(why, clients);
        }
        self.losing.extend(others.losing);
        self.subscriptions_lost += others.subscriptions_lost;
        self.overfull.extend(others.overfull);
    }
}

impl Line {
    /// Looks at the sessions of `slots` slots from `from` on and changes nothing. Says what it found and where to go on;
    /// `None`: there are no more.
    #[must_use]
    pub fn review(&self, review: &Review, from: u32, slots: u32) -> (Findings, Option<u32>) {
        let mut found = Findings::default();
        let next = self.next_of(review, from, slots);
        let end = next.map_or(self.slots.len(), |next| next as usize);
        let sessions = self.slots.iter().take(end).skip(from as usize);
        for session in sessions.filter_map(|slot| slot.session.as_deref()) {
            self.look_at(session, review, &mut found);
        }
        (found, next)
    }

    /// Where a slice ends that begins with `from`: after so many slots, or sooner where they hold many subscriptions that
    /// are to be looked at.
    fn next_of(&self, review: &Review, from: u32, slots: u32) -> Option<u32> {
        let mut next = from;
        let mut subscriptions = 0;
        for slot in self.slots.iter().skip(from as usize).take(slots.max(1) as usize) {
            if subscriptions >= SUBSCRIPTIONS_MAX {
                break;
            }
            let session = slot.session.as_deref().filter(|_| review.are_rights_other);
            subscriptions += session.map_or(0, |session| self.turn.tables.subscription_count(session.key));
            next = next.saturating_add(1);
        }
        ((next as usize) < self.slots.len()).then_some(next)
    }

    fn look_at(&self, session: &Session, review: &Review, found: &mut Findings) {
        let limits = &review.limits;
        if session.link.is_none() {
            let (messages_max, bytes_max) = (limits.queue_messages_max, limits.queue_bytes_max);
            let held = &self.turn.limits;
            let is_more = messages_max < held.queue_messages_max || bytes_max < held.queue_bytes_max;
            if is_more && session.queue.is_full(messages_max, bytes_max) {
                found.overfull.add(&session.client_id);
            }
            return;
        }
        let subject = session.subject();
        if let Err(why) = (review.may_stay)(&subject) {
            return found.part(why, Clients::one(&session.client_id));
        }
        if !review.are_rights_other || !session.routed {
            return;
        }
        let is_wide_granted = limits.access.wide_subscriptions;
        let held = self.turn.tables.subscriptions(session.key).into_iter();
        let rights = &review.rights;
        let lost =
            held.filter(|(filter, options)| !rights.may_subscribe(&subject, filter, options.qos, is_wide_granted));
        let lost = lost.count() as u64;
        if lost > 0 {
            found.subscriptions_lost += lost;
            found.losing.add(&session.client_id);
        }
    }

    /// Has the sessions of `slots` slots from `from` on follow what is in force: [`Line::set_limits`] and
    /// [`Line::exchange_rights`] come before. Says where to go on; `None`: there are no more.
    #[must_use]
    pub fn enforce(&mut self, review: &Review, from: u32, slots: u32, now: Millis) -> Option<u32> {
        self.turn.now = now;
        let next = self.next_of(review, from, slots);
        let end = next.unwrap_or_else(|| u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        for slot in from..end {
            self.enforce_on(slot, review);
        }
        self.settle();
        next
    }

    fn enforce_on(&mut self, slot: u32, review: &Review) {
        let place = self.slots.get_mut(slot as usize);
        let Some(session) = place.and_then(|slot| slot.session.as_deref_mut()) else {
            return;
        };
        let turn = &mut self.turn;
        let Some(connection) = session.connection() else {
            let (messages_max, bytes_max) = (turn.limits.queue_messages_max, turn.limits.queue_bytes_max);
            if session.queue.is_full(messages_max, bytes_max) {
                turn.presence.set_full(session.key, true);
            }
            return session.note_room(turn);
        };
        if let Err(why) = (review.may_stay)(&session.subject()) {
            return self.close(connection, Cause::Expelled(why));
        }
        if let Some(link) = &mut session.link {
            link.pace.change(turn.limits.rates.of(&session.identity.listener));
        }
        if review.are_rights_other && session.give_up_lost(turn) && turn.limits.access.loss_disconnects {
            self.close(connection, Cause::RightLost);
        }
    }
}
