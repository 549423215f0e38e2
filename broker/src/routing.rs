//! Requests to the routing table's single writer, and what it answers.

use mqtt_codec::{PacketId, TopicFilter};

use crate::key::SessionKey;
use crate::line::ConnectionKey;
use crate::router::{Router, SubscribeRefusal, SubscriptionOptions};

/// What a line asks the router to change.
#[derive(Debug)]
pub struct RouteRequest {
    /// Whose subscriptions.
    pub session: SessionKey,
    /// How.
    pub change: RouteChange,
}

/// A change of one session's subscriptions.
#[derive(Debug)]
pub enum RouteChange {
    /// Add or replace; answered.
    Subscribe(Ticket, Vec<(TopicFilter, SubscriptionOptions)>),
    /// Remove; answered.
    Unsubscribe(Ticket, Vec<TopicFilter>),
    /// Add those of a session that the store has kept; not answered.
    Restore(Vec<(TopicFilter, SubscriptionOptions)>),
    /// Remove those that a change of rights took; not answered.
    Revoke(Vec<TopicFilter>),
    /// Remove all of a session that ended; not answered.
    RemoveSession,
}

/// What an answer is matched by: the connection that asked and its packet id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The connection that waits.
    pub connection: ConnectionKey,
    /// The packet that it waits with.
    pub packet_id: PacketId,
}

/// The router's answer. When it leaves, the change is in force for every line.
#[derive(Debug)]
pub struct RouteReply {
    /// Whose answer.
    pub ticket: Ticket,
    /// One for each filter of the request, in its order.
    pub outcomes: RouteOutcomes,
}

/// What became of each filter.
#[derive(Debug)]
pub enum RouteOutcomes {
    /// Whether the same subscription existed before, or why there is none.
    Subscribed(Vec<Result<bool, SubscribeRefusal>>),
    /// Whether there was such a subscription.
    Unsubscribed(Vec<bool>),
}

/// Carries a request out.
pub fn carry_out(router: &mut Router, request: RouteRequest) -> Option<RouteReply> {
    let session = request.session;
    let (ticket, outcomes) = match request.change {
        RouteChange::Subscribe(ticket, filters) => {
            let outcomes = filters
                .iter()
                .map(|(filter, options)| router.subscribe(session, filter, *options))
                .collect();
            (ticket, RouteOutcomes::Subscribed(outcomes))
        }
        RouteChange::Unsubscribe(ticket, filters) => {
            let outcomes = filters
                .iter()
                .map(|filter| router.unsubscribe(session, filter))
                .collect();
            (ticket, RouteOutcomes::Unsubscribed(outcomes))
        }
        RouteChange::Restore(filters) => {
            for (filter, options) in &filters {
                // It was granted before; a bound that has come down since takes what it takes.
                let _refused = router.subscribe(session, filter, *options);
            }
            return None;
        }
        RouteChange::Revoke(filters) => {
            for filter in &filters {
                router.unsubscribe(session, filter);
            }
            return None;
        }
        RouteChange::RemoveSession => {
            router.remove_session(session);
            return None;
        }
    };
    Some(RouteReply { ticket, outcomes })
}
