//! The steps of the broker's own PUBLISH at QoS 1 and 2, inside Running.

/// What the broker, as sender, waits for.
///
/// ```text
///                 PUBACK in, or PUBREC in with an error
///   +--------------------------------------------------> Done
///   |                                                     ^
///  AwaitPuback (QoS 1)                                    | PUBCOMP in
///  AwaitPubrec (QoS 2) ---------------------------> AwaitPubcomp --+
///                       PUBREC in: PUBREL out         ^            | PUBREC in again: PUBREL out
///                                                     +------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverStep {
    /// A QoS 1 PUBLISH is out.
    AwaitPuback,
    /// A QoS 2 PUBLISH is out.
    AwaitPubrec,
    /// The PUBREL is out; the PUBLISH is never sent again ([MQTT-4.3.3-6] in 5.0).
    AwaitPubcomp,
    /// The packet id is free.
    Done,
}

/// What the client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliverEvent {
    /// PUBACK with any reason.
    Puback,
    /// PUBREC with a reason below 0x80.
    Pubrec,
    /// PUBREC with a reason of 0x80 or above.
    PubrecError,
    /// PUBCOMP with any reason.
    Pubcomp,
}

impl DeliverStep {
    /// All steps.
    pub const ALL: [Self; 4] = [Self::AwaitPuback, Self::AwaitPubrec, Self::AwaitPubcomp, Self::Done];

    /// The step after `event`; `None` where the packet does not fit this conversation.
    #[must_use]
    pub const fn next(self, event: DeliverEvent) -> Option<Self> {
        match (self, event) {
            (Self::AwaitPuback, DeliverEvent::Puback)
            | (Self::AwaitPubrec, DeliverEvent::PubrecError)
            | (Self::AwaitPubcomp, DeliverEvent::Pubcomp | DeliverEvent::PubrecError) => Some(Self::Done),
            (Self::AwaitPubrec | Self::AwaitPubcomp, DeliverEvent::Pubrec) => Some(Self::AwaitPubcomp),
            (Self::AwaitPuback, DeliverEvent::Pubrec | DeliverEvent::PubrecError | DeliverEvent::Pubcomp)
            | (Self::AwaitPubrec, DeliverEvent::Puback | DeliverEvent::Pubcomp)
            | (Self::AwaitPubcomp, DeliverEvent::Puback)
            | (
                Self::Done,
                DeliverEvent::Puback | DeliverEvent::Pubrec | DeliverEvent::PubrecError | DeliverEvent::Pubcomp,
            ) => None,
        }
    }
}

impl DeliverEvent {
    /// All events.
    pub const ALL: [Self; 4] = [Self::Puback, Self::Pubrec, Self::PubrecError, Self::Pubcomp];
}
