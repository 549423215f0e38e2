//! Figures as people read them: grouped digits, three that matter, a unit that fits the size.

use std::time::Duration;

/// A whole number with its thousands set apart: 1,234,567.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that matter, and all digits before the point: 0.0123, 1.23, 12.3, 1,234.
pub(super) fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    // The next power of ten starts where rounding reaches it: 9.995 is written 10.0.
    let decimals = [(99.95, 0), (9.995, 1), (0.9995, 2), (0.09995, 3)]
        .into_iter()
        .find_map(|(from, decimals)| (size >= from).then_some(decimals))
        .unwrap_or(4);
    if decimals == 0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", grouped(whole(size)));
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    format!("{value:.decimals$}")
}

/// A count or a rate in few digits: 950, 12.3 k, 1.23 M.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    for (per, unit) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if size >= per * 0.9995 {
            return format!("{} {unit}", significant(value / per));
        }
    }
    significant(value)
}

/// A span of time given in microseconds: 85 µs, 1.2 ms, 3.4 s.
pub(super) fn micros(us: f64) -> String {
    let size = us.abs();
    if !us.is_finite() {
        "–".to_owned()
    } else if size >= 999_500.0 {
        format!("{} s", significant(us / 1e6))
    } else if size >= 999.5 {
        format!("{} ms", significant(us / 1e3))
    } else {
        format!("{} µs", significant(us))
    }
}

/// A size in bytes: 64 B, 1.5 KiB, 12.3 MiB.
pub(super) fn bytes(count: f64) -> String {
    const KIB: f64 = 1024.0;
    let size = count.abs();
    if !count.is_finite() {
        "–".to_owned()
    } else if size >= KIB * KIB * KIB {
        format!("{} GiB", significant(count / KIB / KIB / KIB))
    } else if size >= KIB * KIB {
        format!("{} MiB", significant(count / KIB / KIB))
    } else if size >= KIB {
        format!("{} KiB", significant(count / KIB))
    } else {
        format!("{} B", significant(count))
    }
}

/// A span of time as a command line takes it: 0.5 s, 10 s.
pub(super) fn seconds(span: Duration) -> String {
    let secs = span.as_secs_f64();
    if span.subsec_millis() == 0 {
        format!("{secs:.0} s")
    } else {
        format!("{secs:.1} s")
    }
}

/// A figure for an axis, without zeros that tell nothing: "1.00 ms" is "1 ms".
pub(super) fn trimmed(figure: &str) -> String {
    let (number, unit) = figure.split_at(figure.find(' ').unwrap_or(figure.len()));
    match number.split_once('.') {
        Some((whole, part)) => match part.trim_end_matches('0') {
            "" => format!("{whole}{unit}"),
            part => format!("{whole}.{part}{unit}"),
        },
        None => figure.to_owned(),
    }
}

/// "1 message", "2 messages".
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A count as a value to draw or to divide; counts stay far below 2^53.
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// The nearest whole number of a size, which is finite and not negative.
fn whole(size: f64) -> u64 {
    size.round() as u64
}

/// What a figure of an outcome is called and measured in, from its key in the JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// What it is: "CPU per delivery".
    pub(super) words: String,
    /// Its unit, empty for a plain number.
    pub(super) unit: &'static str,
}

/// Keys whose words do not follow from their spelling.
const KNOWN: [(&str, &str, &str); 16] = [
    ("cpu_us_per_delivery", "CPU per delivery", "µs"),
    ("cpu_us_per_connect", "CPU per connection made and ended", "µs"),
    ("cpu_us_per_message", "CPU per message", "µs"),
    ("took_us_per_delivery", "time per delivery", "µs"),
    ("took_us_per_connect", "time per connection made and ended", "µs"),
    ("bytes_per_connection", "memory per connection", "B"),
    ("bytes_per_subscription", "memory per subscription", "B"),
    ("deliveries_per_sec", "deliveries", "/s"),
    ("connects_per_sec", "connections made and ended", "/s"),
    ("p50_us", "latency p50", "µs"),
    ("p90_us", "latency p90", "µs"),
    ("p99_us", "latency p99", "µs"),
    ("p999_us", "latency p99.9", "µs"),
    ("max_us", "latency, longest", "µs"),
    ("p99_ratio", "p99 while stalled ÷ before", "×"),
    ("cpu_percent", "CPU", "%"),
];

/// Endings of keys that are units.
const UNITS: [(&str, &str); 8] = [
    ("_per_sec", "/s"),
    ("_us", "µs"),
    ("_ms", "ms"),
    ("_secs", "s"),
    ("_kib", "KiB"),
    ("_bytes", "B"),
    ("_percent", "%"),
    ("_ratio", "×"),
];

impl Label {
    /// The label of a key.
    pub(super) fn of(key: &str) -> Self {
        if let Some((_, words, unit)) = KNOWN.iter().find(|(known, ..)| *known == key) {
            return Self {
                words: (*words).to_owned(),
                unit,
            };
        }
        let (stem, unit) = UNITS
            .iter()
            .find_map(|(ending, unit)| Some((key.strip_suffix(ending)?, *unit)))
            .unwrap_or((key, ""));
        // "queue_cpu_us_per_message": the unit stands inside.
        let (stem, unit) = match stem.split_once("_us_per_") {
            Some((what, per)) if unit.is_empty() => (format!("{what} per {per}"), "µs"),
            _ => (stem.to_owned(), unit),
        };
        let (stem, unit) = match stem.strip_prefix("bytes_per_") {
            Some(per) if unit.is_empty() => (format!("memory per {per}"), "B"),
            _ => (stem, unit),
        };
        let words: Vec<_> = stem
            .split(['_', ' '])
            .map(|word| match word {
                "cpu" => "CPU",
                "rss" => "memory",
                "" => "figure",
                other => other,
            })
            .collect();
        Self {
            words: words.join(" "),
            unit,
        }
    }

    /// A value of this figure with its unit.
    pub(super) fn value(&self, value: f64) -> String {
        match self.unit {
            "" => significant(value),
            "µs" => micros(value),
            "ms" => micros(value * 1e3),
            "s" => micros(value * 1e6),
            "B" => bytes(value),
            "KiB" => bytes(value * 1024.0),
            "/s" => format!("{}/s", short(value)),
            "×" => format!("{}×", significant(value)),
            unit => format!("{} {unit}", significant(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn three_digits_matter() {
        for (value, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.1234, "0.123"),
            (1.2345, "1.23"),
            (9.996, "10.0"),
            (12.345, "12.3"),
            (123.45, "123"),
            (999.6, "1,000"),
            (1234.5, "1,235"),
            (-1.2345, "-1.23"),
            (-1234.0, "-1,234"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn units_fit_the_size() {
        assert_eq!(short(950.0), "950");
        assert_eq!(short(12_345.0), "12.3 k");
        assert_eq!(short(999_900.0), "1.00 M");
        assert_eq!(micros(85.4), "85.4 µs");
        assert_eq!(micros(1_250.0), "1.25 ms");
        assert_eq!(micros(3_400_000.0), "3.40 s");
        assert_eq!(bytes(64.0), "64.0 B");
        assert_eq!(bytes(1536.0), "1.50 KiB");
        assert_eq!(seconds(Duration::from_millis(500)), "0.5 s");
        assert_eq!(seconds(Duration::from_secs(10)), "10 s");
        assert_eq!(counted(1, "message", "messages"), "1 message");
        assert_eq!(trimmed("1.00 ms"), "1 ms");
        assert_eq!(trimmed("0.50"), "0.5");
        assert_eq!(trimmed("1,200"), "1,200");
    }

    #[test]
    fn keys_become_labels() {
        for (key, words, value) in [
            ("cpu_us_per_delivery", "CPU per delivery", "2.00 µs"),
            ("queue_cpu_us_per_message", "queue CPU per message", "2.00 µs"),
            ("bytes_per_queued", "memory per queued", "2.00 B"),
            ("connect_p99_us", "connect p99", "2.00 µs"),
            ("set_took_ms", "set took", "2.00 ms"),
            ("rss_growth_kib", "memory growth", "2.00 KiB"),
            ("topics", "topics", "2.00"),
            ("sent_per_sec", "sent", "2.00/s"),
        ] {
            let label = Label::of(key);
            assert_eq!(label.words, words);
            assert_eq!(label.value(2.0), value);
        }
    }
}
