//! Decisions that are noted for those who want to know what happened to a client.

use mqtt_codec::{QoS, TopicFilter};

use super::{ConnectionKey, Line};
use crate::exchange::{Kind, Refusal};
use crate::memory::Memory;
use crate::message::Millis;
use crate::notes::Decision;
use crate::router::SubscriptionOptions;
use crate::session::Session;
use crate::turn::Turn;

impl Line {
    /// Whether somebody watches what happens, so that it is worth noting where nothing is wrong.
    pub const fn set_watched(&mut self, watched: bool) {
        self.turn.notes.watched = watched;
    }

    /// The time that the line was told last.
    #[must_use]
    pub const fn now(&self) -> Millis {
        self.turn.now
    }

    /// How much memory there is, as the line was told last.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        self.turn.memory
    }

    /// The connection that a client has at this moment.
    #[must_use]
    pub fn connection_of(&self, client_id: &str) -> Option<ConnectionKey> {
        let slot = self.directory.find(client_id, &self.slots)?;
        self.slots.get(slot as usize)?.session.as_deref()?.connection()
    }

    /// Notes that a request was refused.
    pub(super) fn note_refused(&mut self, connection: ConnectionKey, kind: Kind, refusal: Refusal) {
        if let Some((session, turn)) = self.connected(connection) {
            turn.note(&session.client_id, Decision::Refused(kind, refusal));
        }
    }
}

/// Notes which filters were refused, and which are in force if somebody watches.
pub(super) fn note_subscribed(
    session: &Session,
    refused: &[Option<Refusal>],
    granted: &[(TopicFilter, SubscriptionOptions)],
    turn: &mut Turn,
) {
    for refusal in refused.iter().flatten() {
        turn.note(&session.client_id, Decision::Refused(Kind::Subscribe, *refusal));
    }
    if turn.notes.watched && !granted.is_empty() {
        let filters: Vec<(TopicFilter, QoS)> = granted
            .iter()
            .map(|(filter, options)| (filter.clone(), options.qos))
            .collect();
        turn.note(&session.client_id, Decision::Subscribed(filters));
    }
}

/// Notes which filters are in force no more, if somebody watches.
pub(super) fn note_unsubscribed(session: &Session, filters: Vec<TopicFilter>, turn: &mut Turn) {
    if turn.notes.watched {
        turn.note(&session.client_id, Decision::Unsubscribed(filters));
    }
}
