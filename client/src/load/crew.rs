//! The thread that leads a run: it gives orders to the workers, keeps time and counts, and puts nothing on the wire.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Waker};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::board::{Board, Figures, Trouble};
use super::clock::{Clock, ratio};
use super::failure::Failure;
use super::layout::Layout;
use super::plan::{Pace, Plan, Qos, Scenario};
use super::process::{Processes, Reading};
use super::target::Target;
use super::watch::{Moment, Phase, Watch};
use super::worker::{Opening, Order, Page, Post, WAKER, Who, Worker};

mod report;
mod setup;
mod timeline;

pub(super) use report::Part;
use timeline::Timeline;

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the leader sleeps between two looks at the figures.
const STEP: Duration = Duration::from_millis(10);
/// As [`STEP`], where the end of something is awaited whose length is a figure.
const SHORT_STEP: Duration = Duration::from_millis(1);
/// After the first connection is lost, so long the others' ends are counted too.
const AFTERMATH: Duration = Duration::from_millis(200);
const PANICKED: &str = "a thread of the generator panicked";

/// The workers of a run and what is known about it.
pub(super) struct Crew<'a> {
    pub(super) plan: &'a Plan,
    target: &'a Target,
    watch: &'a dyn Watch,
    board: Arc<Board>,
    orders: Vec<Sender<Order>>,
    threads: Vec<JoinHandle<()>>,
    pages: Receiver<Page>,
    orders_given: u64,
    /// Clients that the order under way is about.
    wanted: u32,
    phase: (Phase, Duration, Option<Duration>),
    look: Look,
    timeline: Timeline,
    broker: Option<Processes>,
    own: Processes,
    /// Whether messages have been sent: from then on trouble is an outcome.
    is_under_load: bool,
    load_began: Duration,
    broken: Option<(String, Duration)>,
    /// The moment at which the run was broken: parts that were under way end there.
    broken_at: Option<Snapshot>,
}

/// The last look that was shown.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at: Duration,
    received: u64,
}

/// All that is known at one moment of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    pub(super) at_ns: u64,
    pub(super) figures: Figures,
    pub(super) broker: Option<Reading>,
    pub(super) own: Reading,
    /// The piece of the timeline that begins here.
    pub(super) tick: u32,
}

impl<'a> Crew<'a> {
    /// Starts the workers; nobody is connected yet.
    ///
    /// # Errors
    ///
    /// [`Failure::Process`] if the broker's processes cannot be read, [`Failure::Machine`] if there are no threads.
    pub(super) fn start(
        target: &'a Target,
        plan: &'a Plan,
        layout: &Arc<Layout>,
        watch: &'a dyn Watch,
    ) -> Result<Self, Failure> {
        let machine = |what| move |source| Failure::Machine { what, source };
        raise_descriptor_limit();
        let own = Processes::own()?;
        let broker = (!target.pids.is_empty())
            .then(|| Processes::of(&target.pids))
            .transpose()?;
        let polls = (0..plan.threads).map(|_| Poll::new()).collect::<Result<Vec<_>, _>>();
        let polls = polls.map_err(machine("an epoll"))?;
        let wakers = polls.iter().map(|poll| Waker::new(poll.registry(), WAKER));
        let wakers = wakers.collect::<Result<_, _>>().map_err(machine("an eventfd"))?;
        let board = Arc::new(Board::new(Clock::start(), layout.publishers(), wakers));
        let (page_sender, pages) = mpsc::channel();
        let (mut orders, mut threads, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for (thread, poll) in polls.into_iter().enumerate() {
            let (sender, receiver) = mpsc::channel();
            orders.push(sender);
            let worker = Worker::new(Post {
                thread,
                board: Arc::clone(&board),
                poll,
                target: target.clone(),
                plan: plan.clone(),
                layout: Arc::clone(layout),
                orders: receiver,
                pages: page_sender.clone(),
            })
            .map_err(machine("a timer"))?;
            workers.push(worker);
        }
        for (thread, worker) in workers.into_iter().enumerate() {
            let named = std::thread::Builder::new().name(format!("load-{thread}"));
            let spawned = named.spawn(move || worker.run()).inspect_err(|_| board.end());
            threads.push(spawned.map_err(machine("a thread"))?);
        }
        Ok(Self {
            plan,
            target,
            watch,
            timeline: Timeline::new(threads.len()),
            board,
            orders,
            threads,
            pages,
            orders_given: 0,
            wanted: 0,
            phase: (Phase::Connecting, Duration::ZERO, None),
            look: Look::default(),
            broker,
            own,
            is_under_load: false,
            load_began: Duration::ZERO,
            broken: None,
            broken_at: None,
        })
    }

    /// Lets publishers send, up to `limit` messages together.
    pub(super) fn open(&mut self, limit: Option<u64>, clearing: bool) {
        let opening = self.opening(limit, clearing);
        self.order(Order::Open(opening));
    }

    /// How many messages were due and had not been sent when the load was closed; `None` where the clock sets no pace.
    pub(super) fn unsent(&self) -> Option<f64> {
        matches!(self.plan.pace, Pace::Rate(_)).then(|| ratio(self.board.figures().unsent, 1))
    }

    /// Lets all clients connect and disconnect in turn, `limit` times together.
    pub(super) fn cycle(&mut self, limit: Option<u64>) {
        let opening = self.opening(limit, false);
        self.order(Order::Cycle(opening));
    }

    /// Lets publishers send nothing further, and clients go round no more.
    pub(super) fn close(&mut self) {
        self.order(Order::Close);
    }

    /// Disconnects clients and gives the broker a moment to notice.
    pub(super) fn hang_up(&mut self, who: Who) {
        const NOTICE: Duration = Duration::from_millis(200);
        self.order(Order::HangUp(who));
        std::thread::sleep(NOTICE);
    }

    /// Lets one subscriber stop reading.
    pub(super) fn stall(&mut self) {
        self.order(Order::Stall);
    }

    /// Lets the load go on for this long, or until the broker falls silent or ends a connection.
    pub(super) fn pass(&mut self, phase: Phase, duration: Duration) {
        self.enter(phase, Some(duration), self.wanted);
        let end = self.board.clock.elapsed() + duration;
        let mut patience = Patience::new(self);
        while self.broken.is_none() && self.board.clock.elapsed() < end {
            let left = end.saturating_sub(self.board.clock.elapsed());
            self.step(left.min(STEP));
            let figures = self.board.figures();
            if patience.is_over(self, &figures, !self.is_waiting(&figures)) {
                self.fall_silent(&figures);
            }
        }
    }

    /// Waits until all orders are carried out and everything has arrived and is acknowledged, or nothing comes any
    /// more: then the run has lost something, or is broken if not all was sent. `extra` deliveries are expected beside
    /// those of messages sent, and `limit` messages are to be sent.
    pub(super) fn settle(&mut self, phase: Phase, extra: u64, limit: Option<u64>) {
        let has_arrived = |figures: &Figures| figures.received >= figures.expected + extra;
        self.await_settled(phase, limit.unwrap_or(0), has_arrived);
    }

    /// Waits until `sent` messages are sent and acknowledged, whether or not anybody has heard them; otherwise as
    /// [`Crew::settle`].
    pub(super) fn settle_acknowledged(&mut self, sent: u64) {
        self.await_settled(Phase::Measuring, sent, |_| true);
    }

    fn await_settled(&mut self, phase: Phase, sent: u64, has_arrived: impl Fn(&Figures) -> bool) {
        self.enter(phase, None, self.wanted);
        let mut patience = Patience::new(self);
        while self.broken.is_none() {
            let figures = self.board.figures();
            let is_sent = self.are_orders_done(&figures) && figures.sent >= sent;
            let is_complete = has_arrived(&figures) && self.unacknowledged(&figures) == 0;
            if is_sent && is_complete {
                return;
            }
            // Until the next message is due by the clock, there is nothing that could come.
            let is_resting = is_complete && figures.sent < sent && self.is_by_the_clock();
            if patience.is_over(self, &figures, is_resting) {
                if figures.sent < sent {
                    self.fall_short(&figures, sent);
                }
                return;
            }
            self.step(SHORT_STEP);
        }
    }

    /// All that is known at this moment, with which a piece of the timeline ends and the next begins.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let tick = self.turn_page();
        Snapshot {
            at_ns: self.board.clock.nanos(),
            figures: self.board.figures(),
            broker: self.broker.as_mut().map(Processes::read),
            own: self.own.read(),
            tick,
        }
    }

    /// The broker's resident memory, once it has had this long to settle.
    pub(super) fn broker_rss_kib(&mut self, settle: Duration) -> Option<u64> {
        std::thread::sleep(settle);
        self.broker.as_mut().map(|broker| broker.read().rss_kib)
    }

    /// Whether the broker ended a connection or fell silent.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// An opening at this moment, from which on trouble is an outcome.
    fn opening(&mut self, limit: Option<u64>, clearing: bool) -> Opening {
        if !self.is_under_load {
            self.is_under_load = true;
            self.load_began = self.board.clock.elapsed();
        }
        Opening {
            start_ns: self.board.clock.nanos(),
            limit,
            clearing,
        }
    }

    fn order(&mut self, order: Order) {
        for (thread, sender) in self.orders.iter().enumerate() {
            // A worker that has come to an end has said why.
            let _ = sender.send(order);
            self.board.wake(thread);
        }
        self.orders_given += 1;
    }

    /// Whether every worker has carried out all that was ordered.
    fn are_orders_done(&self, figures: &Figures) -> bool {
        figures.orders_done >= self.orders_given * u64::try_from(self.orders.len()).unwrap_or(0)
    }

    /// One step under load.
    fn step(&mut self, sleep: Duration) {
        std::thread::sleep(sleep);
        self.show_and_turn();
        // A worker that ends before it is told to says why, unless it has panicked.
        let has_ended = self.threads.iter().any(JoinHandle::is_finished);
        if let Some(trouble) = self.board.take_trouble() {
            self.break_off(&trouble);
        } else if has_ended {
            self.break_with(PANICKED.to_owned(), self.board.clock.elapsed());
        }
    }

    /// Ends the workers; false if one of them has panicked, which printed why.
    fn dismiss(&mut self) -> bool {
        self.board.end();
        let ends: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        ends.iter().all(Result::is_ok)
    }

    fn break_off(&mut self, trouble: &Trouble) {
        let (reason, at) = report::reason(trouble, self.board.clock);
        self.break_with(reason, at);
    }

    /// Ends the load for this reason, which arose at this time of the run.
    fn break_with(&mut self, reason: String, at: Duration) {
        self.broken = Some((reason, at.saturating_sub(self.load_began)));
        self.broken_at = Some(self.snapshot());
        self.close();
        std::thread::sleep(AFTERMATH);
    }

    fn fall_silent(&mut self, figures: &Figures) {
        let open = figures.expected.saturating_sub(figures.received);
        let reason = format!(
            "the broker fell silent: nothing came for {} s with {open} deliveries and {} acknowledgements open",
            self.plan.patience.as_secs_f64(),
            self.unacknowledged(figures)
        );
        self.break_with(reason, self.board.clock.elapsed());
    }

    fn fall_short(&mut self, figures: &Figures, wanted: u64) {
        let done = if self.plan.scenario == Scenario::Connect {
            "connections were begun"
        } else {
            "messages were sent"
        };
        let reason = format!(
            "{} of {wanted} {done} when nothing had come for {} s",
            figures.sent,
            self.plan.patience.as_secs_f64()
        );
        self.break_with(reason, self.board.clock.elapsed());
    }

    /// Whether the clock decides when something is sent, so that a pause is no silence.
    fn is_by_the_clock(&self) -> bool {
        let is_dialing_by_the_clock = self.plan.scenario == Scenario::Connect && self.plan.connect_rate > 0;
        is_dialing_by_the_clock || matches!(self.plan.pace, Pace::Rate(_))
    }

    fn is_waiting(&self, figures: &Figures) -> bool {
        figures.expected > figures.received || self.unacknowledged(figures) > 0
    }

    fn unacknowledged(&self, figures: &Figures) -> u64 {
        match self.plan.qos {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce | Qos::ExactlyOnce => figures.sent.saturating_sub(figures.acknowledged + figures.refused),
        }
    }

    fn enter(&mut self, phase: Phase, of: Option<Duration>, wanted: u32) {
        self.wanted = wanted;
        self.phase = (phase, self.board.clock.elapsed(), of);
        self.show();
    }

    fn show_and_turn(&mut self) {
        let now_ns = self.board.clock.nanos();
        if self.timeline.is_due(now_ns) {
            if let Some(broker) = &mut self.broker {
                // Should it end, this is what is known of it.
                broker.read();
            }
            self.turn_page();
        }
        if self.board.clock.elapsed() >= self.look.at + LOOK_EVERY {
            self.show();
        }
    }

    /// Ends a piece of the timeline and gives the number of the next.
    fn turn_page(&mut self) -> u32 {
        while let Ok(page) = self.pages.try_recv() {
            self.timeline.insert(page);
        }
        let (now_ns, received) = (self.board.clock.nanos(), self.board.figures().received);
        let next = self.timeline.turn(now_ns, received);
        self.board.tick.store(next, std::sync::atomic::Ordering::Release);
        next
    }

    fn show(&mut self) {
        let figures = self.board.figures();
        let (phase, began, of) = self.phase;
        let now = self.board.clock.elapsed();
        let nanos = u64::try_from(now.saturating_sub(self.look.at).as_nanos()).unwrap_or(u64::MAX);
        let (p50_us, p99_us) = self.timeline.of_late();
        self.watch.on_moment(&Moment {
            phase,
            at: now.saturating_sub(began),
            of,
            sent: figures.sent,
            delivered: figures.received,
            rate_per_sec: 1e9 * ratio(figures.received - self.look.received, nanos.max(1)),
            p50_us,
            p99_us,
            connected: u32::try_from(figures.ready).unwrap_or(u32::MAX),
            of_connections: self.wanted,
        });
        self.look = Look {
            at: now,
            received: figures.received,
        };
    }
}

/// Notices when nothing has come for too long.
#[derive(Debug)]
struct Patience {
    signs: u64,
    since: Duration,
}

impl Patience {
    fn new(crew: &Crew<'_>) -> Self {
        Self {
            signs: crew.board.figures().signs_of_life(),
            since: crew.board.clock.elapsed(),
        }
    }

    /// Whether nothing has come for too long. While the broker is resting, as nothing is asked of it, that does not
    /// count as silence.
    fn is_over(&mut self, crew: &Crew<'_>, figures: &Figures, is_resting: bool) -> bool {
        let (signs, now) = (figures.signs_of_life(), crew.board.clock.elapsed());
        if is_resting || signs != self.signs {
            (self.signs, self.since) = (signs, now);
        }
        now > self.since + crew.plan.patience
    }
}

/// Lets this process open as many sockets as the machine allows without asking root. If it does not let us, opening
/// them says so.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

impl Drop for Crew<'_> {
    fn drop(&mut self) {
        self.dismiss();
    }
}
