//! Sessions of browsers: a page cannot keep a token where no script reads it, but a cookie can.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Caller;

/// The cookie's name.
const COOKIE: &str = "strowger-session";
const SESSION_BYTES: usize = 32;
/// Sessions at once; then the oldest ends.
const SESSIONS_MAX: usize = 1000;

/// See the module. Sessions are found by their hash: what is compared says nothing of what is secret.
pub(crate) struct Browsers {
    duration: Duration,
    sessions: HashMap<[u8; 32], Session>,
}

struct Session {
    caller: Caller,
    begun: Instant,
}

impl Browsers {
    pub(super) fn new(duration: Duration) -> Self {
        Self {
            duration,
            sessions: HashMap::new(),
        }
    }

    /// Begins a session; answers with what the cookie is to hold.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub(super) fn begin(&mut self, caller: Caller, now: Instant) -> io::Result<String> {
        let duration = self.duration;
        self.sessions
            .retain(|_, session| now.saturating_duration_since(session.begun) < duration);
        if self.sessions.len() >= SESSIONS_MAX {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.begun);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                self.sessions.remove(&oldest);
            }
        }
        let mut bytes = [0; SESSION_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let secret = URL_SAFE_NO_PAD.encode(bytes);
        self.sessions.insert(hash(&secret), Session { caller, begun: now });
        Ok(secret)
    }

    /// Whose session this is.
    pub(super) fn caller(&self, secret: &str, now: Instant) -> Option<Caller> {
        let session = self.sessions.get(&hash(secret))?;
        (now.saturating_duration_since(session.begun) < self.duration).then(|| session.caller.clone())
    }

    pub(super) fn end(&mut self, secret: &str) {
        self.sessions.remove(&hash(secret));
    }

    /// The header that gives a browser its session.
    pub(super) fn cookie(&self, secret: &str, is_tls: bool) -> String {
        set_cookie(secret, self.duration.as_secs(), is_tls)
    }
}

/// The header that takes a browser's session away.
pub(super) fn no_cookie(is_tls: bool) -> String {
    set_cookie("", 0, is_tls)
}

fn set_cookie(value: &str, secs: u64, is_tls: bool) -> String {
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}")
}

/// The session that a line of cookies holds.
pub(super) fn session_in(cookies: &str) -> Option<&str> {
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
