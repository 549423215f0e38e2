//! Who a client is: the chain of authenticators that a CONNECT has to pass.
//!
//! A [`Chain`] is asked once for each client that comes in, with everything that is known of it ([`Credentials`]), and
//! says who it is ([`Identity`]) or why it stays outside ([`Refusal`]). Its authenticators are asked in the order of the
//! settings; the first that knows the client decides, and one that cannot answer refuses: nothing here fails open.
//!
//! The crate knows nothing of MQTT packets, of actors or of rights. One chain serves all threads: what is read on every
//! CONNECT is swapped whole at a reload, and hashing has a bounded pool of its own, so that a flood of wrong passwords
//! does not take the processor from the clients that are in.

pub mod anonymous;
pub mod bans;
pub mod certificate;
mod chain;
mod credentials;
pub mod directory;
mod error;
pub mod flapping;
mod gate;
mod grants;
pub mod http;
mod identity;
pub mod jwt;
pub mod limits;
pub mod password;
mod recent;
mod said;
pub mod scram;
mod settings;
mod source;
pub mod web;

pub use chain::{Chain, Conversation, Guest, News, Prepared};
pub use credentials::{Certificate, Credentials};
pub use error::OpenError;
pub use identity::{Actions, Answer, Grant, Identity, Refusal};
pub use settings::{Authenticator, Hashing, Settings};

/// What one authenticator says.
#[derive(Debug)]
enum Verdict {
    Known(Identity),
    Refused(Refusal),
    /// Somebody else may know this client.
    NotMine,
}
