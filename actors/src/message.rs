//! What the actors say to each other. Each message says who sends it, who answers, and what happens if the box is full.

use actix::Message;
use broker::acl::Rights;
use broker::counters::Counters;
use broker::durable::{SessionImage, WillImage};
use broker::effect::Forward;
use broker::line::{Elsewhere, Peer, Slice};
use broker::message::Millis;
use broker::router::SubscriptionOptions;
use broker::routing::{RouteReply, RouteRequest};
use bytes::BytesMut;
use mqtt_codec::{TopicFilter, TopicName};

use crate::listener::Permit;
use crate::transport::channel::Parked;

/// From a line to another: everything that one turn has for it. A full box is tried again with the next turn, and the
/// sending line reads no more from its clients meanwhile.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver {
    pub(crate) forwards: Vec<Forward>,
    /// What they count for in the account between the lines.
    pub(crate) cost: usize,
}

/// From a line to the router: the changes of one turn. A full box is tried again with the next turn.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Reroute {
    /// The line that gets the replies.
    pub(crate) line: u16,
    pub(crate) requests: Vec<RouteRequest>,
}

/// From the router to the line that asked. The router waits for room in the box.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Rerouted {
    pub(crate) replies: Vec<RouteReply>,
}

/// From the line that accepted connections in one turn to their clients' home line. With a full box they are closed: the
/// clients try again, and the line that could not keep up is spared.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Adopt {
    pub(crate) arrivals: Vec<Arrival>,
}

/// From the daemon to a line, at the start: the rights.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Entitle(pub(crate) Rights);

/// A connection that no event queue knows.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) channel: Parked,
    pub(crate) peer: Peer,
    /// What was read so far.
    pub(crate) read: BytesMut,
    pub(crate) permit: Permit,
    /// Whether MQTT is the next that it speaks: what the listener wants before is done.
    pub(crate) is_established: bool,
}

/// From the daemon at the start to a line: sessions that the store has kept. Answered with the changes that they mean
/// for the router.
#[derive(Debug, Message)]
#[rtype(result = "Vec<RouteRequest>")]
pub(crate) struct Restore {
    pub(crate) sessions: Vec<(SessionImage, Vec<(TopicFilter, SubscriptionOptions)>)>,
}

/// From the daemon at the start to a line: a will whose client was connected when the broker ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Execute(pub(crate) Box<WillImage>);

/// From the daemon to a line at the start, when all have their sessions: do what came due while the broker was away.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CatchUp;

/// From the daemon to a line that stops: up to which batch is there something for the store at this moment?
#[derive(Debug, Message)]
#[rtype(result = "u64")]
pub(crate) struct MarkStore;

/// From the daemon to a line that stops: does anything up to this batch wait for the store?
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(crate) struct AwaitsStore(pub(crate) u64);

/// From the daemon to a line: what have you counted?
#[derive(Debug, Message)]
#[rtype(result = "Counters")]
pub(crate) struct Count;

/// From the daemon to one line: publish these states of the broker.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct PublishState {
    pub(crate) states: Vec<(TopicName, String)>,
}

/// The steps of a stop, from the daemon to each line, each answered when done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub(crate) enum Drain {
    /// Accept nobody any more.
    Close,
    /// Send away who is connected and has not been admitted.
    Bar,
    /// Publish the wills of those who are connected.
    Wills,
    /// Say goodbye to all clients.
    Goodbye,
}

/// From the daemon to a line, when the operator drains the broker: send these to another server. Answered with how far it
/// came; the daemon asks again.
#[derive(Debug, Message)]
#[rtype(result = "Slice")]
pub(crate) struct SendAway {
    pub(crate) to: Elsewhere,
    /// The slot to begin with.
    pub(crate) from: u32,
    /// Connections at most.
    pub(crate) max: usize,
}

/// From the daemon to a line before another binary takes over: end connections, beginning with this slot. Answered with
/// how far it came; the daemon asks again.
#[derive(Debug, Message)]
#[rtype(result = "Slice")]
pub(crate) struct Suspend(pub(crate) u32);

/// From the daemon to a line at the start, before it gets what the store holds: wills wait until then for their clients.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct AwaitReturn(pub(crate) Millis);

/// From the daemon to a line: how many conversations are still being ended?
#[derive(Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct Lingering;
