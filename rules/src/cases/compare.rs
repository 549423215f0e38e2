//! What the rules said against what was expected.

use super::{Expected, Message};
use crate::{Outcome, Republish, RuleBook, Verdict, word_of};

/// The words for verdicts.
pub(super) const VERDICTS: [&str; 5] = ["allow", "deny", "disconnect", "block", "cancel"];

pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proceed => "allow",
        Verdict::Deny(_) => "deny",
        Verdict::Disconnect(_) => "disconnect",
        Verdict::Block(_) => "block",
        Verdict::Cancel => "cancel",
    }
}

/// The name of the rule that decided.
pub(super) fn decider<'b>(book: &'b RuleBook, outcome: &Outcome) -> Option<&'b str> {
    let number = outcome.decided_by()?;
    book.names().get(usize::from(number)).map(AsRef::as_ref)
}

/// The list of what differs.
struct Differences(Vec<String>);

impl Differences {
    /// Compares, if anything is expected.
    fn of<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: Option<T>, found: T) {
        if let Some(expected) = expected
            && expected != found
        {
            self.0.push(format!("{what} is {found:?}, expected {expected:?}"));
        }
    }
}

impl Expected {
    pub(super) fn differences(&self, book: &RuleBook, outcome: &Outcome) -> Vec<String> {
        let mut differences = Differences(Vec::new());
        let verdict = outcome.verdict();
        let reason = match verdict {
            Verdict::Deny(reason) | Verdict::Disconnect(reason) => word_of(reason),
            Verdict::Proceed | Verdict::Cancel | Verdict::Block(_) => "",
        };
        let block_ms = match verdict {
            Verdict::Block(ms) => ms,
            Verdict::Proceed | Verdict::Cancel | Verdict::Deny(_) | Verdict::Disconnect(_) => 0,
        };
        differences.of("verdict", Some(self.verdict.get_ref().as_str()), word(verdict));
        differences.of(
            "reason",
            self.reason.as_ref().map(|reason| reason.get_ref().as_str()),
            reason,
        );
        differences.of("rule", self.rule.as_deref(), decider(book, outcome).unwrap_or_default());
        differences.of("block_ms", self.block_ms, block_ms);
        let topic = outcome.topic().map(|topic| topic.as_str());
        differences.of("topic", self.topic.as_deref(), topic.unwrap_or_default());
        let payload = outcome.payload().map(|payload| String::from_utf8_lossy(payload));
        differences.of("payload", self.payload.as_deref(), &payload.unwrap_or_default());
        differences.of("qos", self.qos.map(Some), outcome.qos().map(u8::from));
        differences.of("retain", self.retain.map(Some), outcome.retain());
        if let Some(expected) = &self.user_properties {
            let mut found: Vec<_> = outcome.user_properties().iter().map(|(k, v)| (&**k, &**v)).collect();
            found.sort_unstable();
            let expected = expected
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            differences.of("user_properties", Some(expected), found);
        }
        if let Some(expected) = &self.republished {
            self.compare_messages(expected, outcome.republished(), &mut differences);
        }
        let name = |tag: &u16| book.tags().get(usize::from(*tag)).map_or("", AsRef::as_ref).to_owned();
        differences.of("tags", self.tags.clone(), outcome.tags().iter().map(name).collect());
        let lines = outcome.lines().iter().map(|line| line.text.clone()).collect();
        differences.of("log", self.log.clone(), lines);
        differences.of("failed", self.failed, outcome.failure().is_some());
        differences.0
    }

    fn compare_messages(&self, expected: &[Message], found: &[Republish], differences: &mut Differences) {
        differences.of("the number of republished messages", Some(expected.len()), found.len());
        for (expected, found) in expected.iter().zip(found) {
            differences.of("republished topic", Some(expected.topic.as_str()), found.topic.as_str());
            let payload = String::from_utf8_lossy(&found.payload);
            differences.of("republished payload", expected.payload.as_deref(), &payload);
            differences.of("republished qos", expected.qos, found.qos.into());
            differences.of("republished retain", expected.retain, found.retain);
        }
    }
}
