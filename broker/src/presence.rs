//! Which sessions of all lines are connected and which are full: written by the line that holds the session, read by
//! every line that has a message for it.
//!
//! A line must know two things of a session on another line before it accepts a message for it: whether a shared group
//! had better choose another member, and whether the queue has room, because what is acknowledged is never dropped.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

use crate::durable::SessionId;
use crate::key::SessionKey;

const CONNECTED: u8 = 1;
const FULL: u8 = 2;
const CHUNK: usize = 4096;

struct Board {
    chunks: Box<[OnceLock<Box<[AtomicU8]>>]>,
    /// The sessions' numbers in the store; 0: it does not keep them.
    ids: Box<[OnceLock<Box<[AtomicU64]>>]>,
}

/// The board that all lines share.
pub struct Presence {
    boards: Vec<Board>,
    full: AtomicUsize,
    kept: AtomicUsize,
}

impl Presence {
    /// A board for `lines` lines of at most `sessions_max` sessions each. Room is taken as sessions come.
    #[must_use]
    pub fn new(lines: u16, sessions_max: usize) -> Self {
        let chunks = sessions_max.div_ceil(CHUNK);
        let boards = (0..lines)
            .map(|_| Board {
                chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
                ids: (0..chunks).map(|_| OnceLock::new()).collect(),
            })
            .collect();
        Self {
            boards,
            full: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
        }
    }

    fn cell(&self, key: SessionKey) -> Option<&AtomicU8> {
        let slot = key.slot() as usize;
        let chunk = self.boards.get(usize::from(key.line()))?.chunks.get(slot / CHUNK)?;
        chunk
            .get_or_init(|| (0..CHUNK).map(|_| AtomicU8::new(0)).collect())
            .get(slot % CHUNK)
    }

    fn set(&self, key: SessionKey, bit: u8, on: bool) -> bool {
        let Some(cell) = self.cell(key) else { return false };
        let before = if on {
            cell.fetch_or(bit, Ordering::Relaxed)
        } else {
            cell.fetch_and(!bit, Ordering::Relaxed)
        };
        (before & bit != 0) != on
    }

    /// Notes whether the session has a connection.
    pub fn set_connected(&self, key: SessionKey, connected: bool) {
        self.set(key, CONNECTED, connected);
    }

    /// Notes whether the session's queue is at its bound.
    pub fn set_full(&self, key: SessionKey, full: bool) {
        if self.set(key, FULL, full) {
            if full {
                self.full.fetch_add(1, Ordering::Relaxed);
            } else {
                self.full.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Notes under which number the store keeps the session.
    pub fn set_kept(&self, key: SessionKey, id: Option<SessionId>) {
        let Some(chunk) = self.ids_of(key) else { return };
        if id.is_none() && chunk.get().is_none() {
            return;
        }
        let ids = chunk.get_or_init(|| (0..CHUNK).map(|_| AtomicU64::new(0)).collect());
        let Some(place) = ids.get(key.slot() as usize % CHUNK) else {
            return;
        };
        let before = place.swap(id.map_or(0, |id| id.0), Ordering::Relaxed);
        match (before != 0, id.is_some()) {
            (false, true) => _ = self.kept.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.kept.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => {}
        }
    }

    fn ids_of(&self, key: SessionKey) -> Option<&OnceLock<Box<[AtomicU64]>>> {
        self.boards
            .get(usize::from(key.line()))?
            .ids
            .get(key.slot() as usize / CHUNK)
    }

    /// Clears all that is noted of a session that ended.
    pub fn clear(&self, key: SessionKey) {
        self.set_full(key, false);
        self.set_kept(key, None);
        self.set_connected(key, false);
    }

    /// Whether the session has a connection.
    #[must_use]
    pub fn is_connected(&self, key: SessionKey) -> bool {
        self.cell(key)
            .is_some_and(|cell| cell.load(Ordering::Relaxed) & CONNECTED != 0)
    }

    /// Whether the session's queue is at its bound.
    #[must_use]
    pub fn is_full(&self, key: SessionKey) -> bool {
        self.cell(key)
            .is_some_and(|cell| cell.load(Ordering::Relaxed) & FULL != 0)
    }

    /// The session's number in the store, if it is kept there.
    #[must_use]
    pub fn kept(&self, key: SessionKey) -> Option<SessionId> {
        let id = self.ids_of(key)?.get()?.get(key.slot() as usize % CHUNK)?;
        Some(SessionId(id.load(Ordering::Relaxed))).filter(|id| id.0 != 0)
    }

    /// Whether the store keeps any session at all: the question that spares all others.
    #[must_use]
    pub fn any_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed) != 0
    }

    /// Whether any session at all is full: the question that spares all others.
    #[must_use]
    pub fn any_full(&self) -> bool {
        self.full.load(Ordering::Relaxed) != 0
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence")
            .field("lines", &self.boards.len())
            .field("full", &self.full)
            .finish()
    }
}
