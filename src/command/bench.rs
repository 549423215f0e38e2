//! `strowger bench`: puts one or more brokers under load, accounts for every message and says what a delivery costs.
//!
//! The load itself is `strowger_client::load`. Here are the command line (`args`), the rounds of a comparison
//! (`contest`), the display while it runs (`live`), and what is told afterwards: the `verdict` first, then figures
//! as text (`block`, `table`), as JSON or as an HTML page (`report`).

mod args;
mod block;
mod contest;
mod figure;
mod live;
mod machine;
mod report;
#[cfg(test)]
mod sample;
mod suite;
mod table;
mod verdict;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args};
use strowger_client::load::{Outcome, Plan, Target};

use crate::command::print;
use crate::failure::Failure;
use args::{Common, Job, Output, Run, Sizes};
use contest::{Comparison, Contest};
use machine::Machine;

pub(crate) const NAME: &str = "strowger bench";

/// A run in which a message was lost, came twice or out of order, or whose broker went away.
const NOT_WHOLE: u8 = 1;

const EXAMPLES: &str = "\
Examples:
  strowger bench p2p                   50 pairs, QoS 0, for 5 seconds
  strowger bench p2p -q 1 --pid 12     with the CPU time of process 12
  strowger bench latency --rate 2000 --html report.html
  strowger bench durable --pid 12      acknowledgements of messages that are kept
  strowger bench fanout --pid 12 --vs 127.0.0.1:1884,pid=34,name=mosquitto
  strowger bench suite --quick

The first line says whether every message was delivered once and in order.
`strowger bench SCENARIO --help` has the options of a scenario.

JSON (--json): one object with
  verdict     the first line of the text
  machine     cpu, cores, memory_kib, kernel, strowger, date
  runs        for each run: scenario_title, round, target, scenario, plan,
              ending {kind: whole, lost or broken}, counts {sent, expected,
              received, duplicated, lost, out_of_order, ...}, measured,
              latency {p50_us ... max_us, distribution}, timeline, broker and
              own {cpu_us_per_delivery, rss_peak_kib, ...}, figures
  comparison  for each scenario: scenario, figure (the key that is compared;
              lower is better), brokers, each with name, rounds, whole, and
              as {median, min, max}: figure, ratio, deliveries_per_sec,
              p50_us, p99_us, own_cpu_us_per_delivery

Exit codes: 0 every message was delivered once and in order, 1 not, or the
  broker went away, 64 wrong usage, 69 no broker, or it refused the load,
  74 reading or writing failed.";

/// Put a broker under load
///
/// Works with any MQTT broker. Every message is accounted for, and latency counts from the moment at which a message
/// was due. Tables show what the generator itself spends for each delivery.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES, disable_help_flag = true, arg_required_else_help = false)]
pub(crate) struct Options {
    #[command(subcommand)]
    job: Job,
    /// Print help
    #[arg(short, long, action = ArgAction::HelpLong)]
    help: Option<bool>,
}

/// Runs the job. Failures are those that left nothing to report.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    match &options.job {
        Job::P2p(run) => one(run),
        Job::Fanin(run) => one(run),
        Job::Fanout(run) => one(run),
        Job::Wildcards(run) => one(run),
        Job::Connect(run) => one(run),
        Job::Idle(run) => one(run),
        Job::Latency(run) => one(run),
        Job::Offline(run) => one(run),
        Job::Durable(run) => one(run),
        Job::Retained(run) => one(run),
        Job::Stalled(run) => one(run),
        Job::Suite(options) if options.list => {
            print(options.listing().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Job::Suite(options) => all(options),
    }
}

fn one<S: Sizes>(run: &Run<S>) -> Result<ExitCode, Failure> {
    let targets = run.common.brokers.targets()?;
    let is_local = targets.iter().all(|target| target.address.ip().is_loopback());
    let mut plan = run.common.generator.plan(S::SCENARIO, is_local);
    run.sizes.apply(&mut plan);
    check(&plan, &targets)?;
    let sheet = Sheet::prepare(&run.common.output)?;
    let title = verdict::title(&plan);
    let contest = contest::hold(&title, &plan, &targets, run.common.brokers.rounds());
    sheet.finish(vec![contest])
}

fn all(options: &suite::Options) -> Result<ExitCode, Failure> {
    let Common { brokers, output, .. } = &options.common;
    let targets = brokers.targets()?;
    let plans = options.plans(&targets, &Machine::look())?;
    for (_, plan) in &plans {
        check(plan, &targets)?;
    }
    let sheet = Sheet::prepare(output)?;
    let contests = plans
        .iter()
        .map(|(title, plan)| contest::hold(title, plan, &targets, brokers.rounds()));
    let contests = contests.collect();
    sheet.finish(contests)
}

/// What does not fit is told before anything runs.
fn check(plan: &Plan, targets: &[Target]) -> Result<(), Failure> {
    targets.iter().try_for_each(|target| Ok(plan.check(target)?))
}

/// Where results go.
#[derive(Debug)]
struct Sheet {
    is_json: bool,
    html: Option<(PathBuf, File)>,
}

impl Sheet {
    /// Opens the file of the report, so that one that cannot be written is known before the run and not after it.
    fn prepare(output: &Output) -> Result<Self, Failure> {
        let html = match &output.html {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(Failure::io(format!("write {}", path.display())))?;
                Some((path.clone(), file))
            }
        };
        Ok(Self {
            is_json: output.json,
            html,
        })
    }

    /// Tells what came out. A single run that could not be carried out is a failure, with nothing to tell.
    fn finish(self, mut contests: Vec<Contest>) -> Result<ExitCode, Failure> {
        if let [Contest { entrants, .. }] = contests.as_mut_slice()
            && entrants.iter().all(|entrant| entrant.runs.is_empty())
            && let Some((_, failure)) = entrants.iter_mut().find_map(|entrant| entrant.failures.pop())
        {
            return Err(failure.into());
        }
        let results = Results {
            verdict: verdict::of(&contests),
            machine: Machine::look(),
            comparisons: contests.iter().map(Contest::comparison).collect(),
            contests,
        };
        if let Some((path, mut file)) = self.html {
            file.write_all(report::page(&results).as_bytes())
                .map_err(Failure::io(format!("write {}", path.display())))?;
        }
        if self.is_json {
            print(report::json(&results)?.as_bytes())?;
        } else {
            print(results.to_text().as_bytes())?;
        }
        Ok(if results.contests.iter().all(Contest::is_whole) {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(NOT_WHOLE)
        })
    }
}

/// All that there is to tell.
#[derive(Debug)]
struct Results {
    verdict: String,
    machine: Machine,
    contests: Vec<Contest>,
    comparisons: Vec<Comparison>,
}

impl Results {
    /// The verdict, other faults, then the figures: in lines for a single run, in a table for more.
    fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.verdict);
        for fault in verdict::faults(&self.contests).iter().skip(1) {
            text += &format!("{fault}\n");
        }
        text.push('\n');
        match self.single_run() {
            Some((contest, outcome)) => text += &block::to_text(&block::matters(&contest.plan, outcome)),
            None => text += &table::of(&self.comparisons).to_text(),
        }
        text
    }

    /// The run, if there was only one.
    fn single_run(&self) -> Option<(&Contest, &Outcome)> {
        let [contest] = self.contests.as_slice() else {
            return None;
        };
        match contest.entrants.as_slice() {
            [entrant] if entrant.failures.is_empty() => match entrant.runs.as_slice() {
                [(_, outcome)] => Some((contest, outcome)),
                _ => None,
            },
            _ => None,
        }
    }
}
