//! The process as the kernel sees it, by the names that Prometheus's own clients give these figures.

use std::fs;

use super::family::families;
use super::page::Page;

families! {
    "The process";
    Counter CPU_SECONDS "process_cpu_seconds_total" [] "Processor time that the process has taken, user and system, in seconds.";
    Gauge RESIDENT "process_resident_memory_bytes" [] "Resident memory of the process.";
    Gauge VIRTUAL "process_virtual_memory_bytes" [] "Address space of the process.";
    Gauge START_TIME "process_start_time_seconds" [] "When the process started, in seconds of Unix time.";
    Gauge OPEN_FDS "process_open_fds" [] "File descriptors that are open.";
    Gauge MAX_FDS "process_max_fds" [] "File descriptors that may be open.";
    Gauge THREADS "process_threads" [] "Threads of the process.";
}

/// Ticks per second in which /proc counts: the same in every kernel's interface to programs (USER_HZ).
const TICKS_PER_SEC: f64 = 100.0;

/// Adds what /proc tells; what it does not tell is left out.
pub(super) fn fill(page: &mut Page) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| number_after(&status, name).map(|kib| kib * 1024.0);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let figures = [
        (&CPU_SECONDS, cpu_secs(&stat)),
        (&RESIDENT, kib("VmRSS:")),
        (&VIRTUAL, kib("VmSize:")),
        (&START_TIME, start_time(&stat)),
        (&OPEN_FDS, open),
        (&MAX_FDS, number_after(&limits, "Max open files")),
        (&THREADS, number_after(&status, "Threads:")),
    ];
    for (family, value) in figures {
        if let Some(value) = value {
            page.add(family, &[], value);
        }
    }
}

/// The number behind a name at the start of a line.
fn number_after(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of /proc/self/stat by its number in proc(5). The second, the name, may hold blanks and brackets.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_secs(stat: &str) -> Option<f64> {
    Some((field(stat, 14)? + field(stat, 15)?) / TICKS_PER_SEC)
}

/// The kernel counts from its own start, which /proc/stat has.
fn start_time(stat: &str) -> Option<f64> {
    let machine = fs::read_to_string("/proc/stat").ok()?;
    Some(number_after(&machine, "btime")? + field(stat, 22)? / TICKS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name_whatever_it_holds() {
        let stat = "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 777 1000";
        assert_eq!(cpu_secs(stat), Some(2.0));
        assert_eq!(field(stat, 22), Some(777.0));
        assert_eq!(field("", 22), None);
    }

    #[test]
    fn this_process_has_all_of_them() {
        let mut page = Page::default();
        fill(&mut page);
        let text = page.text().expect("every family has a figure");
        for family in FAMILIES.1 {
            assert!(text.contains(family.name), "{}", family.name);
        }
    }
}
