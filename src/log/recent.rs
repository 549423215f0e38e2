//! The latest records of the log, for those who look at it from afar.

use std::collections::VecDeque;
use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use admin::journal::LogRecord;
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Records that are kept, and bytes of them.
const RECORDS_MAX: usize = 1000;
const BYTES_MAX: usize = 1 << 20;
/// The longest text of one record.
const TEXT_BYTES_MAX: usize = 8192;
/// Records that a listener may be behind.
const BACKLOG: usize = 1024;

#[derive(Default)]
struct Kept {
    records: VecDeque<Arc<LogRecord>>,
    bytes: usize,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
static LIVE: LazyLock<broadcast::Sender<Arc<LogRecord>>> = LazyLock::new(|| broadcast::Sender::new(BACKLOG));

/// What is kept, oldest first.
pub(crate) fn records() -> Vec<Arc<LogRecord>> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.records.iter().cloned().collect()
}

/// What is written from here on.
pub(crate) fn listen() -> broadcast::Receiver<Arc<LogRecord>> {
    LIVE.subscribe()
}

/// The layer that keeps what the others write.
#[derive(Debug)]
pub(crate) struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut record = LogRecord {
            at_millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            level: event.metadata().level().as_str().to_ascii_lowercase(),
            target: event.metadata().target().to_owned(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut Words(&mut record));
        keep(Arc::new(record));
    }
}

fn keep(record: Arc<LogRecord>) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.bytes += size_of(&record);
    kept.records.push_back(Arc::clone(&record));
    while kept.records.len() > RECORDS_MAX || kept.bytes > BYTES_MAX {
        let Some(oldest) = kept.records.pop_front() else { break };
        kept.bytes = kept.bytes.saturating_sub(size_of(&oldest));
    }
    drop(kept);
    // Mostly nobody listens.
    let _ = LIVE.send(record);
}

fn size_of(record: &LogRecord) -> usize {
    let fields: usize = record.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    128 + record.target.len() + record.message.len() + fields
}

/// Puts the fields of a record into words.
struct Words<'a>(&'a mut LogRecord);

impl Words<'_> {
    fn put(&mut self, field: &Field, mut text: String) {
        if text.len() > TEXT_BYTES_MAX {
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
        }
        if field.name() == "message" {
            self.0.message = text;
        } else {
            self.0.fields.push((field.name().to_owned(), text));
        }
    }
}

impl Visit for Words<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A String takes everything.
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }
}
