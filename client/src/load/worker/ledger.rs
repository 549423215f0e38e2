//! What a thread's clients have sent and heard.

use std::sync::Arc;

use super::publisher::Publisher;
use crate::load::account::{Account, Heard};
use crate::load::board::{Board, Figures};
use crate::load::frame::{Delivery, KEEP_ALIVE_SECS, Mark, Packet};
use crate::load::gauge::Gauge;
use crate::load::payload::PayloadSize;
use crate::load::plan::{Pace, Plan, Qos, Scenario};
use crate::load::rounds::Padded;
use crate::load::schedule::Schedule;

/// The accounts of one thread.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) board: Arc<Board>,
    pub(super) publishers: Vec<Publisher>,
    /// `None` for one whose deliveries are in no account.
    pub(super) subscribers: Vec<Option<Account>>,
    pub(super) figures: Figures,
    pub(super) gauge: Gauge,
    /// Publishers that may be able to send, by place and each once.
    pub(super) ready: Vec<usize>,
    /// The shortest keep alive of any client, in seconds.
    pub(super) keep_alive_secs: u16,
    thread: usize,
    /// How every message is sent and delivered.
    qos: Qos,
    /// The size of every payload, if they have one size.
    payload_bytes: Option<usize>,
    /// Whether publishers wait for arrivals.
    is_windowed: bool,
    /// Whether latencies are those of acknowledgements and not of deliveries.
    times_acks: bool,
    /// Topics that each publisher goes through in turn.
    topics: u32,
    /// Deliveries of one publisher's round that are not yet on the board.
    credit: (u32, u32, u32),
    /// Publishers of other threads with a round that is over, by thread.
    outbox: Vec<Vec<u32>>,
}

impl Ledger {
    pub(super) fn new(board: Arc<Board>, thread: usize, plan: &Plan, topics: u32) -> Self {
        let payload_bytes = match plan.payload {
            PayloadSize::Fixed(bytes) => usize::try_from(bytes).ok(),
            PayloadSize::Uniform { .. } | PayloadSize::Weighted(_) => None,
        };
        let outbox = vec![Vec::new(); board.threads()];
        Self {
            board,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            figures: Figures::default(),
            gauge: Gauge::new(),
            ready: Vec::new(),
            keep_alive_secs: KEEP_ALIVE_SECS,
            thread,
            qos: plan.qos,
            payload_bytes,
            is_windowed: matches!(plan.pace, Pace::Window(_)),
            times_acks: plan.scenario == Scenario::Durable,
            topics,
            credit: (0, 0, 0),
            outbox,
        }
    }

    /// Enters a message that a subscriber has received.
    #[inline]
    pub(super) fn heard(&mut self, subscriber: usize, delivery: &Delivery, arrival_ns: u64) {
        let Some(Some(account)) = self.subscribers.get_mut(subscriber) else {
            return;
        };
        let figures = &mut self.figures;
        let Some(mark) = delivery.mark else {
            figures.stray += 1;
            return;
        };
        let qos = delivery.wants.map_or(Qos::AtMostOnce, |(qos, _)| qos);
        if qos != self.qos || self.payload_bytes.is_some_and(|bytes| bytes != delivery.payload_bytes) {
            figures.stray += 1;
        }
        let heard = account.hear(mark);
        match heard {
            Heard::Fresh { .. } => {}
            Heard::Late => figures.out_of_order += 1,
            Heard::Stale => {
                figures.duplicated += 1;
                return;
            }
        }
        figures.received += 1;
        figures.payload_bytes += u64::try_from(delivery.payload_bytes).unwrap_or(0);
        if !self.times_acks {
            self.gauge.record(arrival_ns.saturating_sub(mark.due_ns));
        }
        if let Heard::Fresh { skipped } = heard
            && self.is_windowed
        {
            self.credit(mark.publisher, mark.sequence);
            if skipped > 0 {
                self.credit_skipped(mark, skipped);
            }
        }
    }

    /// Enters an acknowledgement that a publisher has received.
    pub(super) fn acknowledged(&mut self, publisher: usize, packet: &Packet, arrival_ns: impl FnOnce() -> u64) {
        let Some(publisher) = self.publishers.get_mut(publisher) else {
            return;
        };
        match (self.qos, *packet) {
            (Qos::AtLeastOnce, Packet::Puback { id, code: 0x80.. })
            | (Qos::ExactlyOnce, Packet::Pubrec { id, code: 0x80.. }) => {
                if let Some(Padded(airborne)) = place(publisher.number).and_then(|at| self.board.airborne.get(at)) {
                    publisher.refused(id, airborne, &mut self.figures);
                }
            }
            (Qos::AtLeastOnce, Packet::Puback { id, .. })
            | (Qos::ExactlyOnce, Packet::Pubcomp { id, code: ..0x80 }) => {
                if let Some(due_ns) = publisher.acknowledged(id, &mut self.figures) {
                    self.gauge.record(arrival_ns().saturating_sub(due_ns));
                }
            }
            // The first half of an acknowledgement.
            (Qos::ExactlyOnce, Packet::Pubrec { id, .. }) if publisher.awaits(id) => {}
            (Qos::AtMostOnce | Qos::AtLeastOnce | Qos::ExactlyOnce, _) => self.figures.stray += 1,
        }
    }

    /// Lets a publisher try to send in this turn.
    #[inline]
    pub(super) fn make_ready(&mut self, place: usize) {
        if let Some(publisher) = self.publishers.get_mut(place)
            && !publisher.is_ready
        {
            publisher.is_ready = true;
            self.ready.push(place);
        }
    }

    /// Enters messages that were due and could not be sent: their latencies are as long as they have waited at least.
    pub(super) fn enter_unsent(&mut self, schedule: &Schedule, now_ns: u64) {
        for publisher in &self.publishers {
            for (due_ns, audience) in publisher.unsent(schedule, now_ns) {
                self.figures.unsent += 1;
                self.gauge
                    .record_many(now_ns.saturating_sub(due_ns), u64::from(audience));
            }
        }
    }

    /// Puts on the board what one read has brought.
    pub(super) fn settle(&mut self) {
        let (publisher, round, deliveries) = std::mem::take(&mut self.credit);
        if deliveries == 0 {
            return;
        }
        let Some(Padded(airborne)) = place(publisher).and_then(|at| self.board.airborne.get(at)) else {
            return;
        };
        if !airborne.arrived(round, deliveries) {
            return;
        }
        let threads = self.outbox.len().max(1);
        let at = place(publisher).unwrap_or(0);
        if at % threads == self.thread {
            self.make_ready(at / threads);
        } else if let Some(outbox) = self.outbox.get_mut(at % threads) {
            outbox.push(publisher);
        }
    }

    /// Exchanges news with the other threads.
    pub(super) fn exchange_mail(&mut self) {
        let threads = self.outbox.len().max(1);
        if threads == 1 {
            return;
        }
        for (thread, outbox) in self.outbox.iter_mut().enumerate() {
            if !outbox.is_empty() {
                self.board.post(thread, outbox);
            }
        }
        let mail = self.board.take_mail(self.thread);
        for at in mail.into_iter().filter_map(place) {
            self.make_ready(at / threads);
        }
    }

    /// Shows the figures on the board.
    pub(super) fn show(&self) {
        self.board.show(self.thread, &self.figures);
    }

    #[inline]
    fn credit(&mut self, publisher: u32, sequence: u32) {
        let Some(Padded(airborne)) = place(publisher).and_then(|at| self.board.airborne.get(at)) else {
            return;
        };
        let round = airborne.round_of(sequence);
        if (self.credit.0, self.credit.1) != (publisher, round) {
            self.settle();
            self.credit = (publisher, round, 0);
        }
        self.credit.2 += 1;
    }

    /// Messages that were skipped hold nobody up; what lies further back than two rounds does so anyway.
    #[cold]
    fn credit_skipped(&mut self, mark: Mark, skipped: u32) {
        const FAR_BACK: u32 = 65_536;
        for step in 1..=skipped.min(FAR_BACK) {
            if let Some(sequence) = step
                .checked_mul(self.topics)
                .and_then(|back| mark.sequence.checked_sub(back))
            {
                self.credit(mark.publisher, sequence);
            }
        }
    }
}

fn place(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}
