//! What the process may use of the machine, and what it uses.

use std::fs;
use std::path::Path;
use std::time::Duration;

use actors::OverloadSettings;

use super::connections_max;

/// Where nothing says how much memory there is.
const MEMORY_BYTES: u64 = 1 << 30;

/// The settings of the section `overload`.
pub(super) fn settings(conf: &conf::Overload) -> OverloadSettings {
    OverloadSettings {
        memory_bytes_max: match conf.memory_bytes_max {
            0 => memory_bytes().unwrap_or(MEMORY_BYTES),
            bytes => bytes,
        },
        memory_growth_percent: conf.memory_growth_percent,
        memory_connect_percent: conf.memory_connect_percent,
        memory_used,
        line_lag_max: Duration::from_millis(conf.line_lag_ms_max),
        connections_max: connections_max(usize::MAX),
    }
}

/// The least of what the machine has and what the control groups of this process allow.
fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(|meminfo| bytes_of("MemTotal:", meminfo));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups
        .lines()
        .filter_map(|line| group_bytes(line, Path::new("/sys/fs/cgroup")));
    machine.into_iter().chain(limits).min()
}

/// A line such as `MemTotal:  24576 kB` in a file of /proc.
fn bytes_of(name: &str, text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value
        .trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// The lowest limit of a control group and those that it is in. A line of /proc/self/cgroup reads `0::/path` in
/// version 2, `4:memory:/path` in version 1. Within a container the path may be one of the machine outside: then the
/// root of what is mounted has the limit.
fn group_bytes(line: &str, mount: &Path) -> Option<u64> {
    let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
    let (mount, file) = match controllers {
        "" => (mount.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => (mount.join("memory"), "memory.limit_in_bytes"),
        _ => return None,
    };
    let group = mount.join(path.trim_start_matches('/'));
    let limit = |group: &Path| fs::read_to_string(group.join(file)).ok()?.trim().parse().ok();
    group
        .ancestors()
        .take_while(|group| group.starts_with(&mount))
        .filter_map(limit)
        .min()
}

/// Resident memory, without what the allocator keeps of it for later.
fn memory_used() -> Option<u64> {
    let resident = bytes_of("VmRSS:", &fs::read_to_string("/proc/self/status").ok()?)?;
    Some(resident.saturating_sub(spare_bytes()))
}

/// Pages that the allocator holds and nothing uses: it gives them back, or takes them for what comes next.
#[cfg(not(target_env = "msvc"))]
fn spare_bytes() -> u64 {
    use tikv_jemalloc_ctl::{epoch, stats};
    let read = || -> Result<u64, tikv_jemalloc_ctl::Error> {
        epoch::advance()?;
        let used = stats::active::read()?.saturating_add(stats::metadata::read()?);
        Ok(stats::resident::read()?.saturating_sub(used) as u64)
    };
    read().unwrap_or(0)
}

#[cfg(target_env = "msvc")]
fn spare_bytes() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_use_grows_with_what_is_used() {
        let before = memory_used().unwrap();
        let heap = vec![1_u8; 64 << 20];
        let after = memory_used().unwrap();
        assert!(after >= before + (60 << 20), "{before} to {after}");
        drop(heap);
        assert!(memory_used().unwrap() < after - (60 << 20));
    }

    #[test]
    fn the_machine_says_how_much_it_has() {
        let text = "MemTotal:       24576 kB\nMemFree: 1 kB\n";
        assert_eq!(bytes_of("MemTotal:", text), Some(24 << 20));
        assert_eq!(bytes_of("MemTotal:", "MemFree: 1 kB\n"), None);
        assert!(memory_bytes().unwrap() > 0);
    }

    #[test]
    fn the_lowest_limit_of_the_groups_holds() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.path().join("a/memory.max"), "1000\n").unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(group_bytes("0::/a/b", root.path()), Some(1000));
        fs::write(inner.join("memory.max"), "700\n").unwrap();
        assert_eq!(group_bytes("0::/a/b", root.path()), Some(700));
        assert_eq!(group_bytes("0::/gone/for/good", root.path()), None);
        assert_eq!(group_bytes("1:cpu:/a/b", root.path()), None);
        let first = root.path().join("memory/c");
        fs::create_dir_all(&first).unwrap();
        fs::write(first.join("memory.limit_in_bytes"), "300\n").unwrap();
        assert_eq!(group_bytes("4:cpu,memory:/c", root.path()), Some(300));
    }
}
