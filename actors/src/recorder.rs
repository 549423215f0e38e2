//! The flight recorder of one line: what its clients sent, what they were sent, and what was decided about them.
//!
//! Each client has a [`Tape`] of a bounded size, which stands with its socket while it is connected and on a shelf when it
//! is gone. Packets are not recorded one by one: after each read and before each write is forgotten, the last of its
//! packets are copied. Passwords and authentication data are blanked before they reach a tape.

use std::cell::{Cell, RefCell};

use broker::line::Peer;
use broker::message::Millis;
use mqtt_codec::Version;
use tokio::sync::mpsc;

pub(crate) mod ask;
mod blank;
mod pcapng;

mod record;
mod recording;
mod shelf;
pub(crate) mod story;
mod tape;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use blank::strange;
pub(crate) use record::{Kind, Record};
pub use recording::{Captured, Happening, Recording, RecordingEntry};
use shelf::{Entry, Shelf};
pub(crate) use tape::Tape;

/// What a shelf's entry counts for besides its tape.
const ENTRY_BYTES: usize = 256;
/// Clients of one line that are watched at once.
const WATCHES_MAX: usize = 16;
/// Records that a watcher may be behind; it is told how many it missed.
const WATCH_RECORDS: usize = 1024;
/// Of the entries for gone clients, those that were never in get a fourth, so that strangers drive nobody out.
const REFUSED_SHARE: usize = 4;

/// What the flight recorder may keep.
#[derive(Clone, Copy, Debug)]
pub struct RecorderSettings {
    /// Bytes for one client; 0 with `bytes_max` 0.
    pub bytes_per_client: usize,
    /// Bytes for all clients; 0: nothing is recorded.
    pub bytes_max: usize,
    /// Bytes that are kept of one packet.
    pub packet_bytes_max: usize,
    /// Clients that are remembered when they are gone.
    pub gone_clients_max: usize,
}

/// What a watcher is sent.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Records that it missed before this one.
    pub(crate) missed: u64,
    pub(crate) record: Record,
}

/// One who watches a client.
#[derive(Debug)]
pub(crate) struct Watch {
    sender: mpsc::Sender<Seen>,
    missed: u64,
}

impl Watch {
    fn show(&mut self, record: Record) {
        let seen = Seen {
            missed: self.missed,
            record,
        };
        match self.sender.try_send(seen) {
            Ok(()) => self.missed = 0,
            Err(_) => self.missed += 1,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// This line's share of what the process may keep.
    bytes_max: usize,
    half_max: usize,
    packet_bytes_max: usize,
    used: Cell<usize>,
    tapes: Cell<usize>,
    left: RefCell<Shelf>,
    refused: RefCell<Shelf>,
    watches: RefCell<Vec<(Box<str>, mpsc::Sender<Seen>)>>,
}

impl Recorder {
    /// The recorder of one of `lines` lines.
    pub(crate) fn new(settings: RecorderSettings, lines: u16) -> Self {
        let lines = usize::from(lines.max(1));
        let gone_max = (settings.gone_clients_max / lines).max(1);
        let refused_max = (gone_max / REFUSED_SHARE).max(1);
        Self {
            bytes_max: settings.bytes_max / lines,
            half_max: settings.bytes_per_client / 2,
            packet_bytes_max: settings.packet_bytes_max,
            used: Cell::new(0),
            tapes: Cell::new(0),
            left: RefCell::new(Shelf::new(gone_max - refused_max.min(gone_max - 1))),
            refused: RefCell::new(Shelf::new(refused_max)),
            watches: RefCell::default(),
        }
    }

    /// Whether anything is recorded.
    pub(crate) const fn is_on(&self) -> bool {
        self.bytes_max > 0
    }

    /// What all tapes of this line hold, in bytes.
    pub(crate) const fn used(&self) -> usize {
        self.used.get()
    }

    /// The tape of a connection that has said who it is.
    pub(crate) fn begin(&self, client_id: &str, version: Version) -> Tape {
        self.tapes.set(self.tapes.get() + 1);
        Tape::new(version, self.watch_of(client_id))
    }

    /// The client is in: what was recorded of its earlier connections comes before.
    pub(crate) fn resume(&self, client_id: &str, fresh: Tape) -> Tape {
        let Some(known) = self.left.borrow_mut().take(client_id) else {
            return fresh;
        };
        self.used.set(self.used.get().saturating_sub(ENTRY_BYTES));
        let joined = known.tape.join(fresh, self);
        self.tapes.set(self.tapes.get().saturating_sub(1));
        joined
    }

    /// The client has gone.
    pub(crate) fn leave(&self, client_id: &str, peer: &Peer, tape: Tape) {
        if self.is_on() {
            let entry = Entry::new(client_id, peer, tape);
            self.put(&self.left, client_id.into(), entry);
        } else {
            self.free(&tape);
        }
    }

    /// The client was not let in. What it sent before from the same address comes before.
    pub(crate) fn refuse(&self, client_id: &str, peer: &Peer, tape: Tape) {
        if !self.is_on() {
            return self.free(&tape);
        }
        let key = shelf::key_of(client_id, peer);
        let known = self.refused.borrow_mut().take(&key);
        let tape = match known {
            Some(known) => {
                self.used.set(self.used.get().saturating_sub(ENTRY_BYTES));
                self.tapes.set(self.tapes.get().saturating_sub(1));
                known.tape.join(tape, self)
            }
            None => tape,
        };
        self.put(&self.refused, key, Entry::new(client_id, peer, tape));
    }

    /// Notes a decision about a client that is not connected.
    pub(crate) fn note_gone(&self, client_id: &str, (kind, times, text): (Kind, u32, &str), now: Millis) {
        if !self.is_on() {
            return;
        }
        let known = self.left.borrow_mut().take(client_id);
        let mut entry = if let Some(known) = known {
            self.used.set(self.used.get().saturating_sub(ENTRY_BYTES));
            known
        } else {
            self.tapes.set(self.tapes.get() + 1);
            Entry::new(client_id, &Peer::Local(String::new()), Tape::new(Version::V5, None))
        };
        entry.tape.note((kind, times, text), now, self);
        self.put(&self.left, client_id.into(), entry);
    }

    /// What is known of a client that is not connected, and of those that were refused under its name or from this
    /// address. Each with where it came from.
    pub(crate) fn recall(&self, name: &str) -> Vec<(String, String, Vec<Record>)> {
        let mut found = Vec::new();
        for shelf in [&self.left, &self.refused] {
            shelf.borrow().find(name, &mut found);
        }
        found
    }

    /// Shows what happens to a client from here on. `None`: as many as may are watched.
    pub(crate) fn watch(&self, client_id: &str) -> Option<(mpsc::Receiver<Seen>, mpsc::Sender<Seen>)> {
        let mut watches = self.watches.borrow_mut();
        watches.retain(|(_, sender)| !sender.is_closed());
        if watches.len() >= WATCHES_MAX {
            return None;
        }
        let (sender, receiver) = mpsc::channel(WATCH_RECORDS);
        watches.push((client_id.into(), sender.clone()));
        Some((receiver, sender))
    }

    fn watch_of(&self, client_id: &str) -> Option<Box<Watch>> {
        let mut watches = self.watches.borrow_mut();
        if watches.is_empty() {
            return None;
        }
        watches.retain(|(_, sender)| !sender.is_closed());
        let (_, sender) = watches.iter().rev().find(|(watched, _)| **watched == *client_id)?;
        Some(Box::new(Watch {
            sender: sender.clone(),
            missed: 0,
        }))
    }

    fn put(&self, shelf: &RefCell<Shelf>, key: Box<str>, mut entry: Entry) {
        entry.tape.rest();
        self.used.set(self.used.get() + ENTRY_BYTES);
        let dropped = shelf.borrow_mut().put(key, entry);
        dropped.iter().for_each(|entry| self.forget(entry));
        self.make_way(0);
    }

    fn forget(&self, entry: &Entry) {
        self.used.set(self.used.get().saturating_sub(ENTRY_BYTES));
        self.free(&entry.tape);
    }

    /// To be called with each tape that is dropped.
    fn free(&self, tape: &Tape) {
        self.used.set(self.used.get().saturating_sub(tape.bytes()));
        self.tapes.set(self.tapes.get().saturating_sub(1));
    }

    /// Bytes that one half of a tape may have: all share what there is.
    fn half_max(&self) -> usize {
        let fair = self.bytes_max / self.tapes.get().max(1);
        self.half_max.min(fair / 2)
    }

    /// Takes room for a tape, if need be from those who have gone.
    fn take(&self, bytes: usize) -> bool {
        self.make_way(bytes);
        let fits = self.used.get() + bytes <= self.bytes_max;
        if fits {
            self.used.set(self.used.get() + bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }

    fn make_way(&self, bytes: usize) {
        for shelf in [&self.refused, &self.left] {
            while self.used.get() + bytes > self.bytes_max {
                let Some(entry) = shelf.try_borrow_mut().ok().and_then(|mut shelf| shelf.take_oldest()) else {
                    break;
                };
                self.forget(&entry);
            }
        }
    }
}
