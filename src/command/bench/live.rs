//! How a run is going, on standard error: a bar on a terminal, a plain line every two seconds in a pipe.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use strowger_client::load::{Moment, Phase, Watch};

use super::figure::{grouped, micros, seconds, short};

/// Between two lines in a pipe.
const EVERY: Duration = Duration::from_secs(2);

/// The display of one run.
pub(super) struct Live {
    title: String,
    sink: Sink,
}

enum Sink {
    Bar(ProgressBar),
    Lines(Mutex<Beat>),
}

/// When lines are due: the time of the run so far, and of the last line.
#[derive(Debug, Default)]
struct Beat {
    phase: Option<Phase>,
    /// Length of the phases before this one.
    before: Duration,
    at: Duration,
    told: Duration,
}

impl Live {
    /// Starts the display of the run `title`.
    pub(super) fn start(title: String) -> Self {
        let sink = if io::stderr().is_terminal() {
            Sink::Bar(bar(&title))
        } else {
            Sink::Lines(Mutex::default())
        };
        Self { title, sink }
    }
}

/// The bar goes, so that what is printed afterwards stands alone.
impl Drop for Live {
    fn drop(&mut self) {
        if let Sink::Bar(bar) = &self.sink {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Live {
    fn on_moment(&self, moment: &Moment) {
        match &self.sink {
            Sink::Bar(bar) => {
                let (done, of) = share(moment);
                bar.set_length(of);
                bar.set_position(done);
                bar.set_message(said(moment));
            }
            Sink::Lines(beat) => {
                let is_due = beat.lock().is_ok_and(|mut beat| beat.is_due(moment));
                if is_due {
                    // With standard error closed there is nobody to tell.
                    let _ = writeln!(io::stderr(), "{}: {}", self.title, said(moment));
                }
            }
        }
    }
}

impl Beat {
    fn is_due(&mut self, moment: &Moment) -> bool {
        if self.phase != Some(moment.phase) {
            self.phase = Some(moment.phase);
            self.before += self.at;
        }
        self.at = moment.at;
        let now = self.before + self.at;
        let is_due = now >= self.told + EVERY;
        if is_due {
            self.told = now;
        }
        is_due
    }
}

fn bar(title: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    // A template that cannot be read leaves the style of the library.
    if let Ok(style) = ProgressStyle::with_template("{prefix:.bold} {bar:16.cyan/dim} {wide_msg}") {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(title.to_owned());
    bar
}

/// How much of the phase is done, of how much.
fn share(moment: &Moment) -> (u64, u64) {
    match moment.phase {
        Phase::Connecting | Phase::Subscribing => (moment.connected.into(), moment.of_connections.max(1).into()),
        Phase::WarmingUp | Phase::Measuring | Phase::Draining => {
            let of = moment.of.unwrap_or_default().as_millis().max(1);
            let at = moment.at.as_millis().min(of);
            (u64::try_from(at).unwrap_or(0), u64::try_from(of).unwrap_or(1))
        }
    }
}

/// The moment in words.
fn said(moment: &Moment) -> String {
    let phase = match moment.phase {
        Phase::Connecting => {
            return format!(
                "connecting, {} of {}",
                grouped(moment.connected.into()),
                grouped(moment.of_connections.into())
            );
        }
        Phase::Subscribing => "subscribing",
        Phase::WarmingUp => "warming up",
        Phase::Measuring => "measuring",
        Phase::Draining => "waiting for the last deliveries",
    };
    let mut words = match moment.of {
        Some(of) => format!("{phase}, {:.1} of {}", moment.at.as_secs_f64(), seconds(of)),
        None => format!("{phase}, {:.1} s", moment.at.as_secs_f64()),
    };
    if moment.rate_per_sec > 0.0 {
        words += &format!(", {}/s", short(moment.rate_per_sec));
    }
    if moment.p50_us > 0.0 {
        words += &format!(", p50 {}, p99 {}", micros(moment.p50_us), micros(moment.p99_us));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(phase: Phase, at_ms: u64) -> Moment {
        Moment {
            phase,
            at: Duration::from_millis(at_ms),
            of: Some(Duration::from_secs(5)),
            sent: 1_000,
            delivered: 1_000,
            rate_per_sec: 12_345.0,
            p50_us: 85.0,
            p99_us: 1_250.0,
            connected: 1_500,
            of_connections: 15_000,
        }
    }

    #[test]
    fn a_moment_is_told_in_words() {
        assert_eq!(said(&moment(Phase::Connecting, 0)), "connecting, 1,500 of 15,000");
        assert_eq!(
            said(&moment(Phase::Measuring, 1_250)),
            "measuring, 1.2 of 5 s, 12.3 k/s, p50 85.0 µs, p99 1.25 ms"
        );
    }

    #[test]
    fn lines_come_every_two_seconds_across_phases() {
        let mut beat = Beat::default();
        let due: Vec<_> = [
            (Phase::Connecting, 0),
            (Phase::Connecting, 900),
            (Phase::WarmingUp, 0),
            (Phase::WarmingUp, 1_000),
            (Phase::Measuring, 0),
            (Phase::Measuring, 200),
            (Phase::Measuring, 2_000),
            (Phase::Measuring, 2_200),
        ]
        .into_iter()
        .map(|(phase, at_ms)| beat.is_due(&moment(phase, at_ms)))
        .collect();
        assert_eq!(due, [false, false, false, false, false, true, false, true]);
    }

    #[test]
    fn the_bar_never_runs_over() {
        assert_eq!(share(&moment(Phase::Measuring, 9_000)), (5_000, 5_000));
        assert_eq!(share(&moment(Phase::Connecting, 0)), (1_500, 15_000));
    }
}
