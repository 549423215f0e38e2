//! What a broker answers, as tables for people and as JSON for machines.

use std::io::{IsTerminal, stdout};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use serde_json::Value;

use crate::command::store::in_units;
use crate::command::{print, say};
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

impl Kind {
    fn is_figure(self) -> bool {
        matches!(self, Self::Number | Self::Bytes | Self::Seconds)
    }
}

/// Prints JSON, as the broker said it.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    print(text.as_bytes()).map(drop)
}

/// Prints items in columns; columns that are empty in each row are left out. On a terminal that is too narrow, long texts
/// are cut, and columns are left out that others can do without.
pub(crate) fn print_table(columns: &[Column], items: &[Value]) -> Result<(), Failure> {
    // A pipe has no width: what reads it gets whole values.
    let room = Table::new().width().filter(|_| stdout().is_terminal());
    let (table, left_out) = table(columns, items, room);
    print(format!("{table}\n").as_bytes())?;
    if !left_out.is_empty() {
        say(&format!(
            "no room for {}; widen the terminal, or use --json",
            left_out.join(", ")
        ));
    }
    Ok(())
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
        say(&format!(
            "{shown} of {total} {what}, page {page}; more with --page, --limit or --all"
        ));
    }
}

/// The table, and the titles of columns that there was no room for.
fn table(columns: &[Column], items: &[Value], room: Option<u16>) -> (Table, Vec<&'static str>) {
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
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_truncation_indicator("…");
    let kept: Vec<&Column> = shown.iter().filter_map(|nth| columns.get(*nth)).collect();
    table.set_header(kept.iter().map(|Column(title, ..)| title.to_uppercase()));
    for row in &rows {
        let mut row = Row::from(shown.iter().filter_map(|nth| row.get(*nth)));
        row.max_height(1);
        table.add_row(row);
    }
    for (place, Column(.., kind)) in kept.iter().enumerate() {
        if let Some(column) = table.column_mut(place).filter(|_| kind.is_figure()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let left_out = match room {
        Some(room) => fit(&mut table, &kept, room),
        None => Vec::new(),
    };
    (table, left_out)
}

/// Gives each column a width, so that the table has room. Texts are cut to a part that is of use; if that is not enough,
/// columns are left out, and named: instants, then texts, then figures, the last first. The first stays.
fn fit(table: &mut Table, columns: &[&Column], room: u16) -> Vec<&'static str> {
    const PADDING: u16 = 2;
    const TEXT_MIN: u16 = 16;
    let natural = table.column_max_content_widths();
    let mut widths: Vec<Option<u16>> = natural.iter().map(|width| Some((*width).clamp(1, room))).collect();
    let least = |nth: usize, width: u16| match columns.get(nth) {
        Some(Column(.., Kind::Text)) => width.min(TEXT_MIN),
        Some(_) | None => width,
    };
    let sum = |widths: &[Option<u16>], of: &dyn Fn(usize, u16) -> u16| -> u32 {
        let shown = widths.iter().enumerate();
        let shown = shown.filter_map(|(nth, width)| Some(u32::from(of(nth, (*width)?) + PADDING)));
        shown.sum()
    };
    let mut left_out = Vec::new();
    let dispensable = |wanted: fn(Kind) -> bool| {
        let all = columns.iter().enumerate().skip(1).rev();
        all.filter(move |(_, Column(.., kind))| wanted(*kind))
    };
    let order = dispensable(|kind| kind == Kind::Instant)
        .chain(dispensable(|kind| kind == Kind::Text))
        .chain(dispensable(Kind::is_figure));
    for (nth, Column(title, ..)) in order {
        if sum(&widths, &least) <= u32::from(room) {
            break;
        }
        if let Some(width) = widths.get_mut(nth) {
            *width = None;
            left_out.push((nth, *title));
        }
    }
    while sum(&widths, &|_, width| width) > u32::from(room) {
        let texts = widths
            .iter_mut()
            .enumerate()
            .filter_map(|(nth, width)| Some((nth, width.as_mut()?)));
        let widest = texts
            .filter(|(nth, width)| **width > least(*nth, **width))
            .max_by_key(|(_, width)| **width);
        match widest {
            Some((_, width)) => *width -= 1,
            None => break,
        }
    }
    for (place, width) in widths.into_iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_constraint(match width {
                Some(width) => ColumnConstraint::Absolute(Width::Fixed(width + PADDING)),
                None => ColumnConstraint::Hidden,
            });
        }
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(room);
    left_out.sort_unstable();
    left_out.into_iter().map(|(_, title)| title).collect()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [Column; 6] = [
        Column("client", "/client", Kind::Text),
        Column("user", "/user", Kind::Text),
        Column("connected", "/connected", Kind::Instant),
        Column("left", "/left", Kind::Instant),
        Column("subscriptions", "/subscriptions", Kind::Number),
        Column("queued", "/queued", Kind::Number),
    ];

    fn drawn(room: Option<u16>) -> (Vec<String>, Vec<&'static str>) {
        let long = "urn:device:".to_owned() + &"0123456789".repeat(20);
        let items = [
            json!({"client": long, "user": "words with spaces between them", "connected": "2026-11-23T10:00:00.5Z",
                "subscriptions": 123_456, "queued": 7}),
            json!({"client": "b", "user": "日本語の名前がここにあります", "left": "2026-11-23T10:00:00.5Z",
                "subscriptions": 1, "queued": 0}),
        ];
        let (table, left_out) = table(&COLUMNS, &items, room);
        (table.to_string().lines().map(str::to_owned).collect(), left_out)
    }

    #[test]
    fn a_narrow_terminal_gets_a_line_for_each_item() {
        for room in [200, 120, 80, 60, 40] {
            let (lines, left_out) = drawn(Some(room));
            assert_eq!(lines.len(), 3, "{room}: {lines:#?}");
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(room)), "{room}: {lines:#?}");
            assert!(lines[1].contains('…') && lines[1].contains("urn:device:"), "{lines:#?}");
            assert!(room > 60 || left_out.contains(&"connected"), "{room}: {left_out:?}");
            assert!(
                room < 60 || lines[1].contains(" 123456 "),
                "figures are not cut: {lines:#?}"
            );
        }
        assert_eq!(drawn(Some(100)).1, ["left"]);
        assert_eq!(drawn(Some(80)).1, ["connected", "left"]);
    }

    #[test]
    fn what_is_no_terminal_gets_whole_values() {
        let (lines, left_out) = drawn(None);
        assert!(left_out.is_empty());
        assert!(lines[1].contains(&"0123456789".repeat(20)) && !lines[1].contains('…'));
    }
}
