//! `strowger token`: who may operate a broker.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use admin::{Key, Role, Token, tokens};
use clap::{Args, Subcommand};

use crate::command::ownership;
use crate::command::replacement::Replacement;
use crate::command::{print, settings};
use crate::daemon;
use crate::failure::Failure;

/// Make, list and remove the tokens that let operators in.
///
/// The file is the one of admin.tokens_file, by default admin.tokens in the data directory. A broker that runs sees a
/// change within a second. It keeps its owner and its rights; one that root makes is for the owner and the group of its
/// directory. On the broker's own machine its user needs no token: the commands use the socket admin.sock.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
    /// The tokens file, in place of the configuration's
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
    /// Read settings from this file [default without --data-dir: $STROWGER_CONF, else /etc/strowger/strowger.toml if it is
    /// there]
    #[arg(long, value_name = "FILE", global = true)]
    conf: Option<PathBuf>,
    /// The broker's data directory
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token and print it: it is shown this once, the file keeps its hash
    Add {
        /// Whose it is: 1 to 64 letters, digits and - _ . @
        name: String,
        /// viewer sees, operator acts on clients and messages, admin changes settings and stops the broker
        #[arg(long, value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// Make no token: the client certificate with this common name (admin.client_ca) is the key
        #[arg(long)]
        certificate: bool,
    },
    /// Say who has a token or a certificate, and with which role
    List,
    /// Remove a token; whoever has it is out within a second
    Remove {
        /// Whose it is
        name: String,
    },
}

/// The command that runs, and how it went.
pub(super) fn run(options: &Options) -> (&'static str, Result<(), Failure>) {
    match &options.verb {
        Verb::Add {
            name,
            role,
            certificate,
        } => ("strowger token add", add(options, name, role, *certificate)),
        Verb::List => ("strowger token list", list(options)),
        Verb::Remove { name } => (
            "strowger token remove",
            edit(options, |text| tokens::remove(text, name)),
        ),
    }
}

fn add(options: &Options, name: &str, role: &str, certificate: bool) -> Result<(), Failure> {
    let role = Role::named(role).ok_or_else(|| Failure::Usage(format!("{role} is no role")))?;
    let (secret, key) = if certificate {
        (None, Key::Certificate)
    } else {
        let (secret, key) = tokens::generate().map_err(Failure::io("make a token"))?;
        (Some(secret), key)
    };
    let name = name.to_owned();
    let token = Token { name, role, key };
    edit(options, |text| tokens::put(text, &token))?;
    match secret {
        Some(secret) => print(format!("{secret}\n").as_bytes()).map(drop),
        None => Ok(()),
    }
}

fn list(options: &Options) -> Result<(), Failure> {
    let file = options.file()?;
    let text = read(&file)?;
    let tokens = tokens::parse(&text).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let mut lines = String::new();
    for Token { name, role, key } in tokens {
        let key = match key {
            Key::Sha256(_) => "token",
            Key::Certificate => "certificate",
        };
        lines.push_str(&format!("{name:<24} {role:<9} {key}\n"));
    }
    print(lines.as_bytes()).map(drop)
}

fn edit(options: &Options, change: impl FnOnce(&str) -> Result<String, tokens::EditError>) -> Result<(), Failure> {
    let file = options.file()?;
    options.make(ownership::directory_of(&file))?;
    let replacement = Replacement::begin(&file, "token")?;
    let edited = change(&replacement.old()?.unwrap_or_default());
    let edited = edited.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    // A broker whose data directory is root's is root's as well.
    replacement.finish(&edited).map(drop)
}

/// What is in the file. One that is missing holds nobody.
fn read(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(Failure::io(format!("read {}", file.display()))),
    }
}

impl Options {
    /// A broker that has not started yet has no data directory; it will find one of its own kind.
    fn make(&self, directory: &Path) -> Result<(), Failure> {
        if directory.exists() {
            return Ok(());
        }
        if let Some(account) = ownership::account_of_data(directory, &self.configuration()?.daemon)? {
            return account.give_directory(directory);
        }
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(Failure::io(format!("create {}", directory.display())))
    }

    /// The tokens file of the broker that is meant.
    fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        Ok(daemon::admin::tokens_file(&self.configuration()?))
    }

    fn configuration(&self) -> Result<conf::Configuration, Failure> {
        settings::read(self.conf.as_deref(), self.data_dir.as_deref())
    }
}

#[cfg(test)]
mod tests;
