//! How large payloads are.

use std::fmt;
use std::str::FromStr;

use super::plan::Unreadable;

/// The bytes of a message's mark, without which it could not be accounted for.
pub(crate) const MARK_BYTES: u32 = 16;
/// No generated payload is larger.
const BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The sizes of a run's payloads in bytes, 16 at least: the mark that identifies a message takes as many.
///
/// Written `64`, `16-1024` for all sizes alike, or `64:80,1024:15,16384:5` for sizes with weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadSize {
    /// Every payload has this size.
    Fixed(u32),
    /// All sizes between two bounds, both included, are as frequent.
    Uniform {
        /// The smallest size.
        min: u32,
        /// The largest size.
        max: u32,
    },
    /// Sizes and how frequent each is in proportion to the others.
    Weighted(Vec<(u32, u32)>),
}

impl PayloadSize {
    /// The mean size in bytes.
    #[must_use]
    pub fn mean_bytes(&self) -> f64 {
        match self {
            Self::Fixed(bytes) => f64::from(*bytes),
            Self::Uniform { min, max } => (f64::from(*min) + f64::from(*max)) / 2.0,
            Self::Weighted(sizes) => {
                let total: f64 = sizes.iter().map(|(_, weight)| f64::from(*weight)).sum();
                let bytes = |(bytes, weight): &(u32, u32)| f64::from(*bytes) * f64::from(*weight) / total;
                sizes.iter().map(bytes).sum()
            }
        }
    }

    /// The largest size in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> u32 {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Uniform { max, .. } => *max,
            Self::Weighted(sizes) => sizes.iter().map(|(bytes, _)| *bytes).max().unwrap_or(MARK_BYTES),
        }
    }

    /// Whether every size can be sent; says what is wrong with the first that cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (least, most) = match self {
            Self::Fixed(bytes) => (*bytes, *bytes),
            Self::Uniform { min, max } if min > max => return Err(format!("payload {self}: {min} exceeds {max}")),
            Self::Uniform { min, max } => (*min, *max),
            Self::Weighted(sizes) => {
                if sizes.iter().all(|(_, weight)| *weight == 0) {
                    return Err(format!("payload \"{self}\" has no size with a weight"));
                }
                let least = sizes.iter().map(|(bytes, _)| *bytes).min().unwrap_or(0);
                (least, self.max_bytes())
            }
        };
        if least < MARK_BYTES {
            return Err(format!(
                "a payload of {least} bytes is smaller than the {MARK_BYTES} bytes of its mark"
            ));
        }
        if most > BYTES_MAX {
            return Err(format!("a payload of {most} bytes exceeds {BYTES_MAX}"));
        }
        Ok(())
    }
}

impl FromStr for PayloadSize {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let wrong = || {
            Unreadable::new(
                "payload size",
                text,
                "64, 16-1024 or 64:80,1024:15,16384:5 (bytes:weight)",
            )
        };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let size = if text.contains(':') {
            let sizes = text.split(',').map(|part| {
                let (bytes, weight) = part.split_once(':').ok_or_else(wrong)?;
                Ok((number(bytes)?, number(weight)?))
            });
            Self::Weighted(sizes.collect::<Result<_, Unreadable>>()?)
        } else if let Some((min, max)) = text.split_once('-') {
            Self::Uniform {
                min: number(min)?,
                max: number(max)?,
            }
        } else {
            Self::Fixed(number(text)?)
        };
        size.check()
            .map_err(|problem| Unreadable::because("payload size", text, problem))?;
        Ok(size)
    }
}

impl fmt::Display for PayloadSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(bytes) => write!(formatter, "{bytes}"),
            Self::Uniform { min, max } => write!(formatter, "{min}-{max}"),
            Self::Weighted(sizes) => sizes.iter().enumerate().try_for_each(|(place, (bytes, weight))| {
                let comma = if place == 0 { "" } else { "," };
                write!(formatter, "{comma}{bytes}:{weight}")
            }),
        }
    }
}

/// Draws one size after the other; the same seed draws the same sizes.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    size: PayloadSize,
    total_weight: u64,
    state: u64,
}

impl Sizes {
    pub(crate) fn new(size: &PayloadSize, seed: u64) -> Self {
        let total_weight = match size {
            PayloadSize::Weighted(sizes) => sizes.iter().map(|(_, weight)| u64::from(*weight)).sum(),
            PayloadSize::Fixed(_) | PayloadSize::Uniform { .. } => 1,
        };
        Self {
            size: size.clone(),
            total_weight,
            state: seed,
        }
    }

    /// The size of the next payload in bytes.
    pub(crate) fn draw(&mut self) -> u32 {
        if let PayloadSize::Fixed(bytes) = self.size {
            return bytes;
        }
        let draw = self.random();
        match &self.size {
            PayloadSize::Fixed(bytes) => *bytes,
            PayloadSize::Uniform { min, max } => {
                let span = u64::from(max.saturating_sub(*min)) + 1;
                min.saturating_add(u32::try_from(draw % span).unwrap_or(0))
            }
            PayloadSize::Weighted(sizes) => {
                let mut rest = draw % self.total_weight.max(1);
                for (bytes, weight) in sizes {
                    if rest < u64::from(*weight) {
                        return *bytes;
                    }
                    rest -= u64::from(*weight);
                }
                MARK_BYTES
            }
        }
    }

    /// One step of splitmix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
