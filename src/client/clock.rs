//! The client's clock.

use std::time::Instant;

/// The time, for deadlines.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the client's one clock; the lines of the broker have their own"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
