//! Who may ask for what: how a request shows who sends it, and the guards that stand before handlers.
//!
//! There are four ways in. The Unix socket belongs to the broker's user: whoever can open it is an admin. A token or a
//! client certificate has the role that the tokens file gives it. A browser trades a token for a session, of which it
//! holds a cookie that no script can read. There is no way in that is open before somebody made it.

use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::error::Error;
use browsers::{Browsers, SessionId};
use hosts::Hosts;
pub(crate) use hosts::Loopback;
use lockout::Lockout;
pub(crate) use lockout::network;
pub(crate) use standing::Standing;
use tokens::Key;
use watch::Watch;

pub(crate) mod browsers;
mod hosts;
mod lockout;
pub(crate) mod login;
mod standing;
#[cfg(test)]
mod tests;
pub mod tokens;
mod watch;

/// The header without which a browser's session changes nothing: no page of another origin can send it.
const INTENT: &str = "X-Strowger";

/// What someone may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See how the broker fares and who is connected.
    Viewer,
    /// Disconnect, publish, ban, look into messages.
    Operator,
    /// See and change settings, stop and drain.
    Admin,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role that a word stands for.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// As logs name it: of the token, of the certificate, or "admin.sock".
    pub(crate) name: String,
    pub(crate) role: Role,
    /// What the tokens file knows him by; `None`: he came by the socket.
    key: Option<Key>,
    /// His browser's session, if he came by one.
    session: Option<SessionId>,
}

/// How a connection came in, noted when it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the Unix socket.
    Socket,
    /// With a certificate that an authority of `admin.client_ca` signed, for this common name.
    Certificate(String),
}

/// Noted of a connection over TLS.
pub(crate) struct Encrypted;

/// How access is bounded.
#[derive(Debug, Clone)]
pub(crate) struct AccessSettings {
    pub(crate) tokens_file: std::path::PathBuf,
    /// Wrong tokens of one address before it is locked out.
    pub(crate) failures_max: u32,
    pub(crate) lockout: Duration,
    /// How long a browser's session lasts.
    pub(crate) session: Duration,
    pub(crate) is_metrics_open: bool,
    /// Names by which open metrics may be asked for over the loopback, besides addresses.
    pub(crate) metrics_hosts: Vec<String>,
}

/// The book of who may come in, and of who came.
pub(crate) struct Access {
    is_metrics_open: bool,
    metrics_hosts: Hosts,
    tokens: Mutex<Watch>,
    browsers: Mutex<Browsers>,
    lockout: Mutex<Lockout>,
}

impl Access {
    pub(crate) fn new(settings: &AccessSettings) -> Self {
        Self {
            is_metrics_open: settings.is_metrics_open,
            metrics_hosts: Hosts::new(&settings.metrics_hosts),
            tokens: Mutex::new(Watch::new(settings.tokens_file.clone())),
            browsers: Mutex::new(Browsers::new(settings.session)),
            lockout: Mutex::new(Lockout::new(settings.failures_max, settings.lockout)),
        }
    }

    /// Who sends the request, if it says so by any of the ways.
    ///
    /// # Errors
    ///
    /// What it says is wrong, or its address is locked out.
    fn identify(&self, request: &HttpRequest, now: Instant) -> Result<Option<Caller>, Error> {
        let way = request.conn_data::<Way>();
        if way == Some(&Way::Socket) {
            return Ok(Some(Caller {
                name: "admin.sock".to_owned(),
                role: Role::Admin,
                key: None,
                session: None,
            }));
        }
        if let Some(token) = request.headers().get(AUTHORIZATION).and_then(bearer) {
            return self.trade(token, address(request), now).map(Some);
        }
        if let Some(caller) = self.browser(request, now)? {
            return Ok(Some(caller));
        }
        let Some(Way::Certificate(name)) = way else {
            return Ok(None);
        };
        // A browser shows its certificate for pages of others as well, and says which page asks.
        let headers = request.headers();
        if !is_look(request) && headers.contains_key(header::ORIGIN) && !headers.contains_key(INTENT) {
            return Err(Self::needs_intent());
        }
        let role = held(&self.tokens).current(now).role_of_certificate(name);
        Ok(role.map(|role| Caller {
            name: name.clone(),
            role,
            key: Some(Key::Certificate),
            session: None,
        }))
    }

    /// Whether he would be let in with the same role again: his session has not ended, his token is neither removed nor
    /// replaced by another of the same name, and no other role was given to it.
    fn holds(&self, caller: &Caller, now: Instant) -> bool {
        if caller.key.is_none() {
            return true;
        }
        let is_open = |session: &SessionId| held(&self.browsers).is_open(session, now);
        caller.session.as_ref().is_none_or(is_open) && held(&self.tokens).current(now).has(caller)
    }

    /// Who has this token.
    ///
    /// # Errors
    ///
    /// Nobody has it, or the address has shown too many that nobody has.
    ///
    /// To lock an address out protects tokens that somebody chose himself. Ours cannot be guessed, so that they are heard from
    /// there too: one program with a wrong token does not lock out everybody who comes by the same proxy.
    fn trade(&self, token: &str, address: Option<IpAddr>, now: Instant) -> Result<Caller, Error> {
        let left = held(&self.lockout).left(address, now);
        if (left.is_none() || tokens::is_of_our_making(token))
            && let Some(caller) = held(&self.tokens).current(now).caller(token)
        {
            return Ok(caller);
        }
        if let Some(left) = left {
            let secs = left.as_secs().max(1);
            return Err(Error::too_many(
                format!("too many wrong tokens came from this address; it is heard again in {secs} s"),
                secs,
            ));
        }
        if held(&self.lockout).note(address, now)
            && let Some(address) = address
        {
            tracing::warn!(%address, "an operator's address is locked out: too many wrong tokens came from it");
        }
        Err(Error::unauthenticated(
            "the token is not known; `strowger token add NAME --role ROLE` makes one",
        ))
    }

    /// Whose browser sends the request. A session whose token is gone has ended.
    fn browser(&self, request: &HttpRequest, now: Instant) -> Result<Option<Caller>, Error> {
        let cookies = request.headers().get_all(header::COOKIE);
        let Some(session) = cookies
            .filter_map(|line| line.to_str().ok())
            .find_map(browsers::session_in)
        else {
            return Ok(None);
        };
        let Some(caller) = held(&self.browsers).caller(session, now) else {
            return Ok(None);
        };
        if !self.holds(&caller, now) {
            held(&self.browsers).end(session);
            return Ok(None);
        }
        if !is_look(request) && !request.headers().contains_key(INTENT) {
            return Err(Self::needs_intent());
        }
        Ok(Some(caller))
    }

    fn needs_intent() -> Error {
        Error::forbidden(format!(
            "a request of a browser that changes something needs the header {INTENT}: 1"
        ))
    }
}

/// Whether a request changes nothing.
fn is_look(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The token, if the header shows one. Other schemes are for somebody who stands before the broker.
fn bearer(said: &header::HeaderValue) -> Option<&str> {
    let said = said.as_bytes();
    let end = said.iter().position(|byte| *byte == b' ').unwrap_or(said.len());
    let (scheme, token) = said.split_at(end);
    // What is no text is a token as well: one that nobody has.
    scheme
        .eq_ignore_ascii_case(b"Bearer")
        .then(|| str::from_utf8(token).unwrap_or_default().trim())
}

/// What a lock holds. A panic of another holder leaves nothing half done here.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip().to_canonical())
}

/// Lets a request pass whose sender has at least this role.
fn admit(request: &HttpRequest, needed: Role) -> Result<Caller, Error> {
    let Some(access) = request.app_data::<Data<Access>>() else {
        return Err(Error::starting());
    };
    let caller = access.identify(request, Instant::now())?.ok_or_else(|| {
        Error::unauthenticated("this needs a token: Authorization: Bearer TOKEN, or POST /api/v1/login from a browser")
    })?;
    if caller.role < needed {
        let (name, role) = (&caller.name, caller.role);
        return Err(Error::forbidden(format!(
            "this needs the role {needed}; {name} is {role}: ask with another token"
        )));
    }
    Ok(caller)
}

/// A guard: a handler that takes it first runs for this role and those above it.
macro_rules! guard {
    ($(#[$about:meta])* $role:ident) => {
        $(#[$about])*
        pub(crate) struct $role(pub(crate) Caller);

        impl FromRequest for $role {
            type Error = Error;
            type Future = Ready<Result<Self, Error>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(admit(request, Role::$role).map(Self))
            }
        }
    };
}

guard! {
    /// Anyone who is known.
    Viewer
}
guard! {
    /// Operators and admins.
    Operator
}
guard! {
    /// Admins.
    Admin
}

/// Whoever may read the metrics: anyone who reaches the listener, or viewers, as `admin.metrics_access` says.
pub(crate) struct Scraper;

impl FromRequest for Scraper {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let access = request.app_data::<Data<Access>>();
        let Some(access) = access.filter(|access| access.is_metrics_open) else {
            return ready(admit(request, Role::Viewer).map(|_| Self));
        };
        if access.metrics_hosts.take(request) {
            return ready(Ok(Self));
        }
        let caller = access.identify(request, Instant::now());
        // Whoever is known is a viewer at least.
        ready(caller.and_then(|caller| match caller {
            Some(_) => Ok(Self),
            None => Err(Error::forbidden(
                "the figures are not for whoever asks by this name: ask by an address, add the name to admin.metrics_hosts, \
                 or send a token",
            )),
        }))
    }
}
