//! The file of rights: read at the start and when the operator asks for it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use broker::acl::{Rights, RightsError};

/// Longest file, in bytes: some hundred thousand lines.
const BYTES_MAX: u64 = 64 << 20;

/// Why a file of rights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RightsFileError {
    /// The system does not give it.
    #[error("cannot read {}: {source}; see acl.file", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It was cut off while it was written, perhaps: the lines that are missing may be those that deny.
    #[error("{}:{line}: the file ends within this line; complete the line and end it with a newline", file.display())]
    CutOff {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A line of it is wrong.
    #[error(transparent)]
    Line(#[from] RightsError),
}

/// Reads a file of rights.
///
/// # Errors
///
/// Names the file, and the line if one is wrong.
pub fn read_rights(file: &Path) -> Result<Rights, RightsFileError> {
    let text = text_of(file).map_err(|source| RightsFileError::File {
        file: file.to_owned(),
        source,
    })?;
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(RightsFileError::CutOff {
            file: file.to_owned(),
            line: text.lines().count(),
        });
    }
    Ok(Rights::parse(&file.display().to_string(), &text)?)
}

fn text_of(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 64 MiB"));
    }
    Ok(text)
}
