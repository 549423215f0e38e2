//! What the store has for a line: how far it has come, how it is, and what it has read.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::Waker;

use broker::durable::{Fetched, Health, Progress};
use parking_lot::Mutex;

/// Written by the store's thread, read by the line's. Numbers are overwritten by later ones, and a session has one
/// question at a time, so that it has a bound.
#[derive(Debug, Default)]
pub(crate) struct Postbox {
    written: AtomicU64,
    synced: AtomicU64,
    health: AtomicU8,
    fetched: Mutex<Vec<Fetched>>,
    reader: Mutex<Option<Waker>>,
    /// Something has changed since the line looked.
    has_news: AtomicBool,
}

/// What a line finds.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) progress: Progress,
    pub(crate) health: Health,
    pub(crate) fetched: Vec<Fetched>,
}

impl Postbox {
    /// Notes how far the store has come for the line.
    pub(crate) fn advance(&self, progress: Progress) {
        self.written.store(progress.written, Ordering::Release);
        self.synced.store(progress.synced, Ordering::Release);
        self.wake();
    }

    /// Notes how the store is.
    pub(crate) fn report(&self, health: Health) {
        let code = match health {
            Health::Well => 0,
            Health::Full => 1,
            Health::Failed => 2,
        };
        self.health.store(code, Ordering::Release);
        self.wake();
    }

    /// Adds what was read.
    pub(crate) fn answer(&self, fetched: Fetched) {
        self.fetched.lock().push(fetched);
        self.wake();
    }

    fn wake(&self) {
        self.has_news.store(true, Ordering::Release);
        if let Some(reader) = self.reader.lock().as_ref() {
            reader.wake_by_ref();
        }
    }

    /// Has the waker woken with each change from here on. To be called before [`Postbox::collect`].
    pub(crate) fn attend(&self, waker: &Waker) {
        *self.reader.lock() = Some(waker.clone());
    }

    /// What there is at this moment, if that is not what was collected last.
    pub(crate) fn collect(&self) -> Option<Post> {
        if !self.has_news.load(Ordering::Relaxed) || !self.has_news.swap(false, Ordering::Acquire) {
            return None;
        }
        let health = match self.health.load(Ordering::Acquire) {
            0 => Health::Well,
            1 => Health::Full,
            _ => Health::Failed,
        };
        Some(Post {
            progress: Progress {
                synced: self.synced.load(Ordering::Acquire),
                written: self.written.load(Ordering::Acquire),
            },
            health,
            fetched: std::mem::take(&mut *self.fetched.lock()),
        })
    }
}
