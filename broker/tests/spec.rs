//! The standard, clause by clause, as stories in virtual time.

#![allow(unreachable_pub, reason = "the world is shared by several test binaries")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

mod spec {
    mod alias;
    mod publish;
    mod qos;
    mod retained;
    mod subscribe;
    mod window;
}
mod world;
