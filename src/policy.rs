//! The rule book of a broker: read from its file, in force on all lines, read again when the operator asks for it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use broker::exchange::Overseer;
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
    file: PathBuf,
    limits: Limits,
    log_lines_max: u32,
    state: Mutex<State>,
}

/// What was read last.
#[derive(Debug)]
struct State {
    text: String,
    book: Arc<RuleBook>,
    /// Of the lines that this book is in force on.
    counts: Vec<Arc<Counts>>,
}

impl Policy {
    /// Reads the file that the settings name; with none, everything proceeds.
    ///
    /// # Errors
    ///
    /// As [`read_book`].
    pub(crate) fn open(conf: &conf::Rules) -> Result<Arc<dyn actors::Policy>, Failure> {
        let Some(file) = file(conf) else {
            return Ok(Arc::new(actors::OpenHouse));
        };
        let limits = limits(conf);
        let text = text_of(&file).map_err(|failure| Failure::Policy(format!("{failure}; see rules.file")))?;
        let book = Arc::new(compile_some(&file, &text, limits)?);
        Ok(Arc::new(Self {
            file,
            limits,
            log_lines_max: conf.log_lines_per_sec_max,
            state: Mutex::new(State {
                text,
                book,
                counts: Vec::new(),
            }),
        }))
    }

    fn with_state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        // Nothing in there is half done when a look at it panics.
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl actors::Policy for Policy {
    fn overseer(&self) -> Box<dyn Overseer> {
        self.with_state(|state| {
            let tally = Tally::of(&state.book);
            state.counts.push(Arc::clone(tally.counts()));
            Box::new(Judge::new(Arc::clone(&state.book), tally, Log::new(self.log_lines_max))) as Box<dyn Overseer>
        })
    }

    fn reload(&self) -> Result<bool, String> {
        let text = text_of(&self.file).map_err(|failure| failure.to_string())?;
        if self.with_state(|state| state.text == text) {
            return Ok(false);
        }
        let book = compile_some(&self.file, &text, self.limits).map_err(|failure| failure.to_string())?;
        self.with_state(|state| {
            *state = State {
                text,
                book: Arc::new(book),
                counts: Vec::new(),
            };
        });
        Ok(true)
    }

    fn states(&self) -> Vec<(String, String)> {
        let (book, counts) = self.with_state(|state| (Arc::clone(&state.book), state.counts.clone()));
        let mut hits = vec![Hits::default(); book.names().len()];
        let mut tags = vec![0; book.tags().len()];
        for line in counts {
            for (sum, of_line) in hits.iter_mut().zip(line.hits()) {
                sum.asked += of_line.asked;
                sum.matched += of_line.matched;
                sum.failed += of_line.failed;
            }
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
