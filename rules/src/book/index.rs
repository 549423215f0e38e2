//! Which rules an event has to be shown to: by kind, then by topic.

use broker::exchange::Kind;
use hashbrown::HashMap;

use super::Rule;
use crate::filter::{covers, overlaps};
use crate::{Event, Verdict};

/// The rules of each kind, in a tree of topic levels.
#[derive(Debug, Default)]
pub(super) struct Index {
    kinds: [Shelf; Kind::ALL.len()],
}

/// The rules for one kind of exchange.
#[derive(Debug, Default)]
struct Shelf {
    /// Rules without topics.
    everywhere: Vec<u16>,
    root: Branch,
    /// Rules with topics.
    somewhere: Vec<u16>,
}

/// The rules under one beginning of a topic.
#[derive(Debug, Default)]
struct Branch {
    /// A bit for each mark that a level of `levels` has: most levels that no rule names end here, unhashed.
    marks: u64,
    levels: HashMap<Box<str>, Self, foldhash::fast::FixedState>,
    plus: Option<Box<Self>>,
    /// Rules whose filter ends here.
    here: Vec<u16>,
    /// Rules whose filter ends here with `#`.
    beneath: Vec<u16>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            // The number of rules is bounded where they are read.
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            for kind in &rule.kinds {
                let Some(shelf) = index.kinds.get_mut(*kind as usize) else {
                    continue;
                };
                if rule.topics.is_empty() {
                    shelf.everywhere.push(number);
                    continue;
                }
                shelf.somewhere.push(number);
                for topic in &rule.topics {
                    shelf.root.insert(topic.split('/'), number);
                }
            }
        }
        index
    }

    /// Whether any rule is about exchanges of this kind.
    pub(super) fn judges(&self, kind: Kind) -> bool {
        let shelf = self.kinds.get(kind as usize);
        shelf.is_some_and(|shelf| !shelf.everywhere.is_empty() || !shelf.somewhere.is_empty())
    }

    /// Puts the numbers of the rules for `event` into `found`, in the order of the file.
    pub(super) fn find(&self, rules: &[Rule], event: &Event<'_>, found: &mut Vec<u16>) {
        let Some(shelf) = self.kinds.get(event.kind as usize) else {
            return;
        };
        if !shelf.everywhere.is_empty() {
            found.extend_from_slice(&shelf.everywhere);
        }
        if shelf.somewhere.is_empty() {
            return;
        }
        if matches!(event.kind, Kind::Subscribe | Kind::Unsubscribe) {
            let fits = |number: &&u16| {
                rules
                    .get(usize::from(**number))
                    .is_some_and(|rule| concerns(rule, event.topic))
            };
            found.extend(shelf.somewhere.iter().filter(fits));
        } else {
            shelf.root.find(Some(event.topic), event.topic.starts_with('$'), found);
        }
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}

/// Whether a rule concerns a subscription: one that allows has to cover all of it, every other only a part, so that a
/// wide filter neither profits from a narrow permission nor slips past a narrow refusal.
fn concerns(rule: &Rule, filter: &str) -> bool {
    let allows = rule.verdict == Some(Verdict::Proceed);
    rule.topics.iter().any(|topic| {
        if allows {
            covers(topic, filter)
        } else {
            overlaps(topic, filter)
        }
    })
}

impl Branch {
    fn insert<'t>(&mut self, mut levels: impl Iterator<Item = &'t str>, number: u16) {
        match levels.next() {
            None => self.here.push(number),
            Some("#") => self.beneath.push(number),
            Some("+") => self.plus.get_or_insert_default().insert(levels, number),
            Some(level) => {
                self.marks |= mark(level);
                self.levels.entry(level.into()).or_default().insert(levels, number);
            }
        }
    }

    /// Goes down as far as the rules' filters go, however deep the topic is. `rest` is what follows of it; `None`: nothing.
    fn find(&self, rest: Option<&str>, is_reserved: bool, found: &mut Vec<u16>) {
        if !is_reserved && !self.beneath.is_empty() {
            found.extend_from_slice(&self.beneath);
        }
        let Some(rest) = rest else {
            found.extend_from_slice(&self.here);
            return;
        };
        let (level, rest) = cut(rest);
        if self.marks & mark(level) != 0
            && let Some(branch) = self.levels.get(level)
        {
            branch.find(rest, false, found);
        }
        if !is_reserved && let Some(plus) = &self.plus {
            plus.find(rest, false, found);
        }
    }
}

/// One of 64 bits, by the length of a level and its ends.
fn mark(level: &str) -> u64 {
    let ends = level.as_bytes();
    let (first, last) = (ends.first().copied().unwrap_or(0), ends.last().copied().unwrap_or(0));
    let mixed = usize::from(first) * 7 + usize::from(last) * 3 + ends.len();
    1 << (mixed % 64)
}

/// The first level, and what follows it. Levels are short, and a search that is made for long texts is slower here.
fn cut(topic: &str) -> (&str, Option<&str>) {
    match topic.bytes().position(|byte| byte == b'/') {
        Some(slash) => (topic.get(..slash).unwrap_or_default(), topic.get(slash + 1..)),
        None => (topic, None),
    }
}
