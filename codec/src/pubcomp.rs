//! PUBCOMP.

crate::ack::acknowledgement! {
    /// Ends the exchange of a QoS 2 message: the answer to PUBREL.
    Pubcomp, PubcompReason, PUBCOMP_REASON
}
