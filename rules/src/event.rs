//! What the rules are asked about.

use std::net::IpAddr;

use broker::exchange::Kind;
use mqtt_codec::{PublishProperties, QoS};

/// One request of one client, as the rules see it. Everything is borrowed from the packet and the client's session.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// What is asked.
    pub kind: Kind,
    /// The client on the conversation's other end.
    pub client_id: &'a str,
    /// The protocol level of its CONNECT: 3 (3.1), 4 (3.1.1) or 5; 0 if that is not known any more.
    pub version: u8,
    /// Who it is; empty for one without a name.
    pub user: &'a str,
    /// The groups that it belongs to.
    pub groups: &'a [Box<str>],
    /// The name of the listener that it came through.
    pub listener: &'a str,
    /// Where it comes from; `None` over a Unix socket.
    pub address: Option<IpAddr>,
    /// The topic; of SUBSCRIBE and UNSUBSCRIBE one filter, so that a packet is judged once for each;
    /// rules see what stands behind a share name. Empty for CONNECT.
    pub topic: &'a str,
    /// Of the message, or asked for by the subscription.
    pub qos: QoS,
    /// Whether the message is to be retained.
    pub retain: bool,
    /// Of the message.
    pub payload: &'a [u8],
    /// Of the message (5.0).
    pub properties: Option<&'a PublishProperties>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

impl<'a> Event<'a> {
    /// An event with nothing but its kind and client: no user, no topic, no payload, at time 0 and by 5.0.
    #[must_use]
    pub const fn new(kind: Kind, client_id: &'a str) -> Self {
        Self {
            kind,
            client_id,
            version: 5,
            user: "",
            groups: &[],
            listener: "",
            address: None,
            topic: "",
            qos: QoS::AtMostOnce,
            retain: false,
            payload: &[],
            properties: None,
            now_ms: 0,
        }
    }
}

/// What rules may be about, and the words for it in `on` and in the variable `packet`.
pub(crate) const KINDS: [(&str, Kind); 6] = [
    ("connect", Kind::Connect),
    ("publish", Kind::Publish),
    ("deliver", Kind::Deliver),
    ("subscribe", Kind::Subscribe),
    ("unsubscribe", Kind::Unsubscribe),
    ("will", Kind::Will),
];

/// The word for a kind. PINGREQ, which is not judged, has one as well.
pub(crate) fn word_of_kind(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(_, known)| *known == kind)
        .map_or("ping", |(word, _)| word)
}
