//! Why a chain cannot be opened.

use std::io;
use std::path::PathBuf;

/// A setting or a file of the chain is wrong. Its Display is one line: the culprit, then the remedy.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; {remedy}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What helps.
        remedy: String,
    },
    /// A file holds as a whole not what it should.
    #[error("{}: {what}; {remedy}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
        /// What helps.
        remedy: String,
    },
    /// A line of a file is wrong.
    #[error("{}:{line}: {what}; {remedy}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong; never the line itself, which may hold a secret.
        what: String,
        /// What helps.
        remedy: String,
    },
    /// A setting is wrong.
    #[error("{setting}: {what}; {remedy}")]
    Setting {
        /// The setting, as a person would look for it.
        setting: String,
        /// What is wrong.
        what: String,
        /// What helps.
        remedy: String,
    },
}

/// What is wrong with one line of a file, before anybody says which line that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Flaw {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(crate) fn at(self, file: impl Into<PathBuf>, line: usize) -> OpenError {
        OpenError::Line {
            file: file.into(),
            line,
            what: self.what,
            remedy: self.remedy,
        }
    }
}
