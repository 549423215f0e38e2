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
    /// Remove those that a change of rights or an operator took; nobody waits for the answer.
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

/// The router's answer. When it leaves, the change is in force for every line. It tells the change again, so that the
/// store hears of it also where the connection that asked has ended since.
#[derive(Debug)]
pub struct RouteReply {
    /// Whose subscriptions.
    pub session: SessionKey,
    /// Who waits for it, if anybody.
    pub ticket: Option<Ticket>,
    /// One for each filter of the request, in its order.
    pub outcomes: RouteOutcomes,
}

/// What became of each filter.
#[derive(Debug)]
pub enum RouteOutcomes {
    /// What was asked for; and whether the same subscription existed before, or why there is none.
    Subscribed(
        Vec<(TopicFilter, SubscriptionOptions)>,
        Vec<Result<bool, SubscribeRefusal>>,
    ),
    /// What was taken back, and whether there was such a subscription.
    Unsubscribed(Vec<TopicFilter>, Vec<bool>),
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
            (Some(ticket), RouteOutcomes::Subscribed(filters, outcomes))
        }
        RouteChange::Unsubscribe(ticket, filters) => (Some(ticket), unsubscribe(router, session, filters)),
        RouteChange::Revoke(filters) => (None, unsubscribe(router, session, filters)),
        RouteChange::Restore(filters) => {
            for (filter, options) in &filters {
                // It was granted before; a bound that has come down since takes what it takes.
                let _refused = router.subscribe(session, filter, *options);
            }
            return None;
        }
        RouteChange::RemoveSession => {
            router.remove_session(session);
            return None;
        }
    };
    Some(RouteReply {
        session,
        ticket,
        outcomes,
    })
}

fn unsubscribe(router: &mut Router, session: SessionKey, filters: Vec<TopicFilter>) -> RouteOutcomes {
    let existed = filters
        .iter()
        .map(|filter| router.unsubscribe(session, filter))
        .collect();
    RouteOutcomes::Unsubscribed(filters, existed)
}
