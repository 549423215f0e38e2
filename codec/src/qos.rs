//! Quality of Service.

use std::fmt;

/// How hard both sides try to deliver a message; ordered, so that `min` gives what a subscriber gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// Sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// Acknowledged by PUBACK; may arrive twice.
    AtLeastOnce = 1,
    /// PUBREC, PUBREL and PUBCOMP make it arrive exactly once.
    ExactlyOnce = 2,
}

/// The number is not a QoS: only 0, 1 and 2 are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QoSOutOfRange(pub u8);

impl fmt::Display for QoSOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QoS {} does not exist: use 0, 1 or 2", self.0)
    }
}

impl std::error::Error for QoSOutOfRange {}

impl TryFrom<u8> for QoS {
    type Error = QoSOutOfRange;

    fn try_from(number: u8) -> Result<Self, QoSOutOfRange> {
        match number {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(QoSOutOfRange(number)),
        }
    }
}

impl From<QoS> for u8 {
    fn from(qos: QoS) -> Self {
        qos as Self
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", u8::from(*self))
    }
}
