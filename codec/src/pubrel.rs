//! PUBREL.

crate::ack::acknowledgement! {
    /// Lets go of the identifier of a QoS 2 message: the sender's answer to PUBREC.
    Pubrel, PubrelReason, PUBREL_REASON
}
