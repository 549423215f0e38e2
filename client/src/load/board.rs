//! What the threads of a run share: counters that one writes and one reads, and a box for mail.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mio::Waker;

use super::clock::Clock;
use super::rounds::{Airborne, Padded};

/// The common ground of a run's threads.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) clock: Clock,
    /// The piece of the timeline that is under way.
    pub(super) tick: AtomicU32,
    /// What is on its way, by publisher.
    pub(super) airborne: Vec<Padded<Airborne>>,
    desks: Vec<Padded<Desk>>,
    trouble: Mutex<Option<Trouble>>,
    is_over: AtomicBool,
}

/// One thread's part of the board.
#[derive(Debug)]
struct Desk {
    figures: [AtomicU64; FIGURES],
    has_mail: AtomicBool,
    /// Publishers of this thread with a round that is over.
    mail: Mutex<Vec<u32>>,
    waker: Waker,
}

/// The first thing that went wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The kernel refused a connection.
    Connect { address: SocketAddr, source: io::Error },
    /// The broker said no.
    Refused {
        client: String,
        packet: &'static str,
        code: u8,
    },
    /// A connection ended.
    Ended { reason: String, at: Duration },
    /// The machine refused something.
    Machine { what: &'static str, source: io::Error },
}

const FIGURES: usize = 13;

/// What one thread, or all of them, have counted since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) expected: u64,
    pub(super) received: u64,
    pub(super) duplicated: u64,
    pub(super) out_of_order: u64,
    /// Packets that nobody waited for.
    pub(super) stray: u64,
    /// Messages that were due and could not be sent before their publishers were to stop.
    pub(super) unsent: u64,
    pub(super) payload_bytes: u64,
    pub(super) connections_lost: u64,
    /// Clients that have done what the order under way asks.
    pub(super) ready: u64,
    pub(super) sent: u64,
    /// Orders carried out.
    pub(super) orders_done: u64,
}

impl Board {
    pub(super) fn new(clock: Clock, publishers: u32, wakers: Vec<Waker>) -> Self {
        let desks = wakers.into_iter().map(|waker| {
            Padded(Desk {
                figures: Default::default(),
                has_mail: AtomicBool::new(false),
                mail: Mutex::default(),
                waker,
            })
        });
        Self {
            clock,
            tick: AtomicU32::new(0),
            airborne: (0..publishers).map(|_| Padded::default()).collect(),
            desks: desks.collect(),
            trouble: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Tells every thread that the run is over.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        (0..self.threads()).for_each(|thread| self.wake(thread));
    }

    /// Whether the run is over.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.desks.len()
    }

    /// Shows what a thread has counted. Figures are stored in their order and loaded against it, so that whoever sees a
    /// message sent also sees what is expected of it, and an order that is done vouches for everything.
    pub(super) fn show(&self, thread: usize, figures: &Figures) {
        let Some(Padded(desk)) = self.desks.get(thread) else {
            return;
        };
        for (slot, figure) in desk.figures.iter().zip(figures.to_array()) {
            slot.store(figure, Ordering::Release);
        }
    }

    /// What all threads have counted.
    pub(super) fn figures(&self) -> Figures {
        let mut sum = [0; FIGURES];
        for Padded(desk) in &self.desks {
            for (total, slot) in sum.iter_mut().zip(&desk.figures).rev() {
                *total += slot.load(Ordering::Acquire);
            }
        }
        Figures::from_array(sum)
    }

    /// Tells a thread that rounds of its publishers are over.
    pub(super) fn post(&self, thread: usize, publishers: &mut Vec<u32>) {
        let Some(Padded(desk)) = self.desks.get(thread) else {
            return;
        };
        desk.mail
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(publishers);
        if !desk.has_mail.swap(true, Ordering::AcqRel) {
            self.wake(thread);
        }
    }

    /// Takes a thread's mail.
    pub(super) fn take_mail(&self, thread: usize) -> Vec<u32> {
        let Some(Padded(desk)) = self.desks.get(thread) else {
            return Vec::new();
        };
        if !desk.has_mail.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut desk.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a thread look at its orders and its mail.
    pub(super) fn wake(&self, thread: usize) {
        if let Some(Padded(desk)) = self.desks.get(thread) {
            // A thread that cannot be woken wakes by itself before long.
            let _ = desk.waker.wake();
        }
    }

    /// Reports trouble; only the first counts, as the rest mostly follows from it.
    pub(super) fn report(&self, trouble: Trouble) {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(trouble);
    }

    /// Takes the first trouble.
    pub(super) fn take_trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Figures {
    /// Deliveries and acknowledgements: what shows that the broker lives.
    pub(super) fn signs_of_life(&self) -> u64 {
        self.received + self.duplicated + self.acknowledged + self.refused
    }

    fn to_array(self) -> [u64; FIGURES] {
        [
            self.acknowledged,
            self.refused,
            self.expected,
            self.received,
            self.duplicated,
            self.out_of_order,
            self.stray,
            self.unsent,
            self.payload_bytes,
            self.connections_lost,
            self.ready,
            self.sent,
            self.orders_done,
        ]
    }

    fn from_array(
        [
            acknowledged,
            refused,
            expected,
            received,
            duplicated,
            out_of_order,
            stray,
            unsent,
            payload_bytes,
            connections_lost,
            ready,
            sent,
            orders_done,
        ]: [u64; FIGURES],
    ) -> Self {
        Self {
            acknowledged,
            refused,
            expected,
            received,
            duplicated,
            out_of_order,
            stray,
            unsent,
            payload_bytes,
            connections_lost,
            ready,
            sent,
            orders_done,
        }
    }
}
