//! When publishers send: by the clock, or because earlier messages have arrived.

use super::cycle::Cycles;
use super::{Opening, Publisher, Worker};
use crate::load::board::Board;
use crate::load::plan::Pace;
use crate::load::rounds::{Airborne, Padded, ROUNDS};
use crate::load::schedule::{Agenda, Schedule};

/// Messages that may fall due in one turn, so that reading has its turn whatever the rate.
const DUE_MAX: u32 = 65_536;
const GIVE_UP_EVERY_NS: u64 = 250_000_000;

impl Worker {
    /// Lets publishers send.
    pub(super) fn open(&mut self, opening: &Opening) {
        self.is_open = true;
        let crowd = self.post.layout.publishers();
        for publisher in &mut self.ledger.publishers {
            if let Some(Padded(airborne)) = airborne(&self.post.board, publisher.number) {
                publisher.open(opening, crowd, airborne);
            }
        }
        if let Pace::Rate(per_sec) = self.post.plan.pace {
            let schedule = Schedule::new(opening.start_ns, per_sec, crowd);
            let publishers = self
                .ledger
                .publishers
                .iter()
                .map(|publisher| publisher.number)
                .enumerate();
            self.schedule = Some((schedule, Agenda::new(&schedule, publishers)));
        }
        for place in 0..self.ledger.publishers.len() {
            self.ledger.make_ready(place);
        }
    }

    /// Lets publishers send nothing further, and clients go round no more.
    pub(super) fn close(&mut self) {
        let now_ns = self.post.board.clock.nanos();
        self.send_due(now_ns);
        if let Some((schedule, _)) = self.schedule.as_ref().filter(|_| self.is_open) {
            self.ledger.enter_unsent(schedule, now_ns);
        }
        self.is_open = false;
        self.ledger.publishers.iter_mut().for_each(Publisher::close);
        self.cycles.iter_mut().for_each(Cycles::close);
    }

    /// Lets publishers send whose next messages are due by this moment.
    pub(super) fn send_due(&mut self, now_ns: u64) {
        if !self.is_open {
            return;
        }
        let Some((schedule, agenda)) = &mut self.schedule else {
            return;
        };
        for _ in 0..DUE_MAX {
            let Some(place) = agenda.pop_due(schedule, now_ns) else {
                break;
            };
            if let Some(publisher) = self.ledger.publishers.get_mut(place) {
                publisher.fall_due();
                self.ledger.make_ready(place);
            }
        }
        self.send_ready();
    }

    /// Lets publishers send whose earlier messages have arrived.
    pub(super) fn send_ready(&mut self) {
        if self.ledger.ready.is_empty() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ledger.ready);
        let now_ns = self.post.board.clock.nanos();
        let schedule = self.schedule.as_ref().map(|(schedule, _)| schedule);
        let rounds = match self.post.plan.pace {
            Pace::Window(window) => window.min(ROUNDS),
            Pace::Rate(_) => 0,
        };
        let mut lost = Vec::new();
        for place in ready.drain(..) {
            let Some(publisher) = self.ledger.publishers.get_mut(place) else {
                continue;
            };
            publisher.is_ready = false;
            let Some(Padded(airborne)) = airborne(&self.post.board, publisher.number) else {
                continue;
            };
            let client = publisher.client;
            let Some(link) = self.clients.get_mut(client).and_then(|client| client.link.as_mut()) else {
                continue;
            };
            publisher.advance(rounds, airborne);
            publisher.send(now_ns, schedule, link.out(), &mut self.ledger.figures);
            if let Err(end) = link.flush() {
                lost.push((client, end));
            }
        }
        for (client, end) in lost {
            self.lose(client, &end);
        }
        // What became ready meanwhile waits for the next turn; the buffer is kept.
        ready.append(&mut self.ledger.ready);
        self.ledger.ready = ready;
    }

    /// Looks for rounds whose last deliveries are lost, so that a loss is counted and does not stop the load.
    pub(super) fn give_up(&mut self, now_ns: u64) {
        if !self.is_open || now_ns < self.give_up_at_ns {
            return;
        }
        self.give_up_at_ns = now_ns + GIVE_UP_EVERY_NS;
        for place in 0..self.ledger.publishers.len() {
            let Some(publisher) = self.ledger.publishers.get_mut(place) else {
                continue;
            };
            if airborne(&self.post.board, publisher.number)
                .is_some_and(|Padded(airborne)| publisher.give_up(now_ns, airborne))
            {
                self.ledger.make_ready(place);
            }
        }
    }
}

fn airborne(board: &Board, publisher: u32) -> Option<&Padded<Airborne>> {
    usize::try_from(publisher).ok().and_then(|at| board.airborne.get(at))
}
