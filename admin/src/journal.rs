//! The log of the process, as the listener for operators needs it.

use std::fmt::Debug;
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// The log of the process.
pub trait Journal: Debug + Send + Sync {
    /// What is written.
    fn levels(&self) -> LogLevels;

    /// Writes by other levels from here on.
    ///
    /// # Errors
    ///
    /// What is wrong with them; nothing is changed then.
    fn change(&self, change: &Change) -> Result<(), String>;

    /// Writes by the level of the settings again.
    fn reset(&self);

    /// The latest records, oldest first.
    fn recent(&self) -> Vec<Arc<LogRecord>>;

    /// The records from here on.
    fn listen(&self) -> broadcast::Receiver<Arc<LogRecord>>;
}

/// What is written.
#[derive(Debug, Clone)]
pub struct LogLevels {
    /// As `log.level` has it.
    pub level: String,
    /// Other levels for single clients and topics.
    pub overrides: Vec<Exempt>,
}

/// Another level for a client or a topic.
#[derive(Debug, Clone)]
pub struct Exempt {
    /// Whose records.
    pub client_id: Option<String>,
    /// Of which topic the records are.
    pub topic: Option<String>,
    /// The level.
    pub level: String,
    /// When it ends, in milliseconds since 1970.
    pub until_millis: u64,
}

/// What is to be written from here on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// For all records, as `log.level` has it; without it, it stays.
    #[schema(example = "debug")]
    pub level: Option<String>,
    /// In the place of those in force; without it, they stay.
    pub overrides: Option<Vec<Override>>,
}

/// Another level for the records about a client or a topic, for a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The client; either this or `topic`.
    pub client_id: Option<String>,
    /// The topic; either this or `client_id`.
    pub topic: Option<String>,
    /// "error", "warn", "info", "debug" or "trace".
    #[schema(example = "debug")]
    pub level: String,
    /// How long.
    #[serde(default = "an_hour")]
    #[schema(minimum = 1, maximum = 604_800, default = 3600)]
    pub for_secs: u64,
}

const fn an_hour() -> u64 {
    3600
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Milliseconds since 1970.
    pub at_millis: u64,
    /// "error", "warn", "info", "debug" or "trace".
    pub level: String,
    /// Which part of the broker wrote it.
    pub target: String,
    /// What it says.
    pub message: String,
    /// What it says it about.
    pub fields: Vec<(String, String)>,
}
