//! The pauses of a walk over the sessions of a line.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::clock;

/// After so long without one, there is a pause.
const STRIDE: Duration = Duration::from_millis(2);
const PAUSE: Duration = Duration::from_millis(1);

/// Keeps slices of a walk from following each other without end. A line that always has a message waiting looks for what
/// its connections have sent only once in many turns: short slices alone do not let it serve its clients.
pub(crate) struct Stride {
    begun: Instant,
}

impl Stride {
    pub(crate) fn begin() -> Self {
        Self {
            begun: clock::instant(),
        }
    }

    /// To be called between two slices.
    pub(crate) async fn pause(&mut self) {
        if clock::since(self.begun) >= STRIDE {
            sleep(PAUSE).await;
            self.begun = clock::instant();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_leaves_time_to_others() {
        actix::System::new().block_on(async {
            let mut stride = Stride::begin();
            let begun = clock::instant();
            let mut pauses = 0_u32;
            while pauses < 3 {
                // A slice.
                std::thread::sleep(STRIDE / 2);
                let before = clock::instant();
                stride.pause().await;
                pauses += u32::from(clock::since(before) >= PAUSE);
                assert!(clock::since(begun) < Duration::from_secs(60), "no pauses");
            }
            assert!(clock::since(begun) >= (STRIDE + PAUSE) * 3);
        });
    }
}
