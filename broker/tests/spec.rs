//! The standard, clause by clause, as stories in virtual time.

#![allow(unreachable_pub, reason = "the world is shared by several test binaries")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

mod spec {
    mod accounting;
    mod acks;
    mod alias;
    mod authenticate;
    mod changes;
    mod connect;
    mod disconnect;
    mod drain;
    mod durable;
    mod expiry;
    mod keep_alive;
    mod law;
    mod limits;
    mod memory;
    mod notes;
    mod overseer;
    mod publish;
    mod qos;
    mod rates;
    mod refusal;
    mod reload;
    mod resend;
    mod retained;
    mod rights;
    mod session;
    mod shared;
    mod subscribe;
    mod survey;
    mod takeover;
    mod topics;
    mod traces;
    mod turns;
    mod unsubscribe;
    mod will;
    mod will_delay;
    mod window;
}
mod world;
