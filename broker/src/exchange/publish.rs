//! The steps of a client's QoS 2 PUBLISH, inside Running.

/// What the broker, as receiver, waits for.
///
/// ```text
///   PUBLISH in            PUBREL in
///  ------------> AwaitPubrel ------------> done
///   PUBREC out    |      ^    PUBCOMP out
///                 +------+
///            PUBLISH in again: PUBREC out, not routed a second time
/// ```
///
/// The message is passed on when the PUBLISH arrives (method A of section 4.3.3 in 5.0), so the only thing to remember
/// is the packet id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// The PUBREC is out.
    AwaitPubrel,
    /// The PUBCOMP is out; the packet id is free.
    Done,
}

/// What the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishEvent {
    /// PUBLISH with this packet id.
    Publish,
    /// PUBREL with this packet id.
    Pubrel,
}

impl PublishStep {
    /// All steps.
    pub const ALL: [Self; 2] = [Self::AwaitPubrel, Self::Done];

    /// The step after `event`; `None` where the packet belongs to no open conversation.
    #[must_use]
    pub const fn next(self, event: PublishEvent) -> Option<Self> {
        match (self, event) {
            // Done + PUBLISH: a new message under a free id, [MQTT-4.3.3-12] in 5.0.
            (Self::AwaitPubrel | Self::Done, PublishEvent::Publish) => Some(Self::AwaitPubrel),
            (Self::AwaitPubrel, PublishEvent::Pubrel) => Some(Self::Done),
            (Self::Done, PublishEvent::Pubrel) => None,
        }
    }
}

impl PublishEvent {
    /// All events.
    pub const ALL: [Self; 2] = [Self::Publish, Self::Pubrel];
}
