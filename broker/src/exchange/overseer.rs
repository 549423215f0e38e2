//! The policy's seat: who is asked before an exchange proceeds and told when it has ended.

use std::net::IpAddr;

use mqtt_codec::{ClientId, Connect, Publish, Subscribe, Unsubscribe};

use super::phase::Running;
use super::{Ended, Exchange, Refusal};
use crate::identity::Identity;
use crate::message::Message;

/// What an exchange asks for.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// To be connected.
    Connect(&'a Connect),
    /// To have this published; an alias is resolved already.
    Publish(&'a Publish),
    /// To be subscribed.
    Subscribe(&'a Subscribe),
    /// To be unsubscribed.
    Unsubscribe(&'a Unsubscribe),
    /// To be sent this message.
    Deliver(&'a Message),
    /// To have this published because the client was lost.
    Will(&'a Message),
}

/// Who asks, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The client on this conversation's other end.
    pub client_id: &'a ClientId,
    /// Who that is.
    pub identity: &'a Identity,
    /// Where it connected from, if by a network.
    pub address: Option<IpAddr>,
    /// What is asked.
    pub ask: Ask<'a>,
}

impl<'a> Request<'a> {
    /// The user name of the client.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.identity.username.as_deref()
    }
}

/// The overseer's answer. The exchange applies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// Wait this many milliseconds, then ask again. The connection is not read meanwhile, so that order is kept.
    Block(u64),
    /// Refuse aloud.
    Stop(Refusal),
    /// Refuse in silence.
    Cancel,
}

/// Judges exchanges. It answers and never holds an exchange.
pub trait Overseer {
    /// Asked when an exchange starts and each time it resumes.
    fn on_running(&mut self, exchange: &Exchange<Running>, request: &Request<'_>) -> Verdict;

    /// Told once for each exchange, when it has ended.
    fn on_ended(&mut self, ended: &Ended);

    /// Whether deliveries are to be judged one by one. An overseer without rules for them spares every receiver of
    /// every message the question.
    fn judges_deliveries(&self) -> bool {
        true
    }
}

/// The overseer of an open house: everything proceeds.
#[derive(Debug, Default)]
pub struct Open;

impl Overseer for Open {
    fn on_running(&mut self, _: &Exchange<Running>, _: &Request<'_>) -> Verdict {
        Verdict::Proceed
    }

    fn on_ended(&mut self, _: &Ended) {}

    fn judges_deliveries(&self) -> bool {
        false
    }
}
