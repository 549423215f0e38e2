//! PUBACK.

crate::ack::acknowledgement! {
    /// Takes over a QoS 1 message, or refuses it.
    Puback, PubackReason, PUBACK_REASON
}
