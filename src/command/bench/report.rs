//! Results for scripts and for readers: JSON, and a page that needs nothing but a browser.

mod chart;
mod course;
mod overview;
mod page;

use serde::Serialize;
use strowger_client::load::Outcome;

use super::Results;
use super::contest::Comparison;
use super::machine::Machine;
use crate::failure::Failure;

pub(super) use page::page;

#[derive(Serialize)]
struct Document<'a> {
    verdict: &'a str,
    machine: &'a Machine,
    runs: Vec<Run<'a>>,
    comparison: &'a [Comparison],
}

#[derive(Serialize)]
struct Run<'a> {
    scenario_title: &'a str,
    round: u32,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// The results as one JSON object and a line feed.
///
/// # Errors
///
/// [`Failure::Io`] if they cannot be written as JSON.
pub(super) fn json(results: &Results) -> Result<String, Failure> {
    let runs = results.contests.iter().flat_map(|contest| {
        let entrants = contest.entrants.iter().flat_map(|entrant| &entrant.runs);
        let mut runs: Vec<_> = entrants
            .map(|(round, outcome)| Run {
                scenario_title: &contest.title,
                round: *round,
                outcome,
            })
            .collect();
        // In the order in which they were run.
        runs.sort_by_key(|run| run.round);
        runs
    });
    let document = Document {
        verdict: &results.verdict,
        machine: &results.machine,
        runs: runs.collect(),
        comparison: &results.comparisons,
    };
    let mut text = serde_json::to_string(&document).map_err(|error| Failure::io("write JSON")(error.into()))?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests;
