//! Which sessions of all lines are connected and which are full: written by the line that holds the session, read by
//! every line that has a message for it.
//!
//! A line must know two things of a session on another line before it accepts a message for it: whether a shared group
//! had better choose another member, and whether the queue has room, because what is acknowledged is never dropped.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::durable::SessionId;
use crate::key::SessionKey;

const CONNECTED: u32 = 1;
const FULL: u32 = 2;
/// There is such a session: a route may still lead to one that ended, or whose slot has another tenant.
const PRESENT: u32 = 4;
const FLAGS: u32 = CONNECTED | FULL | PRESENT;
/// The tenant of the slot stands above the flags.
const GENERATION_SHIFT: u32 = 8;
const CHUNK: usize = 4096;

struct Board {
    chunks: Box<[OnceLock<Box<[AtomicU32]>>]>,
    /// What the store has of the sessions.
    kept: Box<[OnceLock<Box<[Kept]>>]>,
}

/// What the store has of a slot's session.
#[derive(Default)]
struct Kept {
    /// Its number there; 0: it does not keep it.
    id: AtomicU64,
    /// Which tenant of the slot that is: a route may still lead to the one before.
    generation: AtomicU32,
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
                kept: (0..chunks).map(|_| OnceLock::new()).collect(),
            })
            .collect();
        Self {
            boards,
            full: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
        }
    }

    fn cell(&self, key: SessionKey) -> Option<&AtomicU32> {
        let slot = key.slot() as usize;
        let chunk = self.boards.get(usize::from(key.line()))?.chunks.get(slot / CHUNK)?;
        chunk
            .get_or_init(|| (0..CHUNK).map(|_| AtomicU32::new(0)).collect())
            .get(slot % CHUNK)
    }

    /// What is noted of this session, and not of another tenant of its slot.
    fn flags(&self, key: SessionKey) -> u32 {
        let cell = self.cell(key).map_or(0, |cell| cell.load(Ordering::Relaxed));
        if cell >> GENERATION_SHIFT == key.generation() {
            cell & FLAGS
        } else {
            0
        }
    }

    /// Only the line that holds the session writes. Says whether that changes anything.
    fn set(&self, key: SessionKey, bit: u32, on: bool) -> bool {
        let Some(cell) = self.cell(key) else { return false };
        let before = self.flags(key);
        let after = if on { before | bit } else { before & !bit } | PRESENT;
        cell.store(key.generation() << GENERATION_SHIFT | after, Ordering::Relaxed);
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
        let Some(chunk) = self.kept_chunk(key) else { return };
        if id.is_none() && chunk.get().is_none() {
            return;
        }
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| Kept::default()).collect());
        let Some(kept) = chunk.get(key.slot() as usize % CHUNK) else {
            return;
        };
        if id.is_some() {
            self.set(key, PRESENT, true);
        }
        // Whoever reads the number reads the tenant after it.
        kept.generation.store(key.generation(), Ordering::Release);
        let before = kept.id.swap(id.map_or(0, |id| id.0), Ordering::Release);
        match (before != 0, id.is_some()) {
            (false, true) => _ = self.kept.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.kept.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => {}
        }
    }

    fn kept_chunk(&self, key: SessionKey) -> Option<&OnceLock<Box<[Kept]>>> {
        self.boards
            .get(usize::from(key.line()))?
            .kept
            .get(key.slot() as usize / CHUNK)
    }

    /// Clears all that is noted of a session that ended.
    pub fn clear(&self, key: SessionKey) {
        self.set_full(key, false);
        self.set_kept(key, None);
        if let Some(cell) = self.cell(key) {
            cell.store(key.generation() << GENERATION_SHIFT, Ordering::Relaxed);
        }
    }

    /// Whether there is such a session.
    #[must_use]
    pub fn is_present(&self, key: SessionKey) -> bool {
        self.flags(key) & PRESENT != 0
    }

    /// Whether the session has a connection.
    #[must_use]
    pub fn is_connected(&self, key: SessionKey) -> bool {
        self.flags(key) & CONNECTED != 0
    }

    /// Whether the session's queue is at its bound.
    #[must_use]
    pub fn is_full(&self, key: SessionKey) -> bool {
        self.flags(key) & FULL != 0
    }

    /// The session's number in the store, if it is kept there.
    #[must_use]
    pub fn kept(&self, key: SessionKey) -> Option<SessionId> {
        let kept = self.kept_chunk(key)?.get()?.get(key.slot() as usize % CHUNK)?;
        let id = SessionId(kept.id.load(Ordering::Acquire));
        let is_his = kept.generation.load(Ordering::Acquire) == key.generation();
        Some(id).filter(|id| id.0 != 0 && is_his)
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
