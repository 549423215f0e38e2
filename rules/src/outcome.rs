//! What the rules say of an event.

use broker::exchange::Refusal;
use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{QoS, TopicName};

use crate::Failure;

/// Whether an exchange goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Proceed,
    /// It waits this many milliseconds and is judged again.
    Block(u64),
    /// It is refused aloud.
    Deny(Refusal),
    /// It is refused, and the client's connection ended with this reason.
    Disconnect(Refusal),
    /// It is dropped in silence.
    Cancel,
}

/// How much a line in the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who look closely.
    Debug,
    /// Worth knowing.
    Info,
    /// Somebody should look.
    Warn,
    /// Something is wrong.
    Error,
}

impl Level {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("warn", Self::Warn),
        ("error", Self::Error),
    ];

    /// The word for it in rule files.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, level)| *level == self)
            .map_or("error", |(word, _)| word)
    }
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The rule that wants it written.
    pub rule: u16,
    /// How much it matters.
    pub level: Level,
    /// Without line breaks.
    pub text: String,
}

/// A message that is to be published besides. It is the broker's own: no rule judges it, so that rules make no circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Republish {
    /// Where.
    pub topic: TopicName,
    /// What.
    pub payload: Bytes,
    /// How.
    pub qos: QoS,
    /// Whether it is retained.
    pub retain: bool,
}

/// Changes to the message. What is `None` stays as it came.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) topic: Option<TopicName>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) qos: Option<QoS>,
    pub(crate) retain: Option<bool>,
    pub(crate) user_properties: Vec<(ByteString, ByteString)>,
    pub(crate) republished: Vec<Republish>,
    pub(crate) lines: Vec<Line>,
    pub(crate) tags: Vec<u16>,
}

impl Effects {
    /// Adds what a later rule wants. Of two values for the same thing the later one stands.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.topic = later.topic.or(self.topic.take());
        self.payload = later.payload.or(self.payload.take());
        self.qos = later.qos.or(self.qos);
        self.retain = later.retain.or(self.retain);
        for (name, value) in later.user_properties {
            match self.user_properties.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.user_properties.push((name, value)),
            }
        }
        self.republished.extend(later.republished);
        self.lines.extend(later.lines);
        self.tags.extend(later.tags);
    }
}

/// What the rules say of one event. It is filled by [`crate::RuleBook::judge`] and can be used again for the next.
#[derive(Debug)]
pub struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) decided_by: Option<u16>,
    pub(crate) failure: Option<(u16, Failure)>,
    /// A message that is refused, held or dropped is not changed; what it set off besides stands.
    pub(crate) effects: Effects,
    /// Whether the last event left something to clear.
    pub(crate) is_used: bool,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            verdict: Verdict::Proceed,
            decided_by: None,
            failure: None,
            effects: Effects::default(),
            is_used: false,
        }
    }
}

impl Outcome {
    /// Whether the exchange goes on.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The rule whose terminal action, or failure, decided; `None` if all proceeded because none said otherwise.
    #[must_use]
    pub const fn decided_by(&self) -> Option<u16> {
        self.decided_by
    }

    /// The last rule that could not be evaluated, and why.
    #[must_use]
    pub const fn failure(&self) -> Option<&(u16, Failure)> {
        self.failure.as_ref()
    }

    /// The topic to publish to instead.
    #[must_use]
    pub const fn topic(&self) -> Option<&TopicName> {
        self.effects.topic.as_ref()
    }

    /// The payload instead.
    #[must_use]
    pub const fn payload(&self) -> Option<&Bytes> {
        self.effects.payload.as_ref()
    }

    /// The QoS instead; of a subscription the highest that is granted.
    #[must_use]
    pub const fn qos(&self) -> Option<QoS> {
        self.effects.qos
    }

    /// The retain flag instead.
    #[must_use]
    pub const fn retain(&self) -> Option<bool> {
        self.effects.retain
    }

    /// User properties to set: each takes the place of those of its name.
    #[must_use]
    pub fn user_properties(&self) -> &[(ByteString, ByteString)] {
        &self.effects.user_properties
    }

    /// Messages to publish besides.
    #[must_use]
    pub fn republished(&self) -> &[Republish] {
        &self.effects.republished
    }

    /// Lines for the log.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.effects.lines
    }

    /// Tags, as numbers; [`crate::RuleBook::tags`] has their names.
    #[must_use]
    pub fn tags(&self) -> &[u16] {
        &self.effects.tags
    }

    /// Whether the message is changed, or something is set off.
    #[must_use]
    pub const fn has_effects(&self) -> bool {
        self.is_used
    }

    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_used) {
            *self = Self::default();
        }
    }

    pub(crate) fn decide(&mut self, rule: u16, verdict: Verdict) {
        self.is_used = true;
        self.verdict = verdict;
        self.decided_by = Some(rule);
        if verdict != Verdict::Proceed {
            let kept = std::mem::take(&mut self.effects);
            self.effects = Effects {
                republished: kept.republished,
                lines: kept.lines,
                tags: kept.tags,
                ..Effects::default()
            };
        }
    }
}
