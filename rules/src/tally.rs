//! What one line remembers of the rules: counters, rates and the latest topic.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use broker::exchange::Kind;

use crate::rates::Rates;
use crate::{Event, RuleBook};

/// How often a rule was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Its predicate was evaluated, or it has none.
    pub asked: u64,
    /// Its predicate was true.
    pub matched: u64,
    /// It could not be evaluated.
    pub failed: u64,
}

/// The counters of one line: it alone writes them, and any thread may read them.
#[derive(Debug)]
pub struct Counts {
    rules: Box<[HitCounts]>,
    tags: Box<[AtomicU64]>,
}

#[derive(Debug, Default)]
struct HitCounts {
    asked: AtomicU64,
    matched: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// The counters of each rule, in the order of [`RuleBook::names`].
    #[must_use]
    pub fn hits(&self) -> Vec<Hits> {
        let read = |counts: &HitCounts| Hits {
            asked: counts.asked.load(Relaxed),
            matched: counts.matched.load(Relaxed),
            failed: counts.failed.load(Relaxed),
        };
        self.rules.iter().map(read).collect()
    }

    /// How often each tag was given, in the order of [`RuleBook::tags`].
    #[must_use]
    pub fn tags(&self) -> Vec<u64> {
        self.tags.iter().map(|count| count.load(Relaxed)).collect()
    }

    pub(crate) fn asked(&self, rule: u16) {
        add_one(self.rules.get(usize::from(rule)).map(|counts| &counts.asked));
    }

    pub(crate) fn matched(&self, rule: u16) {
        add_one(self.rules.get(usize::from(rule)).map(|counts| &counts.matched));
    }

    pub(crate) fn failed(&self, rule: u16) {
        add_one(self.rules.get(usize::from(rule)).map(|counts| &counts.failed));
    }

    pub(crate) fn tagged(&self, tag: u16) {
        add_one(self.tags.get(usize::from(tag)));
    }
}

/// One thread writes, so that nothing is lost between reading and writing, and no bus is locked.
fn add_one(count: Option<&AtomicU64>) {
    if let Some(count) = count {
        count.store(count.load(Relaxed) + 1, Relaxed);
    }
}

/// What one line remembers of one book. A book that is loaded anew comes with a new tally.
#[derive(Debug)]
pub struct Tally {
    pub(crate) counts: Arc<Counts>,
    pub(crate) rates: Rates,
    pub(crate) latest: Latest,
}

/// The rules to be asked about the topic that was asked about last: a client's messages come in runs of one topic.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    kind: Option<Kind>,
    topic: String,
    rules: Vec<u16>,
}

impl Latest {
    /// Those rules, found by `find` if they are not known.
    pub(crate) fn rules(&mut self, event: &Event<'_>, find: impl FnOnce(&mut Vec<u16>)) -> &[u16] {
        if self.kind != Some(event.kind) || self.topic != event.topic {
            self.kind = Some(event.kind);
            self.topic.clear();
            self.topic.push_str(event.topic);
            self.rules.clear();
            find(&mut self.rules);
        }
        &self.rules
    }
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub fn of(book: &RuleBook) -> Self {
        let counts = Counts {
            rules: book.names().iter().map(|_| HitCounts::default()).collect(),
            tags: book.tags().iter().map(|_| AtomicU64::new(0)).collect(),
        };
        Self {
            counts: Arc::new(counts),
            rates: book.rates(),
            latest: Latest::default(),
        }
    }

    /// Its counters, to be read elsewhere.
    #[must_use]
    pub const fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}
