//! Authenticators that are read and not in force yet: what they would change, and for whom.

use std::net::IpAddr;
use std::sync::Arc;

use super::scram::{self, files};
use super::{Chain, Link, Links};
use crate::password::{self, PasswordFile};
use crate::{Credentials, OpenError, Refusal, Settings, anonymous, certificate, http, jwt};

/// Authenticators that have read everything and wait to be put in force.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Links>);

/// A client that an authenticator let in before.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'a> {
    /// Its client identifier.
    pub client_id: &'a str,
    /// The name that it proved.
    pub username: Option<&'a str>,
    /// The name that it claimed, if that is another.
    pub claimed: Option<&'a str>,
    /// How it was known: [`crate::Identity::method`]; empty: it is anonymous.
    pub method: &'a str,
    /// Its address, if it has one.
    pub address: Option<IpAddr>,
    /// The listener that it came in by.
    pub listener: &'a str,
}

/// What files say that they did not say before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// Users that were not in the password file.
    pub users_added: usize,
    /// Users that are not in it any more.
    pub users_gone: usize,
    /// Users with another password or other groups.
    pub users_other: usize,
    /// How many bans there were and are, if they are others.
    pub bans: Option<(usize, usize)>,
}

impl Chain {
    /// Reads everything by these settings and changes nothing. The bounds of hashing stay those of the start.
    ///
    /// # Errors
    ///
    /// As [`Chain::open`].
    pub async fn prepare(&self, settings: &Settings) -> Result<Prepared, OpenError> {
        let before = self.current.load_full();
        Ok(Prepared(Arc::new(Links::open(settings, Some(before)).await?)))
    }

    /// Puts in force what was prepared. Whoever is being asked goes on with what it began with.
    pub fn install(&self, prepared: Prepared) {
        self.current.store(prepared.0);
    }

    /// What `prepared` would change.
    #[must_use]
    pub fn news(&self, prepared: &Prepared) -> News {
        let (before, after) = (self.current.load(), &prepared.0);
        let mut news = News::default();
        for (file, name) in users(after) {
            match files(&before).find(|known| known.has(name)) {
                None => news.users_added += 1,
                Some(known) => news.users_other += usize::from(!file.has_as(name, known)),
            }
        }
        let is_gone = |name| !files(after).any(|file| file.has(name));
        news.users_gone = users(&before).filter(|(_, name)| is_gone(name)).count();
        news.bans = (before.bans != after.bans).then(|| (before.bans.len(), after.bans.len()));
        news
    }
}

impl Prepared {
    /// Whether a client that is in would be let in.
    ///
    /// A password or a token is not asked for again: what counts is that its user is there, or that the method is, where
    /// others know the users.
    ///
    /// # Errors
    ///
    /// [`Refusal::Banned`] or [`Refusal::BadCredentials`].
    pub fn check(&self, guest: &Guest<'_>) -> Result<(), Refusal> {
        self.0.check(guest)
    }
}

impl Links {
    /// As [`Prepared::check`].
    pub(super) fn check(&self, guest: &Guest<'_>) -> Result<(), Refusal> {
        let who = Credentials {
            client_id: guest.client_id.to_owned(),
            username: guest.username.map(str::to_owned),
            password: None,
            address: guest.address,
            listener: guest.listener.to_owned(),
            certificate: None,
        };
        let bans = &self.bans;
        if bans.hold(&who) || guest.claimed.is_some_and(|name| bans.hold_user(name)) {
            return Err(Refusal::Banned);
        }
        let mut links = self.links.iter();
        match links.any(|link| link.would_know(guest, &who)) {
            true => Ok(()),
            false => Err(Refusal::BadCredentials),
        }
    }
}

impl Link {
    fn would_know(&self, guest: &Guest<'_>, who: &Credentials) -> bool {
        let method = guest.method;
        match (self, guest.username) {
            (Self::Anonymous(settings), None) => method.is_empty() && anonymous::admits(settings, who),
            (Self::PasswordFile(file), Some(name)) => {
                [password::METHOD, scram::METHOD].contains(&method) && file.has(name)
            }
            (Self::Jwt(_), _) => method == jwt::METHOD,
            (Self::Http(_), _) => method == http::METHOD,
            (Self::Directory(directory), _) => method == directory.method(),
            (Self::Certificate(_), _) => method == certificate::METHOD,
            (Self::Anonymous(_), Some(_)) | (Self::PasswordFile(_), None) => false,
        }
    }
}

fn users(links: &Links) -> impl Iterator<Item = (&PasswordFile, &str)> {
    files(links).flat_map(|file| file.names().map(move |name| (file, name)))
}

#[cfg(test)]
mod tests;
