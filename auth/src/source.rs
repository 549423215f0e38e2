//! Reads the files that authenticators live on: bounded, whole, and off the runtime's threads.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::error::{Flaw, OpenError};

/// The text of a file of at most `bytes_max` bytes.
pub(crate) async fn text(file: &Path, bytes_max: u64) -> Result<String, OpenError> {
    let file = file.to_owned();
    spawn_blocking(move || read(&file, bytes_max))
        .await
        .unwrap_or_else(|error| {
            Err(OpenError::Setting {
                setting: "auth".to_owned(),
                what: format!("the thread that read a file ended: {error}"),
                remedy: "restart the broker".to_owned(),
            })
        })
}

fn read(file: &Path, bytes_max: u64) -> Result<String, OpenError> {
    let unreadable = |source: io::Error| OpenError::File {
        file: file.to_owned(),
        remedy: if source.kind() == io::ErrorKind::NotFound {
            "create it, or correct the path in the settings".to_owned()
        } else {
            "see that it is a file that the broker's user can read".to_owned()
        },
        source,
    };
    let handle = File::open(file).map_err(unreadable)?;
    warn_if_open_to_all(file, &handle);
    let mut bytes = Vec::new();
    handle
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(OpenError::Content {
            file: file.to_owned(),
            what: format!("it is longer than {bytes_max} bytes"),
            remedy: "see that it is the right file, or allow more bytes in the settings".to_owned(),
        });
    }
    String::from_utf8(bytes).map_err(|error| not_text(file, &error))
}

fn not_text(file: &Path, error: &std::string::FromUtf8Error) -> OpenError {
    let good = error.utf8_error().valid_up_to();
    let before = error.as_bytes().iter().take(good);
    let line = before.filter(|&&byte| byte == b'\n').count() + 1;
    Flaw::new("this is not UTF-8", "write the file again as text").at(file, line)
}

/// Secrets that every user of the machine can read are a mistake, but not one to refuse the service for.
#[cfg(unix)]
fn warn_if_open_to_all(file: &Path, handle: &File) {
    use std::os::unix::fs::PermissionsExt as _;

    let is_open = handle
        .metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o004 != 0);
    if is_open {
        tracing::warn!(file = %file.display(), "every user of this machine can read this file; chmod o-r it");
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_all(_file: &Path, _handle: &File) {}

/// A line that says something.
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: &'a str,
}

/// The lines of `text` that are neither empty nor comments.
///
/// # Errors
///
/// A last line without its newline: a file that was cut off while it was written looks like that, and half an entry may
/// look like a whole one.
pub(crate) fn lines<'a>(file: &Path, text: &'a str) -> Result<impl Iterator<Item = Line<'a>>, OpenError> {
    if !text.is_empty() && !text.ends_with('\n') {
        let flaw = Flaw::new(
            "the file ends within this line",
            "complete the line and end it with a newline, or write the file again",
        );
        return Err(flaw.at(file, text.lines().count()));
    }
    let numbered = text.lines().enumerate().map(|(at, text)| Line { number: at + 1, text });
    Ok(numbered.filter(|line| !line.text.trim().is_empty() && !line.text.starts_with('#')))
}

/// The error of a file in which nothing is said.
pub(crate) fn empty(file: impl Into<PathBuf>, remedy: impl Into<String>) -> OpenError {
    OpenError::Content {
        file: file.into(),
        what: "there is no entry in it".to_owned(),
        remedy: remedy.into(),
    }
}
