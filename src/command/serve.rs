//! `strowger serve`: reads the configuration and hands over to the daemon.

use std::path::PathBuf;

use clap::Args;

use crate::command::print;
use crate::daemon::background::{self, Report, Side};
use crate::daemon::pid_file::PidFile;
use crate::daemon::{self, takeover};
use crate::failure::Failure;
use crate::log;

/// Run the broker.
///
/// Settings come from the defaults, then the file, then variables STROWGER_SECTION__KEY, then these options; what
/// comes later wins. docs/CONFIG.md lists them all.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Read settings from this file
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Listen here; may be repeated [default: 127.0.0.1:1883]
    #[arg(long, value_name = "HOST:PORT")]
    bind: Vec<String>,
    /// Keep the files of the storage engine here
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Change any setting, for example --set session.queue_full=drop; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Print every setting with its value and where the value comes from, then exit
    #[arg(long)]
    print_conf: bool,
    /// Go into the background, once the broker serves or has said why it does not; needs log.file
    #[arg(long, conflicts_with = "print_conf")]
    daemon: bool,
    /// Say whether this binary could take over from the one that runs with these options, and its version
    #[arg(long, hide = true)]
    preflight: bool,
}

/// Settings, and what they were read from.
type Read<'a> = (&'a conf::Layers, &'a conf::Configuration);

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let layers = options.layers();
    let loaded = layers.clone().load()?;
    if options.print_conf {
        return print(loaded.to_string().as_bytes()).map(drop);
    }
    let conf = &loaded.configuration;
    if options.preflight {
        daemon::check_takeover(&layers, conf)?;
        return print(format!("strowger {}\n", env!("CARGO_PKG_VERSION")).as_bytes()).map(drop);
    }
    let pid_file = PidFile::lock(&conf.daemon.pid_file)?;
    // What takes over from a daemon is one already.
    if options.daemon && takeover::past().upgrades == 0 {
        return run_daemon((&layers, conf), pid_file);
    }
    serve((&layers, conf), pid_file.as_ref(), &mut Report::nobody())
}

fn serve((layers, conf): Read<'_>, pid_file: Option<&PidFile>, report: &mut Report) -> Result<(), Failure> {
    if let Some(file) = pid_file {
        file.write()?;
    }
    log::start(&conf.log)?;
    let served = daemon::serve((layers, conf), pid_file, report);
    log::finish();
    served
}

/// What can be known is found out while the terminal is there.
fn run_daemon((layers, conf): Read<'_>, pid_file: Option<PidFile>) -> Result<(), Failure> {
    if conf.log.file.is_empty() {
        let what = "a daemon has no terminal to write its log to; set log.file, for example --set log.file=/var/log/strowger.log";
        return Err(Failure::Usage(what.to_owned()));
    }
    daemon::check(conf)?;
    match background::begin(&conf.daemon, pid_file.as_ref())? {
        Side::Command(result) => result,
        Side::Daemon(mut report) => {
            let served = serve((layers, conf), pid_file.as_ref(), &mut report);
            // Whoever hears of the failure may start another at once, and finds neither file nor lock.
            drop(pid_file);
            if let Err(failure) = &served {
                tracing::error!(error = %failure, "the broker ends");
                report.failed(failure);
            }
            served
        }
    }
}

impl Options {
    fn layers(&self) -> conf::Layers {
        let mut layers = conf::Layers::default()
            .environment(std::env::vars_os())
            .bind(&self.bind);
        if let Some(file) = &self.conf {
            layers = layers.file(file);
        }
        for pair in &self.set {
            layers = layers.set(pair);
        }
        if let Some(dir) = &self.data_dir {
            layers = layers.data_dir(dir);
        }
        layers
    }
}
