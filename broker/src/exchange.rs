//! One conversation between a client and the broker, from its request packet to its last acknowledgement.
//!
//! The phase of an exchange is part of its type, so that a wrong verb does not exist:
//!
//! ```
//! use broker::exchange::{Exchange, Kind};
//!
//! let ended = Exchange::open(Kind::Ping).start().finish();
//! assert_eq!(ended.kind(), Kind::Ping);
//! ```
//!
//! An exchange that nobody started cannot be acknowledged:
//!
//! ```compile_fail,E0599
//! use broker::exchange::{Exchange, Kind};
//! Exchange::open(Kind::Ping).finish();
//! ```
//!
//! One that has ended cannot go on:
//!
//! ```compile_fail,E0599
//! use broker::exchange::{Exchange, Kind, Refusal};
//! Exchange::open(Kind::Publish).start().stop(Refusal::NotAuthorized).resume();
//! ```
//!
//! A blocked one must be resumed, and so judged again, before it can finish:
//!
//! ```compile_fail,E0599
//! use broker::exchange::{Exchange, Kind};
//! Exchange::open(Kind::Publish).start().block().finish();
//! ```
//!
//! And each ends once, because every verb takes the exchange away:
//!
//! ```compile_fail,E0382
//! use broker::exchange::{Exchange, Kind};
//! let running = Exchange::open(Kind::Publish).start();
//! running.finish();
//! running.cancel();
//! ```

use std::marker::PhantomData;

pub use authenticate::{AuthenticateEvent, AuthenticateStep};
pub use deliver::{DeliverEvent, DeliverStep};
pub use overseer::{Ask, Changes, Open, Outgoing, Overseer, Request, Verdict};
pub use publish::{PublishEvent, PublishStep};
pub use refusal::Refusal;
pub use status::{Event, Status};

mod authenticate;
mod deliver;
mod overseer;
mod publish;
mod refusal;
mod status;
#[cfg(test)]
mod tests;

/// What an exchange is about: the packet that opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// CONNECT until CONNACK.
    Connect,
    /// A client's PUBLISH until the broker's last acknowledgement.
    Publish,
    /// The broker's PUBLISH until the client's last acknowledgement.
    Deliver,
    /// SUBSCRIBE until SUBACK.
    Subscribe,
    /// UNSUBSCRIBE until UNSUBACK.
    Unsubscribe,
    /// PINGREQ until PINGRESP.
    Ping,
    /// A will, from the loss of its client until it is published.
    Will,
}

impl Kind {
    /// All kinds, in the order of the counters.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Publish,
        Self::Deliver,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Ping,
        Self::Will,
    ];
}

/// The phases as types; [`Status`] has the same names as values.
pub mod phase {
    use super::Status;

    /// A phase that an exchange can be in.
    pub trait Phase {
        /// The same phase as a value.
        const STATUS: Status;
    }

    macro_rules! phases {
        ($($(#[$doc:meta])* $name:ident),*) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;
            impl Phase for $name {
                const STATUS: Status = Status::$name;
            }
        )*};
    }

    phases!(
        /// See [`Status::Created`].
        Created,
        /// See [`Status::Running`].
        Running,
        /// See [`Status::Blocked`].
        Blocked,
        /// See [`Status::Stopped`].
        Stopped,
        /// See [`Status::Canceled`].
        Canceled,
        /// See [`Status::Finished`].
        Finished
    );
}

use phase::{Blocked, Canceled, Created, Finished, Phase, Running, Stopped};

/// One exchange in phase `P`. Two bytes: the protocol's data stay with the conversation that they belong to.
#[derive(Debug)]
#[must_use = "every exchange that is started has to end"]
pub struct Exchange<P> {
    kind: Kind,
    refusal: Option<Refusal>,
    phase: PhantomData<P>,
}

/// Refuses at build time a verb that the table does not know.
const fn allowed(from: Status, event: Event, to: Status) -> bool {
    matches!(from.next(event), Some(next) if next as u8 == to as u8)
}

impl<P: Phase> Exchange<P> {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its phase as a value.
    #[must_use]
    pub const fn status(&self) -> Status {
        P::STATUS
    }

    /// Why it was stopped.
    #[must_use]
    pub const fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    const fn to<Q: Phase>(self, refusal: Option<Refusal>) -> Exchange<Q> {
        Exchange {
            kind: self.kind,
            refusal,
            phase: PhantomData,
        }
    }
}

impl Exchange<Created> {
    /// Opens an exchange for a request packet that has just been decoded.
    pub const fn open(kind: Kind) -> Self {
        Self {
            kind,
            refusal: None,
            phase: PhantomData,
        }
    }

    /// Takes the request up.
    pub const fn start(self) -> Exchange<Running> {
        const { assert!(allowed(Status::Created, Event::Start, Status::Running)) }
        self.to(None)
    }

    /// Gives it up unheard.
    pub const fn cancel(self) -> Exchange<Canceled> {
        const { assert!(allowed(Status::Created, Event::Cancel, Status::Canceled)) }
        self.to(None)
    }
}

impl Exchange<Running> {
    /// Holds it where it stands.
    pub const fn block(self) -> Exchange<Blocked> {
        const { assert!(allowed(Status::Running, Event::Block, Status::Blocked)) }
        self.to(None)
    }

    /// Ends it with the positive acknowledgement.
    pub const fn finish(self) -> Exchange<Finished> {
        const { assert!(allowed(Status::Running, Event::Finish, Status::Finished)) }
        self.to(None)
    }

    /// Ends it with a negative acknowledgement.
    pub const fn stop(self, refusal: Refusal) -> Exchange<Stopped> {
        const { assert!(allowed(Status::Running, Event::Stop, Status::Stopped)) }
        self.to(Some(refusal))
    }

    /// Ends it in silence.
    pub const fn cancel(self) -> Exchange<Canceled> {
        const { assert!(allowed(Status::Running, Event::Cancel, Status::Canceled)) }
        self.to(None)
    }
}

impl Exchange<Blocked> {
    /// Lets it go on; the overseer is asked again.
    pub const fn resume(self) -> Exchange<Running> {
        const { assert!(allowed(Status::Blocked, Event::Resume, Status::Running)) }
        self.to(None)
    }

    /// Ends it with a negative acknowledgement.
    pub const fn stop(self, refusal: Refusal) -> Exchange<Stopped> {
        const { assert!(allowed(Status::Blocked, Event::Stop, Status::Stopped)) }
        self.to(Some(refusal))
    }

    /// Ends it in silence.
    pub const fn cancel(self) -> Exchange<Canceled> {
        const { assert!(allowed(Status::Blocked, Event::Cancel, Status::Canceled)) }
        self.to(None)
    }
}

/// How an exchange ended: one of the three last states, as a value for overseers and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it was about.
    pub kind: Kind,
    /// Finished, Stopped or Canceled.
    pub status: Status,
    /// Why it was stopped.
    pub refusal: Option<Refusal>,
}

macro_rules! ended_from {
    ($($phase:ident),*) => {$(
        impl From<Exchange<$phase>> for Ended {
            fn from(exchange: Exchange<$phase>) -> Self {
                Self { kind: exchange.kind, status: $phase::STATUS, refusal: exchange.refusal }
            }
        }
    )*};
}

ended_from!(Finished, Stopped, Canceled);
