//! The rule book of a broker: read from its file, in force on all lines, read again when the operator asks for it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use broker::exchange::{Open, Overseer};
use rules::{Counts, Hits, Limits, RuleBook, Tally};

use crate::failure::Failure;
use judge::{Judge, Log};

mod judge;

/// Bytes of a file that are read; what is longer is refused by its reader.
const FILE_BYTES_MAX: u64 = (4 << 20) + 1;

/// What the rules may cost, by the settings.
pub(crate) fn limits(conf: &conf::Rules) -> Limits {
    Limits {
        steps_max: conf.steps_max,
        text_bytes_max: conf.text_bytes_max,
        json_bytes_max: conf.json_bytes_max,
        rate_buckets_max: conf.rate_buckets_max,
    }
}

/// The file that the settings name.
pub(crate) fn file(conf: &conf::Rules) -> Option<PathBuf> {
    (!conf.file.is_empty()).then(|| PathBuf::from(&conf.file))
}

/// Reads and compiles a file of rules.
///
/// # Errors
///
/// The file cannot be read, or the first mistake in it.
pub(crate) fn read_book(file: &Path, limits: Limits) -> Result<RuleBook, Failure> {
    compile(file, &text_of(file)?, limits)
}

/// The text of a file of rules or cases, as far as any reader takes it.
pub(crate) fn text_of(file: &Path) -> Result<String, Failure> {
    let doing = format!("read {}", file.display());
    let mut text = String::new();
    let opened = File::open(file).map_err(Failure::io(doing.clone()))?;
    opened
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(Failure::io(doing))?;
    Ok(text)
}

fn compile(file: &Path, text: &str, limits: Limits) -> Result<RuleBook, Failure> {
    Ok(RuleBook::parse(&file.display().to_string(), text, limits)?)
}

/// As [`compile`]; a file without rules may be one that is being written, and would let everything pass.
fn compile_some(file: &Path, text: &str, limits: Limits) -> Result<RuleBook, Failure> {
    let book = compile(file, text, limits)?;
    if book.names().is_empty() {
        let what = format!("{} has no rule; write one, or leave rules.file empty", file.display());
        return Err(Failure::Policy(what));
    }
    Ok(book)
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Policy {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    edition: Edition,
    /// Of the lines that its book is in force on.
    counts: Vec<Arc<Counts>>,
}

/// Rules as they were read.
#[derive(Debug)]
pub(crate) struct Edition {
    limits: Limits,
    log_lines_max: u32,
    text: String,
    /// `None`: everything proceeds.
    book: Option<Arc<RuleBook>>,
}

impl Edition {
    /// Reads the file that the settings name; with none, everything proceeds.
    ///
    /// # Errors
    ///
    /// As [`read_book`].
    pub(crate) fn read(conf: &conf::Rules) -> Result<Self, Failure> {
        let limits = limits(conf);
        let (text, book) = match file(conf) {
            Some(file) => {
                let text = text_of(&file).map_err(|failure| Failure::Policy(format!("{failure}; see rules.file")))?;
                let book = compile_some(&file, &text, limits)?;
                (text, Some(Arc::new(book)))
            }
            None => (String::new(), None),
        };
        Ok(Self {
            limits,
            log_lines_max: conf.log_lines_per_sec_max,
            text,
            book,
        })
    }

    fn names(&self) -> &[Box<str>] {
        self.book.as_ref().map_or(&[], |book| book.names())
    }

    /// What is said of this one where the other was in force; `None`: they are the same.
    fn news_after(&self, other: &Self) -> Option<String> {
        let is_same = self.text == other.text
            && self.book.is_some() == other.book.is_some()
            && self.limits == other.limits
            && self.log_lines_max == other.log_lines_max;
        let list = |of: &Self, without: &Self| {
            let names = of.names().iter().filter(|name| !without.names().contains(name));
            let names: Vec<&str> = names.map(|name| &**name).collect();
            names.join(", ")
        };
        let (added, gone) = (list(self, other), list(other, self));
        let mut news = format!("{} before, {} after", other.names().len(), self.names().len());
        for (verb, names) in [("adds", added), ("removes", gone)] {
            if !names.is_empty() {
                news = format!("{news}; {verb} {names}");
            }
        }
        (!is_same).then_some(news)
    }
}

impl Policy {
    /// Puts rules in force at the start.
    pub(crate) fn of(edition: Edition) -> Arc<Self> {
        let state = State {
            edition,
            counts: Vec::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
        })
    }

    /// What is said of other rules; `None`: they are the same.
    pub(crate) fn news(&self, edition: &Edition) -> Option<String> {
        self.with_state(|state| edition.news_after(&state.edition))
    }

    /// Has overseers that are asked for from here on judge by other rules.
    pub(crate) fn adopt(&self, edition: Edition) {
        self.with_state(|state| {
            *state = State {
                edition,
                counts: Vec::new(),
            };
        });
    }

    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in there is half done when a look at it panics.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl actors::Policy for Policy {
    fn overseer(&self) -> Box<dyn Overseer> {
        self.with_state(|state| {
            let Some(book) = &state.edition.book else {
                return Box::new(Open) as Box<dyn Overseer>;
            };
            let tally = Tally::of(book);
            state.counts.push(Arc::clone(tally.counts()));
            let log = Log::new(state.edition.log_lines_max);
            Box::new(Judge::new(Arc::clone(book), tally, log))
        })
    }

    fn counts(&self) -> Vec<(String, [u64; 3])> {
        let (book, counts) = self.with_state(|state| (state.edition.book.clone(), state.counts.clone()));
        let Some(book) = book else { return Vec::new() };
        let hits = hits_of(&book, &counts);
        let names = book.names().iter().map(ToString::to_string);
        names
            .zip(hits)
            .map(|(name, hits)| (name, [hits.asked, hits.matched, hits.failed]))
            .collect()
    }

    fn states(&self) -> Vec<(String, String)> {
        let (book, counts) = self.with_state(|state| (state.edition.book.clone(), state.counts.clone()));
        let Some(book) = book else { return Vec::new() };
        let hits = hits_of(&book, &counts);
        let mut tags = vec![0; book.tags().len()];
        for line in counts {
            for (sum, of_line) in tags.iter_mut().zip(line.tags()) {
                *sum += of_line;
            }
        }
        let of_rules = book.names().iter().zip(hits).flat_map(|(name, hits)| {
            let counts = [
                ("asked", hits.asked),
                ("matched", hits.matched),
                ("failed", hits.failed),
            ];
            counts.map(|(word, count)| (format!("rules/{name}/{word}"), count.to_string()))
        });
        let of_tags = book.tags().iter().zip(tags);
        let of_tags = of_tags.map(|(tag, count)| (format!("tags/{tag}"), count.to_string()));
        of_rules.chain(of_tags).collect()
    }
}

/// What all lines have counted of each rule.
fn hits_of(book: &RuleBook, counts: &[Arc<Counts>]) -> Vec<Hits> {
    let mut hits = vec![Hits::default(); book.names().len()];
    for line in counts {
        for (sum, of_line) in hits.iter_mut().zip(line.hits()) {
            sum.asked += of_line.asked;
            sum.matched += of_line.matched;
            sum.failed += of_line.failed;
        }
    }
    hits
}

/// What a judgement changes, in words; empty if nothing.
pub(crate) fn changes_in_words(outcome: &rules::Outcome) -> String {
    let mut words = String::new();
    let mut say = |what: &str, value: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = writeln!(words, "  {what} {value}");
    };
    if let Some(topic) = outcome.topic() {
        say("topic becomes", topic);
    }
    if let Some(payload) = outcome.payload() {
        say("payload becomes", &payload.escape_ascii());
    }
    if let Some(qos) = outcome.qos() {
        say("QoS becomes", &u8::from(qos));
    }
    if let Some(retain) = outcome.retain() {
        say("retain becomes", &retain);
    }
    for (name, value) in outcome.user_properties() {
        say("user property", &format!("{name} becomes {value}"));
    }
    for message in outcome.republished() {
        say("publishes besides to", &message.topic);
    }
    words
}
