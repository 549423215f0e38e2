//! Asks the authenticators in their order, in a bounded time.

mod scram;
mod threshold;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::bans::Bans;
use crate::directory::Directory;
use crate::flapping::Flapping;
use crate::http::Http;
use crate::jwt::Jwt;
use crate::limits::Limits;
use crate::password::{HashPool, PasswordFile};
use crate::{Answer, Authenticator, Credentials, OpenError, Refusal, Settings, Verdict, anonymous, certificate};

pub use scram::Conversation;

/// The authenticators of a broker. One serves all threads.
#[derive(Debug)]
pub struct Chain {
    /// Swapped whole: whoever is being asked goes on with what it began with.
    current: ArcSwap<Links>,
    pool: HashPool,
    /// One reload at a time.
    reloading: Mutex<()>,
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
            reloading: Mutex::new(()),
        })
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
    }

    /// Says who a client is, within [`Settings::timeout`].
    pub async fn authenticate(&self, who: &Credentials) -> Answer {
        let links = self.current.load_full();
        if let Err(refusal) = links.may_try(who) {
            return Answer::Refused(refusal);
        }
        let Ok(answer) = timeout(links.settings.timeout, Box::pin(self.ask(&links, who))).await else {
            tracing::warn!(client = %who.client_id, timeout = ?links.settings.timeout, "authentication took too long");
            return Answer::Refused(Refusal::Unavailable);
        };
        match answer {
            Answer::Refused(Refusal::BadCredentials) => links.limits.count_failure(who),
            Answer::Known(ref identity)
                if identity
                    .username
                    .as_ref()
                    .is_some_and(|name| links.bans.hold_user(name)) =>
            {
                return Answer::Refused(Refusal::Banned);
            }
            Answer::Known(_) | Answer::Refused(_) => {}
        }
        answer
    }

    async fn ask(&self, links: &Links, who: &Credentials) -> Answer {
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
                Verdict::Known(identity) => return Answer::Known(identity),
                Verdict::Refused(refusal) => return Answer::Refused(refusal),
                Verdict::NotMine => {}
            }
        }
        Answer::Refused(Refusal::BadCredentials)
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
    /// Whether a client may try at all, whatever it brings.
    fn may_try(&self, who: &Credentials) -> Result<(), Refusal> {
        if self.bans.hold(who) {
            Err(Refusal::Banned)
        } else if !self.limits.allows(who) {
            Err(Refusal::TooManyFailures)
        } else {
            Ok(())
        }
    }

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

#[cfg(test)]
mod tests;
