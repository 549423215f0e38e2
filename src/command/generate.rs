//! What is generated from the definitions of the command line and of the settings.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command::{Command, print};
use crate::failure::Failure;

/// Print a completion script for a shell.
///
/// For bash: strowger completions bash > /etc/bash_completion.d/strowger
#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    shell: Shell,
}

/// Write the man pages into a directory.
///
/// One page for strowger and one for each subcommand; the directory is made if it is missing.
#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// The directory, for example /usr/local/share/man/man1
    dir: PathBuf,
}

/// Renew conf/strowger.toml, docs/CONFIG.md and docs/METRICS.md from the definitions of settings and metrics.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The root of the source tree
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(crate) fn completions(options: &CompletionsOptions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Command::command(), "strowger", &mut script);
    print(&script).map(drop)
}

pub(crate) fn man(options: &ManOptions) -> Result<(), Failure> {
    let doing = format!("write man pages into {}", options.dir.display());
    fs::create_dir_all(&options.dir)
        .and_then(|()| clap_mangen::generate_to(Command::command(), &options.dir))
        .map_err(Failure::io(doing))
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    write(&options.out.join("conf/strowger.toml"), &conf::manual::sample()?)?;
    write(&options.out.join("docs/CONFIG.md"), &conf::manual::reference()?)?;
    write(&options.out.join("docs/METRICS.md"), &admin::metrics_manual())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    fs::write(file, text).map_err(Failure::io(format!("write {}", file.display())))?;
    print(format!("{}\n", file.display()).as_bytes()).map(drop)
}
