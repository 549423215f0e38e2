//! The layer of the file: TOML with the line of each key.

use std::fs;
use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue};
use toml::{Table, Value};

use crate::configuration::settings;
use crate::error::Error;
use crate::layers::Entry;
use crate::loaded::shown_refused;
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::table::{Disagreement, Setting, Tables};

/// Reads the file's entries.
pub(crate) fn read(file: &Path) -> Result<Vec<Entry>, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::Unreadable {
        file: file.to_owned(),
        source,
    })?;
    parse(&text, file)
}

/// Reads the entries of `text`, which is said to stand in `file`. What is wrong first is reported.
pub(crate) fn parse(text: &str, file: &Path) -> Result<Vec<Entry>, Error> {
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        file: file.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().lines().map(str::trim).collect::<Vec<_>>().join(", "),
    })?;
    let mut leaves = Vec::new();
    collect("", table.get_ref(), &mut leaves);
    leaves.sort_by_key(|leaf| leaf.offset);
    let origin = |offset: usize| Origin::File {
        file: file.to_owned(),
        line: line_of(text, offset),
    };
    leaves
        .into_iter()
        .map(|leaf| {
            if let Some(setting) = list_of_tables(&leaf.name) {
                check_tables(setting, leaf.value, &origin)?;
            }
            Entry::new(&leaf.name, origin(leaf.offset), |_| plain(leaf.value))
        })
        .collect()
}

/// A key that holds no further keys.
struct Leaf<'a> {
    /// All keys from the top, joined by dots.
    name: String,
    value: &'a DeValue<'a>,
    /// Where the key starts, in bytes from the start of the file.
    offset: usize,
}

fn collect<'a>(prefix: &str, table: &'a DeTable<'a>, leaves: &mut Vec<Leaf<'a>>) {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        let offset = key.span().start;
        let value = value.get_ref();
        // An empty section that exists says nothing; one that does not exist is a mistake.
        match value.as_table() {
            Some(inner) if is_section(&name) || !inner.is_empty() && list_of_tables(&name).is_none() => {
                collect(&name, inner, leaves);
            }
            _ => leaves.push(Leaf { name, value, offset }),
        }
    }
}

/// The setting of this name, if it is a list of tables.
fn list_of_tables(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name() == name && setting.tables().is_some())
}

/// Finds the first mistake within a list of tables, so that it is told with its own line. What is no such list is left
/// to [`Entry::new`].
fn check_tables(setting: &Setting, list: &DeValue<'_>, origin: &impl Fn(usize) -> Origin) -> Result<(), Error> {
    let (Some(tables), Some(items)) = (setting.tables(), list.as_array()) else {
        return Ok(());
    };
    if let Some(first_too_many) = items.get(tables.tables_max) {
        return Err(Error::NotAllowed {
            origin: origin(first_too_many.span().start),
            key: setting.name(),
            value: format!("{} tables", items.len()),
            allowed: setting.allowed(),
        });
    }
    for item in items {
        if let Some(table) = item.get_ref().as_table() {
            check_table(setting, tables.keys, table, origin)?;
            let missing = tables
                .keys
                .iter()
                .find(|key| !key.optional && !table.contains_key(key.key));
            if let Some(key) = missing {
                return Err(Error::MissingKey {
                    origin: origin(item.span().start),
                    table: setting.name(),
                    key: key.key,
                    allowed: key.allowed(),
                });
            }
        }
    }
    check_agreement(setting, tables, items, origin)
}

/// Checks what the keys of the tables make of each other.
fn check_agreement(
    setting: &Setting,
    tables: &Tables,
    items: &DeArray<'_>,
    origin: &impl Fn(usize) -> Origin,
) -> Result<(), Error> {
    let plain_tables = items
        .iter()
        .filter_map(|item| plain(item.get_ref()).as_table().cloned());
    let plain_tables: Vec<Table> = plain_tables.collect();
    let Err(disagreement) = (tables.agree)(&plain_tables) else {
        return Ok(());
    };
    let Disagreement { table, key, allowed } = disagreement;
    let item = items.get(table);
    let written = item.and_then(|item| item.get_ref().as_table()?.get_key_value(key));
    let offset = written.map(|(written, _)| written.span().start);
    let offset = offset
        .or_else(|| item.map(|item| item.span().start))
        .unwrap_or_default();
    Err(Error::NotAllowed {
        origin: origin(offset),
        key: format!("{}.{key}", setting.name()),
        value: written.map_or("missing".to_owned(), |(_, value)| {
            shown_refused(key, &plain(value.get_ref())).to_string()
        }),
        allowed,
    })
}

/// Checks the keys that one table of a list has.
fn check_table(
    list: &Setting,
    keys: &'static [Setting],
    table: &DeTable<'_>,
    origin: &impl Fn(usize) -> Origin,
) -> Result<(), Error> {
    for (written, value) in table {
        let origin = origin(written.span().start);
        let name = format!("{}.{}", list.name(), written.get_ref());
        let Some(key) = keys.iter().find(|key| key.key == written.get_ref()) else {
            let absent = || keys.iter().find(|key| !table.contains_key(key.key)).map(Setting::name);
            let nearest = nearest(&name, keys.iter().map(Setting::name)).or_else(absent);
            return Err(Error::UnknownKey {
                origin,
                key: name,
                nearest,
            });
        };
        let value = plain(value.get_ref());
        if key.check(value.clone()).is_none() {
            return Err(Error::NotAllowed {
                origin,
                key: name,
                value: shown_refused(&key.name(), &value).to_string(),
                allowed: key.allowed(),
            });
        }
    }
    Ok(())
}

fn is_section(name: &str) -> bool {
    crate::configuration::SECTIONS
        .iter()
        .any(|section| section.name == name)
}

/// The value without its place in the file. A number that does not fit stays as it was written.
fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::String(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::String(number.to_string()),
        },
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(time) => Value::Datetime(*time),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(inner) => {
            let entries = inner
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())));
            Value::Table(entries.collect())
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests;
