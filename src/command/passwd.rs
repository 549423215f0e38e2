//! `strowger passwd`: users of a password file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use auth::password;
use clap::Args;

use crate::command::ownership;
use crate::failure::Failure;

/// Add a user to a password file, change a password, or delete a user.
///
/// The password is asked for twice on a terminal; else it is the first line of the standard input. It is hashed with
/// Argon2id. The file is replaced as a whole and keeps its other lines, its owner and its rights as they are; one that root
/// makes is for the owner and the group of its directory. A broker that runs reads it on SIGHUP.
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
    // A link stays a link: what it leads to is replaced.
    let file = fs::canonicalize(&options.file).unwrap_or_else(|_| options.file.clone());
    let replacement = Replacement::begin(&file, "passwd")?;
    let text = read(&file, options.delete)?;
    let edited = match hash {
        None => password::remove(&text, &options.name),
        Some(hash) => password::put(&text, &options.name, &hash),
    };
    let edited = edited.map_err(|error| Failure::Usage(format!("{}: {error}", options.file.display())))?;
    replacement.finish(&edited)
}

/// What is in the file. A user is added to a file that is missing, but not deleted from it.
fn read(file: &Path, has_to_exist: bool) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !has_to_exist => Ok(String::new()),
        text => text.map_err(Failure::io(format!("read {}", file.display()))),
    }
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

/// A file that takes another's place when it is whole. While it is there, nobody else changes that one.
#[derive(Debug)]
pub(super) struct Replacement {
    of: PathBuf,
    file: File,
    path: PathBuf,
    is_finished: bool,
}

impl Replacement {
    /// Makes the file that is to be; `command` is what may be at work on the same one.
    pub(super) fn begin(of: &Path, command: &str) -> Result<Self, Failure> {
        let mut path = of.as_os_str().to_owned();
        path.push(".new");
        let path = PathBuf::from(path);
        let doing = format!(
            "create {} (if no other strowger {command} is at work, one was interrupted: remove it)",
            path.display()
        );
        let file = private(&path).map_err(Failure::io(doing))?;
        Ok(Self {
            of: of.to_owned(),
            file,
            path,
            is_finished: false,
        })
    }

    /// Writes the text to the disk, then gives it the name.
    pub(super) fn finish(mut self, text: &str) -> Result<(), Failure> {
        self.replace(text)
            .map_err(Failure::io(format!("write {}", self.of.display())))?;
        self.is_finished = true;
        Ok(())
    }

    fn replace(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        ownership::settle(&self.file, &self.of)?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.of)?;
        sync_directory(&self.of)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed is named by the next attempt.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file that was not there, for its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A name is on the disk when its directory is.
fn sync_directory(file: &Path) -> io::Result<()> {
    File::open(ownership::directory_of(file))?.sync_all()
}

#[cfg(test)]
mod tests;
