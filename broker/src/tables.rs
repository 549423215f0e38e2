//! The shared tables that a line reads: subscriptions and retained messages of the whole broker.

use std::sync::Arc;

use mqtt_codec::{TopicFilter, TopicName};

use crate::key::SessionKey;
use crate::message::{Message, Millis};
use crate::router::{Matches, Receiver, RetainedRefusal, ShareKey, SubscriptionOptions};

/// What a line asks the routing table and the retained messages. How they are shared is the caller's business.
pub trait Tables: std::fmt::Debug {
    /// Counts up with every change of a subscription: receivers that were looked up at version v are good while this
    /// returns v.
    fn version(&self) -> u64;

    /// Who gets a message on `topic`. Clears `found` first.
    fn find(&self, topic: &str, found: &mut Matches);

    /// As [`Tables::find`], without the No Local subscriptions of `publisher`.
    fn find_for_publisher(&self, topic: &str, publisher: SessionKey, found: &mut Matches);

    /// The members of a shared group.
    fn group(&self, key: &ShareKey) -> Vec<Receiver>;

    /// The subscriptions of a session, in no particular order: `max` at most, behind the first `skipped`. While
    /// subscriptions come and go, a walk in parts may miss one of the others, or see it twice.
    fn subscriptions_behind(
        &self,
        session: SessionKey,
        skipped: usize,
        max: usize,
    ) -> Vec<(TopicFilter, SubscriptionOptions)>;

    /// All subscriptions of a session, in no particular order.
    fn subscriptions(&self, session: SessionKey) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.subscriptions_behind(session, 0, usize::MAX)
    }

    /// Whether a session has a subscription with exactly this filter.
    fn has_subscription(&self, session: SessionKey, filter: &TopicFilter) -> bool;

    /// How many subscriptions a session has.
    fn subscription_count(&self, session: SessionKey) -> usize;

    /// Stores a retained message, replaces the one before, or clears it where the payload is empty.
    ///
    /// # Errors
    ///
    /// Refuses when a bound of the retained messages is reached; the one before stays.
    fn retain(&self, message: &Arc<Message>) -> Result<(), RetainedRefusal>;

    /// Appends retained messages that match `filter` after `cursor` to `found`, a bounded number at a time. Returns
    /// where to go on, or `None` at the end.
    fn retained(
        &self,
        filter: &TopicFilter,
        cursor: Option<&TopicName>,
        now: Millis,
        found: &mut Vec<Arc<Message>>,
    ) -> Option<TopicName>;
}
