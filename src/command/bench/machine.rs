//! The machine that a run was made on, for the reader of its figures.

use std::fs;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What figures depend on beside the broker.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    /// Model of the processor.
    pub(super) cpu: String,
    /// Processors that this process may use.
    pub(super) cores: usize,
    /// Memory in KiB.
    pub(super) memory_kib: u64,
    /// Release of the kernel.
    pub(super) kernel: String,
    /// Version of the generator.
    pub(super) strowger: &'static str,
    /// When the run ended, in UTC.
    pub(super) date: String,
}

impl Machine {
    /// Looks at this machine. What the system does not tell is "unknown" or 0.
    pub(super) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let known = |text: Option<&str>| text.map_or("unknown", str::trim).to_owned();
        let memory = read("/proc/meminfo");
        Self {
            cpu: known(field(&read("/proc/cpuinfo"), "model name")),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_kib: field(&memory, "MemTotal")
                .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
                .unwrap_or(0),
            kernel: known(
                Some(&read("/proc/sys/kernel/osrelease"))
                    .filter(|text| !text.is_empty())
                    .map(String::as_str),
            ),
            strowger: env!("CARGO_PKG_VERSION"),
            date: date(SystemTime::now()),
        }
    }
}

/// The value of a line `key : value`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim() == key).then_some(value))
}

/// The descriptors that a process may open, as its limit is set.
pub(super) fn descriptors_max(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The name of the program that runs as `pid`.
pub(super) fn program(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// "2026-11-22 09:16 UTC", by the Gregorian calendar.
fn date(time: SystemTime) -> String {
    let secs = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let minutes = secs / 60 % (24 * 60);
    let mut days = secs / (24 * 60 * 60);
    let mut year = 1970;
    while days >= year_days(year) {
        days -= year_days(year);
        year += 1;
    }
    let mut month = 1;
    for length in [31, year_days(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!(
        "{year}-{month:02}-{:02} {:02}:{:02} UTC",
        days + 1,
        minutes / 60,
        minutes % 60
    )
}

fn year_days(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_follow_the_calendar() {
        for (secs, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_704_067_199, "2023-12-31 23:59 UTC"),
            (1_795_338_960, "2026-11-22 09:16 UTC"),
        ] {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(secs)), text);
        }
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 85\nmodel name\t: Some CPU\n";
        assert_eq!(field(text, "model name").map(str::trim), Some("Some CPU"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn this_process_is_known() {
        assert!(descriptors_max(std::process::id()).is_some_and(|max| max > 0));
        assert!(program(std::process::id()).is_some());
        assert_eq!(program(u32::MAX), None);
    }
}
