//! What a run found, on one line: `key=value` for people, JSON for scripts.

use std::fmt::Write as _;

use crate::histogram::Histogram;

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A name.
    Text(String),
    /// A count, bytes or connections.
    Count(u64),
    /// A measured quantity; its unit ends the key.
    Measure(f64),
    /// A quantity that this run could not measure.
    Unknown,
}

/// The figures of one run in the order of interest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    figures: Vec<(String, Value)>,
    faults: u64,
}

/// What was sent and what arrived, over the whole run from the first message to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages that publishers handed to the broker.
    pub(crate) sent: u64,
    /// Deliveries that those should have caused.
    pub(crate) expected: u64,
    /// Deliveries that came, each counted once.
    pub(crate) received: u64,
    /// Deliveries whose number had passed already: duplicates, or messages overtaken by later ones.
    pub(crate) repeated: u64,
    /// Places where a publisher's numbers skipped forward.
    pub(crate) gaps: u64,
    /// Messages of QoS 1 and 2 that the broker never finished acknowledging.
    pub(crate) unacknowledged: u64,
}

impl Report {
    /// Starts the report of a scenario with its tally, so that loss stands first.
    pub(crate) fn new(scenario: &str, tally: Tally) -> Self {
        let lost = tally.expected.saturating_sub(tally.received);
        let mut report = Self {
            figures: Vec::new(),
            faults: lost + tally.repeated + tally.gaps + tally.unacknowledged,
        };
        report.text("scenario", scenario);
        for (key, count) in [
            ("lost", lost),
            ("sent", tally.sent),
            ("expected", tally.expected),
            ("received", tally.received),
            ("repeated", tally.repeated),
            ("gaps", tally.gaps),
            ("unacknowledged", tally.unacknowledged),
        ] {
            report.count(key, count);
        }
        report
    }

    /// Whether a delivery is missing, came twice or out of order, or an acknowledgement is missing.
    pub(crate) fn is_faulty(&self) -> bool {
        self.faults > 0
    }

    /// Adds a name.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.figures.push((key.to_owned(), Value::Text(value.to_owned())));
    }

    /// Adds a count.
    pub(crate) fn count(&mut self, key: &str, value: impl TryInto<u64>) {
        self.figures
            .push((key.to_owned(), value.try_into().map_or(Value::Unknown, Value::Count)));
    }

    /// Adds a measured quantity, or says that it is unknown.
    pub(crate) fn measure(&mut self, key: &str, value: Option<f64>) {
        let value = value
            .filter(|value| value.is_finite())
            .map_or(Value::Unknown, Value::Measure);
        self.figures.push((key.to_owned(), value));
    }

    /// Adds median, 99th percentile and maximum in microseconds under a prefix.
    pub(crate) fn latency(&mut self, prefix: &str, histogram: &Histogram) {
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let micros = histogram.quantile(share).map(|nanos| ratio(nanos, 1_000));
            self.measure(&format!("{prefix}{name}_us"), micros);
        }
    }

    /// The line for people. A faulty run says so first.
    pub(crate) fn to_line(&self) -> String {
        let mut line = if self.is_faulty() {
            "FAULTY RUN:".to_owned()
        } else {
            "whole:".to_owned()
        };
        for (key, value) in &self.figures {
            // Writing to a string cannot fail.
            let _ = match value {
                Value::Text(text) => write!(line, " {key}={text}"),
                Value::Count(count) => write!(line, " {key}={count}"),
                Value::Measure(measure) => write!(line, " {key}={measure:.3}"),
                Value::Unknown => write!(line, " {key}=?"),
            };
        }
        line
    }

    /// The line for scripts: one flat JSON object. Keys and names are the generator's own and need no escapes.
    pub(crate) fn to_json(&self) -> String {
        let mut json = format!("{{\"faulty\":{}", self.is_faulty());
        for (key, value) in &self.figures {
            let _ = match value {
                Value::Text(text) => write!(json, ",\"{key}\":\"{text}\""),
                Value::Count(count) => write!(json, ",\"{key}\":{count}"),
                Value::Measure(measure) => write!(json, ",\"{key}\":{measure:.4}"),
                Value::Unknown => write!(json, ",\"{key}\":null"),
            };
        }
        json.push('}');
        json
    }
}

/// One count over another; infinite over zero.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub(crate) fn ratio(count: u64, per: u64) -> f64 {
    count as f64 / per as f64
}
