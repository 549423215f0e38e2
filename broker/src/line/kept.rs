//! The line and its store: batches out, progress and what was read in, and the start with what was kept.

use std::sync::Arc;

use mqtt_codec::{DisconnectReason, TopicFilter};

use super::Line;
use super::will::Testator;
use crate::durable::{Batch, Change, Fetched, Found, Health, Progress, SessionImage, WillImage};
use crate::effect::{Cause, Effect};
use crate::exchange::Refusal;
use crate::identity::Identity;
use crate::key::SessionKey;
use crate::message::Millis;
use crate::router::SubscriptionOptions;
use crate::routing::{RouteChange, RouteRequest};
use crate::session::{NEVER_SECS, Queue, Session};
use crate::timers::Timer;

impl Line {
    /// What this turn has for the store.
    pub fn take_batch(&mut self) -> Option<Batch> {
        self.turn.keeper.take_batch()
    }

    /// The number of the batch that has the last of what was noted so far.
    #[must_use]
    pub fn store_mark(&self) -> u64 {
        self.turn.keeper.mark()
    }

    /// Whether promises wait for the store that stand in batches up to this one, as [`Line::store_mark`] has it.
    #[must_use]
    pub fn awaits_store(&self, mark: u64) -> bool {
        self.turn.keeper.awaits(mark)
    }

    /// The store has come this far.
    pub fn kept(&mut self, progress: Progress, now: Millis) {
        self.turn.now = now;
        for span in self.turn.traces.kept(progress) {
            self.turn.traced(span);
        }
        let mut opened = Vec::new();
        self.turn.keeper.advance(progress, &mut opened);
        for slot in opened {
            if let Some(session) = self
                .slots
                .get_mut(slot as usize)
                .and_then(|slot| slot.session.as_deref_mut())
                && let Some(link) = &mut session.link
                && !link.dirty
            {
                link.dirty = true;
                self.turn.dirty.push(slot);
            }
        }
    }

    /// Has the store keep a session as it is at this moment.
    pub(super) fn keep_image(&mut self, key: SessionKey) {
        if let Some(session) = self
            .slots
            .get(key.slot() as usize)
            .and_then(|slot| slot.session.as_deref())
            && session.key == key
        {
            session.keep_image(&mut self.turn);
        }
    }

    /// The store has read what it was asked for.
    pub fn fetched(&mut self, fetched: Fetched, now: Millis) {
        self.turn.now = now;
        let session = self
            .slots
            .get_mut(fetched.session.slot() as usize)
            .and_then(|slot| slot.session.as_deref_mut())
            .filter(|session| session.key == fetched.session && session.id == Some(fetched.id));
        let Some(session) = session else {
            self.take_estate(fetched.id, fetched.found);
            return self.settle();
        };
        let unreadable = matches!(fetched.found, Found::Unreadable);
        session.take_found(fetched.found, &mut self.turn);
        if unreadable && let Some(connection) = session.connection() {
            let cause = Cause::Refused(Refusal::ServerUnavailable);
            self.close_with(connection, DisconnectReason::UnspecifiedError, cause);
        }
        self.settle();
    }

    /// The store's room or health has changed. After a failure nothing is promised any more: clients whose sessions are
    /// kept, and clients who wait for an answer, are sent away and find the broker without its promises when they
    /// return.
    pub fn store_is(&mut self, health: Health, now: Millis) {
        self.turn.now = now;
        if self.turn.keeper.health == Health::Failed {
            return;
        }
        self.turn.keeper.health = health;
        if health != Health::Failed {
            return;
        }
        for slot in 0..self.slots.len() {
            let session = self.slots.get(slot).and_then(|slot| slot.session.as_deref());
            let waits = |session: &&Session| {
                let is_gated = session.link.as_ref().is_some_and(|link| link.out.is_gated());
                session.id.is_some() || is_gated
            };
            if let Some(connection) = session.filter(waits).and_then(Session::connection) {
                let cause = Cause::Refused(Refusal::ServerUnavailable);
                self.close_with(connection, DisconnectReason::ServerBusy, cause);
            }
        }
        self.settle();
    }

    /// Takes a session from the store, as if its client had left at this moment unless it had before. Its
    /// conversations and its queue stay where they are until they are needed.
    pub fn restore(
        &mut self,
        image: SessionImage,
        subscriptions: Vec<(TopicFilter, SubscriptionOptions)>,
        now: Millis,
    ) -> Option<SessionKey> {
        self.turn.now = now;
        if let Some(slot) = self.directory.find(&image.client_id, &self.slots) {
            // The broker ended between the end of one and the beginning of the other: the later one counts.
            let known = self.session_at(slot).and_then(|session| session.id);
            if known > Some(image.id) {
                self.turn.keeper.note(Change::EndSession(image.id));
                return None;
            }
            self.end_session(slot);
        }
        let mut will = image.will;
        if let (Some(will), None) = (&mut will, image.left_at)
            && let Some(wait_secs) = self.await_session(&image.client_id, now)
        {
            will.delay_secs = will.delay_secs.max(wait_secs);
        }
        let identity = Arc::new(Identity::shadow(image.username));
        let slot = self.create_session(image.client_id, identity);
        let expiry_max = self.turn.limits.expiry_secs_max;
        let turn = &mut self.turn;
        let session = self.slots.get_mut(slot as usize)?.session.as_deref_mut()?;
        session.id = Some(image.id);
        session.expiry_secs = image.expiry_secs.min(expiry_max);
        session.left_at = image.left_at.unwrap_or(now).min(now);
        session.will = will;
        session.queue = Queue::kept();
        turn.presence.set_kept(session.key, Some(image.id));
        if session.expiry_secs != NEVER_SECS {
            turn.timers.set(session.expires_at(), session.key, Timer::SessionExpiry);
        }
        if session.will.is_some() {
            turn.timers.set(session.will_due_at(), session.key, Timer::Will);
        }
        if image.left_at.is_none() {
            session.keep_image(turn);
        }
        // It may have been, and others be owed what waits in it.
        session.in_groups = true;
        if !subscriptions.is_empty() {
            session.routed = true;
            turn.effects.push(Effect::Route(RouteRequest {
                session: session.key,
                change: RouteChange::Restore(subscriptions),
            }));
        }
        Some(session.key)
    }

    /// Publishes the will of a client that was connected when the broker ended, and whose session is not kept; at once,
    /// unless its return is awaited ([`Line::await_return`]).
    pub fn execute_will(&mut self, image: WillImage, now: Millis) {
        self.turn.now = now;
        if let Some(image) = self.await_client(image) {
            self.publish_image(&image);
        }
        self.settle();
    }

    pub(super) fn publish_image(&mut self, image: &WillImage) {
        let testator = Testator::of_image(image, SessionKey::new(self.index, u32::MAX, 0));
        self.publish_will(&image.will, &testator);
        self.turn.keeper.note(Change::NoWill(image.id));
    }
}
