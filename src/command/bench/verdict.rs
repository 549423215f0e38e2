//! The first line of the output: whether every message was delivered once and in order, and if not, what happened.

use strowger_client::load::{Counts, Ending, Outcome, Pace, Plan, Scenario};

use super::contest::{Contest, Entrant};
use super::figure::{Label, counted, grouped, micros, significant};

/// What a scenario is called in titles: "p2p QoS 0", "connect".
pub(super) fn title(plan: &Plan) -> String {
    let name = match plan.scenario {
        Scenario::Connect => return "connect".to_owned(),
        Scenario::Idle if plan.subscriptions > 1 => return "subscriptions".to_owned(),
        Scenario::Idle => return "idle".to_owned(),
        Scenario::P2p if plan.pace == Pace::Window(1) => "one in flight",
        Scenario::P2p => "p2p",
        Scenario::Fanin => "fan-in",
        Scenario::Fanout => "fan-out",
        Scenario::Wildcards if plan.wildcard => "wildcards",
        Scenario::Wildcards => "exact filters",
        Scenario::Latency if plan.publishers == plan.subscribers => "latency p2p",
        Scenario::Latency => "latency fan-out",
        Scenario::Offline => "offline",
        Scenario::Durable => "durable",
        Scenario::Retained => "retained",
        Scenario::Stalled => "stalled",
    };
    format!("{name} QoS {}", plan.qos)
}

/// The verdict over all that was run.
pub(super) fn of(contests: &[Contest]) -> String {
    let faults = faults(contests);
    if let Some(first) = faults.first() {
        return match faults.len() - 1 {
            0 => first.clone(),
            more => format!("{first}; {} more not whole", counted(more as u64, "run", "runs")),
        };
    }
    match contests {
        [contest] => whole(contest),
        _ => {
            let rounds = contests.iter().flat_map(|contest| &contest.entrants);
            let runs: usize = rounds.map(|entrant| entrant.runs.len()).sum();
            format!(
                "suite: {}, {}: every delivery made once and in order",
                counted(contests.len() as u64, "scenario", "scenarios"),
                counted(runs as u64, "run", "runs")
            )
        }
    }
}

/// What went wrong, a line for each run that was not whole, in the order in which they were run.
pub(super) fn faults(contests: &[Contest]) -> Vec<String> {
    let mut faults = Vec::new();
    for contest in contests {
        let is_alone = contest.entrants.len() == 1;
        for entrant in &contest.entrants {
            let place = |round: u32| {
                let mut place = contest.title.clone();
                if !is_alone {
                    place += &format!(" at {}", entrant.name);
                }
                if entrant.runs.len() + entrant.failures.len() > 1 {
                    place += &format!(", round {round}");
                }
                place
            };
            for (round, failure) in &entrant.failures {
                faults.push(format!("NOT RUN: {}: {failure}", place(*round)));
            }
            for (round, outcome) in &entrant.runs {
                faults.extend(fault(outcome, &place(*round)));
            }
        }
    }
    faults
}

/// A run that was whole, or brokers that all were.
fn whole(contest: &Contest) -> String {
    if let [Entrant { runs, .. }] = contest.entrants.as_slice()
        && let [(_, outcome)] = runs.as_slice()
    {
        return format!("{}: {}", contest.title, all_delivered(outcome));
    }
    let rounds = contest.entrants.iter().map(|entrant| entrant.runs.len()).max();
    let rounds = counted(rounds.unwrap_or(0) as u64, "round", "rounds");
    let comparison = contest.comparison();
    let label = Label::of(comparison.figure.unwrap_or_default());
    let standings: Vec<_> = comparison
        .brokers
        .iter()
        .enumerate()
        .filter_map(|(index, broker)| {
            let mut words = format!("{} {}", broker.name, label.value(broker.figure?.median));
            if let Some(ratio) = broker.ratio.filter(|_| index > 0) {
                words += &format!(" ({}×)", significant(ratio.median));
            }
            Some(words)
        })
        .collect();
    format!(
        "{}, {rounds}: every delivery made once and in order; {}: {}",
        contest.title,
        label.words,
        standings.join(", ")
    )
}

fn all_delivered(outcome: &Outcome) -> String {
    let Counts { sent, expected, .. } = outcome.counts;
    if outcome.scenario == Scenario::Connect {
        return format!("{}, every one accepted", counted(sent, "connection", "connections"));
    }
    let what = if outcome.scenario == Scenario::Idle {
        counted(outcome.plan.connections.into(), "connection held", "connections held")
    } else {
        let messages = counted(sent, "message", "messages");
        if expected == sent {
            return format!("{messages}, every one delivered once and in order");
        }
        messages
    };
    let deliveries = counted(expected, "delivery", "deliveries");
    format!("{what}, every one of {deliveries} made once and in order")
}

/// What was wrong with a run, the worst first; `None` if nothing was.
fn fault(outcome: &Outcome, place: &str) -> Option<String> {
    let counts = &outcome.counts;
    if let Ending::Broken { reason, after_ms } = &outcome.ending {
        return Some(format!(
            "BROKEN after {}: {place}: {reason}; {} of {} deliveries never came",
            micros(after_ms * 1e3),
            grouped(counts.lost),
            grouped(counts.expected)
        ));
    }
    if outcome.is_whole() {
        return None;
    }
    let unacknowledged = counts.unacknowledged(outcome.plan.qos);
    let faults: Vec<_> = [
        ("LOST", counts.lost, counts.expected, "deliveries"),
        ("DUPLICATED", counts.duplicated, counts.expected, "deliveries"),
        ("OUT OF ORDER", counts.out_of_order, counts.expected, "deliveries"),
        ("STRAY", counts.stray, 0, "packets"),
        ("REFUSED", counts.refused, counts.sent, "messages"),
        ("NOT ACKNOWLEDGED", unacknowledged, counts.sent, "messages"),
        ("DISCONNECTED", counts.connections_lost, 0, "connections"),
    ]
    .into_iter()
    .filter(|(_, count, ..)| *count > 0)
    .map(|(what, count, of, whats)| match of {
        0 => format!("{what} {} {whats}", grouped(count)),
        of => format!("{what} {} of {} {whats}", grouped(count), grouped(of)),
    })
    .collect();
    Some(match faults.as_slice() {
        [] => format!("NOT WHOLE: {place}"),
        faults => format!("{}: {place}", faults.join(", ")),
    })
}

#[cfg(test)]
mod tests;
