//! One publisher: what it may send, what it sent, and how much of that is done.

use std::ops::Range;

use crate::load::account::split;
use crate::load::board::Figures;
use crate::load::frame::{Template, packet_id};
use crate::load::layout::Layout;
use crate::load::payload::Sizes;
use crate::load::plan::{Pace, Plan, Qos, Scenario, UNDER_WAY_BYTES_MAX};
use crate::load::rounds::{Airborne, ROUNDS};
use crate::load::schedule::Schedule;

mod dues;

use dues::Dues;

/// A publisher that the kernel does not take more from waits with this much at most.
const BACKLOG_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// A bit for each packet id, in words of 64.
const AWAITED_WORDS: usize = 1_024;
/// A round of which nothing arrives for this long is given up: its missing deliveries are lost.
const GIVE_UP_NS: u64 = 2_000_000_000;

/// The account of one publisher.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) number: u32,
    /// Its client's place within the thread.
    pub(super) client: usize,
    template: Template,
    sizes: Sizes,
    topics: u32,
    audience: Audience,
    wants_acks: bool,
    /// Packet ids whose acknowledgement is awaited, a bit for each; empty at QoS 0.
    awaited: Vec<u64>,
    /// When those messages were due, where it counts how long an acknowledgement takes.
    dues: Option<Dues>,
    /// How much may wait for the kernel; all publishers together keep within what a plan may have under way.
    backlog_bytes_max: usize,
    /// Whether it is among those that may be able to send.
    pub(super) is_ready: bool,
    /// Whether it waits until its messages have arrived, too, and not for their acknowledgements alone.
    wants_arrivals: bool,
    /// Messages of a round, or none where the clock sets the pace.
    batch: Option<u32>,
    /// Messages sent.
    sent: u32,
    /// Messages that may have been sent by this moment.
    goal: u32,
    /// Messages after which it stops.
    limit: u32,
    /// Messages that the broker has acknowledged or refused.
    finished: u32,
    /// Unacknowledged messages that the broker allows.
    quota: u32,
    /// `sent` when the load was last opened.
    base: u32,
    rounds_opened: u32,
    rounds_done: u32,
    /// What was on its way at the last look, and when that changed.
    progress: (u64, u64),
    /// Whether it sends what makes the broker forget its retained messages.
    clearing: bool,
}

/// How many subscribers hear a message.
#[derive(Debug)]
enum Audience {
    /// As many for every topic.
    Same(u32),
    /// By the topic's place.
    Each(Vec<u32>),
}

impl Audience {
    fn of(layout: &Layout, publisher: u32) -> Self {
        let first = layout.audience(publisher, 0);
        if (0..layout.topics()).all(|place| layout.audience(publisher, place) == first) {
            return Self::Same(first);
        }
        Self::Each(
            (0..layout.topics())
                .map(|place| layout.audience(publisher, place))
                .collect(),
        )
    }

    fn at(&self, place: u32) -> u32 {
        match self {
            Self::Same(audience) => *audience,
            Self::Each(each) => usize::try_from(place).map_or(0, |place| each.get(place).copied().unwrap_or(0)),
        }
    }
}

/// What the load is opened with.
#[derive(Clone, Copy, Debug)]
pub(in crate::load) struct Opening {
    /// When the schedule begins, in nanoseconds of the run's clock.
    pub(in crate::load) start_ns: u64,
    /// Messages of all publishers together after which they stop.
    pub(in crate::load) limit: Option<u64>,
    /// Whether retained messages are cleared.
    pub(in crate::load) clearing: bool,
}

impl Publisher {
    /// A publisher that has sent nothing.
    pub(super) fn new(plan: &Plan, layout: &Layout, number: u32, client: usize) -> Self {
        let topics = (0..layout.topics()).map(|place| layout.topic(number, place));
        let mut template = Template::new(plan.version, plan.qos, number, topics);
        if plan.scenario == Scenario::Retained {
            template = template.retained();
        }
        let wants_acks = plan.qos != Qos::AtMostOnce;
        let backlog_bytes_max = (UNDER_WAY_BYTES_MAX / layout.publishers().max(1)).min(BACKLOG_BYTES_MAX);
        Self {
            number,
            client,
            template,
            sizes: Sizes::new(&plan.payload, u64::from(number)),
            topics: layout.topics(),
            audience: Audience::of(layout, number),
            wants_acks,
            awaited: vec![0; if wants_acks { AWAITED_WORDS } else { 0 }],
            dues: Dues::of(plan),
            backlog_bytes_max: usize::try_from(backlog_bytes_max).map_or(1, |bytes| bytes.max(1)),
            is_ready: false,
            wants_arrivals: !matches!(plan.scenario, Scenario::Offline | Scenario::Durable),
            batch: match plan.pace {
                Pace::Window(window) => Some((window / ROUNDS).max(1)),
                Pace::Rate(_) => None,
            },
            sent: 0,
            goal: 0,
            limit: 0,
            finished: 0,
            quota: u32::from(u16::MAX),
            base: 0,
            rounds_opened: 0,
            rounds_done: 0,
            progress: (0, 0),
            clearing: false,
        }
    }

    /// Notes how many unacknowledged messages the broker allows.
    pub(super) fn allow(&mut self, receive_maximum: u16) {
        self.quota = u32::from(receive_maximum.max(1));
    }

    /// Lets it send; its share of the opening's limit is even.
    pub(super) fn open(&mut self, opening: &Opening, crowd: u32, airborne: &Airborne) {
        let share = opening.limit.map_or(u32::MAX, |limit| {
            let crowd = u64::from(crowd.max(1));
            let share = (limit + crowd - 1).saturating_sub(u64::from(self.number)) / crowd;
            u32::try_from(share).unwrap_or(u32::MAX)
        });
        self.base = self.sent;
        self.goal = self.sent;
        self.limit = self.sent.saturating_add(share);
        self.rounds_opened = 0;
        self.rounds_done = 0;
        self.clearing = opening.clearing;
        airborne.restart(self.base, self.batch.unwrap_or(1));
    }

    /// Messages that were due by this moment and have not been sent: when each was due, and how many would hear it.
    pub(super) fn unsent(&self, schedule: &Schedule, now_ns: u64) -> impl Iterator<Item = (u64, u32)> {
        let due_ns = move |sequence| schedule.due_ns(self.number, sequence - self.base);
        (self.sent..self.limit)
            .map(move |sequence| (due_ns(sequence), self.audience_of(sequence)))
            .take_while(move |(due_ns, _)| *due_ns <= now_ns)
    }

    /// Lets it send nothing further. What was due and could not be sent stays here.
    pub(super) fn close(&mut self) {
        self.limit = self.sent;
        self.goal = self.sent;
    }

    /// Lets one more message be due.
    pub(super) fn fall_due(&mut self) {
        self.goal = self.goal.saturating_add(1).min(self.limit);
    }

    /// Opens the rounds that fit into a window of `rounds` rounds.
    pub(super) fn advance(&mut self, rounds: u32, airborne: &Airborne) {
        let Some(batch) = self.batch else { return };
        while self.rounds_done < self.rounds_opened && self.is_done(self.rounds_done, batch, airborne) {
            self.rounds_done += 1;
        }
        while self.rounds_opened - self.rounds_done < rounds && self.goal < self.limit {
            let start = self.goal;
            self.goal = start.saturating_add(batch).min(self.limit);
            airborne.open(self.rounds_opened, self.deliveries_of(start..self.goal));
            self.rounds_opened += 1;
        }
    }

    /// Appends what it may send.
    pub(super) fn send(&mut self, now_ns: u64, schedule: Option<&Schedule>, out: &mut Vec<u8>, figures: &mut Figures) {
        let quota = if self.wants_acks { self.quota } else { u32::MAX };
        while self.sent < self.goal
            && self.sent.saturating_sub(self.finished) < quota
            && out.len() < self.backlog_bytes_max
        {
            // The ids come in turn, so that one message without its acknowledgement holds up those that are 65,535 later.
            if self.wants_acks && !self.occupy(packet_id(self.sent)) {
                break;
            }
            let (place, _) = split(self.sent, self.topics);
            if self.clearing {
                self.template.append_empty(self.sent, place, out);
            } else {
                let due_ns = schedule.map_or(now_ns, |schedule| schedule.due_ns(self.number, self.sent - self.base));
                let payload_bytes = self.sizes.draw();
                self.template.append(self.sent, place, payload_bytes, due_ns, out);
                if let Some(dues) = &mut self.dues {
                    dues.note(packet_id(self.sent), due_ns);
                }
            }
            figures.sent += 1;
            figures.expected += u64::from(self.audience.at(place));
            self.sent += 1;
        }
        if !self.wants_acks {
            self.finished = self.sent;
        }
    }

    /// Notes that the broker is done with one message, well, and gives the time at which it was due where that counts;
    /// an acknowledgement that is not awaited is stray.
    pub(super) fn acknowledged(&mut self, packet_id: u16, figures: &mut Figures) -> Option<u64> {
        if !self.release(packet_id) {
            figures.stray += 1;
            return None;
        }
        self.finished += 1;
        figures.acknowledged += 1;
        self.dues.as_ref()?.due_ns(packet_id)
    }

    /// Notes that the broker refused a message, so that nobody will hear it; a refusal that is not awaited is stray.
    pub(super) fn refused(&mut self, packet_id: u16, airborne: &Airborne, figures: &mut Figures) {
        if !self.release(packet_id) {
            figures.stray += 1;
            return;
        }
        self.finished += 1;
        figures.refused += 1;
        let sequence = self.sequence_of(packet_id);
        let audience = self.audience_of(sequence);
        figures.expected = figures.expected.saturating_sub(u64::from(audience));
        if self.batch.is_some() {
            airborne.arrived(airborne.round_of(sequence), audience);
        }
    }

    /// Gives up a round whose last deliveries do not come; true if that opens another. What is not acknowledged is
    /// never given up: its packet ids are in use.
    pub(super) fn give_up(&mut self, now_ns: u64, airborne: &Airborne) -> bool {
        let Some(batch) = self.batch.filter(|_| self.rounds_done < self.rounds_opened) else {
            return false;
        };
        let left = u64::from(airborne.left(self.rounds_done));
        let picture = (left << 32) | u64::from(self.rounds_done ^ self.finished.rotate_left(16));
        let (before, since_ns) = self.progress;
        if picture != before {
            self.progress = (picture, now_ns);
            return false;
        }
        let is_acknowledged = self.finished >= self.end_of(self.rounds_done, batch);
        if now_ns.saturating_sub(since_ns) < GIVE_UP_NS || !is_acknowledged || left == 0 {
            return false;
        }
        self.rounds_done += 1;
        true
    }

    /// Whether the acknowledgement of a packet id is awaited.
    pub(super) fn awaits(&self, packet_id: u16) -> bool {
        let (word, bit) = bit_of(packet_id);
        self.awaited.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Notes that a packet id is in use; false if it was already.
    fn occupy(&mut self, packet_id: u16) -> bool {
        let (word, bit) = bit_of(packet_id);
        let Some(bits) = self.awaited.get_mut(word).filter(|bits| **bits & bit == 0) else {
            return false;
        };
        *bits |= bit;
        true
    }

    /// Notes that a packet id is free; false if it was already.
    fn release(&mut self, packet_id: u16) -> bool {
        let (word, bit) = bit_of(packet_id);
        let Some(bits) = self.awaited.get_mut(word).filter(|bits| **bits & bit != 0) else {
            return false;
        };
        *bits &= !bit;
        true
    }

    fn is_done(&self, round: u32, batch: u32, airborne: &Airborne) -> bool {
        airborne.left(round) == 0 && self.finished >= self.end_of(round, batch)
    }

    /// The sequence number after a round's last message.
    fn end_of(&self, round: u32, batch: u32) -> u32 {
        let end = u64::from(self.base) + (u64::from(round) + 1) * u64::from(batch);
        u32::try_from(end).unwrap_or(u32::MAX).min(self.limit)
    }

    /// How many deliveries of messages with these sequence numbers are waited for.
    fn deliveries_of(&self, sequences: Range<u32>) -> u32 {
        if !self.wants_arrivals {
            return 0;
        }
        match &self.audience {
            Audience::Same(audience) => audience.saturating_mul(sequences.end - sequences.start),
            Audience::Each(_) => sequences.map(|sequence| self.audience_of(sequence)).sum(),
        }
    }

    fn audience_of(&self, sequence: u32) -> u32 {
        self.audience.at(split(sequence, self.topics).0)
    }

    /// The latest message sent under a packet id.
    fn sequence_of(&self, packet_id: u16) -> u32 {
        const IDS: u32 = 65_535;
        let last = self.sent.saturating_sub(1);
        let wanted = u32::from(packet_id).saturating_sub(1);
        last.saturating_sub((last % IDS + IDS - wanted) % IDS)
    }
}

/// Where a packet id has its bit: which word, and which of its bits.
fn bit_of(packet_id: u16) -> (usize, u64) {
    (usize::from(packet_id >> 6), 1 << (packet_id & 63))
}

#[cfg(test)]
mod tests;
