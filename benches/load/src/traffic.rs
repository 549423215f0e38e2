//! Publishers and subscribers at work: who may send, what arrived, and how long it took.
//!
//! Publishers go by rounds. A round is a fixed number of messages that leave in one write; it is over when its last
//! message has reached every subscriber and, above QoS 0, all of it is acknowledged. At most [`Pace::Window`]'s rounds
//! are under way, so that no broker has to drop a message, and no broker gets a window that suits it.

use std::ops::Range;
use std::time::Duration;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::fleet::{Fleet, Stirred, Target, Wish};
use crate::frame::{Mark, Packet, Qos, Template};
use crate::histogram::Histogram;
use crate::report::Tally;

mod publisher;
mod subscriber;

use publisher::Publisher;
use subscriber::{Heard, Subscriber};

/// Who publishes what to whom.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// For publishing and subscribing alike.
    pub(crate) qos: Qos,
    /// Bytes of each payload.
    pub(crate) payload_bytes: usize,
    /// What sets the publishers' speed.
    pub(crate) pace: Pace,
    /// How long to look away between two looks at the connections.
    pub(crate) nap: Duration,
    /// The topic of each publisher.
    pub(crate) publishers: Vec<String>,
    /// The subscribers; their connections are numbered from 0 in this order.
    pub(crate) subscribers: Vec<Listener>,
    /// Connections that subscribe to what nobody publishes.
    pub(crate) idle: u32,
}

/// One subscriber of a layout.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// The topic that it subscribes to.
    pub(crate) topic: String,
    /// The publishers that it hears, by number.
    pub(crate) hears: Range<u32>,
    /// Whether its deliveries are part of the tally and the latencies.
    pub(crate) counts: bool,
    /// A bound for the kernel's receive buffer, in bytes.
    pub(crate) receive_buffer: Option<usize>,
}

/// What sets the publishers' speed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The arrival of earlier messages.
    Window {
        /// Messages of one publisher that leave together.
        batch: u32,
        /// Batches of one publisher that may be on their way.
        rounds: u32,
    },
    /// The clock.
    Rate {
        /// Messages per second of all publishers together.
        per_second: u32,
    },
}

impl Pace {
    /// Two rounds of half the window each, or one message at a time.
    pub(crate) fn window(messages: u32) -> Self {
        Self::Window {
            batch: (messages / 2).max(1),
            rounds: messages.min(2),
        }
    }
}

/// A load that runs.
#[derive(Debug)]
pub(crate) struct Traffic {
    fleet: Fleet,
    clock: Clock,
    pace: Pace,
    nap: Duration,
    subscribers: Vec<Subscriber>,
    publishers: Vec<Publisher>,
    /// Whether publishers may send; not while the last messages are awaited.
    open: bool,
    /// Publishers whose next round may leave.
    ready: Vec<u32>,
    /// When the rate began, and how many messages it has let go.
    rate: (Duration, u64),
    /// The subscriber that has stopped reading.
    mute: Option<usize>,
    latency: Histogram,
    received: u64,
    stirred: Vec<Stirred>,
}

impl Traffic {
    /// Connects and subscribes everybody, and lets the publishers wait.
    ///
    /// # Errors
    ///
    /// As [`Fleet::open`].
    pub(crate) fn prepare(target: Target, layout: &Layout) -> Result<Self, Failure> {
        let mut wishes = Vec::new();
        wishes.extend(layout.subscribers.iter().map(|listener| Wish {
            filter: Some((listener.topic.clone(), layout.qos)),
            receive_buffer: listener.receive_buffer,
        }));
        wishes.extend(layout.publishers.iter().map(|_| Wish::default()));
        wishes.extend((0..layout.idle).map(|number| Wish::listening(format!("idle/{number}"), layout.qos)));
        let publishers = (0..).zip(&layout.publishers).map(|(number, topic)| {
            let audience = layout
                .subscribers
                .iter()
                .filter(|listener| listener.hears.contains(&number))
                .count();
            Publisher::new(
                Template::new(topic, layout.qos, layout.payload_bytes, number),
                audience,
                layout.qos,
            )
        });
        Ok(Self {
            fleet: Fleet::open(target, &wishes)?,
            clock: Clock::start(),
            pace: layout.pace,
            nap: layout.nap,
            subscribers: layout.subscribers.iter().map(Subscriber::new).collect(),
            publishers: publishers.collect(),
            open: false,
            ready: Vec::new(),
            rate: (Duration::ZERO, 0),
            mute: None,
            latency: Histogram::new(),
            received: 0,
            stirred: Vec::new(),
        })
    }

    /// Keeps the load up for this long; `watch` is called about every 100 ms.
    ///
    /// # Errors
    ///
    /// Any [`Failure`] of a connection, or what `watch` returns.
    pub(crate) fn run_for(
        &mut self,
        duration: Duration,
        mut watch: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const WATCH_EVERY: Duration = Duration::from_millis(100);
        let end = self.clock.elapsed() + duration;
        let mut next_watch = Duration::ZERO;
        if !self.open {
            self.open = true;
            self.rate = (self.clock.elapsed(), 0);
            self.ready.extend((0..).zip(&self.publishers).map(|(number, _)| number));
        }
        loop {
            let now = self.clock.elapsed();
            if now >= end {
                return Ok(());
            }
            if now >= next_watch {
                watch()?;
                next_watch = now + WATCH_EVERY;
            }
            self.turn()?;
        }
    }

    /// Stops publishing and waits until all has arrived, or until nothing arrives any more.
    ///
    /// # Errors
    ///
    /// Any [`Failure`] of a connection.
    pub(crate) fn drain(&mut self, patience: Duration) -> Result<Tally, Failure> {
        self.open = false;
        let (mut tally, mut progress_at) = (self.tally(), self.clock.elapsed());
        while (tally.received < tally.expected || tally.unacknowledged > 0)
            && self.clock.elapsed() < progress_at + patience
        {
            self.turn()?;
            let fresh = self.tally();
            if fresh != tally {
                (tally, progress_at) = (fresh, self.clock.elapsed());
            }
        }
        Ok(tally)
    }

    /// Lets one subscriber stop reading, by number.
    pub(crate) fn mute(&mut self, subscriber: usize) {
        self.mute = Some(subscriber);
    }

    /// Deliveries so far to the subscribers that count.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The latencies since the last call.
    pub(crate) fn take_latency(&mut self) -> Histogram {
        std::mem::replace(&mut self.latency, Histogram::new())
    }

    /// Ends all connections.
    pub(crate) fn close(self) {
        self.fleet.close();
    }

    fn turn(&mut self) -> Result<(), Failure> {
        if !self.nap.is_zero() {
            std::thread::sleep(self.nap);
        }
        // A paced publisher is due within a millisecond, epoll's shortest wait; others move when something arrives.
        let mut stirred = std::mem::take(&mut self.stirred);
        self.fleet.wait(Duration::from_millis(1), &mut stirred)?;
        for event in &stirred {
            if event.writable {
                self.fleet.flush(event.index)?;
            }
            if event.readable && self.mute != Some(event.index) {
                self.read(event.index)?;
            }
        }
        self.stirred = stirred;
        match self.pace {
            Pace::Window { batch, rounds } => self.send_rounds(batch, rounds),
            Pace::Rate { per_second } => self.send_due(per_second),
        }
    }

    fn read(&mut self, index: usize) -> Result<(), Failure> {
        let Some(subscriber) = self.subscribers.get_mut(index) else {
            return self.read_acknowledgements(index);
        };
        let (clock, publishers, ready, pace) = (self.clock, &mut self.publishers, &mut self.ready, self.pace);
        let (latency, received) = (&mut self.latency, &mut self.received);
        let mut arrival = None;
        self.fleet.receive(index, |packet, out| {
            packet.answer(out);
            let Packet::Publish { payload, .. } = packet else {
                return;
            };
            let Some(mark) = Mark::read(payload) else { return };
            // One look at the clock per read: what one read brought has arrived together.
            let arrival = *arrival.get_or_insert_with(|| clock.nanos());
            if subscriber.hear(mark) == Heard::Stale {
                return;
            }
            if subscriber.counts() {
                *received += 1;
                latency.record(arrival.saturating_sub(mark.stamp_ns));
            }
            if let (Pace::Window { batch, rounds }, Some(publisher)) = (
                pace,
                publishers.get_mut(usize::try_from(mark.publisher).unwrap_or(usize::MAX)),
            ) && publisher.arrived(mark.sequence, batch)
                && publisher.may_send(batch, rounds)
            {
                ready.push(mark.publisher);
            }
        })?;
        self.fleet.flush(index)
    }

    fn read_acknowledgements(&mut self, index: usize) -> Result<(), Failure> {
        let number = index - self.subscribers.len();
        let Some(publisher) = self.publishers.get_mut(number) else {
            return self.fleet.receive(index, |_, _| {});
        };
        self.fleet.receive(index, |packet, out| {
            packet.answer(out);
            if matches!(packet, Packet::Puback | Packet::Pubcomp) {
                publisher.acknowledged();
            }
        })?;
        if let Pace::Window { batch, rounds } = self.pace
            && publisher.may_send(batch, rounds)
        {
            self.ready.extend(u32::try_from(number));
        }
        self.fleet.flush(index)
    }

    fn send_rounds(&mut self, batch: u32, rounds: u32) -> Result<(), Failure> {
        for number in std::mem::take(&mut self.ready) {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            let index = self.subscribers.len() + number;
            let (Some(publisher), Some(link), true) =
                (self.publishers.get_mut(number), self.fleet.link(index), self.open)
            else {
                continue;
            };
            let now = self.clock.nanos();
            while publisher.may_send(batch, rounds) {
                publisher.send(batch, now, link.out());
            }
            link.flush()?;
        }
        Ok(())
    }

    fn send_due(&mut self, per_second: u32) -> Result<(), Failure> {
        let (began, gone) = self.rate;
        let nanos = self.clock.elapsed().saturating_sub(began).as_nanos();
        let due = u64::try_from(nanos * u128::from(per_second) / 1_000_000_000).unwrap_or(u64::MAX);
        if !self.open || due <= gone {
            return Ok(());
        }
        self.rate.1 = due;
        let now = self.clock.nanos();
        let crowd = u64::try_from(self.publishers.len()).unwrap_or(u64::MAX);
        for (number, publisher) in (0..).zip(&mut self.publishers) {
            // Message k belongs to publisher k mod crowd.
            let share = |upto: u64| (upto + crowd - 1 - number) / crowd;
            let count = u32::try_from(share(due) - share(gone)).unwrap_or(u32::MAX);
            let index = self.subscribers.len() + usize::try_from(number).unwrap_or(usize::MAX);
            if let (1.., Some(link)) = (count, self.fleet.link(index)) {
                publisher.send(count, now, link.out());
                link.flush()?;
            }
        }
        Ok(())
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally {
            received: self.received,
            ..Tally::default()
        };
        for publisher in &self.publishers {
            tally.sent += u64::from(publisher.sent());
            tally.unacknowledged += publisher.unacknowledged();
        }
        for subscriber in self.subscribers.iter().filter(|subscriber| subscriber.counts()) {
            tally.expected += subscriber.expects(&self.publishers);
            tally.repeated += subscriber.stale();
            tally.gaps += subscriber.gaps();
        }
        tally
    }
}
