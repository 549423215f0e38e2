//! Results in columns: as aligned text, and as the cells that the HTML report takes.

use super::contest::{Comparison, Spread, Standing};
use super::figure::{Label, micros, short, significant};

/// A table before it is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    /// Titles of the columns.
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// A figure, which stands at the right.
    pub(super) is_figure: bool,
}

/// The rows of all comparisons. Columns that would say the same in each row are left out.
pub(super) fn of(comparisons: &[Comparison]) -> Table {
    let shown = Shown::of(comparisons);
    let mut all = Table::default();
    for table in comparisons.iter().map(|comparison| shown.table(comparison)) {
        all.head = table.head;
        all.rows.extend(table.rows);
    }
    all
}

/// A table for each comparison, all with the same columns and without the scenario's own.
pub(super) fn of_each(comparisons: &[Comparison]) -> Vec<Table> {
    let shown = Shown {
        scenario: false,
        ..Shown::of(comparisons)
    };
    comparisons.iter().map(|comparison| shown.table(comparison)).collect()
}

/// Which columns there are.
#[derive(Debug, Clone, Copy)]
struct Shown {
    scenario: bool,
    broker: bool,
    spread: bool,
    faults: bool,
}

impl Shown {
    fn of(comparisons: &[Comparison]) -> Self {
        let brokers = || comparisons.iter().flat_map(|comparison| &comparison.brokers);
        Self {
            scenario: comparisons.len() > 1,
            broker: comparisons.iter().any(|comparison| comparison.brokers.len() > 1),
            spread: brokers().any(|broker| broker.rounds > 1),
            faults: brokers().any(|broker| broker.whole < broker.rounds),
        }
    }

    fn table(self, comparison: &Comparison) -> Table {
        let mut table = Table::default();
        for (index, broker) in comparison.brokers.iter().enumerate() {
            let columns = self.columns(comparison, broker, index == 0);
            table.head = columns.iter().map(|(title, _)| *title).collect();
            table.rows.push(columns.into_iter().map(|(_, cell)| cell).collect());
        }
        table
    }

    fn columns(self, comparison: &Comparison, broker: &Standing, is_first: bool) -> Vec<(&'static str, Cell)> {
        let label = Label::of(comparison.figure.unwrap_or_default());
        let median = |spread: Option<Spread>, write: &dyn Fn(f64) -> String| {
            figure(spread.map_or_else(dash, |spread| write(spread.median)))
        };
        let mut columns = Vec::new();
        if self.scenario {
            columns.push(("scenario", words(&comparison.scenario)));
            columns.push(("figure", words(&label.words)));
        }
        if self.broker {
            columns.push(("broker", words(&broker.name)));
        }
        let value_title = if self.spread { "median" } else { "value" };
        columns.push((value_title, median(broker.figure, &|value| label.value(value))));
        if self.spread {
            let spread = broker.figure.map_or_else(dash, |spread| {
                format!("{} – {}", significant(spread.min), label.value(spread.max))
            });
            columns.push(("min – max", figure(spread)));
        }
        if self.broker {
            columns.push(("ratio", figure(ratio(broker, is_first, self.spread))));
        }
        columns.push(("per second", median(broker.deliveries_per_sec, &short)));
        columns.push(("p99", median(broker.p99_us, &micros)));
        columns.push(("generator CPU", median(broker.own_cpu_us_per_delivery, &micros)));
        if self.faults {
            columns.push(("whole", figure(format!("{} of {}", broker.whole, broker.rounds))));
        }
        columns
    }
}

fn ratio(broker: &Standing, is_first: bool, has_spread: bool) -> String {
    match broker.ratio {
        None => dash(),
        Some(_) if is_first => "1".to_owned(),
        Some(ratio) if has_spread => format!(
            "{}× ({} – {})",
            significant(ratio.median),
            significant(ratio.min),
            significant(ratio.max)
        ),
        Some(ratio) => format!("{}×", significant(ratio.median)),
    }
}

fn words(text: &str) -> Cell {
    Cell {
        text: text.to_owned(),
        is_figure: false,
    }
}

fn figure(text: String) -> Cell {
    Cell { text, is_figure: true }
}

fn dash() -> String {
    "–".to_owned()
}

impl Table {
    /// Aligned text, two blanks between columns. What a row shares with the row above in its first columns is told
    /// once.
    pub(super) fn to_text(&self) -> String {
        let titles = self.head.iter().map(|title| words(title)).collect::<Vec<_>>();
        let mut widths = vec![0; self.head.len()];
        for row in std::iter::once(&titles).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let figures = self.rows.first().cloned().unwrap_or_default();
        let mut text = String::new();
        let mut above: &[Cell] = &[];
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            let mut is_shared = true;
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                is_shared = is_shared && !cell.is_figure && above.get(index) == Some(cell);
                let shown = if is_shared { "" } else { cell.text.as_str() };
                line += if index > 0 { "  " } else { "" };
                line += &if figures.get(index).is_some_and(|figure| figure.is_figure) {
                    format!("{shown:>width$}")
                } else {
                    format!("{shown:<width$}")
                };
            }
            text += line.trim_end();
            text.push('\n');
            above = row;
        }
        text
    }
}

#[cfg(test)]
mod tests;
