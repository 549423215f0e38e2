//! Databases, Redis and LDAP servers that know users: a bounded question for each client, in a bounded time.
//!
//! Each kind is a cargo feature (`sql`, `redis`, `ldap`); [`check`] says so where one is wanted and not built in. What is
//! not a clear answer, a server that is down, two rows, a hash that is none, refuses: nothing here fails open. The
//! password of a client goes to an LDAP server, which compares it; databases and Redis give the hash and never see it.

#[cfg(feature = "ldap")]
mod ldap;
#[cfg(any(feature = "redis", feature = "ldap"))]
mod pattern;
#[cfg(any(feature = "sql", feature = "redis"))]
mod privileges;
#[cfg(feature = "redis")]
mod redis;
mod settings;
#[cfg(feature = "sql")]
mod sql;

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::gate::{Complaint, Full, Gate};
use crate::limits::Limits;
use crate::password::{Compare, HashPool, NotCompared};
use crate::said::{Cache, Privileges, Said};
use crate::{Credentials, OpenError, Refusal, Verdict};

pub use settings::{Backend, Bounds, LdapSettings, RedisSettings, Secret, Settings, SqlSettings, Tls};

/// What a directory has of a name.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "sql", feature = "redis", feature = "ldap")),
    allow(dead_code, reason = "each kind of directory uses some of them")
)]
enum Found {
    Nobody,
    /// A hash that the password is to be compared with.
    Hashed(String, Privileges),
    /// The directory compared the password, and it is right.
    Proven(Privileges),
    /// It is wrong.
    Disproven,
}

/// A look-up under way; its error is a clause without secrets.
type Search<'a> = Pin<Box<dyn Future<Output = Result<Found, String>> + Send + 'a>>;

/// One kind of directory.
trait Source: Debug + Send + Sync {
    /// What it has of the client's user name, which is there.
    fn find<'a>(&'a self, who: &'a Credentials) -> Search<'a>;

    /// Takes back what a question that nobody waits for any more may have left behind.
    fn forget(&self) {}

    /// The server, without what is secret in its address.
    fn server(&self) -> &str;
}

/// Asks a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    kind: Kind,
    source: Box<dyn Source>,
    gate: Gate,
    cache: Cache,
    compare: Compare,
    complaint: Complaint,
    timeout: Duration,
}

/// What a kind of directory is called.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// The cargo feature, and how an identity came about, for logs.
    name: &'static str,
    /// What an operator would look for.
    setting: &'static str,
    is_built_in: bool,
}

impl Kind {
    fn of(backend: &Backend) -> Self {
        match backend {
            Backend::Sql(_) => Self {
                name: "sql",
                setting: "auth.sql_url",
                is_built_in: cfg!(feature = "sql"),
            },
            Backend::Redis(_) => Self {
                name: "redis",
                setting: "auth.redis_url",
                is_built_in: cfg!(feature = "redis"),
            },
            Backend::Ldap(_) => Self {
                name: "ldap",
                setting: "auth.ldap_url",
                is_built_in: cfg!(feature = "ldap"),
            },
        }
    }
}

/// Says whether the settings make sense in this build, without asking anybody.
///
/// # Errors
///
/// A feature that is not built in, a query or a pattern that cannot work.
pub fn check(settings: &Settings) -> Result<(), OpenError> {
    let kind = Kind::of(&settings.backend);
    if !kind.is_built_in {
        return Err(OpenError::Setting {
            setting: kind.setting.to_owned(),
            what: format!("this broker was built without feature {}", kind.name),
            remedy: format!("build it with --features {}, or leave the setting empty", kind.name),
        });
    }
    match &settings.backend {
        #[cfg(feature = "sql")]
        Backend::Sql(settings) => sql::check(settings),
        #[cfg(feature = "redis")]
        Backend::Redis(settings) => redis::check(settings),
        #[cfg(feature = "ldap")]
        Backend::Ldap(settings) => ldap::check(settings),
        #[allow(unreachable_patterns, reason = "there is no other with all features")]
        Backend::Sql(_) | Backend::Redis(_) | Backend::Ldap(_) => Ok(()),
    }
}

async fn open_source(settings: &Settings) -> Result<Box<dyn Source>, OpenError> {
    check(settings)?;
    // The clients of Redis and LDAP ask for what the process has chosen. An error says that it has chosen before.
    #[cfg(any(feature = "redis", feature = "ldap"))]
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match &settings.backend {
        #[cfg(feature = "sql")]
        Backend::Sql(sql) => Ok(Box::new(sql::Database::open(sql, settings).await?)),
        #[cfg(feature = "redis")]
        Backend::Redis(redis) => Ok(Box::new(redis::Redis::open(redis, settings).await?)),
        #[cfg(feature = "ldap")]
        Backend::Ldap(ldap) => Ok(Box::new(ldap::Ldap::open(ldap, settings).await?)),
        #[allow(unreachable_patterns, reason = "there is no other with all features")]
        Backend::Sql(_) | Backend::Redis(_) | Backend::Ldap(_) => Err(OpenError::Setting {
            setting: Kind::of(&settings.backend).setting.to_owned(),
            what: "it is not built in".to_owned(),
            remedy: "build the broker with its feature".to_owned(),
        }),
    }
}

impl Directory {
    /// How its identities come about.
    pub(crate) fn method(&self) -> &'static str {
        self.kind.name
    }

    pub(crate) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let (kind, bounds) = (Kind::of(&settings.backend), &settings.bounds);
        let compare = Compare::new().map_err(|error| OpenError::Setting {
            setting: kind.setting.to_owned(),
            what: error.to_string(),
            remedy: "start the broker again".to_owned(),
        })?;
        Ok(Self {
            kind,
            source: open_source(settings).await?,
            gate: Gate::new(bounds.parallel_max, bounds.waiting_max),
            cache: Cache::new(kind.setting, bounds.cache_for, bounds.cache_entries_max)?,
            compare,
            complaint: Complaint::default(),
            timeout: bounds.timeout,
        })
    }

    pub(crate) async fn ask(&self, who: &Credentials, pool: &HashPool, limits: &Limits) -> Verdict {
        if who.username.is_none() {
            return Verdict::NotMine;
        }
        let key = self.cache.key(who);
        if let Some(said) = self.cache.find(&key) {
            return said.verdict(who, self.kind.name);
        }
        let passed = self.gate.pass(async |_turn| {
            if !limits.allows(who) {
                return Err(Refusal::TooManyFailures);
            }
            let search = timeout(self.timeout, self.source.find(who)).await;
            search
                .unwrap_or_else(|_| {
                    self.source.forget();
                    Err(format!("it did not answer within {:?}", self.timeout))
                })
                .map_err(|why| self.complain(&why))
        });
        let said = match passed.await {
            Ok(Ok(found)) => self.judge(found, who, pool, limits).await,
            Ok(Err(refusal)) => Err(refusal),
            Err(Full) => Err(self.complain("too many clients wait for it")),
        };
        match said {
            Ok(said) => {
                let verdict = said.verdict(who, self.kind.name);
                self.cache.keep(key, said);
                verdict
            }
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    /// An empty password proves nothing, whatever is stored.
    async fn judge(&self, found: Found, who: &Credentials, pool: &HashPool, limits: &Limits) -> Result<Said, Refusal> {
        let (hash, privileges) = match found {
            Found::Nobody => (None, None),
            Found::Hashed(hash, privileges) => (Some(hash), Some(privileges)),
            Found::Proven(privileges) => return Ok(Said::Allow(privileges)),
            Found::Disproven => return Ok(Said::Deny),
        };
        let password = who.password.clone().unwrap_or_default();
        let has_one = !password.is_empty();
        let compared = self.compare.run(hash.as_deref(), password, pool, || limits.allows(who));
        match (compared.await, privileges) {
            (Ok(_), None) => Ok(Said::Ignore),
            (Ok(true), Some(privileges)) if has_one => Ok(Said::Allow(privileges)),
            (Ok(_), Some(_)) => Ok(Said::Deny),
            (Err(NotCompared::Flawed(what)), _) => {
                let name = who.username.as_deref().unwrap_or_default();
                Err(self.complain(&format!("of the hash that it has for {name:?}: {what}")))
            }
            (Err(NotCompared::Forbidden), _) => Err(Refusal::TooManyFailures),
            (Err(NotCompared::Unavailable), _) => Err(Refusal::Unavailable),
        }
    }

    fn complain(&self, why: &str) -> Refusal {
        if self.complaint.is_due() {
            let Kind { name, setting, .. } = self.kind;
            let (server, why) = (self.source.server(), one_line(why));
            tracing::warn!(
                "clients are turned away, for {server} ({name}) does not say who they are: {why}; see that it serves, and \
                 that {setting} and the settings beside it are right"
            );
        }
        Refusal::Unavailable
    }
}

/// What others wrote, fit for a line of the log: without control characters, and not without end.
fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    text.chars().take(CHARS_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests;
