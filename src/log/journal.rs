//! The log as operators have it through the API.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::journal::{Change, Exempt, Journal, LogLevels, LogRecord};
use tokio::sync::broadcast;
use tracing::level_filters::LevelFilter;

use super::level::{self, EXCEPTIONS_MAX, Exception, Subject};
use super::recent;

/// Longest time of an exception: one that is forgotten ends.
const EXCEPTION_SECS_MAX: u64 = 7 * 86_400;

/// The log of this process.
#[derive(Debug)]
pub(crate) struct ProcessLog;

impl Journal for ProcessLog {
    fn levels(&self) -> LogLevels {
        let (level, exceptions) = level::in_force();
        LogLevels {
            level,
            overrides: exceptions.iter().map(exempt).collect(),
        }
    }

    fn change(&self, change: &Change) -> Result<(), String> {
        let exceptions = change.overrides.as_ref().map(|wanted| exceptions(wanted)).transpose()?;
        if let Some(level) = &change.level {
            level::set(level).map_err(|error| error.to_string())?;
        }
        if let Some(exceptions) = exceptions {
            level::except(exceptions);
        }
        let (level, exceptions) = level::in_force();
        tracing::info!(
            level,
            exceptions = exceptions.len(),
            "an operator has set the level of the log"
        );
        Ok(())
    }

    fn reset(&self) {
        level::reset();
        tracing::info!("the log is written by the level of the settings again");
    }

    fn recent(&self) -> Vec<Arc<LogRecord>> {
        recent::records()
    }

    fn listen(&self) -> broadcast::Receiver<Arc<LogRecord>> {
        recent::listen()
    }
}

fn exempt(exception: &Exception) -> Exempt {
    let (client_id, topic) = match &exception.subject {
        Subject::Client(client_id) => (Some(client_id.clone()), None),
        Subject::Topic(topic) => (None, Some(topic.clone())),
    };
    let until = exception.until.duration_since(UNIX_EPOCH).unwrap_or_default();
    Exempt {
        client_id,
        topic,
        level: exception.level.to_string(),
        until_millis: u64::try_from(until.as_millis()).unwrap_or(u64::MAX),
    }
}

fn exceptions(wanted: &[admin::journal::Override]) -> Result<Vec<Exception>, String> {
    if wanted.len() > EXCEPTIONS_MAX {
        return Err(format!(
            "{} overrides are too many; allowed: {EXCEPTIONS_MAX}",
            wanted.len()
        ));
    }
    wanted.iter().map(exception).collect()
}

fn exception(wanted: &admin::journal::Override) -> Result<Exception, String> {
    let subject = match (&wanted.client_id, &wanted.topic) {
        (Some(client_id), None) => Subject::Client(client_id.clone()),
        (None, Some(topic)) => Subject::Topic(topic.clone()),
        (Some(_), Some(_)) | (None, None) => return Err("an override is for a client_id or for a topic".to_owned()),
    };
    let level: LevelFilter = wanted.level.parse().map_err(|_| {
        let level = &wanted.level;
        format!("\"{level}\" is no level; there are error, warn, info, debug and trace")
    })?;
    if !(1..=EXCEPTION_SECS_MAX).contains(&wanted.for_secs) {
        let secs = wanted.for_secs;
        return Err(format!("for_secs is {secs}; allowed: 1 to {EXCEPTION_SECS_MAX}"));
    }
    Ok(Exception {
        subject,
        level,
        until: SystemTime::now() + Duration::from_secs(wanted.for_secs),
    })
}
