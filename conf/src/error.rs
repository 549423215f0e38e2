//! What can be wrong with a configuration. Each message is one line: the culprit, then the remedy.

use std::io;
use std::path::PathBuf;

use crate::origin::Origin;

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {}; check its path and rights", file.display(), plain(source))]
    Unreadable {
        /// The file as the operator named it.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: not valid TOML: {message}", file.display())]
    Syntax {
        /// The file as the operator named it.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// There is no setting of that name.
    #[error("{origin}: unknown key `{key}`; {}", remedy(nearest.as_deref()))]
    UnknownKey {
        /// Where the key stands.
        origin: Origin,
        /// The key as it was written.
        key: String,
        /// The valid key most like it.
        nearest: Option<String>,
    },
    /// There is no setting for that environment variable.
    #[error("environment: unknown variable `{variable}`; {}", remedy(nearest.as_deref()))]
    UnknownVariable {
        /// The variable as it was written.
        variable: String,
        /// The valid variable most like it.
        nearest: Option<String>,
    },
    /// The setting does not take that value.
    #[error("{origin}: `{key}` cannot be {value}; allowed: {allowed}")]
    NotAllowed {
        /// Where the value stands.
        origin: Origin,
        /// The setting.
        key: String,
        /// The value as it was written.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// A table of a list lacks a key.
    #[error("{origin}: `{table}` without `{key}`; allowed: {allowed}")]
    MissingKey {
        /// Where the table stands.
        origin: Origin,
        /// The list that the table is in.
        table: String,
        /// The key that is missing.
        key: &'static str,
        /// What is allowed for it, in words.
        allowed: String,
    },
    /// Two settings exclude each other.
    #[error(transparent)]
    Contradiction(Box<Contradiction>),
    /// A `--set` without an equals sign.
    #[error("flag --set: `{0}` has no `=`; write --set section.key=value")]
    NotAPair(String),
    /// A fault of this crate: the typed struct does not take what the table allows.
    #[error("the settings do not fit their table: {0}; this is a fault in Strowger, please report it")]
    Inconsistent(String),
}

/// Two settings that exclude each other. Values are as the file writes them, origins in words.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: `{key}` cannot be {value} while `{other_key}` is {other_value} ({other_origin}); {remedy}")]
pub struct Contradiction {
    /// Where the value stands.
    pub origin: String,
    /// The setting.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Where the other value stands.
    pub other_origin: String,
    /// The other setting.
    pub other_key: &'static str,
    /// Its value.
    pub other_value: String,
    /// Why that cannot be, and what to do.
    pub remedy: &'static str,
}

impl From<Contradiction> for Error {
    fn from(contradiction: Contradiction) -> Self {
        Self::Contradiction(Box::new(contradiction))
    }
}

/// The error without the number that means something to programmers only.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.clone(), |(words, _)| words.to_owned())
}

fn remedy(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "`strowger serve --print-conf` lists the keys".to_owned(),
    }
}
