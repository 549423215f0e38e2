//! Clients that connect, hear their CONNACK, disconnect, and connect again.

use super::{Opening, Worker};
use crate::load::board::Trouble;
use crate::load::worker::client::Stage;

/// The cycles of one thread.
#[derive(Debug)]
pub(super) struct Cycles {
    /// Clients that are not connecting, by place.
    free: Vec<usize>,
    start_ns: u64,
    begun: u32,
    /// Cycles after which no other begins.
    limit: u64,
}

impl Cycles {
    /// Begins nothing further.
    pub(super) fn close(&mut self) {
        self.limit = 0;
    }
}

impl Worker {
    /// Lets all clients go round; this thread's share of the opening's limit is even.
    pub(super) fn cycle(&mut self, opening: &Opening) {
        let threads = u64::try_from(self.post.board.threads()).unwrap_or(1);
        let thread = u64::try_from(self.post.thread).unwrap_or(0);
        let share = |limit: u64| (limit + threads - 1).saturating_sub(thread) / threads;
        self.cycles = Some(Cycles {
            free: (0..self.clients.len()).rev().collect(),
            start_ns: opening.start_ns,
            begun: 0,
            limit: opening.limit.map_or(u64::MAX, share),
        });
    }

    /// Begins the cycles that may begin.
    pub(super) fn run_cycles(&mut self) {
        let Some(mut cycles) = self.cycles.take() else { return };
        while u64::from(cycles.begun) < cycles.limit && self.may_dial(cycles.start_ns, cycles.begun) {
            let Some(place) = cycles.free.pop() else { break };
            // With a rate, a cycle that had to wait for a free client began when it was due.
            let dialed_ns = match self.post.plan.connect_rate {
                0 => self.post.board.clock.nanos(),
                _ => self.dial_due_ns(cycles.start_ns, cycles.begun),
            };
            if let Err(source) = self.dial(place, true, cycles.begun + 1) {
                let address = self.post.target.address;
                self.ledger.board.report(Trouble::Connect { address, source });
                return;
            }
            if let Some(client) = self.clients.get_mut(place) {
                client.dialed_ns = dialed_ns;
            }
            cycles.begun += 1;
            self.ledger.figures.sent += 1;
            self.ledger.figures.expected += 1;
            self.write(place);
        }
        self.cycles = Some(cycles);
    }

    /// Ends the cycle of a client that has its CONNACK.
    pub(super) fn end_cycle(&mut self, place: usize) {
        let (Some(cycles), Some(client)) = (&mut self.cycles, self.clients.get_mut(place)) else {
            return;
        };
        if let Some(refused) = client.refused(&self.post.layout) {
            self.ledger.board.report(refused);
        } else if client.stage == Stage::Connected {
            let took_ns = client.connected_ns.saturating_sub(client.dialed_ns);
            client.hang_up();
            self.ledger.gauge.record(took_ns);
            self.ledger.figures.received += 1;
            self.ledger.figures.acknowledged += 1;
            cycles.free.push(place);
        }
    }
}
