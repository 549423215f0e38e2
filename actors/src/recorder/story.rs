//! Decisions in words: what stands on a tape, and why a client is not connected.

use broker::counters::Drop;
use broker::effect::{Cause, ClosingRecord};
use broker::exchange::{Kind as Exchange, Refusal};
use broker::notes::{Decision, Note};

use super::Kind;

/// What a tape says of the end of a connection.
pub(crate) fn closed(record: &ClosingRecord) -> (Kind, String) {
    let text = format!(
        "{}\t{}\t0x{:02x}",
        record.cause.culprit(),
        in_words(&record.cause),
        record.reason_code
    );
    (Kind::Closed, text)
}

/// Why a connection ended, and what helps where something does.
fn in_words(cause: &Cause) -> String {
    let remedy = match cause {
        Cause::KeepAliveTimeout => {
            "the client sent nothing for one and a half times its keep alive: its network is gone, or it does not ping"
        }
        Cause::TakenOver => {
            "another connection came with the same client identifier: give each client one of its own if this repeats"
        }
        Cause::QueueFull => {
            "the client does not take its messages fast enough: session.queue_messages_max, session.queue_full"
        }
        Cause::Refused(refusal) | Cause::Policy(refusal) => refused(*refusal),
        Cause::RightLost => "a change of rights took a subscription of this client (acl.lost_subscriptions)",
        Cause::IdentityExpired => "its credentials have expired: it has to come with others",
        Cause::ClientDisconnected
        | Cause::ConnectionLost(_)
        | Cause::Violation(_)
        | Cause::TooFast(_)
        | Cause::NotProven(_)
        | Cause::Expelled(_)
        | Cause::ServerStopping
        | Cause::SentAway
        | Cause::Administrative(_)
        | Cause::Panic => return cause.to_string(),
    };
    if matches!(cause, Cause::Refused(_) | Cause::Policy(_)) {
        format!("{cause}: {remedy}")
    } else {
        remedy.to_owned()
    }
}

/// What a tape says of a decision; `None`: nothing, it shows in the packets.
pub(crate) fn decided(decision: &Decision) -> Option<(Kind, &'static str)> {
    match decision {
        Decision::Refused(Exchange::Publish, Refusal::NotAuthorized) => {
            Some((Kind::Denied, "PUBLISH refused: its rights do not allow it"))
        }
        Decision::Refused(Exchange::Subscribe, Refusal::NotAuthorized) => {
            Some((Kind::Denied, "SUBSCRIBE refused: its rights do not allow a filter"))
        }
        Decision::Refused(_, refusal) => Some((Kind::Denied, refused(*refusal))),
        Decision::Dropped(reason) => Some((Kind::Dropped, dropped(*reason))),
        Decision::Limited(limit) => Some((Kind::Limited, limit.says())),
        Decision::Subscribed(_) | Decision::Unsubscribed(_) | Decision::SessionCreated | Decision::SessionEnded => None,
    }
}

/// Why a request is refused, and what helps.
pub(crate) const fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotAuthorized => "not authorized: see `strowger explain` for what decides",
        Refusal::BadCredentials => "wrong user name or password",
        Refusal::Banned => "the client, its user or its address is banned",
        Refusal::BadAuthenticationMethod => "an authentication method that this broker does not offer",
        Refusal::ClientIdInvalid => {
            "its client identifier cannot be: too long (packet.client_id_bytes_max), or empty without a clean start"
        }
        Refusal::TopicNameInvalid => "a topic name that is too long, too deep, or the broker's own",
        Refusal::TopicFilterInvalid => "a topic filter that is too long or too deep",
        Refusal::QuotaExceeded => "a bound is reached: a full queue, the store, or memory; the log names it",
        Refusal::ConnectionRateExceeded => "it connects too often (auth.flapping_connects_max)",
        Refusal::PacketTooLarge => "its answer does not fit the client's Maximum Packet Size",
        Refusal::ServerUnavailable => "the broker has no room for it at this time, or its store does not work",
        Refusal::Unspecified => "refused by the policy without a reason",
    }
}

/// Why a message does not reach a client.
pub(crate) const fn dropped(reason: Drop) -> &'static str {
    match reason {
        Drop::Away => "QoS 0 while the client is away",
        Drop::Slow => "QoS 0: the client does not read fast enough (session.out_buffer_bytes_max)",
        Drop::QueueFull => "its queue is full (session.queue_messages_max, session.queue_bytes_max)",
        Drop::TooLarge => "larger than the client's Maximum Packet Size",
        Drop::Expired => "its Message Expiry Interval was over",
        Drop::SessionEnded => "its session ended",
        Drop::NoMember => "no member of the shared group could take it",
        Drop::Forbidden => "its rights or the policy forbid the delivery",
        Drop::Memory => "memory is short (overload.memory_connect_percent)",
    }
}

/// What those who listen are told of a decision: its kind, and words for it.
pub(crate) fn told(note: &Note) -> (&'static str, impl FnOnce() -> String) {
    let kind = match &note.decision {
        Decision::Refused(..) => "denied",
        Decision::Dropped(_) => "dropped",
        Decision::Limited(_) => "limit",
        Decision::Subscribed(_) => "subscribed",
        Decision::Unsubscribed(_) => "unsubscribed",
        Decision::SessionCreated => "session_created",
        Decision::SessionEnded => "session_ended",
    };
    (kind, move || match &note.decision {
        Decision::Subscribed(filters) => {
            let filters: Vec<String> = filters
                .iter()
                .map(|(filter, qos)| format!("{} q{}", &**filter, *qos as u8))
                .collect();
            filters.join(", ")
        }
        Decision::Unsubscribed(filters) => {
            let filters: Vec<&str> = filters.iter().map(|filter| &**filter).collect();
            filters.join(", ")
        }
        Decision::SessionCreated => "its session begins".to_owned(),
        Decision::SessionEnded => "its session has ended".to_owned(),
        decision @ (Decision::Refused(..) | Decision::Dropped(_) | Decision::Limited(_)) => {
            let words = decided(decision).map_or("", |(_, words)| words);
            match note.times {
                1 => words.to_owned(),
                times => format!("{words} ({times} times)"),
            }
        }
    })
}
