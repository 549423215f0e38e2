//! The tokens file as it stands: read again when it has changed, so that a token that was removed is none.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::tokens::{self, Key, Token};
use super::{Caller, Role};

/// Between two looks at the file.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const FILE_BYTES_MAX: u64 = 1 << 20;

/// See the module.
pub(super) struct Watch {
    file: PathBuf,
    looked: Option<Instant>,
    /// The file's number, time and length when it was read; `None`: there was none. Two changes may fall into one tick of
    /// the file system's clock.
    seen: Option<(u64, SystemTime, u64)>,
    tokens: Vec<Token>,
}

impl Watch {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            looked: None,
            seen: None,
            tokens: Vec::new(),
        }
    }

    /// Looks at the file, at most once a second. A file with a mistake lets nobody in but by the socket: a mistake is
    /// no reason to trust what stood there before.
    pub(super) fn current(&mut self, now: Instant) -> &Self {
        let is_due = self
            .looked
            .is_none_or(|looked| now.duration_since(looked) >= LOOK_INTERVAL);
        if is_due {
            self.looked = Some(now);
            self.look();
        }
        self
    }

    fn look(&mut self) {
        let seen = fs::metadata(&self.file).and_then(|about| Ok((about.ino(), about.modified()?, about.len())));
        let seen = seen.ok();
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        self.tokens = match seen {
            None => Vec::new(),
            Some((_, _, bytes)) => self.read(bytes).unwrap_or_else(|what| {
                tracing::error!(
                    file = %self.file.display(),
                    "{what}; until this is mended nobody comes in with a token"
                );
                Vec::new()
            }),
        };
    }

    fn read(&self, bytes: u64) -> Result<Vec<Token>, String> {
        if bytes > FILE_BYTES_MAX {
            return Err(format!("the tokens file is longer than {FILE_BYTES_MAX} bytes"));
        }
        let text = fs::read_to_string(&self.file).map_err(|error: io::Error| error.to_string())?;
        tokens::parse(&text).map_err(|error| error.to_string())
    }

    /// Who has this token.
    pub(super) fn caller(&self, token: &str) -> Option<Caller> {
        tokens::caller(&self.tokens, token)
    }

    /// What whoever shows a certificate with this common name may do.
    pub(super) fn role_of_certificate(&self, name: &str) -> Option<Role> {
        let token = self.tokens.iter().find(|token| token.name == name)?;
        (token.key == Key::Certificate).then_some(token.role)
    }

    /// Whether this one stands there, with this role and this very token.
    pub(super) fn has(&self, caller: &Caller) -> bool {
        let is_his = |token: &Token| token.name == caller.name && token.role == caller.role;
        let mut tokens = self.tokens.iter();
        tokens.any(|token| is_his(token) && Some(&token.key) == caller.key.as_ref())
    }
}
