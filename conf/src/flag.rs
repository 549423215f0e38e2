//! The layer of the flags: `--set section.key=value` and the flags that have a setting of their own.

use crate::error::Error;
use crate::layers::Entry;
use crate::loaded::without_what_may_be_a_password;
use crate::origin::Origin;

/// One flag as it was given.
#[derive(Debug, Clone)]
pub(crate) enum Flag {
    /// `--set` with its text.
    Set(String),
    /// All `--bind`s.
    Bind(Vec<String>),
    /// `--data-dir`.
    DataDir(String),
}

impl Flag {
    pub(crate) fn read(self) -> Result<Entry, Error> {
        match self {
            Self::Set(pair) => {
                let Some((key, value)) = pair.split_once('=') else {
                    return Err(Error::NotAPair(without_what_may_be_a_password(&pair)));
                };
                Entry::new(key.trim(), Origin::Flag("--set"), |setting| setting.read(value.trim()))
            }
            Self::Bind(addresses) => Entry::new("listener.bind", Origin::Flag("--bind"), |_| addresses.into()),
            Self::DataDir(path) => Entry::new("storage.directory", Origin::Flag("--data-dir"), |_| path.into()),
        }
    }
}
