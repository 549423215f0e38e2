//! A configuration that was read, with the origin of each value.

use std::fmt;

use config::Map;
use toml::Value;

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;

/// Settings whose values hold passwords.
const SECRETS: [&str; 2] = ["auth.redis_url", "auth.sql_url"];

/// Whether the value of a setting is not to be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// A configuration that was read. Its Display is TOML: each value with its origin in a comment, secrets apart.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub configuration: Configuration,
    /// By `section.key`.
    pub(crate) origins: Map<String, String>,
}

impl Loaded {
    /// Where the value of `key` (`section.key`) came from, in words: "default", "strowger.toml:7",
    /// "environment STROWGER_LISTENER__BIND", "flag --set". None for a key that does not exist.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&str> {
        self.origins.get(key).map(String::as_str)
    }

    pub(crate) fn value_of(configuration: &Configuration) -> Result<Value, Error> {
        Value::try_from(configuration).map_err(|error| Error::Inconsistent(error.to_string()))
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = Self::value_of(&self.configuration).map_err(|_| fmt::Error)?;
        for (nth, section) in SECTIONS.iter().enumerate() {
            if !section.name.is_empty() {
                writeln!(f, "{}[{}]", if nth == 0 { "" } else { "\n" }, section.name)?;
            }
            for setting in section.settings {
                let value = setting.find(&values).ok_or(fmt::Error)?;
                let name = setting.name();
                let is_hidden = is_secret(&name) && value.as_str().is_some_and(|text| !text.is_empty());
                let line = match is_hidden {
                    true => format!("{} = \"(secret)\"", setting.key),
                    false => format!("{} = {value}", setting.key),
                };
                writeln!(f, "{line:<44} # {}", self.origin(&name).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}
