//! What was promised, and what came of it.

use std::collections::{BTreeMap, BTreeSet};

use mqtt_codec::QoS;

/// Counts what the history did; every action is one step.
pub type Step = u64;

/// What the publisher was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    Accepted,
    Refused,
}

/// One message, from its first sending on. Its index is its payload.
#[derive(Clone, Debug)]
pub struct Entry {
    pub publisher: usize,
    pub topic: &'static str,
    pub qos: QoS,
    pub first_sent: Step,
    /// The last step at which the broker may have taken it up.
    pub last_sent: Step,
    /// How often the publisher sent it.
    pub attempts: u32,
    pub expiry_secs: Option<u32>,
    pub verdict: Verdict,
    /// The broker ended before the publisher was told of the message: those who had it at QoS 0 may get it again.
    pub broken: bool,
}

impl Entry {
    /// How often the broker may hand it to one receiver as new: a QoS 1 message that is sent again is another.
    pub fn routings_max(&self) -> u32 {
        if self.qos == QoS::AtLeastOnce { self.attempts } else { 1 }
    }

    /// The same where the store need not know of it: at QoS 0, or by a member of the group whose session is not kept.
    pub fn routings_unkept_max(&self) -> u32 {
        if self.broken {
            self.attempts
        } else {
            self.routings_max()
        }
    }

    pub fn is_retained(&self) -> bool {
        self.topic.starts_with("state/")
    }

    pub fn is_shared(&self) -> bool {
        self.topic.starts_with("job/")
    }
}

/// All messages of a history.
#[derive(Debug, Default)]
pub struct Ledger {
    pub now: Step,
    pub entries: Vec<Entry>,
    /// Accepted since the last look, with whether the broker said that nobody wanted it.
    pub told: Vec<(usize, bool)>,
    /// Message, device, and the number of its session: to be delivered unless that session ends.
    pub owed: BTreeSet<(usize, usize, u32)>,
    /// PUBLISH packets seen by anyone, by message.
    pub seen: BTreeMap<usize, u32>,
    /// Shared messages that a member has taken to the end.
    pub group_done: BTreeSet<usize>,
    /// The last step at which the group had no member for certain.
    pub group_broken: Step,
    /// Shared messages that no member took before the broker ended.
    pub left_to_nobody: usize,
    /// Queues are so small that the broker refuses messages.
    pub refuses: bool,
}

impl Ledger {
    pub fn enter(&mut self, publisher: usize, topic: &'static str, qos: QoS, expiry_secs: Option<u32>) -> usize {
        self.entries.push(Entry {
            publisher,
            topic,
            qos,
            first_sent: self.now,
            last_sent: self.now,
            attempts: 1,
            expiry_secs,
            verdict: Verdict::Open,
            broken: false,
        });
        self.entries.len() - 1
    }

    /// The publisher sends it once more.
    pub fn again(&mut self, message: usize) {
        self.entries[message].attempts += 1;
        self.entries[message].last_sent = self.now;
    }

    /// The broker has ended.
    pub fn crashed(&mut self) {
        let open = self.entries.iter_mut().filter(|entry| entry.verdict == Verdict::Open);
        open.for_each(|entry| entry.broken = true);
    }

    pub fn accepted(&mut self, message: usize, nobody: bool) {
        self.entries[message].verdict = Verdict::Accepted;
        self.told.push((message, nobody));
    }

    pub fn refused(&mut self, message: usize) {
        self.entries[message].verdict = Verdict::Refused;
    }

    /// Whether receivers get the message in the order in which it was first sent. One that was sent twice need not: the
    /// broker may have refused the first copy, with an answer that was lost, or the copy expired while it waited.
    pub fn is_ordered(&self, message: usize) -> bool {
        let entry = &self.entries[message];
        !entry.is_shared() && entry.expiry_secs.is_none() && (entry.attempts == 1 || !self.refuses)
    }

    /// Shared messages that the group is owed: it had a member at every moment since.
    pub fn group_owed(&self) -> impl Iterator<Item = usize> + '_ {
        self.entries.iter().enumerate().filter_map(|(message, entry)| {
            let promised = entry.verdict == Verdict::Accepted && entry.expiry_secs.is_none();
            (entry.is_shared() && promised && self.group_broken < entry.first_sent).then_some(message)
        })
    }
}

/// Topic filter matching as the standard tells it, level by level. Only for topics without `$`.
pub fn matches(filter: &str, topic: &str) -> bool {
    let filter = filter
        .strip_prefix("$share/")
        .map_or(filter, |shared| shared.split_once('/').unwrap().1);
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        match (level, topic.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}
