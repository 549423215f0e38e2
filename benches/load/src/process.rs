//! What a process has cost so far, as the kernel tells it under `/proc`.

use std::fs;
use std::io;

use crate::failure::Failure;

/// A process on this machine: the broker, or the generator itself.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    root: String,
}

impl Process {
    /// The process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self {
            root: format!("/proc/{pid}"),
        }
    }

    /// The generator.
    pub(crate) fn own() -> Self {
        Self {
            root: "/proc/self".to_owned(),
        }
    }

    /// CPU time of all living threads, user and kernel together, in nanoseconds.
    ///
    /// `schedstat` counts nanoseconds where `stat` counts hundredths of a second.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] if the process has ended or belongs to somebody else.
    pub(crate) fn cpu_ns(&self) -> Result<u64, Failure> {
        let tasks = format!("{}/task", self.root);
        let listing = fs::read_dir(&tasks).map_err(|source| Failure::Process { path: tasks, source })?;
        let mut total = 0;
        for task in listing {
            let path = task?.path().join("schedstat");
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            total += text
                .split(' ')
                .next()
                .and_then(|run| run.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(total)
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] if the process has ended or the kernel does not tell.
    pub(crate) fn rss_kib(&self) -> Result<u64, Failure> {
        let path = format!("{}/status", self.root);
        let found = fs::read_to_string(&path).and_then(|text| {
            text.lines()
                .find_map(|line| {
                    line.strip_prefix("VmRSS:")?
                        .trim()
                        .strip_suffix(" kB")?
                        .trim()
                        .parse()
                        .ok()
                })
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no VmRSS"))
        });
        found.map_err(|source| Failure::Process { path, source })
    }
}

/// Lets this process open as many sockets as the machine allows without asking root.
///
/// # Errors
///
/// What the kernel said, if it does not let us.
pub(crate) fn raise_descriptor_limit() -> io::Result<()> {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?)
}
