//! How brokers compare: bars for one scenario, ratios for many.

use super::chart::{Axis, Bar, Bars, Chart, Dot, Dots, Row, Scale};
use super::course::number;
use super::page::{Figure, Key};
use crate::command::bench::contest::Comparison;
use crate::command::bench::figure::{Label, significant};

/// The chart above the table; none for a broker alone.
pub(super) fn figure(comparisons: &[Comparison]) -> Option<Figure> {
    let is_contest = comparisons.iter().any(|comparison| comparison.brokers.len() > 1);
    match comparisons {
        [only] if is_contest => bars(only),
        [_, _, ..] if is_contest => ratios(comparisons),
        _ => None,
    }
}

fn bars(comparison: &Comparison) -> Option<Figure> {
    let label = Label::of(comparison.figure?);
    let bars = comparison.brokers.iter().enumerate().filter_map(|(colour, broker)| {
        let figure = broker.figure?;
        let mut text = label.value(figure.median);
        if let Some(ratio) = broker.ratio.filter(|_| colour > 0) {
            text += &format!("  ({}×)", significant(ratio.median));
        }
        Some(Bar {
            name: broker.name.clone(),
            colour,
            value: figure.median,
            spread: (figure.min, figure.max),
            label: text,
        })
    });
    let chart = Bars {
        name: format!("{} of each broker", label.words),
        x: Axis {
            title: match label.unit {
                "" => label.words.clone(),
                unit => format!("{} ({unit})", label.words),
            },
            scale: Scale::Linear,
            tick: number,
        },
        bars: bars.collect(),
    };
    Some(Figure {
        title: format!("{}: less is better", capital(&label.words)),
        note: spread_note(comparison),
        keys: Vec::new(),
        chart: chart.to_full_html(),
    })
}

fn ratios(comparisons: &[Comparison]) -> Option<Figure> {
    let reference = comparisons.first()?.brokers.first()?.name.clone();
    let brokers = comparisons
        .iter()
        .map(|comparison| &comparison.brokers)
        .max_by_key(|brokers| brokers.len())?;
    let keys = brokers.iter().enumerate().map(|(colour, broker)| Key {
        name: broker.name.clone(),
        colour,
        dashed: false,
    });
    let rows = comparisons.iter().map(|comparison| Row {
        name: comparison.scenario.clone(),
        dots: comparison
            .brokers
            .iter()
            .enumerate()
            .filter_map(|(colour, broker)| {
                let ratio = broker.ratio?;
                Some(Dot {
                    name: broker.name.clone(),
                    colour,
                    value: ratio.median,
                    spread: (ratio.min, ratio.max),
                    label: format!("{}×", significant(ratio.median)),
                })
            })
            .collect(),
    });
    let chart = Dots {
        name: format!("Ratios to {reference} in each scenario"),
        x: Axis {
            title: format!("times the figure of {reference} (logarithmic)"),
            scale: Scale::Log,
            tick: |value| format!("{}×", number(value)),
        },
        rows: rows.collect(),
    };
    Some(Figure {
        title: format!("Compared with {reference}: left of 1× is better"),
        note: comparisons.first().map(spread_note).unwrap_or_default(),
        keys: keys.collect(),
        chart: chart.to_full_html(),
    })
}

fn spread_note(comparison: &Comparison) -> String {
    match comparison.brokers.iter().map(|broker| broker.rounds).max() {
        Some(rounds) if rounds > 1 => format!("Medians of {rounds} rounds; lines go from the least to the most."),
        _ => String::new(),
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
