//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from, as `--print-conf` and error messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The setting's own default.
    Default,
    /// A line of the file, counted from 1.
    File {
        /// The file as the operator named it.
        file: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A flag of the command line, by its name.
    Flag(&'static str),
    /// The value of another setting, by its name.
    Implied(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Implied(setting) => write!(f, "because of {setting}"),
        }
    }
}
