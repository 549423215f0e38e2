//! What happens, told live to those who listen. Nobody listens most of the time, and then it costs one look at a number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::Clock;

/// Events that a listener may be behind before it misses the oldest.
const BACKLOG: usize = 4096;
/// Listeners at once.
const LISTENERS_MAX: usize = 64;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at_millis: u64,
    /// One of [`Event::KINDS`].
    pub kind: &'static str,
    /// The client that it is about, if it is about one.
    pub client_id: Option<String>,
    /// Where the client came from, if that is known.
    pub peer: Option<String>,
    /// What happened, in one line.
    pub text: String,
}

impl Event {
    /// All kinds.
    pub const KINDS: [&'static str; 15] = [
        "connected",
        "refused",
        "disconnected",
        "subscribed",
        "unsubscribed",
        "session_created",
        "session_ended",
        "denied",
        "dropped",
        "limit",
        "listener",
        "reload",
        "drain",
        "memory",
        "store",
    ];
}

/// Where events are told.
#[derive(Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<Arc<Event>>,
    listeners: AtomicUsize,
    clock: Clock,
}

impl Events {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            sender: broadcast::Sender::new(BACKLOG),
            listeners: AtomicUsize::new(0),
            clock,
        })
    }

    /// Whether somebody listens.
    pub(crate) fn are_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Tells of a client, if somebody listens. `about` is its identifier, and where it came from, or nothing.
    pub(crate) fn tell_of(&self, kind: &'static str, about: (&str, &str), text: impl FnOnce() -> String) {
        if self.are_heard() {
            let (client_id, peer) = about;
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            self.send(kind, (some(client_id), some(peer)), text());
        }
    }

    /// Tells of the broker itself, if somebody listens.
    pub(crate) fn tell(&self, kind: &'static str, text: impl FnOnce() -> String) {
        if self.are_heard() {
            self.send(kind, (None, None), text());
        }
    }

    fn send(&self, kind: &'static str, (client_id, peer): (Option<String>, Option<String>), text: String) {
        let event = Event {
            at_millis: self.clock.now().0,
            kind,
            client_id,
            peer,
            text,
        };
        // The last listener may just have gone.
        let _ = self.sender.send(Arc::new(event));
    }

    /// Listens from here on. `None`: as many listen as may.
    pub(crate) fn listen(self: &Arc<Self>) -> Option<Listening> {
        let receiver = self.sender.subscribe();
        let taken = self
            .listeners
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| {
                (count < LISTENERS_MAX).then_some(count + 1)
            });
        taken.ok().map(|_| Listening {
            receiver,
            events: Arc::clone(self),
        })
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Listening {
    receiver: broadcast::Receiver<Arc<Event>>,
    events: Arc<Events>,
}

impl Listening {
    /// The next event, or how many were missed because this was not called in time. `None`: there will be no more.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, u64>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.events.listeners.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use broker::message::Millis;

    use super::*;

    fn events() -> Arc<Events> {
        Events::new(Clock::start(Millis(0)))
    }

    #[actix_rt::test]
    async fn nothing_is_made_while_nobody_listens() {
        let events = events();
        events.tell("reload", || unreachable!("nobody listens"));
        let mut listening = events.listen().expect("room");
        events.tell_of("connected", ("a", ""), || "in".to_owned());
        let event = listening.next().await.expect("open").expect("not missed");
        assert_eq!(
            (event.kind, event.client_id.as_deref(), &event.peer),
            ("connected", Some("a"), &None)
        );
        drop(listening);
        events.tell("reload", || unreachable!("nobody listens any more"));
    }

    #[actix_rt::test]
    async fn a_slow_listener_is_told_what_it_missed() {
        let events = events();
        let mut listening = events.listen().expect("room");
        for _ in 0..BACKLOG + 10 {
            events.tell("limit", String::new);
        }
        assert_eq!(listening.next().await, Some(Err(10)));
        assert!(matches!(listening.next().await, Some(Ok(_))));
    }

    #[test]
    fn listeners_have_a_bound() {
        let events = events();
        let all: Vec<_> = (0..LISTENERS_MAX).map_while(|_| events.listen()).collect();
        assert_eq!(all.len(), LISTENERS_MAX);
        assert!(events.listen().is_none());
        drop(all);
        assert!(events.listen().is_some());
    }
}
