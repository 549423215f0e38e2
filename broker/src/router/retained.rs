//! The last message of each topic that was published to be retained.

mod scan;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use mqtt_codec::TopicName;

use self::scan::{Judgement, judge};
use crate::message::{Message, Millis};

/// So many misses in a row are walked over before a search jumps ahead: a jump costs as much as some dozen steps.
const STEPS_BEFORE_JUMP: u32 = 16;

/// How much may be retained.
#[derive(Clone, Copy, Debug)]
pub struct RetainedLimits {
    /// Topics with a retained message.
    pub messages_max: usize,
    /// Bytes of one retained payload.
    pub payload_bytes_max: usize,
}

/// Why a message was not retained. The topic keeps what it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetainedRefusal {
    /// As many topics as may be have a retained message, and this would be one more.
    TooMany,
    /// The payload is longer than a retained one may be.
    TooLarge,
}

/// See [`super::matches`].
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    matches!(judge(filter, topic), Judgement::Match)
}

impl fmt::Display for RetainedRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many retained messages",
            Self::TooLarge => "payload too large to be retained",
        })
    }
}

impl std::error::Error for RetainedRefusal {}

/// How much one call of [`Retained::scan`] may do. A 0 counts as 1, so that every call gets ahead.
#[derive(Clone, Copy, Debug)]
pub struct ScanBudget {
    /// Messages to return.
    pub found_max: usize,
    /// Entries to look at.
    pub examine_max: usize,
}

/// The retained messages, in the byte order of their topics.
#[derive(Debug)]
pub struct Retained {
    limits: RetainedLimits,
    messages: BTreeMap<TopicName, Arc<Message>>,
    bytes: usize,
    /// Messages among them that expire some day.
    mortal: usize,
    /// The last topic that [`Self::remove_expired`] looked at; `None`: it starts at the front.
    swept: Option<TopicName>,
}

impl Retained {
    /// A store without messages.
    #[must_use]
    pub fn new(limits: RetainedLimits) -> Self {
        Self {
            limits,
            messages: BTreeMap::new(),
            bytes: 0,
            mortal: 0,
            swept: None,
        }
    }

    /// Keeps other bounds from here on; messages beyond them stay.
    pub fn set_limits(&mut self, limits: RetainedLimits) {
        self.limits = limits;
    }

    /// Keeps `message`, which was published to be retained, in place of the one that its topic had:
    /// [MQTT-3.3.1-5] in 3.1.1 and in 5.0.
    ///
    /// An empty payload clears the topic and is not kept: [MQTT-3.3.1-10] and [MQTT-3.3.1-11] in 3.1.1,
    /// [MQTT-3.3.1-6] and [MQTT-3.3.1-7] in 5.0.
    ///
    /// # Errors
    ///
    /// Refuses what is beyond a limit and leaves the topic as it was. To clear is always possible.
    pub fn apply(&mut self, message: &Arc<Message>) -> Result<(), RetainedRefusal> {
        if message.payload.is_empty() {
            if let Some(cleared) = self.messages.remove::<str>(&message.topic) {
                self.write_off(&cleared);
            }
            return Ok(());
        }
        if message.payload.len() > self.limits.payload_bytes_max {
            return Err(RetainedRefusal::TooLarge);
        }
        if self.messages.len() >= self.limits.messages_max && self.get(&message.topic).is_none() {
            return Err(RetainedRefusal::TooMany);
        }
        self.bytes += message.cost();
        self.mortal += usize::from(message.expires_at.is_some());
        // Out and in, not overwritten: the key shares its bytes with the message that it belongs to.
        if let Some(replaced) = self.messages.remove::<str>(&message.topic) {
            self.write_off(&replaced);
        }
        self.messages.insert(message.topic.clone(), Arc::clone(message));
        Ok(())
    }

    /// The message of one topic. Whether it has expired is for the caller to ask.
    #[must_use]
    pub fn get(&self, topic: &str) -> Option<&Arc<Message>> {
        self.messages.get(topic)
    }

    /// Drops expired messages among the next `examine_max` and returns their topics; the next call goes on behind them, and
    /// from the front again when the end was reached.
    pub fn remove_expired(&mut self, now: Millis, examine_max: usize) -> Vec<TopicName> {
        if self.mortal == 0 {
            self.swept = None;
            return Vec::new();
        }
        let from = self.swept.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut expired = Vec::new();
        let mut examined = 0;
        let mut last = None;
        for (topic, message) in self
            .messages
            .range::<str, _>((from, Bound::Unbounded))
            .take(examine_max)
        {
            examined += 1;
            last = Some(topic);
            if message.is_expired(now) {
                expired.push(topic.clone());
            }
        }
        self.swept = last.filter(|_| examined == examine_max).cloned();
        for topic in &expired {
            if let Some(message) = self.messages.remove::<str>(topic) {
                self.write_off(&message);
            }
        }
        expired
    }

    /// Adds to `found` the messages behind `cursor` that `filter` matches, in the order of their topics, until the
    /// budget is used up; returns the cursor to go on with, `None` at the end. Expired messages are left out.
    ///
    /// `filter` is what stands behind the share name, if there is one. Messages stored or cleared between two calls
    /// take part if their topics lie behind the cursor.
    pub fn scan(
        &self,
        filter: &str,
        cursor: Option<&TopicName>,
        budget: ScanBudget,
        now: Millis,
        found: &mut Vec<Arc<Message>>,
    ) -> Option<TopicName> {
        let Some(prefix) = scan::prefix(filter) else {
            let exact = self
                .get(filter)
                .filter(|message| cursor.is_none() && !message.is_expired(now));
            found.extend(exact.cloned());
            return None;
        };
        let from = cursor.map_or(Bound::Included(prefix), |cursor| Bound::Excluded(cursor));
        let mut entries = self.messages.range::<str, _>((from, Bound::Unbounded));
        let found_before = found.len();
        let mut examined = 0;
        let mut misses = 0;
        while let Some((topic, message)) = entries.next().filter(|(topic, _)| topic.starts_with(prefix)) {
            examined += 1;
            match judge(filter, topic) {
                Judgement::Match => {
                    misses = 0;
                    found.extend(Some(message).filter(|message| !message.is_expired(now)).cloned());
                }
                Judgement::Miss(miss) => {
                    misses += 1;
                    if misses == STEPS_BEFORE_JUMP {
                        misses = 0;
                        if let Some(ahead) = miss.next_candidate(topic) {
                            entries = self
                                .messages
                                .range::<str, _>((Bound::Included(&*ahead), Bound::Unbounded));
                        }
                    }
                }
            }
            if examined >= budget.examine_max || found.len() - found_before >= budget.found_max.max(1) {
                return Some(topic.clone());
            }
        }
        None
    }

    /// Topics with a retained message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is retained.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// What all of them count for, see [`Message::cost`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn write_off(&mut self, gone: &Message) {
        self.bytes -= gone.cost();
        self.mortal -= usize::from(gone.expires_at.is_some());
    }
}
