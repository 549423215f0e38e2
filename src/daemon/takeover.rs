//! From one binary to the next in the same process: what the next one is told, and how it is checked and started.

use std::env;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actors::{Declined, Handover, Past, Successor, UpgradeOrder};

use super::pid_file::PidFile;

/// The number of the process, how often a binary has taken over in it, and its pid file; set by the binary before.
const TAKEOVER: &str = "STROWGER_TAKEOVER";
/// For a binary to say whether it would take over.
const CHECK_LIMIT: Duration = Duration::from_secs(30);
const CHECK_POLL: Duration = Duration::from_millis(10);
/// What is read of its words.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// What is told of the words of a binary that would not.
const WORDS_MAX: usize = 2000;
/// What speaks to a service manager and of sockets, and is not meant for a binary that is only asked.
const OF_THE_SERVICE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDS_FIRST_FD",
    TAKEOVER,
];

/// What the binary before has told, if there was one in this process.
fn told() -> Option<(u32, String)> {
    let text = env::var(TAKEOVER).ok()?;
    let mut words = text.splitn(3, ' ');
    let pid: u32 = words.next()?.parse().ok()?;
    let upgrades = words.next()?.parse().ok()?;
    let pid_file = words.next().unwrap_or_default().to_owned();
    (pid == std::process::id()).then_some((upgrades, pid_file))
}

/// How this process came to this binary.
pub(crate) fn past() -> Past {
    let upgrades = told().map_or(0, |(upgrades, _)| upgrades);
    Past {
        upgrades,
        upgrade_failure: None,
        awaits_clients: upgrades > 0,
    }
}

/// Whether the binary before has locked this pid file, which is still open.
pub(super) fn has_pid_file(path: &Path) -> bool {
    told().is_some_and(|(_, pid_file)| !pid_file.is_empty() && Path::new(&pid_file) == path)
}

/// Asks a binary whether it would serve with the arguments of this process.
///
/// # Errors
///
/// It is none, it does not answer before this process ends, or why it would not.
pub(super) fn check(
    order: &UpgradeOrder,
    own: &Path,
    sockets: &str,
    is_ending: &AtomicBool,
) -> Result<Successor, Declined> {
    let binary = match &order.binary {
        Some(binary) => std::path::absolute(binary).unwrap_or_else(|_| binary.clone()),
        None => own.to_owned(),
    };
    let name = binary.display();
    let mut command = Command::new(&binary);
    // Without a verb it is `serve` as well, but its options stand before no verb.
    command.arg("serve").arg("--preflight").args(arguments());
    OF_THE_SERVICE.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
        .env(actors::SOCKETS, sockets)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .map_err(|error| Declined(format!("cannot run {name}: {}", crate::failure::plain(&error))))?;
    let (succeeded, out, err) =
        answer_of(Asked(child), is_ending).map_err(|error| Declined(format!("{name} does not answer: {error}")))?;
    let version = out.lines().find_map(|line| line.strip_prefix("strowger "));
    match version {
        Some(version) if succeeded => Ok(Successor {
            version: version.trim().to_owned(),
            binary,
        }),
        Some(_) | None => {
            let words: String = err.trim().replace('\n', "; ").chars().take(WORDS_MAX).collect();
            let words = if words.is_empty() {
                "it says nothing of its version".to_owned()
            } else {
                words
            };
            Err(Declined(format!("{name} would not serve: {words}")))
        }
    }
}

/// The arguments of this process behind the verb.
fn arguments() -> impl Iterator<Item = std::ffi::OsString> {
    let mut arguments = env::args_os().skip(1).peekable();
    arguments.next_if(|first| first == "serve");
    arguments.filter(|argument| argument != "--daemon")
}

/// A binary that is asked. It does not outlive the question.
struct Asked(Child);

impl Drop for Asked {
    fn drop(&mut self) {
        // One that has ended is not killed again.
        let ended = self.0.kill().and_then(|()| self.0.wait());
        if let Err(error) = ended {
            tracing::warn!(%error, pid = self.0.id(), "a binary that was asked whether it would serve could not be ended");
        }
    }
}

fn answer_of(mut asked: Asked, is_ending: &AtomicBool) -> io::Result<(bool, String, String)> {
    let child = &mut asked.0;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    for pipe in stdout.iter().map(AsFd::as_fd).chain(stderr.iter().map(AsFd::as_fd)) {
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    let deadline = now() + CHECK_LIMIT;
    loop {
        // In this order: what it has said before its end is read. Others may hold the pipes for longer.
        let ended = child.try_wait()?;
        take(stdout.as_mut(), &mut out)?;
        take(stderr.as_mut(), &mut err)?;
        if let Some(status) = ended {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Ok((status.success(), text(&out), text(&err)));
        }
        if is_ending.load(Ordering::Relaxed) {
            return Err(io::Error::other("the broker ends"));
        }
        if now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 30 s"));
        }
        std::thread::sleep(CHECK_POLL);
    }
}

/// Takes what is there, and keeps the beginning of it.
fn take(pipe: Option<&mut impl Read>, text: &mut Vec<u8>) -> io::Result<()> {
    let Some(pipe) = pipe else { return Ok(()) };
    let mut piece = [0; 4096];
    // As much at once as a pipe holds: there may always be more.
    for _ in 0..16 {
        match pipe.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                let room = ANSWER_BYTES_MAX.saturating_sub(text.len());
                text.extend(piece.iter().take(length.min(room)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    reason = "a bound for another process, not a time of the broker's"
)]
fn now() -> Instant {
    Instant::now()
}

/// Has the other binary take over in this process. Returns only if it cannot, and why.
pub(super) fn exec(handover: &Handover, binary: &Path, past: &Past, pid_file: Option<&PidFile>) -> io::Error {
    let released = match handover.release() {
        Ok(released) => released,
        Err(error) => return error,
    };
    if let Some(Err(error)) = pid_file.map(PidFile::leave) {
        return error;
    }
    let path = pid_file.map_or_else(PathBuf::new, |file| file.path().to_owned());
    let told = format!("{} {} {}", std::process::id(), past.upgrades + 1, path.display());
    let mut command = Command::new(binary);
    command
        .args(env::args_os().skip(1))
        .env(TAKEOVER, told)
        .env_remove("LISTEN_FDNAMES");
    for (name, value) in &released.variables {
        command.env(name, value);
    }
    command.exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(script: &str) -> (bool, String, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        answer_of(Asked(child), &AtomicBool::new(false)).unwrap()
    }

    #[test]
    fn who_is_asked_does_not_outlive_the_end_of_the_broker() {
        let mut command = Command::new("sleep");
        command.arg("300").stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        answer_of(Asked(child), &AtomicBool::new(true)).unwrap_err();
        assert!(rustix::process::test_kill_process(pid).is_err(), "it runs");
    }

    #[test]
    fn an_answer_is_there_when_its_binary_has_ended_whoever_holds_the_pipes() {
        let begun = now();
        let (succeeded, out, err) = asked("sleep 300 & echo strowger 9.9; echo careful >&2");
        assert!(succeeded);
        assert_eq!((&*out, &*err), ("strowger 9.9\n", "careful\n"));
        assert!(now() - begun < CHECK_LIMIT, "it waited for the other holder");
    }

    #[test]
    fn a_long_answer_is_cut_and_keeps_nobody() {
        let (succeeded, out, _) = asked("yes | head -c 1000000");
        assert!(succeeded);
        assert_eq!(out.len(), ANSWER_BYTES_MAX);
    }
}
