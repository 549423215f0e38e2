//! What is on its way from line to line: an account that all lines keep together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The account of what is on its way to each line, in bytes, shared by all.
#[derive(Debug)]
pub(crate) struct Inboxes(Vec<Inbox>);

/// What is on its way to one line.
#[derive(Debug, Default)]
struct Inbox {
    bytes: AtomicUsize,
    delivers: AtomicUsize,
}

impl Inboxes {
    pub(crate) fn new(lines: u16) -> Self {
        Self((0..lines).map(|_| Inbox::default()).collect())
    }

    pub(crate) fn add(&self, line: usize, cost: usize) {
        if let Some(inbox) = self.0.get(line) {
            inbox.bytes.fetch_add(cost, Ordering::Relaxed);
            inbox.delivers.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn subtract(&self, line: u16, cost: usize) {
        if let Some(inbox) = self.0.get(usize::from(line)) {
            inbox.bytes.fetch_sub(cost, Ordering::Relaxed);
            inbox.delivers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What waits for a line: messages of other lines, and their bytes.
    pub(crate) fn of(&self, line: u16) -> (usize, usize) {
        let waiting = |inbox: &Inbox| {
            let (delivers, bytes) = (&inbox.delivers, &inbox.bytes);
            (delivers.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed))
        };
        self.0.get(usize::from(line)).map_or((0, 0), waiting)
    }

    /// Whether more than `max` bytes are on their way to a line other than this one.
    pub(crate) fn any_above(&self, max: usize, but: u16) -> bool {
        self.0
            .iter()
            .enumerate()
            .any(|(line, inbox)| line != usize::from(but) && inbox.bytes.load(Ordering::Relaxed) > max)
    }
}
