//! A book of rules that is compiled, and the judgement by it.

use broker::exchange::{Kind, Refusal};

use crate::expression::{Evaluation, Failure, Node, Scope};
use crate::filter::inner;
use crate::outcome::Effects;
use crate::rates::{Rate, Rates};
use crate::source::Source;
use crate::tally::Counts;
use crate::{Event, Limits, Outcome, RulesError, Tally, Verdict};
use action::Action;
use index::Index;

mod action;
mod fields;
mod index;
mod read;
mod read_action;
#[cfg(test)]
mod tests;

/// One rule.
#[derive(Debug)]
struct Rule {
    name: Box<str>,
    kinds: Vec<Kind>,
    /// Topic filters; empty: all topics.
    topics: Vec<Box<str>>,
    /// `None`: always.
    when: Option<Node>,
    /// Everything but the last word.
    actions: Vec<Action>,
    /// The last word, if it has one.
    verdict: Option<Verdict>,
    on_error: OnError,
}

/// What becomes of an exchange when a rule cannot be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    Deny,
    Skip,
}

/// The rules of one file, compiled: immutable, and shared by all lines.
#[derive(Debug)]
pub struct RuleBook {
    rules: Vec<Rule>,
    names: Vec<Box<str>>,
    tags: Vec<Box<str>>,
    rates: Vec<Rate>,
    index: Index,
    limits: Limits,
}

impl RuleBook {
    /// Reads and compiles the rules in `text`; `file` is its name in errors. The book is whole or not at all.
    ///
    /// # Errors
    ///
    /// The first mistake, with its place and remedy: TOML, keys and words that are not known, an expression that is wrong
    /// in syntax, names, types or size, an action that a kind of exchange cannot take.
    pub fn parse(file: &str, text: &str, limits: Limits) -> Result<Self, RulesError> {
        let read = read::read(Source { name: file, text })?;
        Ok(Self {
            names: read.rules.iter().map(|rule| rule.name.clone()).collect(),
            index: Index::of(&read.rules),
            rules: read.rules,
            tags: read.tags,
            rates: read.rates,
            limits,
        })
    }

    /// Asks the rules about an event.
    ///
    /// Rules are asked in the order of the file, and see the event as it came. Those that match add their effects; the
    /// first that ends in `allow`, `deny`, `disconnect`, `block` or `cancel` decides, and none after it is asked. If none
    /// decides, the exchange proceeds. A rule that cannot be evaluated has no effect, and denies unless it says
    /// `on_error = "skip"`.
    pub fn judge(&self, event: &Event<'_>, tally: &mut Tally, outcome: &mut Outcome) {
        outcome.clear();
        if !self.index.judges(event.kind) {
            return;
        }
        let unshared;
        let event = if matches!(event.kind, Kind::Subscribe | Kind::Unsubscribe) {
            unshared = Event {
                topic: inner(event.topic),
                ..*event
            };
            &unshared
        } else {
            event
        };
        let Tally { counts, rates, latest } = tally;
        let candidates = latest.rules(event, |found| self.index.find(&self.rules, event, found));
        if candidates.is_empty() {
            return;
        }
        let scope = Scope::new(event, &self.limits);
        for number in candidates {
            let Some(rule) = self.rules.get(usize::from(*number)) else {
                continue;
            };
            if ask(*number, rule, &scope, (counts, rates), outcome) {
                break;
            }
        }
    }

    /// Whether any rule is about exchanges of this kind.
    #[must_use]
    pub fn judges(&self, kind: Kind) -> bool {
        self.index.judges(kind)
    }

    /// The names of the rules; the number of a rule is its place here.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The tags that rules give; the number of a tag is its place here.
    #[must_use]
    pub fn tags(&self) -> &[Box<str>] {
        &self.tags
    }

    pub(crate) fn rates(&self) -> Rates {
        Rates::new(self.rates.clone().into(), self.limits.rate_buckets_max)
    }
}

/// Asks one rule; true if it decided.
fn ask<'a>(
    number: u16,
    rule: &'a Rule,
    scope: &'a Scope<'a>,
    (counts, rates): (&Counts, &mut Rates),
    outcome: &mut Outcome,
) -> bool {
    let result = effects(rule, scope, rates);
    counts.asked(number);
    match result {
        Ok(None) => false,
        Ok(Some(mut effects)) => {
            counts.matched(number);
            effects.tags.iter().for_each(|tag| counts.tagged(*tag));
            outcome.is_used = true;
            effects.lines.iter_mut().for_each(|line| line.rule = number);
            outcome.effects.absorb(effects);
            if let Some(verdict) = rule.verdict {
                outcome.decide(number, verdict);
            }
            rule.verdict.is_some()
        }
        Err(failure) => {
            counts.failed(number);
            outcome.is_used = true;
            outcome.failure = Some((number, failure));
            if rule.on_error == OnError::Deny {
                outcome.decide(number, Verdict::Deny(Refusal::NotAuthorized));
            }
            rule.on_error == OnError::Deny
        }
    }
}

/// What a rule does about an event: all of it or, if any part has no value, nothing. `None` if it does not match.
fn effects<'a>(rule: &'a Rule, scope: &'a Scope<'a>, rates: &mut Rates) -> Result<Option<Effects>, Failure> {
    if let Some(when) = &rule.when
        && !Evaluation::new(scope, rates).truth(when)?
    {
        return Ok(None);
    }
    let mut effects = Effects::default();
    for action in &rule.actions {
        action.perform(scope, rates, &mut effects)?;
    }
    Ok(Some(effects))
}
