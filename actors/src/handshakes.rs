//! The TLS handshakes that are under way on one line, within a bound.
//!
//! A client ends its handshake within a few round trips; who only pretends to does not. So with the bound reached the
//! oldest gives way, and half-open handshakes in any number keep no client out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The listener and a number that grows: in this order the oldest of a listener is first.
type Key = (usize, u64);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    under_way: RefCell<BTreeMap<Key, Option<Waker>>>,
    begun: Cell<u64>,
}

impl Handshakes {
    /// Begins one; if the listener has `max` under way, its oldest gives way.
    pub(crate) fn begin(self: &Rc<Self>, listener: usize, max: usize) -> Handshake {
        self.begun.set(self.begun.get() + 1);
        let key = (listener, self.begun.get());
        let mut under_way = self.under_way.borrow_mut();
        let of_listener = || (listener, 0)..=(listener, u64::MAX);
        let oldest = (under_way.range(of_listener()).count() >= max)
            .then(|| under_way.range(of_listener()).next().map(|(key, _)| *key))
            .flatten();
        if let Some(Some(waker)) = oldest.and_then(|oldest| under_way.remove(&oldest)) {
            waker.wake();
        }
        under_way.insert(key, None);
        Handshake {
            of: Rc::clone(self),
            key,
        }
    }

    /// How many of a listener are under way.
    #[cfg(feature = "quic")]
    pub(crate) fn under_way(&self, listener: usize) -> usize {
        let under_way = self.under_way.borrow();
        under_way.range((listener, 0)..=(listener, u64::MAX)).count()
    }
}

/// A handshake under way, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Handshake {
    of: Rc<Handshakes>,
    key: Key,
}

impl Handshake {
    /// Ready when it has to give way.
    pub(crate) fn poll_displaced(&self, cx: &Context<'_>) -> Poll<()> {
        match self.of.under_way.borrow_mut().get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.of.under_way.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_the_oldest_of_the_same_listener_gives_way() {
        let handshakes = Rc::new(Handshakes::default());
        let cx = Context::from_waker(Waker::noop());
        let other = handshakes.begin(7, 2);
        let first = handshakes.begin(1, 2);
        let second = handshakes.begin(1, 2);
        assert!(first.poll_displaced(&cx).is_pending());
        let third = handshakes.begin(1, 2);
        assert!(first.poll_displaced(&cx).is_ready());
        for stays in [&other, &second, &third] {
            assert!(stays.poll_displaced(&cx).is_pending());
        }
        drop(second);
        let fourth = handshakes.begin(1, 2);
        assert!(third.poll_displaced(&cx).is_pending() && fourth.poll_displaced(&cx).is_pending());
        drop((third, fourth, first, other));
        assert!(handshakes.under_way.borrow().is_empty());
    }
}
