//! What processes have cost so far, as the kernel tells it under `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::clock::ratio;
use super::failure::Failure;
use super::outcome::Cost;

/// The processes that a broker consists of, or the generator itself.
#[derive(Clone, Debug)]
pub(super) struct Processes {
    roots: Vec<String>,
    /// The CPU time in nanoseconds of every thread ever seen: those that have ended still count.
    threads: BTreeMap<String, u64>,
    rss_before_kib: u64,
    last: Reading,
}

/// What the processes had used at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) cpu_ns: u64,
    pub(super) rss_kib: u64,
    pub(super) rss_peak_kib: u64,
    pub(super) switches_voluntary: u64,
    pub(super) switches_involuntary: u64,
}

impl Processes {
    /// The processes with these ids.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] if one of them has ended or belongs to somebody else.
    pub(super) fn of(pids: &[u32]) -> Result<Self, Failure> {
        Self::at(pids.iter().map(|pid| format!("/proc/{pid}")).collect())
    }

    /// The generator.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] on a machine without `/proc`.
    pub(super) fn own() -> Result<Self, Failure> {
        Self::at(vec!["/proc/self".to_owned()])
    }

    fn at(roots: Vec<String>) -> Result<Self, Failure> {
        let mut processes = Self {
            roots,
            threads: BTreeMap::new(),
            rss_before_kib: 0,
            last: Reading::default(),
        };
        processes.last = processes.try_read()?;
        processes.rss_before_kib = processes.last.rss_kib;
        Ok(processes)
    }

    /// What the processes have used by this moment; once they are gone, what was last known.
    pub(super) fn read(&mut self) -> Reading {
        match self.try_read() {
            Ok(reading) => self.last = reading,
            Err(_gone) => self.last.cpu_ns = self.threads.values().sum(),
        }
        self.last
    }

    /// What passed between two readings that lie `took_ns` apart, for each of `deliveries`.
    pub(super) fn cost(&self, from: &Reading, upto: &Reading, took_ns: u64, deliveries: u64) -> Cost {
        let cpu_ns = upto.cpu_ns.saturating_sub(from.cpu_ns);
        Cost {
            cpu_us_per_delivery: (deliveries > 0).then(|| ratio(cpu_ns, deliveries) / 1e3),
            cpu_ms: ratio(cpu_ns, 1_000_000),
            cpu_percent: 100.0 * ratio(cpu_ns, took_ns.max(1)),
            rss_before_kib: self.rss_before_kib,
            rss_after_kib: upto.rss_kib,
            rss_peak_kib: upto.rss_peak_kib,
            switches_voluntary: upto.switches_voluntary.saturating_sub(from.switches_voluntary),
            switches_involuntary: upto.switches_involuntary.saturating_sub(from.switches_involuntary),
        }
    }

    fn try_read(&mut self) -> Result<Reading, Failure> {
        self.read_threads()?;
        let mut reading = Reading {
            cpu_ns: self.threads.values().sum(),
            ..Reading::default()
        };
        for root in &self.roots {
            let path = format!("{root}/status");
            let status = match fs::read_to_string(&path) {
                // A process that has ended and waits for its parent has no memory.
                Ok(status) if status.contains("VmRSS:") => status,
                Ok(_) => return Err(process(path, io::ErrorKind::NotFound.into())),
                Err(source) => return Err(process(path, source)),
            };
            reading.rss_kib += field(&status, "VmRSS:");
            reading.rss_peak_kib += field(&status, "VmHWM:");
            for path in tasks(root)? {
                // A thread may end between the listing and the reading.
                let Ok(status) = fs::read_to_string(format!("{path}/status")) else {
                    continue;
                };
                reading.switches_voluntary += field(&status, "voluntary_ctxt_switches:");
                reading.switches_involuntary += field(&status, "nonvoluntary_ctxt_switches:");
            }
        }
        Ok(reading)
    }

    /// `schedstat` counts nanoseconds where `stat` counts hundredths of a second.
    fn read_threads(&mut self) -> Result<(), Failure> {
        for root in &self.roots {
            for path in tasks(root)? {
                let Ok(text) = fs::read_to_string(format!("{path}/schedstat")) else {
                    continue;
                };
                let run_ns = text.split(' ').next().and_then(|run| run.parse().ok());
                if let Some(run_ns) = run_ns {
                    self.threads.insert(path, run_ns);
                }
            }
        }
        Ok(())
    }
}

fn tasks(root: &str) -> Result<Vec<String>, Failure> {
    let path = format!("{root}/task");
    let listing = fs::read_dir(&path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = listing.map_err(|source| process(path, source))?;
    let paths = entries.iter().map(|entry| entry.path().to_string_lossy().into_owned());
    Ok(paths.collect())
}

fn process(path: String, source: io::Error) -> Failure {
    Failure::Process { path, source }
}

/// A number in a `status` file.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
