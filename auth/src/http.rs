//! A server that says who a client is: one POST for each client, and nothing but a clear yes lets it in.
//!
//! It is sent `{"client_id", "username", "password", "address", "listener"}` and answers with 204, or with 200 and
//! `{"result": "allow" | "deny" | "ignore", "groups": [], "is_superuser": false, "acl": {}}`. Everything else is no
//! answer, and then the client stays outside.

mod reply;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;
use tokio::time::Instant;

use crate::gate::{Complaint, Full, Gate};
use crate::limits::Limits;
use crate::recent::Recent;
use crate::web::Server;
use crate::{Credentials, OpenError, Refusal, Verdict, web};

use reply::Said;

const METHOD: &str = "http";
const SETTING: &str = "auth http";

/// Which server, and how much it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The server.
    pub server: web::Settings,
    /// How many questions it is asked at a time.
    pub parallel_max: usize,
    /// How many clients may wait for their question; the next one is [`Refusal::Unavailable`].
    pub waiting_max: usize,
    /// How long an answer holds for the same client with the same password, address and listener. Zero: not at all.
    pub cache_for: Duration,
    /// How many answers are kept; beyond it those that came longest ago are forgotten.
    pub cache_entries_max: usize,
}

impl Settings {
    /// 64 questions at a time, 1,000 clients that wait, 10,000 answers that hold for 30 s.
    #[must_use]
    pub fn new(server: web::Settings) -> Self {
        Self {
            server,
            parallel_max: 64,
            waiting_max: 1_000,
            cache_for: Duration::from_secs(30),
            cache_entries_max: 10_000,
        }
    }
}

/// Asks a server.
#[derive(Debug)]
pub(crate) struct Http {
    server: Server,
    gate: Gate,
    cache: Cache,
    complaint: Complaint,
}

/// What the server is sent.
#[derive(Serialize)]
struct Question<'a> {
    client_id: &'a str,
    username: Option<&'a str>,
    password: Option<&'a str>,
    address: Option<String>,
    listener: &'a str,
}

impl Http {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self {
            server: Server::open(SETTING, &settings.server).await?,
            gate: Gate::new(settings.parallel_max, settings.waiting_max),
            cache: Cache::new(settings)?,
            complaint: Complaint::default(),
        })
    }

    pub(crate) async fn ask(&self, who: &Credentials, limits: &Limits) -> Verdict {
        // JSON has no place for other bytes, and a server that is sent something else would judge something else.
        let Ok(password) = who.password.as_deref().map(str::from_utf8).transpose() else {
            return Verdict::NotMine;
        };
        let key = self.cache.key(who);
        if let Some(said) = self.cache.find(&key) {
            return said.verdict(who);
        }
        let question = Question {
            client_id: &who.client_id,
            username: who.username.as_deref(),
            password,
            address: who.address.map(|address| address.to_string()),
            listener: &who.listener,
        };
        let passed = self.gate.pass(async |_turn| {
            if !limits.allows(who) {
                return Err(Refusal::TooManyFailures);
            }
            let said = match self.server.post(&question).await {
                Ok(reply) => Said::read(&reply),
                Err(silence) => Err(silence.to_string()),
            };
            said.map_err(|why| self.complain(&why))
        });
        match passed.await {
            Ok(Ok(said)) => {
                let verdict = said.verdict(who);
                self.cache.keep(key, said);
                verdict
            }
            Ok(Err(refusal)) => Verdict::Refused(refusal),
            Err(Full) => Verdict::Refused(self.complain("too many clients wait for it")),
        }
    }

    fn complain(&self, why: &str) -> Refusal {
        if self.complaint.is_due() {
            let server = self.server.name();
            tracing::warn!("clients are turned away, for {server} does not say who they are: {why}");
        }
        Refusal::Unavailable
    }
}

/// The answers of the last seconds.
#[derive(Debug)]
struct Cache {
    /// Of this process alone: who reads its memory cannot try passwords without it, and it is not on any disk.
    secret: [u8; 64],
    said: Mutex<Recent<Key, (Instant, Said)>>,
    holds_for: Duration,
}

type Key = [u8; 32];

impl Cache {
    fn new(settings: &Settings) -> Result<Self, OpenError> {
        let mut secret = [0; 64];
        getrandom::fill(&mut secret).map_err(|error| OpenError::Setting {
            setting: SETTING.to_owned(),
            what: format!("the system has no random numbers to give: {error}"),
            remedy: "start the broker again".to_owned(),
        })?;
        Ok(Self {
            secret,
            said: Mutex::new(Recent::new(settings.cache_entries_max)),
            holds_for: settings.cache_for,
        })
    }

    /// A keyed hash of all that the server is asked, each part with its length and whether it is there at all.
    fn key(&self, who: &Credentials) -> Key {
        let address = who.address.map(|address| address.to_string());
        let parts = [
            Some(who.client_id.as_bytes()),
            who.username.as_deref().map(str::as_bytes),
            who.password.as_deref(),
            address.as_deref().map(str::as_bytes),
            Some(who.listener.as_bytes()),
        ];
        let mut hash = Hmac::<Sha256>::new(&self.secret.into());
        for part in parts {
            let len = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(u64::MAX - 1));
            hash.update(&len.to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        hash.finalize().into_bytes().into()
    }

    fn find(&self, key: &Key) -> Option<Said> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (came_at, said) = said.peek(key)?;
        (came_at.elapsed() < self.holds_for).then(|| said.clone())
    }

    fn keep(&self, key: Key, what: Said) {
        if !self.holds_for.is_zero() {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            said.insert(key, (Instant::now(), what));
        }
    }
}

#[cfg(test)]
mod tests;
