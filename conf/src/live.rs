//! Which settings a running broker takes, and what differs between two configurations.

use std::fmt;

use toml::{Table, Value};

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;
use crate::loaded::{Loaded, shown};
use crate::table::Setting;

/// When another value of a setting is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// With the reload.
    Now,
    /// With the reload, for connections that come after it: those that are open were promised the other value.
    Connections,
    /// When the broker is started again.
    Restart,
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "yes",
            Self::Connections => "next connections",
            Self::Restart => "restart",
        })
    }
}

/// Sections that are taken at once, with the exceptions below. Whatever stands in no list is read at the start only.
const SECTIONS_NOW: [&str; 8] = [
    "listener", "overload", "auth", "acl", "rules", "packet", "session", "retained",
];
/// Settings of other sections that are taken at once.
const NOW: [&str; 8] = [
    "listeners",
    "broker.topics_cached_max",
    "broker.sys_interval_secs",
    "broker.line_timeout_secs",
    "broker.drain_timeout_secs",
    "log.level",
    "storage.close_timeout_secs",
    "storage.override",
];
/// What a CONNACK promises, or what a connection begins with.
const CONNECTIONS: [&str; 9] = [
    "session.expiry_max_secs",
    "session.receive_maximum",
    "session.inflight_max",
    "session.inflight_max_v3",
    "session.qos2_pending_max",
    "session.topic_alias_max",
    "session.topic_alias_out_max",
    "session.keep_alive_max_secs",
    "session.response_prefix",
];
/// Exceptions in those sections: sizes of what is made once.
const RESTART: [&str; 6] = [
    "listener.quic_idle_timeout_secs",
    "listener.quic_window_bytes",
    "packet.bytes_max",
    "packet.before_connect_bytes_max",
    "auth.hashes_max",
    "auth.waiting_max",
];
/// Keys of a listener that are read when its socket is made.
const LISTENER_RESTART: [&str; 3] = ["mode", "owner", "group"];
/// Keys of a listener that say which one it is: what becomes of it is told of the whole listener.
const LISTENER_PLACE: [&str; 3] = ["name", "bind", "transport"];

impl Setting {
    /// When another value is in force.
    pub(crate) fn live(&self) -> Live {
        live(&self.name())
    }
}

/// When another value of the setting `key` (`section.key`) is in force.
#[must_use]
pub fn live(key: &str) -> Live {
    let section = key.split('.').next().unwrap_or_default();
    if RESTART.contains(&key) {
        Live::Restart
    } else if CONNECTIONS.contains(&key) {
        Live::Connections
    } else if NOW.contains(&key) || SECTIONS_NOW.contains(&section) {
        Live::Now
    } else {
        Live::Restart
    }
}

/// A setting with two values. Secrets are not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `section.key`; of a listener `listeners.NAME.key`.
    pub key: String,
    /// The value of the first configuration, as TOML; "none" where it is missing.
    pub before: String,
    /// The value of the second.
    pub after: String,
    /// When the second is in force.
    pub live: Live,
}

/// What differs between two configurations, in the order of the reference. That a listener comes, goes or moves is not
/// among it.
///
/// # Errors
///
/// [`Error::Inconsistent`] if a configuration does not fit the table.
pub fn changes(before: &Configuration, after: &Configuration) -> Result<Vec<Change>, Error> {
    let (before, after) = (Loaded::value_of(before)?, Loaded::value_of(after)?);
    let mut changes = Vec::new();
    for setting in SECTIONS.iter().flat_map(|section| section.settings) {
        let (old, new) = (setting.find(&before), setting.find(&after));
        if old == new || setting.name() == "listener.bind" {
            continue;
        }
        if setting.name() == "listeners" {
            changes.extend(changes_of_listeners(old, new));
            continue;
        }
        let text = |value: Option<&Value>| text_of(value.map(|value| shown(&setting.name(), value)).as_ref());
        changes.push(Change {
            key: setting.name(),
            before: text(old),
            after: text(new),
            live: setting.live(),
        });
    }
    Ok(changes)
}

/// `after` as far as a running broker takes it: what needs a restart is as in `before`.
///
/// # Errors
///
/// [`Error::Inconsistent`] if a configuration does not fit the table.
pub fn taken(before: &Configuration, after: &Configuration) -> Result<Configuration, Error> {
    let old = Loaded::value_of(before)?;
    let mut taken = Loaded::value_of(after)?;
    for setting in SECTIONS.iter().flat_map(|section| section.settings) {
        let known = setting.find(&old).cloned();
        if setting.name() == "listeners" {
            keep_of_listeners(known.as_ref(), taken.get_mut(setting.key));
        } else if setting.live() == Live::Restart
            && let Some(section) = taken.get_mut(setting.section).and_then(Value::as_table_mut)
            && let Some(known) = known
        {
            section.insert(setting.key.to_owned(), known);
        }
    }
    taken
        .try_into()
        .map_err(|error: toml::de::Error| Error::Inconsistent(error.to_string()))
}

/// Keeps of each listener what needs a restart.
fn keep_of_listeners(before: Option<&Value>, after: Option<&mut Value>) {
    for new in after
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_table_mut)
    {
        let name = name_of(new);
        let Some(old) = tables(before).find(|old| name_of(old) == name) else {
            continue;
        };
        let keys: Vec<String> = old.keys().chain(new.keys()).cloned().collect();
        for key in keys {
            if LISTENER_PLACE.contains(&&*key) || live_of_listener(new, &key) != Live::Restart {
                continue;
            }
            match old.get(&key) {
                Some(value) => new.insert(key, value.clone()),
                None => new.remove(&key),
            };
        }
    }
}

fn changes_of_listeners(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    for new in tables(after) {
        let name = name_of(new);
        let Some(old) = tables(before).find(|old| name_of(old) == name) else {
            continue;
        };
        let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let keys = keys.into_iter().filter(|key| !LISTENER_PLACE.contains(&key.as_str()));
        changes.extend(keys.filter(|key| old.get(*key) != new.get(*key)).map(|key| Change {
            key: format!("listeners.{name}.{key}"),
            before: text_of(old.get(key)),
            after: text_of(new.get(key)),
            live: live_of_listener(new, key),
        }));
    }
    changes
}

fn live_of_listener(listener: &Table, key: &str) -> Live {
    let is_quic = listener.get("transport").and_then(Value::as_str) == Some("quic");
    // Rates are kept by the lines, not by the listener.
    let is_made_once = LISTENER_RESTART.contains(&key) || is_quic && !key.starts_with("client_");
    if is_made_once { Live::Restart } else { Live::Now }
}

fn tables(list: Option<&Value>) -> impl Iterator<Item = &Table> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_table)
}

fn name_of(listener: &Table) -> String {
    let text = |key| listener.get(key).and_then(Value::as_str);
    let default = || {
        format!(
            "{}:{}",
            text("transport").unwrap_or_default(),
            text("bind").unwrap_or_default()
        )
    };
    text("name").map_or_else(default, str::to_owned)
}

fn text_of(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests;
