//! A server that says who a client is: one POST for each client, and nothing but a clear yes lets it in.
//!
//! It is sent `{"client_id", "username", "password", "address", "listener"}` and answers with 204, or with 200 and
//! `{"result": "allow" | "deny" | "ignore", "groups": [], "is_superuser": false, "acl": {}}`. Everything else is no
//! answer, and then the client stays outside.

mod reply;

use std::time::Duration;

use serde::Serialize;

use crate::gate::{Complaint, Full, Gate};
use crate::limits::Limits;
use crate::said::Cache;
use crate::web::Server;
use crate::{Credentials, OpenError, Refusal, Verdict, web};

pub(crate) const METHOD: &str = "http";
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
            cache: Cache::new(SETTING, settings.cache_for, settings.cache_entries_max)?,
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
            return said.verdict(who, METHOD);
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
                Ok(reply) => reply::read(&reply),
                Err(silence) => Err(silence.to_string()),
            };
            said.map_err(|why| self.complain(&why))
        });
        match passed.await {
            Ok(Ok(said)) => {
                let verdict = said.verdict(who, METHOD);
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

#[cfg(test)]
mod tests;
