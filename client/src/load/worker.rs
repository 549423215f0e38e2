//! One thread of the generator: its connections on its own epoll.
//!
//! A thread carries out the orders of the thread that leads the run, reads what has arrived, lets publishers send what
//! they may, and shows its figures once a turn. In the steady state a turn allocates nothing, and a message costs no
//! system call of its own where messages travel together.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::board::{Board, Trouble};
use super::frame::PINGREQ;
use super::gauge::Gauge;
use super::layout::{Layout, Role, STALLED};
use super::link::{End, SCRATCH_BYTES};
use super::plan::Plan;
use super::schedule::{Agenda, Schedule};
use super::target::Target;

mod client;
mod cycle;
mod errand;
mod ledger;
mod publisher;
mod sending;

use client::{Client, Stage};
use cycle::Cycles;
use errand::Errand;
use ledger::Ledger;
pub(super) use publisher::Opening;
use publisher::Publisher;

pub(super) const WAKER: Token = Token(0);
const TIMER: Token = Token(1);
/// Tokens from here on are places of clients.
const FIRST_CLIENT: usize = 2;
/// Nobody sleeps longer than this, so that every wait ends.
const WAIT_MAX: Duration = Duration::from_millis(50);
/// A connection that has more to read than this many reads bring waits until the others had their turn.
const READS_MAX: u32 = 8;

/// What the leading thread asks of every worker.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Connect these clients, with sessions that begin empty or with those that the broker kept.
    Dial { who: Who, clean: bool },
    /// Subscribe to everything.
    Subscribe,
    /// Let publishers send.
    Open(Opening),
    /// Let all clients connect and disconnect in turn.
    Cycle(Opening),
    /// Let publishers send nothing further, and clients go round no more.
    Close,
    /// Disconnect these clients.
    HangUp(Who),
    /// Let one subscriber stop reading.
    Stall,
}

/// Some of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Everybody,
    Subscribers,
    Publishers,
}

impl Who {
    fn includes(self, role: Role) -> bool {
        match (self, role) {
            (Self::Everybody, _)
            | (Self::Subscribers, Role::Subscriber(_))
            | (Self::Publishers, Role::Publisher(_)) => true,
            (Self::Subscribers | Self::Publishers, _) => false,
        }
    }
}

/// A thread's latencies in one piece of the timeline.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) thread: usize,
    pub(super) tick: u32,
    pub(super) gauge: Option<Gauge>,
}

/// What a worker is made from.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) thread: usize,
    pub(super) board: Arc<Board>,
    pub(super) poll: Poll,
    pub(super) target: Target,
    pub(super) plan: Plan,
    pub(super) layout: Arc<Layout>,
    pub(super) orders: Receiver<Order>,
    pub(super) pages: Sender<Page>,
}

/// One thread's share of a run.
#[derive(Debug)]
pub(super) struct Worker {
    post: Post,
    timer: OwnedFd,
    events: Events,
    scratch: Vec<u8>,
    clients: Vec<Client>,
    ledger: Ledger,
    /// Connections that may have more to read, by client.
    unread: VecDeque<usize>,
    errand: Option<Errand>,
    cycles: Option<Cycles>,
    schedule: Option<(Schedule, Agenda)>,
    is_open: bool,
    is_stalled: bool,
    tick: u32,
    give_up_at_ns: u64,
    /// When clients last gave signs of life for their own sake.
    pinged_ns: u64,
}

impl Worker {
    /// Takes a share of the clients; nobody is connected yet.
    ///
    /// # Errors
    ///
    /// What the kernel said when asked for a timer.
    pub(super) fn new(post: Post) -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        post.poll
            .registry()
            .register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let (plan, layout) = (&post.plan, &post.layout);
        let mut ledger = Ledger::new(Arc::clone(&post.board), post.thread, plan, layout.topics());
        let mut clients = Vec::new();
        for (index, role) in (0..).zip(layout.clients()) {
            let number = role.number();
            if !usize::try_from(number).is_ok_and(|number| number % post.board.threads() == post.thread) {
                continue;
            }
            match role {
                Role::Subscriber(_) => ledger
                    .subscribers
                    .push(layout.counts(number).then(|| layout.account(number))),
                Role::Publisher(_) => {
                    ledger
                        .publishers
                        .push(Publisher::new(plan, layout, number, clients.len()));
                }
                Role::Idle(_) => {}
            }
            clients.push(Client::new(index, role, post.board.threads()));
        }
        Ok(Self {
            timer,
            events: Events::with_capacity(1_024),
            scratch: vec![0; SCRATCH_BYTES],
            clients,
            ledger,
            unread: VecDeque::new(),
            errand: None,
            cycles: None,
            schedule: None,
            is_open: false,
            is_stalled: false,
            tick: 0,
            give_up_at_ns: 0,
            pinged_ns: 0,
            post,
        })
    }

    /// Works until the run is over.
    pub(super) fn run(mut self) {
        while !self.post.board.is_over() {
            self.obey();
            if let Err(source) = self.turn() {
                self.ledger.board.report(Trouble::Machine {
                    what: "a wait for connections",
                    source,
                });
                break;
            }
            self.ledger.exchange_mail();
            self.ledger.show();
            self.turn_page();
        }
        self.hand_in();
        self.hang_up(Who::Everybody);
    }

    /// Carries out what was ordered, one order after the other.
    fn obey(&mut self) {
        while self.errand.is_none() {
            match self.post.orders.try_recv() {
                Ok(Order::Dial { who, clean }) => {
                    self.errand = Some(Errand::dial(who, clean, self.post.board.clock.nanos()));
                }
                Ok(Order::Subscribe) => self.errand = Some(Errand::subscribe()),
                Ok(Order::Open(opening)) => self.open(&opening),
                Ok(Order::Cycle(opening)) => self.cycle(&opening),
                Ok(Order::Close) => self.close(),
                Ok(Order::HangUp(who)) => self.hang_up(who),
                Ok(Order::Stall) => self.is_stalled = true,
                Err(_nothing_ordered) => return,
            }
            if self.errand.is_none() {
                self.ledger.figures.orders_done += 1;
            }
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let nap = self.post.plan.effective_nap();
        if self.is_open && !nap.is_zero() {
            std::thread::sleep(nap);
        }
        let timeout = self.timeout()?;
        match self.post.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        if self.schedule.is_some() {
            self.send_due(self.post.board.clock.nanos());
        }
        // Those that still have more to read join the queue again, behind.
        for _ in 0..self.unread.len() {
            if let Some(client) = self.unread.pop_front() {
                self.read(client, false);
            }
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Some(client) = event.token().0.checked_sub(FIRST_CLIENT) else {
                continue;
            };
            if event.is_writable() {
                self.write(client);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.read(client, event.is_read_closed() || event.is_error());
            }
        }
        self.events = events;
        self.run_errand();
        self.run_cycles();
        self.ledger.exchange_mail();
        let now_ns = self.post.board.clock.nanos();
        self.give_up(now_ns);
        self.keep_alive(now_ns);
        self.send_ready();
        Ok(())
    }

    /// How long there is nothing to do unless something happens. What is due sooner than epoll can tell sets a timer.
    fn timeout(&mut self) -> io::Result<Duration> {
        if !self.unread.is_empty() || !self.ledger.ready.is_empty() {
            return Ok(Duration::ZERO);
        }
        if self.errand.is_some() || self.cycles.is_some() {
            return Ok(Duration::from_millis(1));
        }
        let next_ns = self.schedule.as_ref().and_then(|(_, agenda)| agenda.next_ns());
        let Some(next_ns) = next_ns.filter(|_| self.is_open) else {
            return Ok(WAIT_MAX);
        };
        let wait = Duration::from_nanos(next_ns.saturating_sub(self.post.board.clock.nanos()));
        if wait.is_zero() || wait > WAIT_MAX {
            return Ok(wait.min(WAIT_MAX));
        }
        let spec = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: 0,
                tv_nsec: wait.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(WAIT_MAX)
    }

    /// Reads what has arrived on one connection; one whose end was announced is read to that end.
    fn read(&mut self, place: usize, is_ending: bool) {
        let clock = self.post.board.clock;
        for _ in 0..READS_MAX {
            let Some(client) = self.clients.get_mut(place) else {
                return;
            };
            if self.is_stalled && client.role == Role::Subscriber(STALLED) {
                return;
            }
            let (ledger, mut arrival_ns) = (&mut self.ledger, None);
            let received = client.receive(&mut self.scratch, ledger, || {
                *arrival_ns.get_or_insert_with(|| clock.nanos())
            });
            self.ledger.settle();
            match received {
                Ok(more) if more || is_ending => {}
                Ok(_) => {
                    self.after_read(place);
                    return;
                }
                Err(end) => {
                    self.lose(place, &end);
                    return;
                }
            }
        }
        self.after_read(place);
        self.unread.push_back(place);
    }

    fn after_read(&mut self, place: usize) {
        if let Some(client) = self.clients.get_mut(place)
            && client.is_publisher()
            && let Some(publisher) = client.local
        {
            self.ledger.make_ready(publisher);
        }
        self.write(place);
        self.end_cycle(place);
    }

    fn write(&mut self, place: usize) {
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        let waited = client.link.as_ref().is_some_and(|link| link.backlog_bytes() > 0);
        match client.link.as_mut().map_or(Ok(()), |link| link.flush()) {
            Ok(()) => {
                if let Some(publisher) = client.local.filter(|_| waited && client.is_publisher()) {
                    self.ledger.make_ready(publisher);
                }
            }
            Err(end) => self.lose(place, &end),
        }
    }

    /// Notes that a connection has ended against our will.
    fn lose(&mut self, place: usize, end: &End) {
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        if client.link.take().is_none() {
            return;
        }
        self.ledger.figures.connections_lost += 1;
        let trouble = client.trouble(end, &self.post.layout, self.post.target.address, self.post.board.clock);
        self.ledger.board.report(trouble);
    }

    fn hang_up(&mut self, who: Who) {
        for client in self.clients.iter_mut().filter(|client| who.includes(client.role)) {
            client.hang_up();
        }
    }

    /// Keeps the broker from taking silence for absence: a PINGREQ from every client in each half of a keep alive.
    fn keep_alive(&mut self, now_ns: u64) {
        let every_ns = u64::from(self.ledger.keep_alive_secs) * 500_000_000;
        if now_ns < self.pinged_ns + every_ns {
            return;
        }
        self.pinged_ns = now_ns;
        for place in 0..self.clients.len() {
            if let Some(client) = self.clients.get_mut(place).filter(|client| client.stage != Stage::Away)
                && let Some(link) = &mut client.link
            {
                link.out().extend_from_slice(&PINGREQ);
                self.write(place);
            }
        }
    }

    /// Hands in the latencies of a piece of the timeline that is over.
    fn turn_page(&mut self) {
        let tick = self.post.board.tick.load(Ordering::Acquire);
        if tick != self.tick {
            self.hand_in();
            self.tick = tick;
        }
    }

    fn hand_in(&mut self) {
        let gauge = &mut self.ledger.gauge;
        let gauge = (gauge.count() > 0).then(|| std::mem::replace(gauge, Gauge::new()));
        // Whoever leads the run has left if nobody takes the page.
        let _ = self.post.pages.send(Page {
            thread: self.post.thread,
            tick: self.tick,
            gauge,
        });
    }
}
