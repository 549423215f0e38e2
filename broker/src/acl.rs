//! Rights: what a client may do, on which topics. One function decides, [`Rights::decide`].
//!
//! A book of rights is a text file. Mosquitto's ACL files are books as they are; what Mosquitto cannot say is said by
//! `allow` and `deny`.
//!
//! ```text
//! # Lines of ours. Before the first section they hold for everyone.
//! deny publish plant/+/config
//! allow subscribe announcements/#
//!
//! group technicians
//! allow all plant/# qos<=1
//!
//! address 10.20.0.0/16
//! allow will,publish alarms/%c
//!
//! # Lines as Mosquitto reads them.
//! user roger
//! topic read sensors/#
//! topic deny sensors/secret
//! pattern write clients/%c/state
//! ```
//!
//! **Whom a line is for** says the section that it stands in: `user NAME`, `group NAME`, `client ID`, `address CIDR`,
//! `listener NAME`, `everyone`. A line before the first section is for everyone if it is one of ours, and for clients
//! without a user name if it is Mosquitto's `topic`. `pattern` is for everyone wherever it stands.
//!
//! **What it is about.** `publish` means to publish, also with the retain flag and as a will; `will` and `retain` mean
//! these alone; `subscribe` means to subscribe and to be sent what is subscribed; `receive` means to be sent it; `all`
//! means everything. A retained PUBLISH needs the right to publish and the right to retain. With `qos<=N` a line speaks
//! of messages and subscriptions up to that QoS, and says nothing of others. Mosquitto's `write` is our `publish`, its
//! `read` our `subscribe`, its `deny` our `deny all`.
//!
//! **Which line decides.** A superuser may do everything. Then the grants of the identity are asked, then our lines of
//! all sections that the client is in, in the order of the file: the first that fits decides. If none does, Mosquitto's
//! decide in its order: `topic deny`, other `topic`, `pattern deny`, other `pattern`. What no line allows is denied.
//! Without a book, and for a client without grants, everything is allowed.
//!
//! **Subscriptions.** A line fits a filter if it speaks of every topic that the filter matches. A filter that is wider
//! than what is allowed, `#` above all, is [wide](Decision::is_wide): the settings say whether it is granted, as
//! Mosquitto does, or refused. Every delivery is judged by itself in either case.
//!
//! **`%u` and `%c`** stand for a whole level: the user name and the client identifier. In `topic` lines they are text,
//! as in Mosquitto. A name that is empty or holds `+`, `#` or `/` stands for nothing, and a client with such a name is
//! allowed nothing by `pattern` lines.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{QoS, TopicFilter};

pub use parse::RightsError;
pub use rule::{Action, Actions, FilterError, Rule};

use crate::identity::Identity;
pub(crate) use lately::{Asked, Lately};

use book::{Book, grants_part, judge_grants};
use rule::Names;
use section::{Question, Rank};

mod book;
mod lately;
mod network;
mod parse;
mod rule;
mod section;
#[cfg(test)]
mod tests;

/// Who wants to do something.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who that is.
    pub identity: &'a Identity,
    /// Its client identifier.
    pub client_id: &'a str,
    /// Where it comes from; `None`: not by a network.
    pub address: Option<IpAddr>,
}

/// What is decided, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// It may be done.
    pub allowed: bool,
    /// The line of the book that decided, counted from 1.
    pub rule: Option<u32>,
    /// What decided.
    pub ground: Ground,
    /// A topic filter is not allowed, but part of what it matches is.
    pub is_wide: bool,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// There is no book.
    NoBook,
    /// A superuser may do everything.
    Superuser,
    /// A grant of the identity, counted from 0.
    Grant(u32),
    /// A line of the book, counted from 1.
    Line(u32),
    /// Nothing allows it.
    NoRule,
}

/// The rights of all clients: a book that does not change, shared by all that hold it.
#[derive(Clone, Default, PartialEq)]
pub struct Rights(Option<Arc<Book>>);

impl Rights {
    /// Everything is allowed, but to those whose identity brings grants.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// Reads a book. `name` stands in errors: the path of the file.
    ///
    /// # Errors
    ///
    /// Names the line, what is wrong with it and the remedy.
    pub fn parse(name: &str, text: &str) -> Result<Self, RightsError> {
        parse::parse(name, text).map(|book| Self(Some(Arc::new(book))))
    }

    /// Whether there is no book.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the client may do this with a topic, or for [`Action::Subscribe`] with a topic filter without its share
    /// name. `retain`: the message is to be retained.
    #[must_use]
    pub fn decide(&self, subject: &Subject<'_>, action: Action, asked: &str, qos: QoS, retain: bool) -> Decision {
        let first = self.decide_one(subject, action, asked, qos);
        if retain && first.allowed && matches!(action, Action::Publish | Action::Will) {
            return self.decide_one(subject, Action::Retain, asked, qos);
        }
        first
    }

    /// Whether the client may subscribe with this filter; `wide`: a filter that is allowed in part is granted.
    #[must_use]
    pub fn may_subscribe(&self, subject: &Subject<'_>, filter: &TopicFilter, qos: QoS, wide: bool) -> bool {
        let decision = self.decide(subject, Action::Subscribe, filter.inner(), qos, false);
        decision.allowed || (decision.is_wide && wide)
    }

    fn decide_one(&self, subject: &Subject<'_>, action: Action, asked: &str, qos: QoS) -> Decision {
        let identity = subject.identity;
        if identity.is_superuser {
            return Decision::of(true, Ground::Superuser);
        }
        let grants = &identity.grants;
        let uses_names = !grants.is_empty() || self.0.as_ref().is_some_and(|book| book.uses_names);
        let names = if uses_names { subject.names() } else { Names::UNUSED };
        let question = Question {
            action,
            asked,
            qos,
            names,
        };
        if let Some((place, allow)) = judge_grants(grants, &question) {
            let mut decision = Decision::of(allow, Ground::Grant(place));
            decision.is_wide = !allow && action == Action::Subscribe && grants_part(grants, &question, place as usize);
            return decision;
        }
        let Some(book) = &self.0 else {
            let mut decision = if grants.is_empty() {
                Decision::of(true, Ground::NoBook)
            } else {
                Decision::of(false, Ground::NoRule)
            };
            decision.is_wide = action == Action::Subscribe && grants_part(grants, &question, grants.len());
            return decision;
        };
        let ruling = book.judge(subject, &question);
        let mut decision = match ruling {
            Some(ruling) => Decision::of(ruling.allow, Ground::Line(ruling.rank.line)),
            None => Decision::of(false, Ground::NoRule),
        };
        if action == Action::Subscribe && !decision.allowed {
            let end: Option<Rank> = ruling.map(|ruling| ruling.rank);
            decision.is_wide =
                grants_part(grants, &question, grants.len()) || book.allows_part(subject, &question, end);
        }
        decision
    }
}

impl Decision {
    fn of(allowed: bool, ground: Ground) -> Self {
        let rule = match ground {
            Ground::Line(line) => Some(line),
            Ground::NoBook | Ground::Superuser | Ground::Grant(_) | Ground::NoRule => None,
        };
        Self {
            allowed,
            rule,
            ground,
            is_wide: false,
        }
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "Rights(open)" } else { "Rights(book)" })
    }
}
