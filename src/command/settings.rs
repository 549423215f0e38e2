//! Which settings a command reads that is about a broker on this machine.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Names the file of settings where no option does; empty, it says that there is none.
const VARIABLE: &str = "STROWGER_CONF";
/// Where the Debian package has it.
const INSTALLED: &str = "/etc/strowger/strowger.toml";

/// Reads the settings as `strowger serve --conf FILE --data-dir DIR` would; without both, from the [`file()`] that is found.
///
/// # Errors
///
/// A file that is there and cannot be read, or is wrong.
pub(super) fn read(file: Option<&Path>, data_dir: Option<&str>) -> Result<conf::Configuration, Failure> {
    let file = match (file, data_dir) {
        (None, Some(_)) => None,
        (file, _) => self::file(file)?,
    };
    let mut layers = conf::Layers::default().environment(std::env::vars_os());
    if let Some(file) = file {
        layers = layers.file(file);
    }
    if let Some(directory) = data_dir {
        layers = layers.data_dir(directory);
    }
    Ok(layers.load()?.configuration)
}

/// The file that is given, or that of `STROWGER_CONF`, or the installed one; `None`: there is none, and the defaults hold.
///
/// # Errors
///
/// The installed one is there, or may be, and cannot be read.
pub(super) fn file(given: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    find(given, std::env::var_os(VARIABLE), Path::new(INSTALLED))
}

fn find(given: Option<&Path>, variable: Option<OsString>, installed: &Path) -> Result<Option<PathBuf>, Failure> {
    match (given, variable) {
        (Some(file), _) => Ok(Some(file.to_owned())),
        (None, Some(file)) => Ok((!file.is_empty()).then(|| PathBuf::from(file))),
        // A look at the name would say nothing of a directory that is closed to us.
        (None, None) => match File::open(installed) {
            Ok(_) => Ok(Some(installed.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let doing = format!(
                    "read {}, the settings of the broker that is installed (as root or its user it can be; \
                     --conf FILE, --data-dir DIR or {VARIABLE} name those of another)",
                    installed.display()
                );
                Err(Failure::io(doing)(error))
            }
        },
    }
}

#[cfg(test)]
mod tests;
