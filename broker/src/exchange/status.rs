//! The life of an exchange as one table.

/// Where an exchange stands.
///
/// ```text
///             start            finish
///  Created ---------> Running ---------> Finished   positive acknowledgement
///     |              ^  |  |
///     |       resume |  |  |  stop
///     |              |  |  +-----------> Stopped    negative acknowledgement with its reason
///     |              |  v block             ^
///     |            Blocked -----------------+ stop
///     |               |
///     +---------------+----------------> Canceled   no acknowledgement
///          cancel     (also from Running)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Opened by a request packet that nobody has judged.
    Created,
    /// Allowed to proceed; its protocol steps happen here.
    Running,
    /// Held: it waits for a time or an answer and keeps its place.
    Blocked,
    /// Ended with a negative acknowledgement.
    Stopped,
    /// Ended without an acknowledgement.
    Canceled,
    /// Ended with a positive acknowledgement.
    Finished,
}

/// What can happen to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The request is taken up.
    Start,
    /// The overseer or a pending answer holds it.
    Block,
    /// The hold is over; the overseer is asked again.
    Resume,
    /// It is refused aloud.
    Stop,
    /// It is refused in silence, or its connection is gone.
    Cancel,
    /// It reached its last acknowledgement.
    Finish,
}

impl Status {
    /// All states, in the order of the table.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Running,
        Self::Blocked,
        Self::Stopped,
        Self::Canceled,
        Self::Finished,
    ];

    /// The state after `event`, or `None` where the event is illegal in this state.
    #[must_use]
    pub const fn next(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Created, Event::Start) | (Self::Blocked, Event::Resume) => Some(Self::Running),
            (Self::Running, Event::Block) => Some(Self::Blocked),
            (Self::Running, Event::Finish) => Some(Self::Finished),
            (Self::Running | Self::Blocked, Event::Stop) => Some(Self::Stopped),
            (Self::Created | Self::Running | Self::Blocked, Event::Cancel) => Some(Self::Canceled),
            (Self::Created, Event::Block | Event::Resume | Event::Stop | Event::Finish)
            | (Self::Running, Event::Start | Event::Resume)
            | (Self::Blocked, Event::Start | Event::Block | Event::Finish)
            | (
                Self::Stopped | Self::Canceled | Self::Finished,
                Event::Start | Event::Block | Event::Resume | Event::Stop | Event::Cancel | Event::Finish,
            ) => None,
        }
    }

    /// Whether nothing more can happen.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Stopped | Self::Canceled | Self::Finished)
    }
}

impl Event {
    /// All events, in the order of the table.
    pub const ALL: [Self; 6] = [
        Self::Start,
        Self::Block,
        Self::Resume,
        Self::Stop,
        Self::Cancel,
        Self::Finish,
    ];
}
