//! Random histories in virtual time: what the broker promised is kept, whatever happens to the connections.

#![allow(unreachable_pub, reason = "the world is shared by several test binaries")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

mod sim {
    mod crashes;
    mod crowds;
    mod device;
    mod dice;
    mod flows;
    mod history;
    mod ledger;
    mod lives;
    mod moody;
}
mod world;
