//! Which records are written: a level for all, and others for single clients or topics for a time.
//!
//! While there are no others, a record below the level costs what it costs without this file: its place in the program is
//! switched off.

use std::fmt::{self, Debug};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer};

use crate::failure::Failure;

/// What the HTTP server says of its own starts and stops, which is nobody's news; a level that names it replaces this.
const QUIET: &str = "actix_server=warn";
/// Exceptions at once.
pub(crate) const EXCEPTIONS_MAX: usize = 64;

/// Whose records another level is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Records with `client=` this.
    Client(String),
    /// Records with `topic=` this.
    Topic(String),
}

impl Subject {
    const fn field(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Topic(_) => "topic",
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::Client(value) | Self::Topic(value) => value,
        }
    }
}

/// Another level for some records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) subject: Subject,
    pub(crate) level: LevelFilter,
    pub(crate) until: SystemTime,
}

/// What is in force.
struct InForce {
    filter: EnvFilter,
    level: String,
    /// The level that the settings have.
    configured: String,
    exceptions: Vec<Exception>,
}

static IN_FORCE: RwLock<Option<InForce>> = RwLock::new(None);

/// Reads what is in force. Before there is anything, everything passes.
fn look<T>(otherwise: T, at: impl FnOnce(&InForce) -> T) -> T {
    let in_force = IN_FORCE.read().unwrap_or_else(PoisonError::into_inner);
    in_force.as_ref().map_or(otherwise, at)
}

/// What a level lets through.
///
/// # Errors
///
/// It is none.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|error| Failure::Usage(format!("`log.level` cannot be \"{level}\": {error}")))
}

/// Writes by the level of the settings from here on.
pub(crate) fn configure(level: &str) -> Result<(), Failure> {
    let filter = filter(level)?;
    change(|in_force| {
        let exceptions = in_force.take().map(|before| before.exceptions).unwrap_or_default();
        *in_force = Some(InForce {
            filter,
            level: level.to_owned(),
            configured: level.to_owned(),
            exceptions,
        });
    });
    Ok(())
}

/// Writes by another level until the settings are read again.
pub(crate) fn set(level: &str) -> Result<(), Failure> {
    let filter = filter(level)?;
    change(|in_force| {
        if let Some(in_force) = in_force {
            in_force.filter = filter;
            level.clone_into(&mut in_force.level);
        }
    });
    Ok(())
}

/// Puts other exceptions in the place of those in force. Each ends by itself.
pub(crate) fn except(exceptions: Vec<Exception>) {
    change(|in_force| {
        if let Some(in_force) = in_force {
            in_force.exceptions = exceptions;
        }
    });
    end_in_force();
}

/// Writes by the level of the settings again, without exceptions.
pub(crate) fn reset() {
    let configured = look(None, |in_force| Some(in_force.configured.clone()));
    except(Vec::new());
    if let Some(configured) = configured {
        // It was good when the settings were read.
        let _ = set(&configured);
    }
}

/// The level in force, and the exceptions.
pub(crate) fn in_force() -> (String, Vec<Exception>) {
    look((String::new(), Vec::new()), |in_force| {
        (in_force.level.clone(), in_force.exceptions.clone())
    })
}

fn change(change: impl FnOnce(&mut Option<InForce>)) {
    change(&mut IN_FORCE.write().unwrap_or_else(PoisonError::into_inner));
    // What was switched off may be wanted, and the other way round.
    tracing::callsite::rebuild_interest_cache();
}

/// When the next exception ends, for the thread that takes out what is over.
#[derive(Debug, Default)]
struct Timer {
    next: Option<SystemTime>,
    /// There is one thread at most, and only while there are exceptions.
    has_thread: bool,
}

static TIMER: Mutex<Timer> = Mutex::new(Timer {
    next: None,
    has_thread: false,
});
/// Told when the next end is another one.
static RESET: Condvar = Condvar::new();

/// When the next exception in force ends. To be asked under the lock of the timer: of two who set exceptions at once, the later
/// one is to be heard last.
fn next_end() -> Option<SystemTime> {
    look(None, |in_force| in_force.exceptions.iter().map(|held| held.until).min())
}

/// Has what is over be taken out in time. Without a thread the exceptions end when the next are set; a record
/// does not pass by them any more.
fn end_in_force() {
    let mut timer = TIMER.lock().unwrap_or_else(PoisonError::into_inner);
    timer.next = next_end();
    if timer.has_thread {
        RESET.notify_one();
    } else if timer.next.is_some() {
        let thread = std::thread::Builder::new().name("log-levels".to_owned());
        match thread.spawn(end_in_time) {
            Ok(_) => timer.has_thread = true,
            Err(error) => tracing::debug!(%error, "levels of the log are looked at with the next change"),
        }
    }
}

/// Takes out what is over, until nothing is left.
fn end_in_time() {
    let mut timer = TIMER.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(next) = timer.next {
        let now = SystemTime::now();
        timer = if let Ok(left) = next.duration_since(now) {
            let waited = RESET.wait_timeout(timer, left + Duration::from_millis(10));
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            drop(timer);
            take_out(now);
            let mut timer = TIMER.lock().unwrap_or_else(PoisonError::into_inner);
            timer.next = next_end();
            timer
        };
    }
    timer.has_thread = false;
}

/// Takes out what is over.
fn take_out(now: SystemTime) {
    change(|in_force| {
        if let Some(in_force) = in_force {
            in_force.exceptions.retain(|exception| exception.until > now);
        }
    });
}

/// What the thread waits for.
#[cfg(test)]
pub(super) fn awaited() -> Option<SystemTime> {
    TIMER.lock().unwrap_or_else(PoisonError::into_inner).next
}

/// The layer that decides. It stands beneath all that write.
#[derive(Debug)]
pub(crate) struct Levels;

impl<S: Subscriber> Layer<S> for Levels {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        look(Interest::always(), |in_force| {
            if in_force.may_except(metadata) {
                return Interest::sometimes();
            }
            Layer::<S>::register_callsite(&in_force.filter, metadata)
        })
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        look(true, |in_force| {
            in_force.filter.enabled(metadata, context) || in_force.may_except(metadata)
        })
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        look(true, |in_force| {
            in_force.exceptions.is_empty()
                || in_force.filter.enabled(event.metadata(), context)
                || in_force.is_excepted(event)
        })
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        look(None, |in_force| {
            let excepted = in_force.exceptions.iter().map(|exception| exception.level).max();
            in_force.filter.max_level_hint().max(excepted)
        })
    }
}

impl InForce {
    /// Whether a record from this place may pass by an exception.
    fn may_except(&self, metadata: &Metadata<'_>) -> bool {
        self.exceptions.iter().any(|exception| {
            *metadata.level() <= exception.level && metadata.fields().field(exception.subject.field()).is_some()
        })
    }

    fn is_excepted(&self, event: &Event<'_>) -> bool {
        let now = SystemTime::now();
        self.exceptions.iter().any(|exception| {
            let mut sought = Sought {
                field: exception.subject.field(),
                value: exception.subject.value(),
                is_found: false,
            };
            *event.metadata().level() <= exception.level && exception.until > now && {
                event.record(&mut sought);
                sought.is_found
            }
        })
    }
}

/// Looks for a field with a value.
struct Sought<'a> {
    field: &'static str,
    value: &'a str,
    is_found: bool,
}

impl Visit for Sought<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.is_found |= field.name() == self.field && value == self.value;
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.field {
            self.is_found |= format!("{value:?}") == self.value;
        }
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce")
            .field("level", &self.level)
            .field("exceptions", &self.exceptions)
            .finish_non_exhaustive()
    }
}
