//! `strowger bench suite`: every scenario once, at a size that fits the machine.

use std::time::Duration;

use clap::Args;
use strowger_client::load::{Pace, Plan, Qos, Scenario, Target, Until};

use super::args::{Common, span};
use super::machine::{Machine, descriptors_max};
use crate::failure::Failure;

/// Length of the measured part of a row with `--quick`, and of its warm-up.
const QUICK: Duration = Duration::from_secs(1);
const QUICK_WARM_UP: Duration = Duration::from_millis(300);
/// Connections of the row `idle`, where descriptors allow them.
const IDLE_MAX: u64 = 15_000;
/// Subscriptions of the row `subscriptions`, where memory allows them.
const SUBSCRIPTIONS_MAX: u64 = 1_000_000;
/// Memory set aside for each subscription, of the hungriest broker and the generator together.
const SUBSCRIPTION_KIB: u64 = 12;

#[derive(Debug, Args)]
#[group(skip)]
#[command(disable_help_flag = true)]
pub(super) struct Options {
    /// Only these rows, as --list names them
    #[arg(long, value_name = "ROW,…", value_delimiter = ',', value_parser = row)]
    only: Vec<&'static Row>,
    /// Print the rows and run nothing
    #[arg(long)]
    pub(super) list: bool,
    /// A second for each row, and small sizes: to see that all works
    #[arg(long)]
    quick: bool,
    /// Length of the measured part of each row [default: 5; with --quick: 1]
    #[arg(long, value_name = "SECS", value_parser = span)]
    duration: Option<Duration>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// Its name on the command line.
    name: &'static str,
    /// Its name in tables.
    title: &'static str,
    scenario: Scenario,
    /// Makes the scenario's standard plan this row's.
    shape: fn(&mut Plan, &Room),
}

/// What the machine has room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    connections: u32,
    subscriptions: u32,
    is_quick: bool,
}

/// Those of memory come first, while brokers that were just started have none to use again.
static ROWS: [Row; 18] = [
    row_of("idle", "idle", Scenario::Idle, |plan, room| {
        plan.connections = room.connections
    }),
    row_of("subscriptions", "subscriptions", Scenario::Idle, |plan, room| {
        plan.connections = (room.subscriptions / 1_000).clamp(1, room.connections);
        plan.subscriptions = room.subscriptions / plan.connections;
    }),
    row_of("p2p-0", "p2p QoS 0", Scenario::P2p, |_, _| {}),
    row_of("p2p-1", "p2p QoS 1", Scenario::P2p, |plan, _| {
        plan.qos = Qos::AtLeastOnce
    }),
    row_of("p2p-2", "p2p QoS 2", Scenario::P2p, |plan, _| {
        plan.qos = Qos::ExactlyOnce
    }),
    row_of("fanin-0", "fan-in QoS 0", Scenario::Fanin, |_, _| {}),
    row_of("fanout-0", "fan-out QoS 0", Scenario::Fanout, |_, _| {}),
    row_of("fanout-1", "fan-out QoS 1", Scenario::Fanout, |plan, _| {
        plan.qos = Qos::AtLeastOnce
    }),
    row_of("wildcards", "wildcards", Scenario::Wildcards, |plan, room| {
        if room.is_quick {
            plan.subscriptions /= 10;
        }
    }),
    row_of("one", "one in flight", Scenario::P2p, |plan, _| {
        (plan.publishers, plan.subscribers) = (500, 500);
        plan.pace = Pace::Window(1);
    }),
    row_of("latency-p2p", "latency p2p 10k/s", Scenario::Latency, |plan, _| {
        plan.pace = Pace::Rate(10_000.0);
    }),
    row_of(
        "latency-fanout",
        "latency fan-out 10k deliveries/s",
        Scenario::Latency,
        |plan, _| {
            (plan.publishers, plan.subscribers) = (1, 100);
            plan.pace = Pace::Rate(100.0);
        },
    ),
    row_of("connect", "connect", Scenario::Connect, |_, _| {}),
    row_of("offline", "offline QoS 1", Scenario::Offline, |plan, room| {
        if room.is_quick {
            plan.until = Until::Count(9_000);
        }
    }),
    row_of("durable", "durable QoS 1", Scenario::Durable, |_, _| {}),
    row_of("durable-2k", "durable QoS 1 2k/s", Scenario::Durable, |plan, _| {
        plan.pace = Pace::Rate(2_000.0);
    }),
    row_of("retained", "retained QoS 1", Scenario::Retained, |plan, room| {
        if room.is_quick {
            plan.topics /= 10;
        }
    }),
    row_of("stalled", "stalled reader", Scenario::Stalled, |_, _| {}),
];

const fn row_of(name: &'static str, title: &'static str, scenario: Scenario, shape: fn(&mut Plan, &Room)) -> Row {
    Row {
        name,
        title,
        scenario,
        shape,
    }
}

fn row(name: &str) -> Result<&'static Row, String> {
    ROWS.iter().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        format!("no row has that name; there are {}", names.join(", "))
    })
}

impl Options {
    /// Titles and plans of the rows to run.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] if the machine has no room for any connection.
    pub(super) fn plans(&self, targets: &[Target], machine: &Machine) -> Result<Vec<(&'static str, Plan)>, Failure> {
        let room = self.room(targets, machine)?;
        let is_local = targets.iter().all(|target| target.address.ip().is_loopback());
        let plans = self.rows().map(|row| {
            let mut plan = self.common.generator.plan(row.scenario, is_local);
            self.shorten(&mut plan);
            (row.shape)(&mut plan, &room);
            (row.title, plan)
        });
        Ok(plans.collect())
    }

    /// The rows, one to a line, for `--list`.
    pub(super) fn listing(&self) -> String {
        self.rows()
            .map(|row| format!("{:<16}{}\n", row.name, row.title))
            .collect()
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        let all = ROWS.iter();
        all.filter(|row| self.only.is_empty() || self.only.iter().any(|only| only.name == row.name))
    }

    fn shorten(&self, plan: &mut Plan) {
        if self.quick {
            plan.warm_up = plan.warm_up.min(QUICK_WARM_UP);
        }
        let span = self.duration.or(self.quick.then_some(QUICK));
        if let (Until::Time(_), Some(span)) = (plan.until, span) {
            plan.until = Until::Time(span);
        }
    }

    /// Descriptors bound connections on both sides, and a fifth of them is left to each; memory bounds subscriptions.
    fn room(&self, targets: &[Target], machine: &Machine) -> Result<Room, Failure> {
        let own = rlimit::Resource::NOFILE
            .get_hard()
            .map_err(Failure::io("read the limit of open files"))?;
        let pids = targets.iter().flat_map(|target| &target.pids);
        let fewest = pids.filter_map(|pid| descriptors_max(*pid)).fold(own, u64::min);
        let (idle_max, subscriptions_max) = if self.quick {
            (IDLE_MAX / 10, SUBSCRIPTIONS_MAX / 10)
        } else {
            (IDLE_MAX, SUBSCRIPTIONS_MAX)
        };
        let connections = (fewest / 5 * 4).min(idle_max);
        let subscriptions = (machine.memory_kib / SUBSCRIPTION_KIB).clamp(1_000, subscriptions_max);
        if connections == 0 {
            return Err(Failure::Usage(format!(
                "{fewest} open files are allowed, which is no room for connections; raise the limit with `ulimit -n`"
            )));
        }
        Ok(Room {
            connections: u32::try_from(connections).unwrap_or(u32::MAX),
            subscriptions: u32::try_from(subscriptions).unwrap_or(u32::MAX),
            is_quick: self.quick,
        })
    }
}

#[cfg(test)]
mod tests;
