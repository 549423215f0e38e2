//! What the actors of one line share: its brain, its sockets, and the ways to the router and to the other lines.
//!
//! Everything here belongs to one thread. Within a turn, connections are read and messages land in outboxes; at the end
//! of the turn [`Desk::flush`] writes each outbox once and sends each other line one message.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use actix::Addr;
use actix::prelude::SendError;
use auth::Chain;
use broker::durable::{Batch, Health, Progress};
use broker::effect::{Effect, Forward};
use broker::line::{ConnectionKey, Line};
use broker::message::Millis;
use broker::routing::RouteRequest;
use bytes::BytesMut;
use tokio::sync::watch;

use crate::authentication::Provers;
use crate::clock::Clock;
use crate::events::Events;
use crate::figures::{Gauges, LineFigures};
use crate::handshakes::Handshakes;
use crate::inboxes::Inboxes;
use crate::lag::Lag;
use crate::message::{Adopt, Arrival, Deliver, Reroute};
use crate::overload::Overload;
use crate::recorder::Recorder;
use crate::report::report_limit;
use crate::router::RouterActor;
use crate::session::SessionActor;
use crate::settings::LineSettings;
use crate::store::{Postbox, StoreAddr};
use crate::transport::{Ending, Socket};
use crate::watcher::Watcher;

mod closing;

/// How long a line with too much on its way to another waits before it looks again.
const RELIEF: Duration = Duration::from_millis(1);
/// What a forward counts for besides its message.
const FORWARD_COST: usize = 64;

/// See the module.
pub(crate) struct Desk {
    pub(crate) index: u16,
    pub(crate) clock: Clock,
    pub(crate) settings: LineSettings,
    pub(crate) line: RefCell<Line>,
    pub(crate) inboxes: Arc<Inboxes>,
    /// Who is asked about clients.
    pub(crate) chain: Arc<Chain>,
    /// How the process fares.
    pub(crate) overload: Arc<Overload>,
    /// Where it is told what happens.
    pub(crate) events: Arc<Events>,
    /// Who is told of traced messages.
    watcher: Arc<dyn Watcher>,
    /// Whether this line keeps up.
    pub(crate) lag: Lag,
    /// What happened to clients.
    pub(crate) recorder: Recorder,
    /// What is counted here and not in the brain.
    pub(crate) gauges: Gauges,
    /// Clients that authenticate again.
    provers: Provers,
    /// Conversations that are open or being ended.
    pub(crate) conversations: Cell<usize>,
    /// Nobody is admitted any more.
    is_barred: watch::Sender<bool>,
    /// TLS handshakes under way.
    pub(crate) handshakes: Rc<Handshakes>,
    /// What reads from connections go into, one after the other.
    pub(crate) read_buffer: RefCell<BytesMut>,
    sockets: RefCell<Vec<Option<Rc<Socket>>>>,
    /// A connection that was ended in the turn that admitted it, before it had a socket here.
    stillborn: RefCell<Option<(ConnectionKey, Ending)>>,
    lines: OnceCell<Vec<Addr<SessionActor>>>,
    /// Connections that this turn found to belong to other lines, by line.
    departures: RefCell<Vec<Vec<Arrival>>>,
    router: Addr<RouterActor>,
    /// The store and what it has for this line; `None`: nothing outlives the process.
    store: Option<(StoreAddr, Arc<Postbox>)>,
    batches: RefCell<VecDeque<Box<Batch>>>,
    requests: RefCell<Vec<RouteRequest>>,
    unsent: RefCell<Vec<VecDeque<Deliver>>>,
    dirty: RefCell<Vec<u32>>,
    flush_due: Cell<bool>,
    /// A turn is being ended, and will see by itself that another is due.
    is_flushing: Cell<bool>,
    flusher: RefCell<Option<Waker>>,
    congested: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

/// What a desk knows of the world outside of its line.
pub(crate) struct Ways {
    pub(crate) clock: Clock,
    pub(crate) router: Addr<RouterActor>,
    pub(crate) inboxes: Arc<Inboxes>,
    pub(crate) store: Option<(StoreAddr, Arc<Postbox>)>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) overload: Arc<Overload>,
    pub(crate) events: Arc<Events>,
    pub(crate) watcher: Arc<dyn Watcher>,
}

impl Desk {
    pub(crate) fn new(
        index: u16,
        line: Line,
        settings: LineSettings,
        Ways {
            clock,
            router,
            inboxes,
            store,
            chain,
            overload,
            events,
            watcher,
        }: Ways,
    ) -> Self {
        Self {
            index,
            clock,
            chain,
            watcher,
            lag: Lag::new(overload.line_lag_max()),
            gauges: Gauges::default(),
            overload,
            events,
            recorder: Recorder::new(settings.recorder, settings.lines),
            provers: Provers::default(),
            unsent: RefCell::new((0..settings.lines).map(|_| VecDeque::new()).collect()),
            departures: RefCell::new((0..settings.lines).map(|_| Vec::new()).collect()),
            settings,
            line: RefCell::new(line),
            inboxes,
            conversations: Cell::new(0),
            is_barred: watch::Sender::new(false),
            handshakes: Rc::default(),
            read_buffer: RefCell::new(BytesMut::new()),
            sockets: RefCell::new(Vec::new()),
            stillborn: RefCell::new(None),
            lines: OnceCell::new(),
            router,
            store,
            batches: RefCell::new(VecDeque::new()),
            requests: RefCell::new(Vec::new()),
            dirty: RefCell::new(Vec::new()),
            flush_due: Cell::new(false),
            is_flushing: Cell::new(false),
            flusher: RefCell::new(None),
            congested: Cell::new(false),
            waiting: RefCell::new(Vec::new()),
        }
    }

    /// Introduces the other lines; once, before the first connection.
    pub(crate) fn meet(&self, lines: Vec<Addr<SessionActor>>) {
        if self.lines.set(lines).is_err() {
            tracing::error!(line = self.index, "the lines were introduced twice");
        }
    }

    /// Whether the other lines are known, which they are when everything that the store holds is in force.
    pub(crate) fn has_met(&self) -> bool {
        self.lines.get().is_some()
    }

    /// Gives a connection's socket its place.
    pub(crate) fn seat(&self, connection: ConnectionKey, socket: Rc<Socket>) {
        if let Some((_, ending)) = self.stillborn.take().filter(|(ended, _)| *ended == connection) {
            return socket.close(ending);
        }
        let mut sockets = self.sockets.borrow_mut();
        let slot = connection.slot as usize;
        if sockets.len() <= slot {
            sockets.resize_with(slot + 1, || None);
        }
        if let Some(place) = sockets.get_mut(slot) {
            *place = Some(socket);
        }
    }

    /// Lets the brain work, then does what it asks for.
    pub(crate) fn with_line<T>(&self, work: impl FnOnce(&mut Line) -> T) -> T {
        let mut line = self.line.borrow_mut();
        let answer = work(&mut line);
        let effects = if line.has_effects() {
            line.take_effects()
        } else {
            Vec::new()
        };
        let due = line.has_output() || line.has_work() || !effects.is_empty();
        drop(line);
        for effect in effects {
            self.carry_out(effect);
        }
        if due {
            self.schedule_flush();
        }
        answer
    }

    /// Lets someone look at the brain, who changes nothing.
    pub(crate) fn look<T>(&self, work: impl FnOnce(&Line) -> T) -> T {
        work(&self.line.borrow())
    }

    /// As [`Desk::with_line`], with the time of this moment.
    pub(crate) fn act<T>(&self, work: impl FnOnce(&mut Line, Millis) -> T) -> T {
        let now = self.clock.now();
        self.with_line(|line| work(line, now))
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Route(request) => self.requests.borrow_mut().push(request),
            Effect::Resume(connection) => {
                if let Some(socket) = self.socket_of(connection) {
                    socket.resume();
                }
            }
            Effect::Limited(reached) => report_limit(&reached),
            Effect::Traced(span) => self.watcher.take(*span, self.clock.micros()),
            Effect::Prove(proving) => {
                let proof = self.provers.judge(&self.chain, &proving);
                let now = self.clock.now();
                self.with_line(|line| line.judged(proving.connection, proof, now));
            }
            Effect::Noted(note) => self.noted(&note),
            Effect::Close(closing) => self.close(*closing),
        }
    }

    pub(crate) fn socket_of(&self, connection: ConnectionKey) -> Option<Rc<Socket>> {
        let sockets = self.sockets.borrow();
        let socket = sockets.get(connection.slot as usize)?.as_ref()?;
        (socket.epoch == connection.epoch).then(|| Rc::clone(socket))
    }

    /// Ends the turn soon: after the connections that are ready to be read at this moment.
    fn schedule_flush(&self) {
        if !self.flush_due.replace(true)
            && !self.is_flushing.get()
            && let Some(flusher) = self.flusher.borrow().as_ref()
        {
            flusher.wake_by_ref();
        }
    }

    /// Ends turns for as long as the line lives.
    pub(crate) async fn flush_forever(self: Rc<Self>) {
        loop {
            poll_fn(|cx| {
                if self.flush_due.take() {
                    return Poll::Ready(());
                }
                let mut flusher = self.flusher.borrow_mut();
                if flusher.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    *flusher = Some(cx.waker().clone());
                }
                Poll::Pending
            })
            .await;
            self.is_flushing.set(true);
            self.flush();
            self.is_flushing.set(false);
            if self.congested.get() {
                tokio::time::sleep(RELIEF).await;
                self.flush_due.set(true);
            } else if self.flush_due.get() {
                // More came up while writing: the connections that have become ready go first. That holds only if
                // nothing has woken this task, or it would run again before the runtime looks for them.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Writes what waits for clients, tells the other lines and the router what they are to know.
    pub(crate) fn flush(&self) {
        self.gauges.count_turn();
        // In this order: what another line takes over from this one, the store has heard of.
        if self.send_batch() {
            self.send_forwards();
        }
        let mut dirty = self.dirty.take();
        self.line.borrow_mut().swap_dirty(&mut dirty);
        for slot in dirty.drain(..) {
            self.write_out(slot);
        }
        self.dirty.replace(dirty);
        self.send_departures();
        self.send_requests();
        if self.line.borrow().has_work() {
            let now = self.clock.now();
            self.with_line(|line| line.work(now));
        }
    }

    /// Writes one connection's outbox as far as the socket takes it.
    pub(crate) fn write_out(&self, slot: u32) {
        let Some(socket) = self.sockets.borrow().get(slot as usize).cloned().flatten() else {
            return;
        };
        let written = {
            let mut line = self.line.borrow_mut();
            let now = line.now();
            match line.outbox(slot) {
                Some((connection, out)) if connection.epoch == socket.epoch => {
                    let tape = &socket.tape;
                    let note = |out: &_, written| tape.borrow_mut().wrote(out, written, now, &self.recorder);
                    socket.write(out, note).map_err(|error| (connection, error))
                }
                Some(_) | None => return,
            }
        };
        match written {
            Ok(written) => {
                let micros = self.clock.micros();
                self.with_line(|line| {
                    line.clock_is(micros);
                    line.flushed(slot, written, Millis(micros / 1000));
                });
            }
            Err((connection, error)) => self.lose(connection, &error),
        }
    }

    fn send_forwards(&self) {
        let mut unsent = self.unsent.borrow_mut();
        for (index, queue) in unsent.iter_mut().enumerate() {
            let forwards = self
                .line
                .borrow_mut()
                .take_forwards(u16::try_from(index).unwrap_or(u16::MAX));
            if !forwards.is_empty() {
                let cost = forwards.iter().map(cost_of).sum();
                self.inboxes.add(index, cost);
                queue.push_back(Deliver { forwards, cost });
            }
            let Some(line) = self.lines.get().and_then(|lines| lines.get(index)) else {
                continue;
            };
            while let Some(deliver) = queue.pop_front() {
                if let Err(SendError::Full(deliver)) = line.try_send(deliver) {
                    queue.push_front(deliver);
                    break;
                }
            }
        }
        let blocked = unsent.iter().any(|queue| !queue.is_empty());
        let store_is_behind = self.store.as_ref().is_some_and(|(store, _)| store.is_behind());
        let congested = blocked || store_is_behind || self.inboxes.any_above(self.settings.inbox_bytes_max, self.index);
        self.congested.set(congested);
        if !congested {
            self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }

    /// Tells the store what the turn has for it; says whether it has taken everything.
    fn send_batch(&self) -> bool {
        let Some((store, _)) = &self.store else { return true };
        let mut batches = self.batches.borrow_mut();
        batches.extend(self.line.borrow_mut().take_batch().map(Box::new));
        while let Some(batch) = batches.pop_front() {
            if let Err(batch) = store.send(batch) {
                batches.push_front(batch);
                self.congested.set(true);
                return false;
            }
        }
        true
    }

    /// Takes what the store has for this line, for as long as the line lives.
    pub(crate) async fn attend_store(self: Rc<Self>) {
        let Some((_, postbox)) = &self.store else { return };
        let mut seen = (Progress::default(), Health::Well);
        let mut known: Option<Waker> = None;
        poll_fn(|cx| {
            // The line's actor wakes up for much else.
            if known.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
                postbox.attend(cx.waker());
                known = Some(cx.waker().clone());
            }
            let Some(post) = postbox.collect() else {
                return Poll::Pending;
            };
            let now = self.clock.now();
            self.with_line(|line| {
                if post.health != seen.1 {
                    self.tell_health(post.health);
                    line.store_is(post.health, now);
                }
                if post.progress != seen.0 {
                    line.kept(post.progress, now);
                }
                post.fetched.into_iter().for_each(|fetched| line.fetched(fetched, now));
            });
            seen = (post.progress, post.health);
            Poll::Pending
        })
        .await
    }

    /// What this line has counted.
    pub(crate) fn figures(&self) -> LineFigures {
        let (mailbox, inbox_bytes) = self.inboxes.of(self.index);
        let line = self.line.borrow();
        let classes = &line.limits().classes;
        let names = |name: &str| name.to_owned();
        LineFigures {
            filters: classes.filters.iter().map(|(name, _)| names(name)).collect(),
            groups: classes.groups.iter().map(|(name, _)| names(name)).collect(),
            counters: line.counters().clone(),
            turns: self.gauges.turns(),
            lag: self.gauges.lag(),
            conversations: self.conversations.get(),
            mailbox,
            inbox_bytes,
            topics_cached: line.topics_cached(),
            holdings: line.holdings(),
            recorder_bytes: self.recorder.used(),
        }
    }

    /// Takes the requests for the router out, for one who carries them out himself.
    pub(crate) fn take_requests(&self) -> Vec<RouteRequest> {
        self.requests.take()
    }

    /// Sends a connection to another line, with the end of the turn.
    pub(crate) fn hand_over(&self, home: u16, arrival: Arrival) {
        if let Some(departures) = self.departures.borrow_mut().get_mut(usize::from(home)) {
            departures.push(arrival);
        }
        self.schedule_flush();
    }

    fn send_departures(&self) {
        for (home, departures) in self.departures.borrow_mut().iter_mut().enumerate() {
            if departures.is_empty() {
                continue;
            }
            let arrivals = std::mem::take(departures);
            let Some(line) = self.lines.get().and_then(|lines| lines.get(home)) else {
                continue;
            };
            if let Err(SendError::Full(adopt) | SendError::Closed(adopt)) = line.try_send(Adopt { arrivals }) {
                let closed = adopt.arrivals.len();
                tracing::warn!(
                    line = home,
                    closed,
                    "connections closed: their home line does not keep up"
                );
            }
        }
    }

    fn send_requests(&self) {
        let mut waiting = self.requests.borrow_mut();
        if waiting.is_empty() {
            return;
        }
        let request = Reroute {
            line: self.index,
            requests: std::mem::take(&mut *waiting),
        };
        if let Err(SendError::Full(request)) = self.router.try_send(request) {
            *waiting = request.requests;
            self.flush_due.set(true);
        }
    }

    /// Whether this line must not read more, because another does not keep up. The waker is woken when it may.
    pub(crate) fn is_congested(&self, waker: &Waker) -> bool {
        let congested = self.congested.get();
        if congested {
            self.waiting.borrow_mut().push(waker.clone());
        }
        congested
    }
}

fn cost_of(forward: &Forward) -> usize {
    FORWARD_COST + forward.message.cost()
}
