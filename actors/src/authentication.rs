//! Who comes in: the step between a CONNECT and its admission.

use std::sync::Arc;

use auth::{Answer, Certificate, Chain, Credentials, Guest, anonymous};
use broker::acl::{Actions, FilterError, Rule, Subject};
use broker::exchange::Refusal;
use broker::identity::Identity;
use broker::line::Peer;
use broker::message::Millis;
use mqtt_codec::Connect;

mod certificate;
mod enhanced;

pub(crate) use enhanced::{Prover, Provers};

/// How a client has come, apart from its CONNECT.
#[derive(Debug)]
pub(crate) struct Doorway<'a> {
    pub(crate) peer: &'a Peer,
    /// A client of its listener of whom nothing is known.
    pub(crate) stranger: &'a Arc<Identity>,
    /// In DER, found good.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// Says who a client is.
///
/// # Errors
///
/// Says why it stays outside.
pub(crate) async fn identify(chain: &Chain, connect: &Connect, door: &Doorway<'_>) -> Result<Arc<Identity>, Refusal> {
    let shown = door.certificate.map(certificate::read);
    if let Some(None) = shown {
        tracing::warn!(peer = %door.peer, "a client's certificate was found good and cannot be read");
        return Err(Refusal::NotAuthorized);
    }
    match chain.authenticate(&credentials(connect, door, shown.flatten())).await {
        Answer::Known(known) => {
            let identity = identity_of(known, &door.stranger.listener)?;
            Ok(match identity == **door.stranger {
                true => Arc::clone(door.stranger),
                false => Arc::new(identity),
            })
        }
        Answer::Refused(refusal) => {
            if connect.username.is_none() && door.certificate.is_none() {
                tracing::info!(peer = %door.peer, "a client without a name may not come in here; see auth.anonymous");
            }
            Err(refusal_of(refusal))
        }
    }
}

fn credentials(connect: &Connect, door: &Doorway<'_>, certificate: Option<Certificate>) -> Credentials {
    Credentials {
        client_id: connect.client_id.to_string(),
        username: connect.username.as_deref().map(str::to_owned),
        password: connect.password.clone(),
        address: door.peer.address(),
        listener: door.stranger.listener.to_string(),
        certificate,
    }
}

fn identity_of(known: auth::Identity, listener: &Arc<str>) -> Result<Identity, Refusal> {
    let mut identity = Identity::named(known.username.as_deref(), Arc::clone(listener));
    let grants: Result<Vec<Rule>, _> = known.grants.iter().map(rule_of).collect();
    identity.grants = grants.map_err(|error| {
        // One that denies must not be left out.
        tracing::warn!(user = known.username.as_deref(), method = known.method, %error, "a client's own rights cannot be read");
        Refusal::NotAuthorized
    })?;
    // Of whom nobody knows anything there is one for each listener.
    if known.method != anonymous::METHOD {
        identity.method = known.method;
    }
    identity.groups = known.groups.into_iter().map(String::into_boxed_str).collect();
    identity.is_superuser = known.is_superuser;
    identity.expires_at = known.expires_at_unix_secs.map(|at| Millis(at.saturating_mul(1000)));
    Ok(identity)
}

fn rule_of(grant: &auth::Grant) -> Result<Rule, FilterError> {
    let actions = match grant.actions {
        auth::Actions::Publish => Actions::PUBLISH,
        auth::Actions::Subscribe => Actions::SUBSCRIBE,
        auth::Actions::Both => Actions::ALL,
    };
    Rule::new(grant.allow, actions, &grant.filter)
}

/// A client that has proved who it is, as the chain sees it.
pub(crate) fn guest_of<'a>(subject: &Subject<'a>) -> Guest<'a> {
    let identity = subject.identity;
    Guest {
        client_id: subject.client_id,
        username: identity.username.as_deref(),
        claimed: identity.claimed.as_deref(),
        method: identity.method,
        address: subject.address,
        listener: &identity.listener,
    }
}

/// Whether a client that has proved who it is may be let in by what is in force at this moment: a reload or a ban may have
/// come while it did so.
///
/// # Errors
///
/// Says why it stays outside.
pub(crate) fn check(chain: &Chain, subject: &Subject<'_>) -> Result<(), Refusal> {
    chain.check(&guest_of(subject)).map_err(refusal_of)
}

pub(crate) fn refusal_of(refusal: auth::Refusal) -> Refusal {
    match refusal {
        auth::Refusal::BadCredentials => Refusal::BadCredentials,
        auth::Refusal::NotAuthorized | auth::Refusal::TooManyFailures => Refusal::NotAuthorized,
        auth::Refusal::Flapping => Refusal::ConnectionRateExceeded,
        auth::Refusal::Banned => Refusal::Banned,
        auth::Refusal::Unavailable => Refusal::ServerUnavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reload asks by the method whether a client may stay, also where a client has no name.
    #[test]
    fn a_client_without_a_name_keeps_the_method_that_let_it_in() {
        let listener = Arc::from("tcp");
        let by = |method| auth::Identity {
            method,
            ..auth::Identity::default()
        };
        let known = identity_of(by("http"), &listener).unwrap();
        assert_eq!((known.username.as_deref(), known.method), (None, "http"));
        // Of strangers there is one for each listener.
        let stranger = identity_of(by(anonymous::METHOD), &listener).unwrap();
        assert_eq!(stranger, Identity::anonymous(listener));
    }
}
