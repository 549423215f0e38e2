//! The layer of the file: TOML with the line of each key.

use std::fs;
use std::path::Path;

use toml::Value;
use toml::de::{DeTable, DeValue};

use crate::error::Error;
use crate::layers::Entry;
use crate::origin::Origin;

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
    leaves
        .into_iter()
        .map(|leaf| {
            let origin = Origin::File {
                file: file.to_owned(),
                line: line_of(text, leaf.offset),
            };
            Entry::new(&leaf.name, origin, |_| leaf.value)
        })
        .collect()
}

/// A key that holds no further keys.
struct Leaf {
    /// All keys from the top, joined by dots.
    name: String,
    value: Value,
    /// Where the key starts, in bytes from the start of the file.
    offset: usize,
}

fn collect(prefix: &str, table: &DeTable<'_>, leaves: &mut Vec<Leaf>) {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        let offset = key.span().start;
        // An empty section that exists says nothing; one that does not exist is a mistake.
        match value.get_ref().as_table() {
            Some(inner) if !inner.is_empty() || is_section(&name) => collect(&name, inner, leaves),
            _ => leaves.push(Leaf {
                name,
                value: plain(value.get_ref()),
                offset,
            }),
        }
    }
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
