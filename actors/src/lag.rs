//! Whether a line keeps up with its work. One that is late takes up nobody new: those who are in go first.

use std::cell::Cell;
use std::time::Duration;

use broker::message::Millis;
use tokio::sync::Notify;

/// For so long after it was late a line counts as late.
const RECOVERY_MILLIS: u64 = 1000;

/// How late a line's own timer is: so long everything waits that comes to it.
#[derive(Debug)]
pub(crate) struct Lag {
    max_millis: Cell<u64>,
    turned_at: Cell<Option<Millis>>,
    late_millis: Cell<u64>,
    late_until: Cell<Option<Millis>>,
    recovered: Notify,
}

/// What a turn of the timer has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The line has become late, by so many milliseconds.
    Late(u64),
    /// It keeps up again.
    Recovered,
}

impl Lag {
    /// Zero: as late as it likes.
    pub(crate) fn new(max: Duration) -> Self {
        Self {
            max_millis: Cell::new(millis_of(max)),
            turned_at: Cell::new(None),
            late_millis: Cell::new(0),
            late_until: Cell::new(None),
            recovered: Notify::new(),
        }
    }

    /// Another bound from here on.
    pub(crate) fn set_max(&self, max: Duration) {
        self.max_millis.set(millis_of(max));
    }

    /// The timer, which is due every `interval`, has turned.
    pub(crate) fn turned(&self, interval: Duration, now: Millis) -> Option<Change> {
        let before = self.turned_at.replace(Some(now)).unwrap_or(now);
        let interval = u64::try_from(interval.as_millis()).unwrap_or(0);
        let late = now.since(before).saturating_sub(interval);
        self.late_millis.set(late);
        let max_millis = self.max_millis.get();
        if max_millis > 0 && late > max_millis {
            let until = self.late_until.replace(Some(now.plus(RECOVERY_MILLIS)));
            return until.is_none().then_some(Change::Late(late));
        }
        if self.late_until.get().is_some_and(|until| until <= now) {
            self.late_until.set(None);
            self.recovered.notify_waiters();
            return Some(Change::Recovered);
        }
        None
    }

    /// How late the timer was when it turned last.
    pub(crate) fn late_millis(&self) -> u64 {
        self.late_millis.get()
    }

    /// Waits until the line keeps up.
    pub(crate) async fn at_ease(&self) {
        while self.late_until.get().is_some() {
            self.recovered.notified().await;
        }
    }
}

fn millis_of(max: Duration) -> u64 {
    u64::try_from(max.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(50);

    #[test]
    fn a_line_that_was_late_keeps_up_for_a_while_before_it_is_well() {
        let lag = Lag::new(Duration::from_millis(500));
        let changes: Vec<_> = [0, 50, 600, 650, 1250, 1300, 2200, 2250, 2260]
            .into_iter()
            .map(|at| lag.turned(TICK, Millis(at)))
            .collect();
        // 600 is late by 500, which may be; 2200 is late by 850, which is known by then.
        let mut expected = vec![None; 9];
        expected[4] = Some(Change::Late(550));
        assert_eq!(changes, expected);
        assert_eq!(lag.turned(TICK, Millis(2700)), None);
        assert_eq!(lag.turned(TICK, Millis(3200)), Some(Change::Recovered));
    }

    #[test]
    fn without_a_bound_no_line_is_late() {
        let lag = Lag::new(Duration::ZERO);
        assert_eq!(lag.turned(TICK, Millis(0)), None);
        assert_eq!(lag.turned(TICK, Millis(1_000_000)), None);
    }
}
