//! Enhanced authentication of 5.0: the method SCRAM-SHA-256, before CONNACK and on connections that are open.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use auth::{Chain, Conversation, Credentials};
use broker::acl::Subject;
use broker::exchange::Refusal;
use broker::line::{ConnectionKey, Proof, Proving};
use bytes::Bytes;

use super::{check, identity_of, refusal_of};

/// The one method that is offered, as CONNECT names it.
const METHOD: &str = "SCRAM-SHA-256";

/// A client that proves itself: what it has said so far.
pub(crate) struct Prover {
    who: Credentials,
    /// A client of its listener of whom nothing is known.
    listener: Arc<str>,
    conversation: Option<Conversation>,
}

impl Prover {
    /// Of a client that names `method`.
    ///
    /// # Errors
    ///
    /// The method is not offered, or no user has what it takes.
    pub(crate) fn by(
        method: &str,
        chain: &Chain,
        (client_id, username, address): (&str, Option<&str>, Option<IpAddr>),
        listener: &Arc<str>,
    ) -> Result<Self, Refusal> {
        if method != METHOD || !chain.takes_scram() {
            return Err(Refusal::BadAuthenticationMethod);
        }
        Ok(Self {
            who: Credentials {
                client_id: client_id.to_owned(),
                username: username.map(str::to_owned),
                password: None,
                address,
                listener: listener.to_string(),
                certificate: None,
            },
            listener: Arc::clone(listener),
            conversation: None,
        })
    }

    /// Judges what the client says: first the beginning, then the proof.
    pub(crate) fn judge(&mut self, chain: &Chain, data: &[u8]) -> Proof {
        let Some(conversation) = self.conversation.take() else {
            return match chain.begin_scram(&self.who, data) {
                Ok((conversation, challenge)) => {
                    self.conversation = Some(conversation);
                    Proof::More(challenge.into())
                }
                Err(refusal) => Proof::Failed(refusal_of(refusal)),
            };
        };
        match chain.finish_scram(&self.who, conversation, data) {
            Ok((known, answer)) => match identity_of(known, &self.listener) {
                Ok(identity) => Proof::Given(Arc::new(identity), Bytes::from(answer)),
                Err(refusal) => Proof::Failed(refusal),
            },
            Err(refusal) => Proof::Failed(refusal_of(refusal)),
        }
    }
}

/// Connected clients of a line that prove themselves again. The line bounds how long each may take.
#[derive(Default)]
pub(crate) struct Provers(RefCell<HashMap<ConnectionKey, Prover>>);

impl Provers {
    /// Judges what a client says; remembers it for as long as more is asked of it.
    pub(crate) fn judge(&self, chain: &Chain, proving: &Proving) -> Proof {
        let known = self.0.borrow_mut().remove(&proving.connection);
        let begun = match known.filter(|_| !proving.begins) {
            Some(prover) => Ok(prover),
            None => {
                let client = (&*proving.client_id, None, proving.peer.address());
                Prover::by(METHOD, chain, client, &proving.identity.listener)
            }
        };
        let mut prover = match begun {
            Ok(prover) => prover,
            Err(refusal) => return Proof::Failed(refusal),
        };
        match prover.judge(chain, &proving.data) {
            Proof::Given(identity, answer) => {
                let subject = Subject {
                    identity: &identity,
                    client_id: &proving.client_id,
                    address: proving.peer.address(),
                };
                match check(chain, &subject) {
                    Ok(()) => Proof::Given(identity, answer),
                    Err(refusal) => Proof::Failed(refusal),
                }
            }
            more @ Proof::More(_) => {
                self.0.borrow_mut().insert(proving.connection, prover);
                more
            }
            failed @ Proof::Failed(_) => failed,
        }
    }

    /// The connection is over.
    pub(crate) fn forget(&self, connection: ConnectionKey) {
        self.0.borrow_mut().remove(&connection);
    }
}
