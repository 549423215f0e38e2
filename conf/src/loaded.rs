//! A configuration that was read, with the origin of each value.

use std::fmt;

use config::Map;
use toml::Value;

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;

/// Settings whose values hold passwords.
const SECRETS: [&str; 2] = ["auth.redis_url", "auth.sql_url"];

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";

/// The value of a setting as it may be shown: without what is secret in it.
pub(crate) fn shown(key: &str, value: &Value) -> Value {
    hide(key, value, without_password)
}

/// As [`shown`], of a value that is refused: it may be an address with a slip in it.
pub(crate) fn shown_refused(key: &str, value: &Value) -> Value {
    hide(key, value, without_what_may_be_a_password)
}

fn hide(key: &str, value: &Value, cleaned: fn(&str) -> String) -> Value {
    match value {
        Value::String(text) if SECRETS.contains(&key) && !text.is_empty() => Value::String(HIDDEN.to_owned()),
        Value::String(text) => Value::String(cleaned(text)),
        Value::Array(values) => Value::Array(values.iter().map(|value| hide(key, value, cleaned)).collect()),
        Value::Table(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), hide(key, value, cleaned)));
            Value::Table(fields.collect())
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => value.clone(),
    }
}

/// An address of the web without the name and the password that may stand in it; any other text as it is.
fn without_password(text: &str) -> String {
    let parts = text.split_once("://").map(|(scheme, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        (scheme, rest.split_at(end))
    });
    let Some((scheme, (authority, path))) = parts else {
        return text.to_owned();
    };
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
        None => text.to_owned(),
    }
}

/// A text without what stands before the last `@`, if a colon is there too.
pub(crate) fn without_what_may_be_a_password(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@').filter(|(before, _)| before.contains(':')) else {
        return text.to_owned();
    };
    let scheme = before
        .split_once("://")
        .map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    format!("{scheme}{HIDDEN}@{after}")
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
                let line = format!("{} = {}", setting.key, shown(&name, value));
                writeln!(f, "{line:<44} # {}", self.origin(&name).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}
