//! How the runs of a contest went: charts of each broker's median round.

use strowger_client::load::{Outcome, Scenario, Tick};

use super::chart::{Axis, Bar, Bars, Chart, Lines, Scale, Series};
use super::page::{Figure, Key};
use crate::command::bench::contest::Contest;
use crate::command::bench::figure::{Label, micros, short, trimmed};

/// More points than these are no more to see.
const POINTS_MAX: usize = 240;

/// The charts of a contest, those with anything to show.
pub(super) fn figures(contest: &Contest) -> Vec<Figure> {
    let runs: Vec<_> = contest
        .entrants
        .iter()
        .enumerate()
        .filter_map(|(colour, entrant)| {
            Some(Runner {
                name: &entrant.name,
                colour,
                outcome: entrant.median_run()?,
            })
        })
        .collect();
    [
        throughput(contest, &runs),
        latency(&runs),
        distribution(&runs),
        cost(contest, &runs),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A broker with its median round and its colour.
struct Runner<'a> {
    name: &'a str,
    colour: usize,
    outcome: &'a Outcome,
}

impl Runner<'_> {
    fn key(&self) -> Key {
        Key {
            name: self.name.to_owned(),
            colour: self.colour,
            dashed: false,
        }
    }

    /// A line through the pieces of the run; each point stands for some pieces, joined by `join`.
    fn over_time(&self, part: fn(&Tick) -> f64, join: fn(&[f64]) -> f64) -> Vec<(f64, f64)> {
        let timeline = &self.outcome.timeline;
        let pieces = timeline.len().div_ceil(POINTS_MAX).max(1);
        let joined = timeline.chunks(pieces).filter_map(|chunk| {
            let values: Vec<_> = chunk.iter().map(part).collect();
            Some((chunk.last()?.at_ms / 1e3, join(&values)))
        });
        joined.collect()
    }
}

fn throughput(contest: &Contest, runs: &[Runner<'_>]) -> Option<Figure> {
    let is_connect = contest.plan.scenario == Scenario::Connect;
    let what = if is_connect { "connections" } else { "deliveries" };
    let series: Vec<_> = runs
        .iter()
        .map(|run| Series {
            name: run.name.to_owned(),
            colour: run.colour,
            dashed: false,
            points: run.over_time(|tick| tick.deliveries_per_sec, mean),
        })
        .collect();
    let lines = Lines {
        name: format!("{what} per second over time"),
        x: time(),
        y: Axis {
            title: format!("{what} per second"),
            scale: Scale::Linear,
            tick: |value| trimmed(&short(value)),
        },
        note: |value| format!("{}/s", short(value)),
        series,
    };
    figure(
        "Throughput over time",
        "",
        runs.iter().map(Runner::key).collect(),
        &lines,
    )
}

fn latency(runs: &[Runner<'_>]) -> Option<Figure> {
    let mut series = Vec::new();
    let mut keys = Vec::new();
    for run in runs {
        for (percentile, dashed, part, join) in [
            (
                "p50",
                false,
                (|tick| tick.p50_us) as fn(&Tick) -> f64,
                mean as fn(&[f64]) -> f64,
            ),
            ("p99", true, |tick| tick.p99_us, most),
        ] {
            let name = if runs.len() > 1 {
                format!("{} {percentile}", run.name)
            } else {
                percentile.to_owned()
            };
            keys.push(Key {
                name: name.clone(),
                colour: run.colour,
                dashed,
            });
            series.push(Series {
                name,
                colour: run.colour,
                dashed,
                points: arrived(run.over_time(part, join)),
            });
        }
    }
    let lines = Lines {
        name: "latency over time".to_owned(),
        x: time(),
        y: span(),
        note: micros,
        series,
    };
    figure("Latency over time", "", keys, &lines)
}

fn distribution(runs: &[Runner<'_>]) -> Option<Figure> {
    let series: Vec<_> = runs
        .iter()
        .map(|run| {
            let points = run.outcome.latency.as_ref().map(|latency| latency.distribution.clone());
            Series {
                name: run.name.to_owned(),
                colour: run.colour,
                dashed: false,
                points: points
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|point| point.0 < 100.0)
                    .collect(),
            }
        })
        .collect();
    let lines = Lines {
        name: "latency by percentile".to_owned(),
        x: Axis {
            title: "percentile (%)".to_owned(),
            scale: Scale::Nines,
            tick: percentile,
        },
        y: span(),
        note: micros,
        series,
    };
    let longest = runs.iter().filter_map(|run| {
        let longest = micros(run.outcome.latency.as_ref()?.max_us);
        Some(match runs.len() {
            1 => longest,
            _ => format!("{} {longest}", run.name),
        })
    });
    let longest: Vec<_> = longest.collect();
    let is_durable = runs.iter().any(|run| run.outcome.scenario == Scenario::Durable);
    let what = if is_durable { "acknowledgements" } else { "deliveries" };
    let note = format!(
        "So many percent of the {what} took no longer. The longest: {}.",
        longest.join(", ")
    );
    figure(
        "Latency distribution",
        &note,
        runs.iter().map(Runner::key).collect(),
        &lines,
    )
}

/// What each broker and the generator spent for a delivery.
fn cost(contest: &Contest, runs: &[Runner<'_>]) -> Option<Figure> {
    let is_connect = contest.plan.scenario == Scenario::Connect;
    let label = Label::of(if is_connect {
        "cpu_us_per_connect"
    } else {
        "cpu_us_per_delivery"
    });
    let mut bars = Vec::new();
    for run in runs {
        let broker = run.outcome.broker.as_ref().and_then(|cost| cost.cpu_us_per_delivery);
        let own = run.outcome.own.cpu_us_per_delivery;
        for (name, colour, cost) in [
            (run.name.to_owned(), run.colour, broker),
            (
                format!("generator, against {}", run.name),
                super::chart::COLOURS - 1,
                own,
            ),
        ] {
            let Some(value) = cost.filter(|cost| cost.is_finite()) else {
                continue;
            };
            bars.push(Bar {
                name,
                colour,
                value,
                spread: (value, value),
                label: label.value(value),
            });
        }
    }
    if bars.is_empty() {
        return None;
    }
    let chart = Bars {
        name: format!("{} of broker and generator", label.words),
        x: Axis {
            title: format!("{} (µs)", label.words),
            scale: Scale::Linear,
            tick: number,
        },
        bars,
    };
    Some(Figure {
        title: "What the broker and the generator spent".to_owned(),
        note: "The generator has to cost far less than the broker for its figures to be the broker's.".to_owned(),
        keys: Vec::new(),
        chart: chart.to_html(),
    })
}

/// A figure of lines; `None` if no line has a point.
fn figure(title: &str, note: &str, keys: Vec<Key>, lines: &Lines) -> Option<Figure> {
    let has_points = lines.series.iter().any(|series| !series.points.is_empty());
    has_points.then(|| Figure {
        title: title.to_owned(),
        note: note.to_owned(),
        keys,
        chart: lines.to_html(),
    })
}

fn time() -> Axis {
    Axis {
        title: "time (s)".to_owned(),
        scale: Scale::Linear,
        tick: number,
    }
}

fn span() -> Axis {
    Axis {
        title: "latency (logarithmic)".to_owned(),
        scale: Scale::Log,
        tick: |value| trimmed(&micros(value)),
    }
}

/// A tick without useless zeros.
pub(super) fn number(value: f64) -> String {
    trimmed(&short(value))
}

fn percentile(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Pieces in which nothing arrived have no latency.
fn arrived(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.into_iter().filter(|(_, us)| *us > 0.0).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
