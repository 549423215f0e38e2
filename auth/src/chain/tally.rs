//! How clients proved who they are, counted: by method and result. Connecting is rare beside messages.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::{Answer, Refusal};

/// What is said where no method had its say.
pub(super) const NO_METHOD: &str = "none";

/// What is said of who proved it.
const KNOWN: &str = "known";

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<(&'static str, &'static str), u64>>);

impl Tally {
    /// Counts what the chain said.
    pub(super) fn count(&self, method: &'static str, answer: &Answer) {
        let result = match answer {
            Answer::Known(_) => KNOWN,
            Answer::Refused(refusal) => word_of(*refusal),
        };
        self.count_as(method, result);
    }

    /// Counts a client that proved who it is.
    pub(super) fn count_known(&self, method: &'static str) {
        self.count_as(method, KNOWN);
    }

    /// Counts a client that did not.
    pub(super) fn count_refusal(&self, method: &'static str, refusal: Refusal) {
        self.count_as(method, word_of(refusal));
    }

    fn count_as(&self, method: &'static str, result: &'static str) {
        // Nothing in there is half done when its holder panics.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((method, result)).or_default() += 1;
    }

    /// Method, result, how often.
    pub(super) fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|((method, result), count)| (*method, *result, *count))
            .collect()
    }
}

const fn word_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadCredentials => "bad_credentials",
        Refusal::NotAuthorized => "not_authorized",
        Refusal::Banned => "banned",
        Refusal::TooManyFailures => "too_many_failures",
        Refusal::Flapping => "flapping",
        Refusal::Unavailable => "unavailable",
    }
}
