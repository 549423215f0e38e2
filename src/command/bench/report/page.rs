//! The page: one HTML file without a single request, for a phone and a desk, in light and in dark.

use std::fmt::Write as _;

use super::chart::{COLOURS, escape};
use super::{course, overview};
use crate::command::bench::Results;
use crate::command::bench::block::{accounts, described, matters};
use crate::command::bench::contest::{Comparison, Contest, Entrant};
use crate::command::bench::figure::{Label, bytes, counted, float, micros, short};
use crate::command::bench::table::{self, Cell, Table};
use crate::command::bench::verdict::faults;

const STYLE: &str = include_str!("page/style.css");

/// A chart with what belongs to it.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) title: String,
    /// A sentence under the chart; may be empty.
    pub(super) note: String,
    /// The legend.
    pub(super) keys: Vec<Key>,
    /// The drawing, as HTML.
    pub(super) chart: String,
}

/// An entry of a legend.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) colour: usize,
    pub(super) dashed: bool,
}

// Writing to a string cannot fail, so what `write!` returns is dropped throughout.

/// The page of all results.
pub(in crate::command::bench) fn page(results: &Results) -> String {
    let mut body = header(results);
    let comparisons = &results.comparisons;
    match (results.single_run(), comparisons.as_slice()) {
        (Some(_), [only]) => body += &tiles(only),
        _ => body += &comparison(comparisons),
    }
    match results.contests.as_slice() {
        [contest] => {
            let _ = write!(body, "<section><h2>The run</h2>{}</section>", contest_body(contest));
        }
        contests => {
            body += "<section><h2>Scenario by scenario</h2>";
            for (contest, comparison) in contests.iter().zip(comparisons) {
                let _ = write!(
                    body,
                    "<details><summary><b>{}</b> <span>{}</span></summary>{}{}</details>",
                    escape(&contest.title),
                    escape(&gist(comparison)),
                    own_table(comparison),
                    contest_body(contest)
                );
            }
            body += "</section>";
        }
    }
    body += &machine(results);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escape(&results.verdict)
    )
}

/// The verdict, and each fault beside the one that it names.
fn header(results: &Results) -> String {
    let faults = faults(&results.contests);
    let (class, mark) = if faults.is_empty() {
        ("good", "whole")
    } else {
        ("bad", "not whole")
    };
    let mut html = format!(
        "<header><p class=\"eyebrow\">strowger bench <span class=\"mark {class}\">{mark}</span></p>\
         <h1>{}</h1><p class=\"soft\">{}, {}, {}</p>",
        escape(&results.verdict),
        escape(&results.machine.date),
        escape(&results.machine.cpu),
        counted(results.machine.cores as u64, "core", "cores")
    );
    if faults.len() > 1 {
        html += "<ul class=\"faults\">";
        for fault in &faults {
            let _ = write!(html, "<li>{}</li>", escape(fault));
        }
        html += "</ul>";
    }
    html + "</header>"
}

/// The figures of a single run that are asked for first.
fn tiles(comparison: &Comparison) -> String {
    let mut html = "<section class=\"tiles\">".to_owned();
    let mut tile = |value: String, what: &str| {
        let _ = write!(
            html,
            "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
            escape(&value),
            escape(what)
        );
    };
    let Some(broker) = comparison.brokers.first() else {
        return String::new();
    };
    let label = Label::of(comparison.figure.unwrap_or_default());
    if let Some(figure) = broker.figure {
        tile(label.value(figure.median), &label.words);
    }
    if let Some(rate) = broker.deliveries_per_sec.filter(|rate| rate.median > 0.0) {
        tile(format!("{}/s", short(rate.median)), "throughput");
    }
    for (spread, what, key) in [
        (broker.p50_us, "latency p50", "p50_us"),
        (broker.p99_us, "latency p99", "p99_us"),
    ] {
        if let Some(spread) = spread.filter(|_| comparison.figure != Some(key)) {
            tile(micros(spread.median), what);
        }
    }
    if let Some(own) = broker.own_cpu_us_per_delivery {
        tile(micros(own.median), "CPU per delivery, generator");
    }
    html + "</section>"
}

/// The chart and the table of medians. That of a suite has a part for each scenario and needs a desk; on a phone each
/// scenario has its own.
fn comparison(comparisons: &[Comparison]) -> String {
    let mut html = "<section><h2>Comparison</h2>".to_owned();
    if let Some(figure) = overview::figure(comparisons) {
        html += &figure.to_html();
    }
    let tables = table::of_each(comparisons);
    let Some(first) = tables.first() else {
        return html + "</section>";
    };
    let class = if tables.len() > 1 { " only-wide" } else { "" };
    let _ = write!(html, "<div class=\"scroll{class}\"><table>{}", head(first));
    for (comparison, table) in comparisons.iter().zip(&tables) {
        html += "<tbody>";
        if tables.len() > 1 {
            let _ = write!(
                html,
                "<tr class=\"group\"><th colspan=\"{}\">{} <span>{}</span></th></tr>",
                table.head.len(),
                escape(&comparison.scenario),
                escape(&Label::of(comparison.figure.unwrap_or_default()).words)
            );
        }
        let _ = write!(html, "{}</tbody>", rows(table));
    }
    html + "</table></div></section>"
}

/// A scenario's part of the suite's table, for a phone.
fn own_table(comparison: &Comparison) -> String {
    let tables = table::of_each(std::slice::from_ref(comparison));
    let parts = tables.iter().map(|table| {
        format!(
            "<div class=\"scroll only-narrow\"><table>{}<tbody>{}</tbody></table></div>",
            head(table),
            rows(table)
        )
    });
    parts.collect()
}

fn head(table: &Table) -> String {
    let mut html = "<thead><tr>".to_owned();
    let figures = table.rows.first().map(Vec::as_slice).unwrap_or_default();
    for (title, cell) in table.head.iter().zip(figures) {
        let _ = write!(html, "<th{}>{}</th>", class(cell), escape(title));
    }
    html + "</tr></thead>"
}

/// The rows, each cell with its column's title for a page too narrow for columns.
fn rows(table: &Table) -> String {
    let mut html = String::new();
    for row in &table.rows {
        html += "<tr>";
        for (cell, title) in row.iter().zip(&table.head) {
            let (title, text) = (escape(title), escape(&cell.text));
            let _ = write!(html, "<td{} data-title=\"{title}\">{text}</td>", class(cell));
        }
        html += "</tr>";
    }
    html
}

fn class(cell: &Cell) -> &'static str {
    if cell.is_figure { " class=\"figure\"" } else { "" }
}

/// A contest in a line: each broker's figure.
fn gist(comparison: &Comparison) -> String {
    let label = Label::of(comparison.figure.unwrap_or_default());
    let brokers = comparison.brokers.iter().map(|broker| {
        let value = broker
            .figure
            .map_or("–".to_owned(), |figure| label.value(figure.median));
        match comparison.brokers.len() {
            1 => value,
            _ => format!("{} {value}", broker.name),
        }
    });
    format!("{}: {}", label.words, brokers.collect::<Vec<_>>().join(", "))
}

/// Plan, charts and accounts of a contest.
fn contest_body(contest: &Contest) -> String {
    let mut html = format!("<p class=\"plan\">{}</p>", escape(&described(&contest.plan)));
    let figures = course::figures(contest);
    if !figures.is_empty() {
        html += "<div class=\"charts\">";
        for figure in &figures {
            html += &figure.to_html();
        }
        html += "</div>";
    }
    let rounds = contest.entrants.iter().map(|entrant| entrant.runs.len()).max();
    if rounds.is_some_and(|rounds| rounds > 1) && !figures.is_empty() {
        html += "<p class=\"soft\">Charts and figures are those of each broker's median round.</p>";
    }
    html += "<div class=\"entrants\">";
    for (colour, entrant) in contest.entrants.iter().enumerate() {
        html += &entrant_body(contest, entrant, colour);
    }
    html + "</div>"
}

/// The figures of a broker's median round, and the accounts of the others.
fn entrant_body(contest: &Contest, entrant: &Entrant, colour: usize) -> String {
    let mut html = format!(
        "<div class=\"card\"><h3><i class=\"swatch c{}\"></i>{}</h3><dl>",
        colour % COLOURS,
        escape(&entrant.name)
    );
    if let Some(outcome) = entrant.median_run() {
        let mut above = "";
        for (word, said) in matters(&contest.plan, outcome)
            .iter()
            .filter(|(word, _)| *word != "plan")
        {
            let shown = if *word == above { "" } else { word };
            let _ = write!(html, "<dt>{shown}</dt><dd>{}</dd>", escape(said));
            above = word;
        }
    }
    if entrant.runs.len() > 1 {
        for (round, outcome) in &entrant.runs {
            let _ = write!(html, "<dt>round {round}</dt><dd>{}</dd>", escape(&accounts(outcome)));
        }
    }
    for (round, failure) in &entrant.failures {
        let _ = write!(
            html,
            "<dt>round {round}</dt><dd>not run: {}</dd>",
            escape(&failure.to_string())
        );
    }
    html + "</dl></div>"
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let mut html = "<section><h2>Machine and method</h2><div class=\"card\"><dl>".to_owned();
    for (word, said) in [
        (
            "processor",
            format!("{}, {}", machine.cpu, counted(machine.cores as u64, "core", "cores")),
        ),
        ("memory", bytes(float(machine.memory_kib) * 1024.0)),
        ("kernel", machine.kernel.clone()),
        ("generator", format!("strowger {}", machine.strowger)),
        ("date", machine.date.clone()),
    ] {
        let _ = write!(html, "<dt>{word}</dt><dd>{}</dd>", escape(&said));
    }
    html += "</dl><p class=\"soft\">Every message carries its publisher, its number and the moment at which it was \
             due. Latency counts from that moment, so a broker that holds the generator up does not look fast. With \
             several brokers the rounds are interleaved; a ratio is that of the medians, and its spread that of \
             single rounds. CPU time is that of all threads of the broker, user and kernel together.</p>\
             </div></section>";
    html
}

impl Figure {
    fn to_html(&self) -> String {
        let mut html = format!("<figure><figcaption>{}</figcaption>", escape(&self.title));
        if !self.keys.is_empty() {
            html += "<p class=\"legend\">";
            for key in &self.keys {
                let dashed = if key.dashed { " dashed" } else { "" };
                let _ = write!(
                    html,
                    "<span><i class=\"swatch c{}{dashed}\"></i>{}</span>",
                    key.colour % COLOURS,
                    escape(&key.name)
                );
            }
            html += "</p>";
        }
        html += &self.chart;
        if !self.note.is_empty() {
            let _ = write!(html, "<p class=\"soft\">{}</p>", escape(&self.note));
        }
        html + "</figure>"
    }
}
