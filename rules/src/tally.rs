//! What one line remembers of the rules: counters and rates.

use crate::RuleBook;
use crate::rates::Rates;

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

/// What one line remembers of one book. A book that is loaded anew comes with a new tally.
#[derive(Debug)]
pub struct Tally {
    pub(crate) hits: Vec<Hits>,
    pub(crate) tags: Vec<u64>,
    pub(crate) rates: Rates,
}

impl Tally {
    /// An empty one.
    #[must_use]
    pub fn of(book: &RuleBook) -> Self {
        Self {
            hits: vec![Hits::default(); book.names().len()],
            tags: vec![0; book.tags().len()],
            rates: book.rates(),
        }
    }

    /// The counters of each rule, in the order of [`RuleBook::names`].
    #[must_use]
    pub fn hits(&self) -> &[Hits] {
        &self.hits
    }

    /// How often each tag was given, in the order of [`RuleBook::tags`].
    #[must_use]
    pub fn tags(&self) -> &[u64] {
        &self.tags
    }
}
