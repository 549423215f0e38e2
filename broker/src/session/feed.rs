//! The retained messages that a new subscription asks for, in full, at the pace of their receiver.

use std::collections::VecDeque;
use std::sync::Arc;

use mqtt_codec::{QoS, TopicFilter, TopicName};

use super::Delivery;
use crate::message::{Message, Millis};
use crate::router::SubscriptionIds;
use crate::tables::Tables;

/// A walk through the retained messages that match one subscription.
///
/// It remembers the topic it stopped at and nothing more, so that a million matches take no more memory than one.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) filter: TopicFilter,
    pub(crate) qos: QoS,
    pub(crate) ids: SubscriptionIds,
    cursor: Option<TopicName>,
    ready: VecDeque<Arc<Message>>,
    walked: bool,
}

/// The feeds of a session, oldest first: a null pointer for the many that have none.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "an empty deque takes 32 bytes of each of the many sessions without feeds"
)]
pub(crate) struct Feeds(Option<Box<VecDeque<Feed>>>);

impl Feeds {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn front(&self) -> Option<&Feed> {
        self.0.as_ref()?.front()
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut Feed> {
        self.0.as_mut()?.front_mut()
    }

    pub(crate) fn pop_front(&mut self) {
        self.change(|feeds| _ = feeds.pop_front());
    }

    pub(crate) fn retain(&mut self, wanted: impl FnMut(&Feed) -> bool) {
        self.change(|feeds| feeds.retain(wanted));
    }

    pub(crate) fn extend(&mut self, more: Vec<Feed>) {
        if !more.is_empty() {
            self.0.get_or_insert_default().extend(more);
        }
    }

    /// Gives the room back with the last of them.
    fn change(&mut self, change: impl FnOnce(&mut VecDeque<Feed>)) {
        if let Some(feeds) = &mut self.0 {
            change(feeds);
        }
        self.0.take_if(|feeds| feeds.is_empty());
    }
}

/// What a feed has for its receiver.
#[derive(Debug)]
pub(crate) enum Fed {
    /// The next message.
    Next(Delivery),
    /// Nothing found among the entries that one call may look at; ask again.
    Later,
    /// That was all.
    End,
}

impl Feed {
    pub(crate) fn new(filter: TopicFilter, qos: QoS, ids: SubscriptionIds) -> Self {
        Self {
            filter,
            qos,
            ids,
            cursor: None,
            ready: VecDeque::new(),
            walked: false,
        }
    }

    /// The next message, looking at a bounded number of entries.
    pub(crate) fn next(&mut self, tables: &dyn Tables, now: Millis) -> Fed {
        if self.ready.is_empty() && !self.walked {
            let mut found = Vec::new();
            self.cursor = tables.retained(&self.filter, self.cursor.as_ref(), now, &mut found);
            self.walked = self.cursor.is_none();
            self.ready.extend(found);
        }
        match self.ready.pop_front() {
            Some(message) => Fed::Next(Delivery {
                qos: self.qos.min(message.qos),
                retain: true,
                ids: self.ids.clone(),
                via: None,
                place: None,
                shared: false,
                told: false,
                message,
            }),
            None if self.walked => Fed::End,
            None => Fed::Later,
        }
    }
}
