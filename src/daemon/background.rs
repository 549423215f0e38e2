//! `strowger serve --daemon`: the classic daemon. The command waits until the broker serves, and ends as the broker's
//! start does: with its words on the terminal and its exit code.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use daemonize::{Daemonize, Outcome};

use super::pid_file::PidFile;
use crate::failure::Failure;

/// What the daemon tells when clients can connect.
const READY: &str = "ready";
/// The longest reason that is told.
const REASON_BYTES_MAX: u64 = 64 << 10;

/// Which of the two processes this is.
pub(crate) enum Side {
    /// The command, with what became of the daemon.
    Command(Result<(), Failure>),
    /// The daemon.
    Daemon(Report),
}

/// The daemon's way to tell the command how its start went; once.
#[derive(Debug)]
pub(crate) struct Report(Option<PipeWriter>);

impl Report {
    /// For a broker that no command waits for.
    pub(crate) const fn nobody() -> Self {
        Self(None)
    }

    /// Clients can connect.
    pub(crate) fn ready(&mut self) {
        self.tell(READY);
    }

    /// The start has failed.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        self.tell(&format!("{}\n{failure}", failure.code()));
    }

    fn tell(&mut self, text: &str) {
        if let Some(mut pipe) = self.0.take() {
            // A command that was killed needs no answer.
            let _ = pipe.write_all(text.as_bytes());
        }
    }
}

/// Leaves the terminal: two forks, a session of its own, umask, working directory, no descriptor but its own, and
/// /dev/null for 0 to 2. To be called before there are threads and before anything is open but the pid file.
///
/// # Errors
///
/// The system refuses a pipe or a process.
pub(crate) fn begin(conf: &conf::Daemon, pid_file: Option<&PidFile>) -> Result<Side, Failure> {
    let failed = Failure::io("go into the background");
    let (reader, writer) = match std::io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => return Err(failed(error)),
    };
    let directory = match conf.working_directory.as_str() {
        "" => std::env::current_dir(),
        directory => fs::canonicalize(directory),
    };
    let wanted = &conf.working_directory;
    let directory = directory.map_err(Failure::io(format!("enter \"{wanted}\" (daemon.working_directory)")))?;
    let umask = u32::from_str_radix(&conf.umask, 8).unwrap_or(0o027);
    match Daemonize::new().working_directory(directory).umask(umask).execute() {
        Outcome::Parent(Ok(_)) => {
            drop(writer);
            Ok(Side::Command(hear(reader)))
        }
        Outcome::Child(Ok(_)) => {
            let own = pid_file.and_then(PidFile::descriptor);
            drop(reader);
            close_others(&[Some(writer.as_raw_fd()), own].map(|own| own.unwrap_or(0)));
            Ok(Side::Daemon(Report(Some(writer))))
        }
        // The command hears of it from its end of the pipe.
        Outcome::Child(Err(error)) => {
            let mut report = Report(Some(writer));
            report.failed(&Failure::io("go into the background")(std::io::Error::other(error)));
            Ok(Side::Command(Ok(())))
        }
        Outcome::Parent(Err(error)) => Err(failed(std::io::Error::other(error))),
    }
}

/// Closes what the one who gave the command had open.
fn close_others(own: &[RawFd]) {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers
        .into_iter()
        .filter(|number| *number > 2 && !own.contains(number))
    {
        // The directory that was read is closed already.
        let _ = nix::unistd::close(number);
    }
}

/// Waits for the word of the daemon.
fn hear(reader: PipeReader) -> Result<(), Failure> {
    let mut text = String::new();
    let heard = reader.take(REASON_BYTES_MAX).read_to_string(&mut text);
    heard.map_err(Failure::io("hear from the daemon"))?;
    if text == READY {
        return Ok(());
    }
    let (code, words) = text.split_once('\n').unwrap_or(("", ""));
    match code.parse() {
        Ok(code) => Err(Failure::Daemon {
            words: words.to_owned(),
            code,
        }),
        Err(_) => Err(Failure::Io {
            doing: "start the daemon".to_owned(),
            source: std::io::Error::other("it ended before it was ready; its log (log.file) may say why"),
        }),
    }
}
