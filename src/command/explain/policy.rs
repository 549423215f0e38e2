//! What the rules say of it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rules::{Event, Outcome, RuleBook, Tally, Verdict, word_of};

use super::{Asked, Who};
use crate::failure::Failure;
use crate::policy::{changes_in_words, file, limits, read_book};

/// What the rules said.
pub(super) struct Said {
    pub(super) allowed: bool,
    /// In lines.
    pub(super) words: String,
    /// Where the message goes instead.
    pub(super) topic: Option<String>,
}

/// Asks the rules of the command line or of the settings, if there are any.
pub(super) fn judge(who: &Who, asked: &Asked, settings: &conf::Rules) -> Result<Said, Failure> {
    let Some(file) = who.rules.clone().or_else(|| file(settings)) else {
        return Ok(Said {
            allowed: true,
            words: String::new(),
            topic: None,
        });
    };
    let book = read_book(&file, limits(settings))?;
    let identity = who.identity();
    let event = Event {
        version: who.protocol,
        user: who.user.as_deref().unwrap_or_default(),
        groups: &identity.groups,
        listener: &who.listener,
        address: who.address,
        topic: &asked.topics,
        qos: asked.qos,
        retain: asked.retain,
        payload: &asked.payload,
        now_ms: now_ms(),
        ..Event::new(asked.kind, &who.client_id)
    };
    let mut outcome = Outcome::default();
    book.judge(&event, &mut Tally::of(&book), &mut outcome);
    Ok(Said {
        allowed: matches!(outcome.verdict(), Verdict::Proceed | Verdict::Block(_)),
        words: words(&book, &outcome, &file.display().to_string()),
        topic: outcome.topic().map(ToString::to_string),
    })
}

fn words(book: &RuleBook, outcome: &Outcome, file: &str) -> String {
    let name = |number: u16| book.names().get(usize::from(number)).map_or("", AsRef::as_ref);
    let mut words = match outcome.decided_by() {
        None => format!("  {file}: no rule decides, so that it goes on\n"),
        Some(rule) => format!(
            "  {file}: rule {} decides: {}\n",
            name(rule),
            verdict(outcome.verdict())
        ),
    };
    if let Some((rule, failure)) = outcome.failure() {
        // Writing to a string cannot fail.
        let _ = writeln!(words, "  rule {} could not be evaluated: {failure}", name(*rule));
    }
    words.push_str(&changes_in_words(outcome));
    for line in outcome.lines() {
        let _ = writeln!(words, "  rule {} logs: {}", name(line.rule), line.text);
    }
    for tag in outcome.tags() {
        let tag = book.tags().get(usize::from(*tag)).map_or("", AsRef::as_ref);
        let _ = writeln!(words, "  counts as {tag}");
    }
    words
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Proceed => "allow".to_owned(),
        Verdict::Block(ms) => format!("wait for {ms} ms, and be judged again"),
        Verdict::Deny(reason) => format!("deny ({})", word_of(reason)),
        Verdict::Disconnect(reason) => format!("disconnect ({})", word_of(reason)),
        Verdict::Cancel => "cancel: it is dropped in silence".to_owned(),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
