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
/// Sessions at once; then the oldest ends of the operator who has most of them.
const SESSIONS_MAX: usize = 1000;

/// See the module. Sessions are found by their hash: what is compared says nothing of what is secret.
pub(crate) struct Browsers {
    duration: Duration,
    sessions: HashMap<SessionId, Session>,
}

/// What a session is known by here: the hash of what the cookie holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SessionId([u8; 32]);

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
            self.make_room(&caller.name);
        }
        let mut bytes = [0; SESSION_BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let secret = URL_SAFE_NO_PAD.encode(bytes);
        self.sessions.insert(hash(&secret), Session { caller, begun: now });
        Ok(secret)
    }

    /// Ends the oldest session of whoever would have most with one more for `name`, who ends his own rather than another's:
    /// however often one logs in, others stay.
    fn make_room(&mut self, name: &str) {
        let mut counts = HashMap::from([(name, 1_usize)]);
        for session in self.sessions.values() {
            *counts.entry(&session.caller.name).or_default() += 1;
        }
        let most = counts.iter().max_by_key(|(whose, count)| (**count, **whose == name));
        let most = most.map_or(name, |(whose, _)| *whose);
        let of_most = self.sessions.iter().filter(|(_, session)| session.caller.name == most);
        let oldest = of_most.min_by_key(|(_, session)| session.begun);
        if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
            self.sessions.remove(&oldest);
        }
    }

    /// Whose session this is.
    pub(super) fn caller(&self, secret: &str, now: Instant) -> Option<Caller> {
        let id = hash(secret);
        let session = self.sessions.get(&id).filter(|session| self.lasts(session, now))?;
        Some(Caller {
            session: Some(id),
            ..session.caller.clone()
        })
    }

    /// Whether this one has begun and not ended.
    pub(super) fn is_open(&self, id: &SessionId, now: Instant) -> bool {
        self.sessions.get(id).is_some_and(|session| self.lasts(session, now))
    }

    fn lasts(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.begun) < self.duration
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

fn hash(secret: &str) -> SessionId {
    SessionId(Sha256::digest(secret.as_bytes()).into())
}
