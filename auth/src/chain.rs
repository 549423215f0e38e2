//! Asks the authenticators in their order, in a bounded time.

mod prepared;
mod scram;
mod tally;
mod threshold;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::bans::{Ban, Banned, Bans, Live, LiveBan, LiveError};
use crate::directory::Directory;
use crate::flapping::Flapping;
use crate::http::Http;
use crate::jwt::Jwt;
use crate::limits::Limits;
use crate::password::{HashPool, PasswordFile};
use crate::{
    Answer, Authenticator, Credentials, OpenError, Refusal, Settings, Verdict, anonymous, certificate, http, jwt,
    password,
};

pub use prepared::{Guest, News, Prepared};
pub use scram::Conversation;

use tally::NO_METHOD;

/// The authenticators of a broker. One serves all threads.
#[derive(Debug)]
pub struct Chain {
    /// Swapped whole: whoever is being asked goes on with what it began with.
    current: ArcSwap<Links>,
    pool: HashPool,
    tally: tally::Tally,
    /// One reload at a time.
    reloading: Mutex<()>,
    /// Bans of operators, which no reload touches.
    live: Live,
}

#[derive(Debug)]
struct Links {
    settings: Settings,
    bans: Bans,
    /// Outlives a reload that does not change its settings.
    limits: Arc<Limits>,
    flapping: Arc<Flapping>,
    links: Vec<Link>,
}

/// An authenticator with what it read.
#[derive(Debug)]
enum Link {
    PasswordFile(PasswordFile),
    Jwt(Box<Jwt>),
    Http(Box<Http>),
    Directory(Box<Directory>),
    Certificate(certificate::Settings),
    Anonymous(anonymous::Settings),
}

impl Chain {
    /// Reads everything that the settings name.
    ///
    /// # Errors
    ///
    /// A file that is missing, unreadable, empty, broken or cut off, and a setting that makes no sense.
    pub async fn open(settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self {
            current: ArcSwap::from_pointee(Links::open(settings, None).await?),
            pool: HashPool::new(settings.hashing),
            tally: tally::Tally::default(),
            reloading: Mutex::new(()),
            live: Live::open(settings.bans.live_file.as_deref()).await?,
        })
    }

    /// The bans of settings and files that hold.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.current.load().bans.all()
    }

    /// The bans of operators that hold.
    #[must_use]
    pub fn live_bans(&self) -> Vec<LiveBan> {
        self.live.all()
    }

    /// Keeps someone outside, for so many seconds or for good. Connections that are open stay open. Neither the
    /// operator's name nor the reason has line ends.
    ///
    /// # Errors
    ///
    /// There are too many bans, or it cannot be written.
    pub async fn ban(
        &self,
        whom: Banned,
        secs: Option<u64>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<LiveBan, LiveError> {
        self.live.add(whom, secs, by, reason).await
    }

    /// Lifts a ban of an operator.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub async fn unban(&self, whom: &Banned) -> Result<(), LiveError> {
        self.live.lift(whom).await
    }

    /// Counts a connection of a client, before anything else is asked about it.
    ///
    /// # Errors
    ///
    /// [`Refusal::Flapping`]: there were too many of them.
    pub fn greet(&self, client_id: &str, address: Option<IpAddr>) -> Result<(), Refusal> {
        let flapping = &self.current.load().flapping;
        flapping
            .allows(client_id, address)
            .then_some(())
            .ok_or(Refusal::Flapping)
            .inspect_err(|refusal| self.tally.count_refusal(NO_METHOD, *refusal))
    }

    /// Says who a client is, within [`Settings::timeout`].
    pub async fn authenticate(&self, who: &Credentials) -> Answer {
        let (method, answer) = self.judge(who).await;
        self.tally.count(method, &answer);
        answer
    }

    /// Whether a client that has just proved who it is would be let in by what is in force at this moment. To be asked when
    /// it is admitted: bans may have come, and users gone, while others said who it is.
    ///
    /// # Errors
    ///
    /// As [`Prepared::check`]; bans of operators count as well.
    pub fn check(&self, guest: &Guest<'_>) -> Result<(), Refusal> {
        let mut names = guest.username.iter().chain(&guest.claimed);
        if self.live.hold_client(guest.client_id, guest.address) || names.any(|name| self.live.hold_user(name)) {
            return Err(Refusal::Banned);
        }
        self.current.load().check(guest)
    }

    /// How clients proved who they are: method, result, how often.
    #[must_use]
    pub fn tally(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.tally.read()
    }

    /// The method that had the last word, and the word.
    async fn judge(&self, who: &Credentials) -> (&'static str, Answer) {
        let links = self.current.load_full();
        if let Err(refusal) = self.may_try(&links, who) {
            return (NO_METHOD, Answer::Refused(refusal));
        }
        let Ok((method, answer)) = timeout(links.settings.timeout, Box::pin(self.ask(&links, who))).await else {
            tracing::warn!(client = %who.client_id, timeout = ?links.settings.timeout, "authentication took too long");
            return (NO_METHOD, Answer::Refused(Refusal::Unavailable));
        };
        match answer {
            Answer::Refused(Refusal::BadCredentials) => links.limits.count_failure(who),
            Answer::Known(ref identity)
                if identity
                    .username
                    .as_ref()
                    .is_some_and(|name| links.bans.hold_user(name) || self.live.hold_user(name)) =>
            {
                return (method, Answer::Refused(Refusal::Banned));
            }
            Answer::Known(_) | Answer::Refused(_) => {}
        }
        (method, answer)
    }

    /// Whether a client may try at all, whatever it brings.
    fn may_try(&self, links: &Links, who: &Credentials) -> Result<(), Refusal> {
        if links.bans.hold(who) || self.live.hold(who) {
            Err(Refusal::Banned)
        } else if !links.limits.allows(who) {
            Err(Refusal::TooManyFailures)
        } else {
            Ok(())
        }
    }

    async fn ask(&self, links: &Links, who: &Credentials) -> (&'static str, Answer) {
        for link in &links.links {
            let verdict = match link {
                Link::PasswordFile(file) => file.ask(who, &self.pool, &links.limits).await,
                Link::Jwt(jwt) => jwt.ask(who).await,
                Link::Http(http) => http.ask(who, &links.limits).await,
                Link::Directory(directory) => directory.ask(who, &self.pool, &links.limits).await,
                Link::Certificate(settings) => certificate::ask(*settings, who),
                Link::Anonymous(settings) => anonymous::ask(settings, who),
            };
            match verdict {
                Verdict::Known(identity) => return (identity.method, Answer::Known(identity)),
                Verdict::Refused(refusal) => return (link.method(), Answer::Refused(refusal)),
                Verdict::NotMine => {}
            }
        }
        (NO_METHOD, Answer::Refused(Refusal::BadCredentials))
    }

    /// Reads everything again, by the settings that it has.
    ///
    /// # Errors
    ///
    /// As [`Chain::open`]; then everything stays as it was.
    pub async fn reload(&self) -> Result<(), OpenError> {
        let settings = self.current.load().settings.clone();
        self.reload_with(&settings).await
    }

    /// Reads everything by other settings. The bounds of hashing stay those of the start.
    ///
    /// # Errors
    ///
    /// As [`Chain::open`]; then everything stays as it was.
    pub async fn reload_with(&self, settings: &Settings) -> Result<(), OpenError> {
        let _turn = self.reloading.lock().await;
        let before = self.current.load_full();
        let links = Links::open(settings, Some(before)).await?;
        self.current.store(Arc::new(links));
        Ok(())
    }
}

impl Links {
    async fn open(settings: &Settings, before: Option<Arc<Self>>) -> Result<Self, OpenError> {
        let mut links = Vec::with_capacity(settings.authenticators.len());
        for authenticator in &settings.authenticators {
            links.push(match authenticator {
                Authenticator::PasswordFile(settings) => Link::PasswordFile(PasswordFile::open(settings).await?),
                Authenticator::Jwt(settings) => Link::Jwt(Box::new(Jwt::open(settings, before.is_some()).await?)),
                Authenticator::Http(settings) => Link::Http(Box::new(Http::open(settings).await?)),
                Authenticator::Directory(settings) => Link::Directory(Box::new(Directory::open(settings).await?)),
                Authenticator::Certificate(settings) => Link::Certificate(*settings),
                Authenticator::Anonymous(settings) => Link::Anonymous(settings.clone()),
            });
        }
        Ok(Self {
            settings: settings.clone(),
            bans: Bans::open(&settings.bans).await?,
            limits: before
                .as_ref()
                .map(|before| &before.limits)
                .filter(|limits| limits.settings() == settings.limits)
                .map_or_else(|| Arc::new(Limits::new(settings.limits)), Arc::clone),
            flapping: before
                .as_ref()
                .map(|before| &before.flapping)
                .filter(|flapping| flapping.settings() == settings.flapping)
                .map_or_else(|| Arc::new(Flapping::new(settings.flapping)), Arc::clone),
            links,
        })
    }
}

impl Link {
    /// What it is called in metrics and explanations: [`Identity::method`](crate::Identity::method).
    fn method(&self) -> &'static str {
        match self {
            Self::PasswordFile(_) => password::METHOD,
            Self::Jwt(_) => jwt::METHOD,
            Self::Http(_) => http::METHOD,
            Self::Directory(directory) => directory.method(),
            Self::Certificate(_) => certificate::METHOD,
            Self::Anonymous(_) => anonymous::METHOD,
        }
    }
}

#[cfg(test)]
mod tests;
