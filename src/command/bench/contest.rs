//! One scenario against one or more brokers: rounds interleaved A B A B, then medians, spreads and ratios.
//!
//! Interleaving makes what the machine does beside the run fall on all brokers alike. A ratio is that of the medians;
//! its spread is the least and the most of the ratios of single rounds, between which the ratio of the medians
//! always lies.

use serde::Serialize;
use strowger_client::load::{self, Ending, Outcome, Pace, Plan, Scenario, Target};

use super::live::Live;

/// A scenario with its brokers.
#[derive(Debug)]
pub(super) struct Contest {
    /// What is run, as rows and verdicts call it: "p2p QoS 0".
    pub(super) title: String,
    /// How it is run.
    pub(super) plan: Plan,
    /// In the order of the brokers, the reference first.
    pub(super) entrants: Vec<Entrant>,
}

/// One broker and its rounds.
#[derive(Debug)]
pub(super) struct Entrant {
    pub(super) name: String,
    /// Each with the number of its round, from 1.
    pub(super) runs: Vec<(u32, Outcome)>,
    /// Rounds that could not be run at all, with the reason.
    pub(super) failures: Vec<(u32, load::Failure)>,
}

/// Holds the contest: every broker once in each round.
pub(super) fn hold(title: &str, plan: &Plan, targets: &[Target], rounds: u32) -> Contest {
    let mut entrants: Vec<_> = targets
        .iter()
        .map(|target| Entrant {
            name: target.name.clone(),
            runs: Vec::new(),
            failures: Vec::new(),
        })
        .collect();
    for round in 1..=rounds {
        for (target, entrant) in targets.iter().zip(&mut entrants) {
            let mut heading = title.to_owned();
            if targets.len() > 1 {
                heading += &format!(" · {}", target.name);
            }
            if rounds > 1 {
                heading += &format!(" · round {round} of {rounds}");
            }
            match load::run(target, plan, &Live::start(heading)) {
                Ok(outcome) => entrant.runs.push((round, outcome)),
                Err(failure) => entrant.failures.push((round, failure)),
            }
        }
    }
    Contest {
        title: title.to_owned(),
        plan: plan.clone(),
        entrants,
    }
}

impl Contest {
    /// Whether every round of every broker was run and whole.
    pub(super) fn is_whole(&self) -> bool {
        self.entrants.iter().all(Entrant::is_whole)
    }

    /// Medians, spreads and ratios.
    pub(super) fn comparison(&self) -> Comparison {
        let figure = self.figure();
        let reference = self.entrants.first();
        Comparison {
            scenario: self.title.clone(),
            figure,
            brokers: self
                .entrants
                .iter()
                .map(|entrant| entrant.standing(figure, reference))
                .collect(),
        }
    }

    /// The key of the figure that is compared: the headline of all rounds, or what a client sees where the processes
    /// of only some brokers were given.
    pub(super) fn figure(&self) -> Option<&'static str> {
        let mut keys = self
            .entrants
            .iter()
            .flat_map(Entrant::measured)
            .map(|(_, outcome)| outcome.headline().0);
        let first = keys.next()?;
        let seen_by_clients = match self.plan.scenario {
            Scenario::Idle | Scenario::Latency | Scenario::Stalled => "p99_us",
            Scenario::Durable if matches!(self.plan.pace, Pace::Rate(_)) => "p99_us",
            Scenario::Connect => "took_us_per_connect",
            Scenario::P2p
            | Scenario::Fanin
            | Scenario::Fanout
            | Scenario::Wildcards
            | Scenario::Offline
            | Scenario::Durable
            | Scenario::Retained => "took_us_per_delivery",
        };
        Some(if keys.all(|key| key == first) {
            first
        } else {
            seen_by_clients
        })
    }
}

/// The figure of an outcome that is compared.
fn value(outcome: &Outcome, figure: &str) -> f64 {
    match outcome.headline() {
        (key, value) if key == figure => value,
        _ if figure == "p99_us" => outcome.latency.as_ref().map_or(f64::NAN, |latency| latency.p99_us),
        _ => 1e6 / outcome.measured.deliveries_per_sec,
    }
}

impl Entrant {
    /// Whether every round was run and whole.
    pub(super) fn is_whole(&self) -> bool {
        self.failures.is_empty() && self.runs.iter().all(|(_, outcome)| outcome.is_whole())
    }

    /// The rounds whose figures count: those that ran to their end. What they lost is told beside their figures.
    fn measured(&self) -> impl Iterator<Item = (u32, &Outcome)> {
        self.runs
            .iter()
            .filter(|(_, outcome)| !matches!(outcome.ending, Ending::Broken { .. }))
            .map(|(round, outcome)| (*round, outcome))
    }

    /// The round in the middle, by its headline figure: the one whose course is drawn. Without any that ran to its
    /// end, the last.
    pub(super) fn median_run(&self) -> Option<&Outcome> {
        let mut runs: Vec<_> = self.measured().map(|(_, outcome)| outcome).collect();
        runs.sort_by(|a, b| a.headline().1.total_cmp(&b.headline().1));
        let middle = runs.len().saturating_sub(1) / 2;
        runs.get(middle)
            .copied()
            .or(self.runs.last().map(|(_, outcome)| outcome))
    }

    fn standing(&self, figure: Option<&str>, reference: Option<&Entrant>) -> Standing {
        let spread =
            |part: fn(&Outcome) -> Option<f64>| Spread::of(self.measured().filter_map(|(_, outcome)| part(outcome)));
        let sum = |count: fn(&Outcome) -> u64| self.runs.iter().map(|(_, outcome)| count(outcome)).sum();
        Standing {
            name: self.name.clone(),
            rounds: self.runs.len() + self.failures.len(),
            whole: self.runs.iter().filter(|(_, outcome)| outcome.is_whole()).count(),
            figure: figure.and_then(|figure| self.spread(figure)),
            ratio: reference
                .zip(figure)
                .and_then(|(reference, figure)| self.ratio(figure, reference)),
            deliveries_per_sec: spread(|outcome| Some(outcome.measured.deliveries_per_sec)),
            p50_us: spread(|outcome| Some(outcome.latency.as_ref()?.p50_us)),
            p99_us: spread(|outcome| Some(outcome.latency.as_ref()?.p99_us)),
            own_cpu_us_per_delivery: spread(|outcome| outcome.own.cpu_us_per_delivery),
            lost: sum(|outcome| outcome.counts.lost),
            duplicated: sum(|outcome| outcome.counts.duplicated),
            out_of_order: sum(|outcome| outcome.counts.out_of_order),
            failures: self.failures.iter().map(|(_, failure)| failure.to_string()).collect(),
        }
    }

    fn spread(&self, figure: &str) -> Option<Spread> {
        Spread::of(self.measured().map(|(_, outcome)| value(outcome, figure)))
    }

    /// How many times the reference's figure ours is.
    fn ratio(&self, figure: &str, reference: &Entrant) -> Option<Spread> {
        let median = self.spread(figure)?.median / reference.spread(figure)?.median;
        let rounds = self.measured().filter_map(|(round, outcome)| {
            let (_, other) = reference.measured().find(|(other, _)| *other == round)?;
            Some(value(outcome, figure) / value(other, figure))
        });
        let (min, max) = Spread::of(rounds).map_or((median, median), |rounds| (rounds.min, rounds.max));
        median.is_finite().then_some(Spread { median, min, max })
    }
}

/// What a contest comes to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Comparison {
    /// The contest's title.
    pub(super) scenario: String,
    /// Key of the figure that is compared, lower being better. `None` if no round ran to its end.
    pub(super) figure: Option<&'static str>,
    /// The reference first.
    pub(super) brokers: Vec<Standing>,
}

/// A broker's place in a comparison.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Standing {
    pub(super) name: String,
    /// Rounds tried.
    pub(super) rounds: usize,
    /// Rounds in which every delivery was made once and in order.
    pub(super) whole: usize,
    pub(super) figure: Option<Spread>,
    /// The figure over the reference's.
    pub(super) ratio: Option<Spread>,
    pub(super) deliveries_per_sec: Option<Spread>,
    pub(super) p50_us: Option<Spread>,
    pub(super) p99_us: Option<Spread>,
    /// What the generator itself spent.
    pub(super) own_cpu_us_per_delivery: Option<Spread>,
    /// Over all rounds.
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) out_of_order: u64,
    /// Why rounds could not be run.
    pub(super) failures: Vec<String>,
}

/// The median of all rounds, with the least and the most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// The spread of the finite values; `None` if there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests;
