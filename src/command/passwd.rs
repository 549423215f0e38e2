//! `strowger passwd`: users of a password file.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::PathBuf;

use auth::password;
use clap::Args;

use crate::command::replacement::Replacement;
use crate::command::say;
use crate::failure::Failure;

/// Add a user to a password file, change a password, or delete a user.
///
/// The password is asked for twice on a terminal; else it is the first line of the standard input. It is hashed with
/// Argon2id. The file is replaced as a whole and keeps its other lines, its owner and its rights as they are; one that root
/// makes is for the owner and the group of its directory, or it is said that root alone reads it. A broker that runs reads it on SIGHUP.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The password file; it is made if it is missing
    file: PathBuf,
    /// The user
    name: String,
    /// Delete the user
    #[arg(short = 'D', long, conflicts_with = "batch")]
    delete: bool,
    /// Keep what SCRAM-SHA-256 needs, so that clients of MQTT 5.0 can prove the password without sending it. Guessing it
    /// from a stolen file costs less than with Argon2id
    #[arg(long, conflicts_with = "delete")]
    scram: bool,
    /// The password; everybody on this machine can read it while the command runs
    #[arg(short, long, value_name = "PASSWORD")]
    batch: Option<String>,
}

/// No password is longer than MQTT's password field.
const PASSWORD_BYTES_MAX: usize = 65_535;

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let hash = if options.delete {
        None
    } else {
        let hash = if options.scram {
            password::scram_for_file
        } else {
            password::hash_for_file
        };
        let hashed = hash(&password_of(options)?).map_err(io::Error::other);
        Some(hashed.map_err(Failure::io("hash the password"))?)
    };
    let replacement = Replacement::begin(&options.file, "passwd")?;
    let text = match replacement.old()? {
        Some(text) => text,
        None if options.delete => {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            return Err(Failure::io(format!("read {}", options.file.display()))(missing));
        }
        None => String::new(),
    };
    let edited = match hash {
        None => password::remove(&text, &options.name),
        Some(hash) => password::put(&text, &options.name, &hash),
    };
    let edited = edited.map_err(|error| Failure::Usage(format!("{}: {error}", options.file.display())))?;
    if replacement.finish(&edited)? {
        let file = options.file.display();
        say(&format!(
            "strowger passwd: only root can read {file}; if the broker runs as another user, let its group: chgrp GROUP {file} \
             && chmod 640 {file}"
        ));
    }
    Ok(())
}

/// The password that was given, asked for, or sent.
fn password_of(options: &Options) -> Result<Vec<u8>, Failure> {
    let password = match &options.batch {
        Some(password) => password.clone(),
        None if io::stdin().is_terminal() => asked_for(&options.name)?,
        None => first_line_of_stdin()?,
    };
    if password.is_empty() {
        Err(Failure::Usage("the password is empty; give one".to_owned()))
    } else if password.len() > PASSWORD_BYTES_MAX {
        let what =
            format!("the password is longer than the {PASSWORD_BYTES_MAX} bytes that MQTT can carry; shorten it");
        Err(Failure::Usage(what))
    } else {
        Ok(password.into_bytes())
    }
}

fn asked_for(name: &str) -> Result<String, Failure> {
    let ask = |prompt: String| rpassword::prompt_password(prompt).map_err(Failure::io("read the password"));
    let first = ask(format!("Password of {name}: "))?;
    if ask("Again: ".to_owned())? == first {
        Ok(first)
    } else {
        Err(Failure::Usage("the two passwords differ; type them again".to_owned()))
    }
}

fn first_line_of_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    // One more for what is too long, two for the end of the line.
    let bytes_max = u64::try_from(PASSWORD_BYTES_MAX + 3).unwrap_or(u64::MAX);
    let mut input = io::stdin().lock().take(bytes_max);
    input
        .read_to_string(&mut text)
        .map_err(Failure::io("read the password from the standard input"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests;
