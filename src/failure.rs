//! Every way in which a command can fail: what the user reads, and the exit code that scripts read.

use std::io;
use std::process::ExitCode;

use storage::StoreError;
use strowger_client::load;

/// Wrong usage or configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
/// What was read is damaged or not ours (`EX_DATAERR`).
const DATA: u8 = 65;
/// The port, or the broker, is not to be had (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// The broker does not let this operator do it (`EX_NOPERM`).
const NO_PERMISSION: u8 = 77;
/// The broker did not do what an operator asked for.
const DENIED: u8 = 1;
/// Reading or writing failed (`EX_IOERR`).
const INPUT_OUTPUT: u8 = 74;
/// Time ran out, as mosquitto_sub has it.
const TIMED_OUT: u8 = 27;

/// Why a command failed. Its Display is one line: the culprit, then the remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line does not make sense.
    #[error("{0}")]
    Usage(String),
    /// A setting is wrong.
    #[error(transparent)]
    Configuration(#[from] conf::Error),
    /// A rule, or a case that tries rules, is wrong.
    #[error(transparent)]
    Rules(#[from] rules::RulesError),
    /// Another program listens there.
    #[error(
        "cannot listen on {address}{whom}: the port is in use; \
         stop the program that has it, or choose another with {choose}"
    )]
    PortInUse {
        /// As it was configured.
        address: String,
        /// Whom it is for, if not for clients.
        whom: &'static str,
        /// The option that takes another.
        choose: &'static str,
    },
    /// The system does not let us listen there.
    #[error(
        "cannot listen on {address}{whom}: {}{}",
        plain(source),
        remedy_of_listening(source, choose)
    )]
    CannotListen {
        /// As it was configured.
        address: String,
        /// See [`Self::PortInUse`].
        whom: &'static str,
        /// See [`Self::PortInUse`].
        choose: &'static str,
        source: io::Error,
    },
    /// A file of who may come in, or of what clients may do, is wrong.
    #[error("{0}")]
    Policy(String),
    /// A certificate, a key, an authority or a revocation list is not good.
    #[error("cannot listen as {listener}: {error}; mend the file, or name another in [[listeners]]")]
    Tls {
        /// The listener's name.
        listener: String,
        error: actors::TlsError,
    },
    /// No connection to a broker.
    #[error(
        "cannot connect to {address}: {}. Is a broker running there? (-h HOST -p PORT)",
        plain(source)
    )]
    Unreachable {
        /// As it was given by `-h` and `-p`.
        address: String,
        source: io::Error,
    },
    /// The connection could not be secured.
    #[error(
        "no TLS with {address}: {}; is it a TLS listener, and --cafile the authority of its certificate?",
        plain(source)
    )]
    NoTls {
        /// As it was given by `-h` and `-p`.
        address: String,
        source: io::Error,
    },
    /// The connection to the broker ended before the work was done.
    #[error("lost the connection to {address}: {why}")]
    Lost {
        /// As it was given by `-h` and `-p`.
        address: String,
        why: String,
    },
    /// The broker said no.
    #[error("{what}: {reason} ({code:#04x})")]
    Refused {
        /// What was refused, as a clause: "the broker refused the connection".
        what: String,
        /// The standard's name of the reason.
        reason: &'static str,
        /// The reason code, which is the exit code as well; the return code of CONNACK in 3.x.
        code: u8,
    },
    /// A load could not be put on a broker.
    #[error(transparent)]
    Load(#[from] load::Failure),
    /// `-W` ran out.
    #[error("timed out after {secs} s (-W)")]
    TimedOut { secs: u64 },
    /// The data directory cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Something in a data directory is wrong, and was told before.
    #[error("{directory}: {findings} places are damaged, as told above; restore a backup")]
    Unsound {
        /// The data directory.
        directory: String,
        findings: u64,
    },
    /// No broker could say what would change.
    #[error(
        "no broker answers at {socket}; name yours with --data-dir or --conf, or look at the file alone with `strowger \
         check`"
    )]
    Nobody {
        /// Where it was asked for.
        socket: String,
    },
    /// A broker that runs did not do what it was asked for.
    #[error("the broker at {socket} {what}: {why}")]
    Declined {
        /// Where it was asked.
        socket: String,
        /// What it did not do, as a predicate: "made no backup".
        what: &'static str,
        why: String,
    },
    /// No broker answers operators there.
    #[error(
        "no broker answers at {place}: {why}; is it running (`strowger status`), and is this the right place (--data-dir, \
         --socket, --url)?"
    )]
    NoOffice {
        /// The socket or the URL.
        place: String,
        why: String,
    },
    /// The broker does not know this operator, or lets him do less.
    #[error("not allowed at {place}: {why}")]
    NotAllowed {
        /// The socket or the URL.
        place: String,
        why: String,
    },
    /// The broker did not do it, and says why.
    #[error("{0}")]
    Denied(String),
    /// Nobody answers at a control socket.
    #[error(
        "no broker answers at {socket}; is it running there, as this user? (--conf FILE, --data-dir DIR or --socket PATH)"
    )]
    NoBroker {
        /// Where it was asked for.
        socket: String,
    },
    /// Another broker has the pid file.
    #[error(
        "a broker runs already, as process {pid}: it has {pid_file} (daemon.pid_file); stop it with `strowger stop`"
    )]
    Running {
        /// The file.
        pid_file: String,
        /// What stands in it.
        pid: String,
    },
    /// A broker has ended before everything was written.
    #[error("{0}")]
    CutShort(String),
    /// The daemon has said why it did not start.
    #[error("{words}")]
    Daemon {
        /// What it would have said on the terminal.
        words: String,
        /// Its exit code.
        code: u8,
    },
    /// A file, the standard input or the standard output failed.
    #[error("cannot {doing}: {}", plain(source))]
    Io {
        /// What was tried, to follow "cannot".
        doing: String,
        source: io::Error,
    },
}

/// What helps where the system refuses an address; other refusals say it themselves.
fn remedy_of_listening(source: &io::Error, choose: &str) -> String {
    let says_itself = [
        io::ErrorKind::Unsupported,
        io::ErrorKind::InvalidInput,
        io::ErrorKind::NotFound,
    ];
    if source.raw_os_error().is_none() && says_itself.contains(&source.kind()) {
        return String::new();
    }
    format!("; choose another address with {choose}")
}

impl Failure {
    /// The failure to listen on `address`, which is often a port in use.
    pub(crate) fn listen(address: impl Into<String>, source: io::Error) -> Self {
        Self::listen_for(("", "--bind HOST:PORT"), address.into(), source)
    }

    /// What keeps operators out.
    pub(crate) fn listen_for_operators(address: impl Into<String>, source: io::Error) -> Self {
        Self::listen_for((" for operators", "--set admin.bind=HOST:PORT"), address.into(), source)
    }

    fn listen_for((whom, choose): (&'static str, &'static str), address: String, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::PortInUse { address, whom, choose }
        } else {
            Self::CannotListen {
                address,
                whom,
                choose,
                source,
            }
        }
    }

    /// A map for I/O errors; `doing` follows "cannot".
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io {
            doing: doing.into(),
            source,
        }
    }

    /// The exit code, as `strowger --help` lists them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The exit code as a number.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration(_) | Self::Policy(_) | Self::Rules(_) | Self::Tls { .. } => USAGE,
            Self::PortInUse { .. }
            | Self::CannotListen { .. }
            | Self::Unreachable { .. }
            | Self::NoTls { .. }
            | Self::Lost { .. }
            | Self::NoOffice { .. }
            | Self::Nobody { .. }
            | Self::NoBroker { .. }
            | Self::Running { .. }
            | Self::Declined { .. } => UNAVAILABLE,
            Self::NotAllowed { .. } => NO_PERMISSION,
            Self::Denied(_) => DENIED,
            Self::Daemon { code, .. } => *code,
            Self::Unsound { .. } => DATA,
            Self::Load(load::Failure::Unfit { .. }) => USAGE,
            Self::Load(
                load::Failure::Connect { .. }
                | load::Failure::Refused { .. }
                | load::Failure::Closed { .. }
                | load::Failure::Silent { .. },
            ) => UNAVAILABLE,
            Self::Load(load::Failure::Process { .. } | load::Failure::Machine { .. }) => INPUT_OUTPUT,
            Self::Refused { code, .. } => *code,
            Self::TimedOut { .. } => TIMED_OUT,
            Self::Store(StoreError::Engine { .. }) => USAGE,
            Self::Store(StoreError::Locked { .. }) => UNAVAILABLE,
            Self::Store(StoreError::Damaged { .. } | StoreError::Version { .. }) => DATA,
            Self::Store(StoreError::Full { .. } | StoreError::Failed { .. }) | Self::Io { .. } | Self::CutShort(_) => {
                INPUT_OUTPUT
            }
        }
    }
}

/// The error without the number that means something to programmers only.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
