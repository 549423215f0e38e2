//! The steps of a client that authenticates again on its connection: section 4.12.1 of 5.0.

/// Whose word is awaited.
///
/// ```text
///            AUTH 0x19 in                   AUTH 0x18 out
///  Settled ---------------> AwaitVerdict ----------------> AwaitClient
///     ^                      |        ^                         |
///     +----------------------+        +-------------------------+
///       AUTH 0x00 out                        AUTH 0x18 in
/// ```
///
/// So there is one authentication at a time. What fails ends the connection ([MQTT-4.12.1-2] in 5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticateStep {
    /// Nothing is under way.
    Settled,
    /// Whoever knows users is asked.
    AwaitVerdict,
    /// The client is asked for more.
    AwaitClient,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticateEvent {
    /// AUTH 0x19 from the client.
    Begin,
    /// AUTH 0x18 from the client.
    Continue,
    /// The verdict: not enough yet.
    More,
    /// The verdict: proven.
    Proven,
}

impl AuthenticateStep {
    /// All steps.
    pub const ALL: [Self; 3] = [Self::Settled, Self::AwaitVerdict, Self::AwaitClient];

    /// The step after `event`; `None` where it is out of turn.
    #[must_use]
    pub const fn next(self, event: AuthenticateEvent) -> Option<Self> {
        use AuthenticateEvent::{Begin, Continue, More, Proven};
        match (self, event) {
            (Self::Settled, Begin) | (Self::AwaitClient, Continue) => Some(Self::AwaitVerdict),
            (Self::AwaitVerdict, More) => Some(Self::AwaitClient),
            (Self::AwaitVerdict, Proven) => Some(Self::Settled),
            (Self::Settled, Continue | More | Proven)
            | (Self::AwaitVerdict, Begin | Continue)
            | (Self::AwaitClient, Begin | More | Proven) => None,
        }
    }
}

impl AuthenticateEvent {
    /// All events.
    pub const ALL: [Self; 4] = [Self::Begin, Self::Continue, Self::More, Self::Proven];
}
