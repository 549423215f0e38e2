//! How much memory the process has left, as far as the brain has to know.

/// How much memory there is for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Memory {
    /// Enough.
    #[default]
    Ample,
    /// What waits for absent clients and what is retained does not grow: QoS 1 and 2 for them is refused (0x97 in 5.0).
    Tight,
    /// Also, who has no session here is not let in (0x97; 0x03 in 3.x), and QoS 0 is dropped.
    Scarce,
}

impl Memory {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ample, Self::Tight, Self::Scarce];

    /// Its name in `$SYS` and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ample => "ample",
            Self::Tight => "tight",
            Self::Scarce => "scarce",
        }
    }
}

/// From how many bytes on memory is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Above these it is tight.
    pub tight_bytes: u64,
    /// Above these it is scarce.
    pub scarce_bytes: u64,
}

impl Marks {
    /// What a mark has to be left behind by, in percent of it, so that memory around it does not change its name all
    /// the time.
    const SLACK_PERCENT: u64 = 5;

    /// What `used_bytes` are, with what they were before.
    #[must_use]
    pub fn judge(self, before: Memory, used_bytes: u64) -> Memory {
        let is_above = |mark: u64, memory: Memory| {
            let slack = if before >= memory {
                mark / 100 * Self::SLACK_PERCENT
            } else {
                0
            };
            used_bytes > mark.saturating_sub(slack)
        };
        if is_above(self.scarce_bytes, Memory::Scarce) {
            Memory::Scarce
        } else if is_above(self.tight_bytes, Memory::Tight) {
            Memory::Tight
        } else {
            Memory::Ample
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_at_once_and_left_with_slack() {
        let marks = Marks {
            tight_bytes: 700,
            scarce_bytes: 900,
        };
        let mut memory = Memory::Ample;
        let mut judged = Vec::new();
        for used in [700, 701, 690, 666, 665, 699, 901, 899, 856, 855, 0] {
            memory = marks.judge(memory, used);
            judged.push(memory);
        }
        use Memory::{Ample, Scarce, Tight};
        let expected = [
            Ample, Tight, Tight, Tight, Ample, Ample, Scarce, Scarce, Scarce, Tight, Ample,
        ];
        assert_eq!(judged, expected);
    }
}
