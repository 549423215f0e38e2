//! A line's account with the store.

use std::collections::VecDeque;

use mqtt_codec::TopicFilter;

use super::{Batch, Change, Durability, Fetch, Gate, Health, MessageId, Place, Progress, SessionId, Wanted};
use crate::key::SessionKey;
use crate::limits::Limits;
use crate::router;
use crate::state::SYSTEM_PREFIX;

/// Low bits of a number that tell lines apart.
const LINE_BITS: u32 = 12;

/// Gathers what the store is to be told, and knows who waits for it.
#[derive(Debug)]
pub(crate) struct Keeper {
    line: u16,
    sessions: Durability,
    rules: Vec<(TopicFilter, Durability)>,
    pub(crate) health: Health,
    serial: u64,
    /// Of the batch that is being gathered.
    number: u64,
    progress: Progress,
    changes: Vec<Change>,
    fetches: Vec<Fetch>,
    durability: Durability,
    /// The highest that the request at hand asks for.
    owed: Durability,
    /// Slots whose outboxes have a gate, in the order of their gates: those that wait for the kernel, for the device.
    gated: [VecDeque<(u64, u32)>; 2],
}

impl Keeper {
    pub(crate) fn new(line: u16, limits: &Limits, serial: u64) -> Self {
        Self {
            line,
            sessions: limits.durability,
            rules: limits.durability_rules.clone(),
            health: Health::Well,
            serial: serial >> LINE_BITS,
            number: 1,
            progress: Progress::default(),
            changes: Vec::new(),
            fetches: Vec::new(),
            durability: Durability::Memory,
            owed: Durability::Memory,
            gated: [VecDeque::new(), VecDeque::new()],
        }
    }

    /// What the messages of some topics survive from here on.
    pub(crate) fn set_rules(&mut self, rules: Vec<(TopicFilter, Durability)>) {
        self.rules = rules;
    }

    /// What sessions and subscriptions survive; with [`Durability::Memory`] none is kept.
    pub(crate) const fn sessions(&self) -> Durability {
        self.sessions
    }

    /// What the messages of a topic survive.
    pub(crate) fn durability_of(&self, topic: &str) -> Durability {
        // What the broker says of itself it says anew.
        if self.sessions == Durability::Memory || topic.starts_with(SYSTEM_PREFIX) {
            return Durability::Memory;
        }
        let rule = self.rules.iter().find(|(filter, _)| router::matches(filter, topic));
        rule.map_or(self.sessions, |(_, durability)| *durability)
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial << LINE_BITS | u64::from(self.line)
    }

    pub(crate) fn session_id(&mut self) -> SessionId {
        SessionId(self.serial())
    }

    pub(crate) fn place(&mut self) -> Place {
        Place(self.serial())
    }

    pub(crate) fn message_id(&mut self) -> MessageId {
        MessageId(self.serial())
    }

    /// Notes a change that has to survive `durability`.
    pub(crate) fn keep(&mut self, change: Change, durability: Durability) {
        self.note(change);
        self.owe(durability);
    }

    /// Lets the request at hand wait until what was noted so far survives `durability`.
    pub(crate) fn owe(&mut self, durability: Durability) {
        if self.health == Health::Failed {
            return;
        }
        self.durability = self.durability.max(durability);
        self.owed = self.owed.max(durability);
    }

    /// Notes a change that has to survive `durability`, and that the answer to the request at hand need not wait for.
    pub(crate) fn keep_aside(&mut self, change: Change, durability: Durability) {
        let owed = self.owed;
        self.keep(change, durability);
        self.owed = owed;
    }

    /// Notes a change that nobody waits for: it is written with what others wait for, or soon.
    pub(crate) fn note(&mut self, change: Change) {
        if self.health == Health::Failed {
            return;
        }
        if let Change::Queue(_, entry) = &change {
            // Another line's number may reach the store with this line's batch first, and is not to be given out again.
            self.serial = self.serial.max(entry.message.id >> LINE_BITS);
        }
        self.changes.push(change);
    }

    /// Starts the account of one request.
    pub(crate) fn begin(&mut self) {
        self.owed = Durability::Memory;
    }

    /// What the answer to the request at hand has to wait for, if anything.
    pub(crate) fn owed(&self) -> Option<Gate> {
        (self.owed != Durability::Memory).then_some(self.gate(self.owed))
    }

    /// A gate that opens when what was noted so far survives `durability`.
    pub(crate) const fn gate(&self, durability: Durability) -> Gate {
        Gate {
            number: self.number,
            durability,
        }
    }

    /// Notes that the outbox of a slot has a gate.
    pub(crate) fn wait(&mut self, gate: Gate, slot: u32) {
        let [written, synced] = &mut self.gated;
        match gate.durability {
            Durability::Memory => {}
            Durability::Os => written.push_back((gate.number, slot)),
            Durability::Disk => synced.push_back((gate.number, slot)),
        }
    }

    pub(crate) fn fetch(&mut self, session: SessionKey, id: SessionId, what: Wanted) {
        self.fetches.push(Fetch { session, id, what });
    }

    /// Whether there is something for the store.
    pub(crate) fn has_batch(&self) -> bool {
        !(self.changes.is_empty() && self.fetches.is_empty())
    }

    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        if !self.has_batch() {
            return None;
        }
        // The next turn has about as much to say.
        let next = Vec::with_capacity(self.changes.len());
        let batch = Batch {
            line: self.line,
            number: self.number,
            changes: std::mem::replace(&mut self.changes, next),
            fetches: std::mem::take(&mut self.fetches),
            durability: std::mem::take(&mut self.durability),
            serial: self.serial << LINE_BITS | u64::from(self.line),
        };
        self.number += 1;
        Some(batch)
    }

    /// The number of the batch that has the last of what was noted so far.
    pub(crate) fn mark(&self) -> u64 {
        if self.has_batch() { self.number } else { self.number - 1 }
    }

    /// Whether something that stands in batches up to `mark` is on its way to the store or waits for its word.
    pub(crate) fn awaits(&self, mark: u64) -> bool {
        self.health != Health::Failed && self.progress.written < self.mark().min(mark)
    }

    /// How far the store has come.
    pub(crate) const fn progress(&self) -> Progress {
        self.progress
    }

    /// Takes the store's word. The slots whose gates are open now are added to `opened`.
    pub(crate) fn advance(&mut self, progress: Progress, opened: &mut Vec<u32>) {
        self.progress = progress;
        let reached = [progress.written, progress.synced];
        for (gated, reached) in self.gated.iter_mut().zip(reached) {
            while let Some((number, slot)) = gated.front().copied()
                && number <= reached
            {
                gated.pop_front();
                opened.push(slot);
            }
        }
    }
}
