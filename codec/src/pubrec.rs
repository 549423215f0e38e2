//! PUBREC.

crate::ack::acknowledgement! {
    /// Takes over a QoS 2 message, or refuses it: the first answer of three.
    Pubrec, PubrecReason, PUBREC_REASON
}
