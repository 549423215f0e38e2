//! What a broker answers, as tables for people and as JSON for machines.

use std::io::{IsTerminal, stdout};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::command::print;
use crate::command::store::in_units;
use crate::failure::Failure;

/// One column: its title, the key of its value, and how that is written.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) &'static str, pub(crate) Kind);

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it is.
    Text,
    /// A number, at the right.
    Number,
    /// Bytes in units, at the right.
    Bytes,
    /// Seconds as days, hours and minutes, at the right.
    Seconds,
    /// An instant without fractions of seconds.
    Instant,
}

/// Prints JSON, as the broker said it.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    print(text.as_bytes()).map(drop)
}

/// Prints items in columns; columns that are empty in each row are left out.
pub(crate) fn print_table(columns: &[Column], items: &[Value]) -> Result<(), Failure> {
    print(format!("{}\n", table(columns, items)).as_bytes()).map(drop)
}

/// Prints each value of one thing on a line.
pub(crate) fn print_facts(columns: &[Column], item: &Value) -> Result<(), Failure> {
    let width = columns.iter().map(|Column(title, ..)| title.len()).max().unwrap_or(0);
    let lines = columns.iter().filter_map(|Column(title, key, kind)| {
        let value = written(item.pointer(key)?, *kind);
        (!value.is_empty()).then(|| format!("{title:<width$}  {value}\n"))
    });
    print(lines.collect::<String>().as_bytes()).map(drop)
}

/// Says how many there are beyond those that are shown.
pub(crate) fn say_of_rest(answer: &Value, shown: usize, what: &str) {
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(shown as u64);
    let page = answer.get("page").and_then(Value::as_u64).unwrap_or(1);
    if total > shown as u64 {
        eprintln!("{shown} of {total} {what}, page {page}; more with --page, --limit or --all");
    }
}

fn table(columns: &[Column], items: &[Value]) -> Table {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| {
            let cell = |Column(_, key, kind): &Column| {
                item.pointer(key)
                    .map_or_else(String::new, |value| written(value, *kind))
            };
            columns.iter().map(cell).collect()
        })
        .collect();
    let has_text = |nth: usize| rows.iter().any(|row| row.get(nth).is_some_and(|cell| !cell.is_empty()));
    let shown: Vec<usize> = (0..columns.len())
        .filter(|nth| rows.is_empty() || has_text(*nth))
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A pipe has no width: what reads it gets whole values.
    table.set_content_arrangement(match stdout().is_terminal() {
        true => ContentArrangement::Dynamic,
        false => ContentArrangement::Disabled,
    });
    table.set_header(
        shown
            .iter()
            .filter_map(|nth| columns.get(*nth))
            .map(|Column(title, ..)| title.to_uppercase()),
    );
    for row in &rows {
        table.add_row(shown.iter().filter_map(|nth| row.get(*nth)));
    }
    for (place, nth) in shown.iter().enumerate() {
        let is_figure = columns
            .get(*nth)
            .is_some_and(|Column(.., kind)| matches!(kind, Kind::Number | Kind::Bytes | Kind::Seconds));
        if let Some(column) = table.column_mut(place).filter(|_| is_figure) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// One value. What clients chose must not steer the terminal.
fn written(value: &Value, kind: Kind) -> String {
    match (kind, value) {
        (_, Value::Null) => String::new(),
        (_, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (Kind::Bytes, Value::Number(bytes)) => bytes.as_u64().map_or_else(|| bytes.to_string(), in_units),
        (Kind::Seconds, Value::Number(secs)) => secs.as_f64().map_or_else(|| secs.to_string(), in_time),
        (Kind::Instant, Value::String(instant)) => harmless(&seconds_of(instant)),
        (_, Value::String(text)) => harmless(text),
        (_, Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| written(item, kind)).collect();
            items.join(", ")
        }
        (_, Value::Number(_) | Value::Object(_)) => harmless(&value.to_string()),
    }
}

/// Text with its control characters shown and not obeyed.
pub(crate) fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        // Besides the controls: marks that turn the direction of what follows.
        if letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// `2026-11-23T10:00:00.123Z` without the fraction.
fn seconds_of(instant: &str) -> String {
    match instant.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => instant.to_owned(),
    }
}

/// Seconds for people: `3 d 4 h`, `5 min 6 s`, `7.5 s`.
pub(crate) fn in_time(secs: f64) -> String {
    let whole = secs as u64;
    let pair = |(large, large_unit): (u64, &str), (small, small_unit): (u64, &str)| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match whole {
        0..60 if secs.fract() > 0.0 && whole < 10 => format!("{secs:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => pair((whole / 60, "min"), (whole % 60, "s")),
        3600..86_400 => pair((whole / 3600, "h"), (whole % 3600 / 60, "min")),
        86_400.. => pair((whole / 86_400, "d"), (whole % 86_400 / 3600, "h")),
    }
}
