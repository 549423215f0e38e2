//! Start order and stop order of all actors.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::{Actor, Addr, System};
use actix_rt::Arbiter;
use broker::acl::Rights;
use broker::line::{Line, LineSetup};
use broker::message::Millis;
use broker::presence::Presence;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::access::{Access, entitle};
use crate::clock::Clock;
use crate::control::Control;
use crate::desk::{Desk, Ways};
use crate::doors::handover::Handover;
use crate::doors::{self, Doors, Premises};
use crate::events::Events;
use crate::inboxes::Inboxes;
use crate::life::{End, Life, Signals};
use crate::message::{AwaitReturn, AwaitsStore, Drain, Lingering, MarkStore, Suspend};
use crate::operations::life::Course;
use crate::operations::{self, Operations};
use crate::overload::Overload;
use crate::process::{Moment, Process, Successor};
use crate::quic::QuicHouse;
use crate::reload::{Concerned, OpenDoors, Reloader};
use crate::rights::RightsFileError;
use crate::router::{MeetLines, RouterActor};
use crate::session::{Meet, Open, SessionActor};
use crate::settings::{ListenerSettings, Settings};
use crate::state;
use crate::store::{self, CommitSettings, Opened, Postbox, StoreActor, StoreAddr};
use crate::tables::SharedTables;
use crate::transport::tls::TlsError;

/// How often a stopping broker looks whether all clients have left.
const LINGER_POLL: Duration = Duration::from_millis(20);
/// For the store to take what the last goodbyes left, when the broker stops.
const STORE_LIMIT: Duration = Duration::from_secs(5);
/// For clients to take their goodbye when another binary takes over: each moment is one in which nobody is served.
const HANDOVER_LINGER: Duration = Duration::from_secs(2);
/// Between two looks for retained messages whose time is over.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Why a broker did not start. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error("cannot listen on {endpoint}: {error}")]
    Listen {
        /// The address or path that was asked for.
        endpoint: String,
        /// What the system said.
        error: io::Error,
    },
    /// The files of a listener's TLS are not good.
    #[error("cannot listen as {listener}: {error}")]
    Tls {
        /// The listener's name.
        listener: String,
        /// Which file, and why.
        error: TlsError,
    },
    /// The store could not be opened.
    #[error("{0}")]
    Store(#[from] storage::StoreError),
    /// What the authenticators need is wrong.
    #[error(transparent)]
    Authentication(#[from] auth::OpenError),
    /// The file of rights is wrong.
    #[error(transparent)]
    Rights(#[from] RightsFileError),
    /// The system refused threads, signals or an event queue.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// An actor ended while the broker started.
    #[error("cannot start: an actor ended at once")]
    Actor,
}

/// How a broker's life ends well.
#[derive(Debug)]
pub enum Ending {
    /// It has stopped.
    Stopped,
    /// It has made way for another binary, which takes the sockets.
    HandedOver(Handover, Successor),
}

/// Runs a broker until SIGTERM, SIGINT or an operator ends it, then drains it.
///
/// `on_ready` is called once when clients can connect, with what operators may ask of the broker and do to it, and with
/// the listeners, where they are bound.
///
/// # Errors
///
/// Says what kept the broker from starting.
pub fn run(
    settings: Settings,
    premises: Premises,
    process: &Arc<dyn Process>,
    on_ready: impl FnOnce(&Operations, &[ListenerSettings]),
) -> Result<Ending, StartError> {
    let system = System::new();
    system.block_on(async move {
        let (access, rights) = Access::open(&settings).await?;
        let opened = settings.store.as_ref().map(store::open).transpose()?;
        let mut signals = Signals::listen()?;
        let past = process.past();
        let grace = past.awaits_clients.then_some(settings.upgrade_grace);
        let mut house = House::start(&settings, opened, (&access, &rights), grace).await?;
        // Nobody waits at the door while sessions are being read.
        let doors = Doors::open(premises)?;
        let bound = doors.bound();
        let open_doors = Arc::new(OpenDoors::hold(doors));
        let state_interval = watch::Sender::new(settings.state_interval);
        house.open(&settings, &open_doors, state_interval.subscribe()).await?;
        let quic = QuicHouse::open(open_doors.datagrams()?, &house.lines, (house.clock, &access.chain))?;
        let endpoints = bound.iter().map(|bound| bound.endpoint.clone());
        let (course, helm) = Course::begin(past, endpoints);
        let operations = house.operations(&settings, &open_doors, &access, course);
        house.answer_callers(&settings, &operations);
        on_ready(&operations, &bound);
        process.tell(Moment::Ready);
        let renewal = actix_rt::spawn(doors::renew_forever(Arc::clone(&open_doors), Arc::clone(&house.events)));
        let concerned = Concerned {
            lines: house.lines.clone(),
            chain: Arc::clone(&access.chain),
            tables: house.tables.clone(),
            overload: Arc::clone(&house.overload),
            doors: Arc::clone(&open_doors),
            state_interval,
        };
        let reloader = Reloader::new(concerned, &settings, rights);
        let life = Life {
            helm,
            reloader: &reloader,
            events: &house.events,
            doors: &open_doors,
            lines: &house.lines,
            quic: quic.as_ref(),
            process,
            is_kept: house.store.is_some(),
        };
        let end = life.live(&mut signals).await;
        renewal.abort();
        quic.iter().for_each(QuicHouse::close);
        let limit = reloader.drain_timeout();
        match end {
            End::Stop(who) => {
                tracing::info!(who, "stopping: no further connections, saying goodbye to all clients");
                // From here on nobody waits in the kernel for a broker that ends.
                open_doors.let_go();
                house
                    .events
                    .tell("drain", || format!("stopping on {who}: all clients are sent away"));
                house.drain(limit).await;
                house.stop().await;
                quic.into_iter().for_each(QuicHouse::stop);
                open_doors.remove_files();
                Ok(Ending::Stopped)
            }
            End::Upgrade(successor) => {
                tracing::info!(
                    binary = %successor.binary.display(),
                    version = successor.version,
                    "making way for another binary: connections wait in the kernel, clients are sent away to return"
                );
                house.suspend(limit).await;
                house.stop().await;
                quic.into_iter().for_each(QuicHouse::stop);
                Ok(make_way(&mut signals, &open_doors, successor).await)
            }
        }
    })
}

/// Leaves the sockets to another binary, unless the broker was told to stop while it closed.
async fn make_way(signals: &mut Signals, open_doors: &OpenDoors, successor: Successor) -> Ending {
    if signals.has_stop().await {
        tracing::info!("told to stop while it made way: no other binary takes over");
        open_doors.remove_files();
        return Ending::Stopped;
    }
    Ending::HandedOver(open_doors.hand_over(), successor)
}

/// What one line knows and decides.
fn brain(index: u16, settings: &Settings, presence: Arc<Presence>, tables: SharedTables, serial: u64) -> Line {
    let setup = LineSetup {
        index,
        lines: settings.lines,
        seed: settings.router.seed,
        limits: settings.limits.clone(),
        overseer: settings.policy.overseer(),
        presence,
        tables: Box::new(tables),
        serial,
    };
    #[cfg_attr(not(feature = "faults"), expect(unused_mut, reason = "only faults change it"))]
    let mut line = Line::new(setup);
    #[cfg(feature = "faults")]
    line.lose_every(settings.lose_every);
    line
}

/// Has the lines wait so long for clients of the binary before this one.
async fn await_returns(lines: &[Addr<SessionActor>], clock: Clock, grace: Duration) -> Result<(), StartError> {
    let until = clock.now().plus(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
    for line in lines {
        line.send(AwaitReturn(until)).await.map_err(|_| StartError::Actor)?;
    }
    Ok(())
}

/// All actors of a broker.
struct House {
    arbiters: Vec<Arbiter>,
    lines: Vec<Addr<SessionActor>>,
    router: Addr<RouterActor>,
    tables: SharedTables,
    clock: Clock,
    overload: Arc<Overload>,
    events: Arc<Events>,
    store: Option<(StoreAddr, JoinHandle<()>)>,
    control: Option<Control>,
}

impl House {
    /// Starts the router, then the lines, gives them the rights and what the store holds, and starts the store's own
    /// thread.
    async fn start(
        settings: &Settings,
        opened: Option<Opened>,
        (access, rights): (&Access, &Rights),
        grace: Option<Duration>,
    ) -> Result<Self, StartError> {
        let (time, serial) = opened
            .as_ref()
            .map_or((Millis::default(), 0), |opened| (opened.time, opened.serial));
        let clock = Clock::start(time);
        let tables = SharedTables::new(settings.router, settings.retained);
        let presence = Arc::new(Presence::new(settings.lines, settings.sessions_max));
        let inboxes = Arc::new(Inboxes::new(settings.lines));
        let overload = Overload::new(settings.overload);
        let events = Events::new(clock);
        let router = RouterActor::new(tables.clone()).start();
        let postboxes: Vec<Arc<Postbox>> = (0..settings.lines).map(|_| Arc::default()).collect();
        let channel = settings
            .store
            .as_ref()
            .map(|store| StoreAddr::channel(store.backlog_bytes_max));
        let mut arbiters = Vec::new();
        let mut lines = Vec::new();
        for (index, postbox) in (0..settings.lines).zip(&postboxes) {
            let store = channel.as_ref().map(|(addr, _)| (addr.clone(), Arc::clone(postbox)));
            let arbiter = Arbiter::new();
            let (tables, presence) = (tables.clone(), Arc::clone(&presence));
            let (inboxes, router) = (Arc::clone(&inboxes), router.clone());
            let (settings, chain, overload) = (settings.clone(), Arc::clone(&access.chain), Arc::clone(&overload));
            let events = Arc::clone(&events);
            let line = SessionActor::start_in_arbiter(&arbiter.handle(), move |_| {
                let line = brain(index, &settings, presence, tables, serial);
                let ways = Ways {
                    clock,
                    router,
                    inboxes,
                    store,
                    chain,
                    overload,
                    events,
                    watcher: Arc::clone(&settings.watcher),
                };
                SessionActor::new(Rc::new(Desk::new(index, line, settings.of_line(), ways)))
            });
            arbiters.push(arbiter);
            lines.push(line);
        }
        // Before anything that the store holds is published: wills of clients that were there when the broker ended.
        entitle(&lines, rights).await;
        if let Some(grace) = grace {
            await_returns(&lines, clock, grace).await?;
        }
        let store = match (opened, channel, &settings.store) {
            (Some(mut opened), Some((addr, errands)), Some(store)) => {
                store::restore(&mut opened.archive, &lines, &tables, clock.now()).await?;
                let commit = CommitSettings::of(store);
                let actor = StoreActor::new(opened, (&addr, errands), postboxes, tables.clone(), clock, commit);
                let thread = std::thread::Builder::new().name("store".to_owned());
                Some((addr, thread.spawn(move || actor.run_guarded())?))
            }
            (_, _, _) => None,
        };
        Ok(Self {
            arbiters,
            lines,
            router,
            tables,
            clock,
            overload,
            events,
            store,
            control: None,
        })
    }

    /// Introduces everyone to everyone and opens the doors.
    async fn open(
        &self,
        settings: &Settings,
        doors: &OpenDoors,
        reports: watch::Receiver<Duration>,
    ) -> Result<(), StartError> {
        self.router
            .send(MeetLines(self.lines.clone()))
            .await
            .map_err(|_| StartError::Actor)?;
        for line in &self.lines {
            line.send(Meet(self.lines.clone()))
                .await
                .map_err(|_| StartError::Actor)?;
        }
        for (line, share) in self.lines.iter().zip(doors.shares(settings.lines)?) {
            line.send(Open(share)).await.map_err(|_| StartError::Actor)?;
        }
        actix_rt::spawn(Arc::clone(&self.overload).watch_forever());
        let (lines, tables) = (self.lines.clone(), self.tables.clone());
        let overload = Arc::clone(&self.overload);
        let reporter = state::Reporter::new(lines, (tables, overload), self.clock, reports, settings);
        actix_rt::spawn(reporter.report_forever());
        let (tables, clock) = (self.tables.clone(), self.clock);
        let store = self.store.as_ref().map(|(addr, _)| addr.clone());
        actix_rt::spawn(async move {
            loop {
                sleep(SWEEP_INTERVAL).await;
                let expired = tables.sweep(clock.now());
                if let Some(store) = store.as_ref().filter(|_| !expired.is_empty()) {
                    store.expire(expired);
                }
            }
        });
        Ok(())
    }

    /// Opens the control socket.
    fn answer_callers(&mut self, settings: &Settings, operations: &Operations) {
        if let Some(socket) = &settings.control_socket {
            let store = self.store.as_ref().map(|(addr, _)| addr.clone());
            self.control = Control::open(socket, store, operations.clone());
        }
    }

    fn operations(&self, settings: &Settings, doors: &Arc<OpenDoors>, access: &Access, course: Course) -> Operations {
        Operations::new(operations::House {
            lines: self.lines.clone(),
            tables: self.tables.clone(),
            clock: self.clock,
            overload: Arc::clone(&self.overload),
            events: Arc::clone(&self.events),
            doors: Arc::clone(doors),
            chain: Arc::clone(&access.chain),
            policy: Arc::clone(&settings.policy),
            store: self.store.as_ref().map(|(addr, _)| addr.clone()),
            probes: settings.probes,
            watcher: Arc::clone(&settings.watcher),
            version: settings.version.clone(),
            course,
        })
    }

    /// Stops in order: doors, wills while their receivers are there, goodbyes; then waits for what is being written.
    async fn drain(&self, limit: Duration) {
        let deadline = Instant::from_std(crate::clock::deadline(limit));
        let drained = timeout_at(deadline, async {
            for step in [Drain::Close, Drain::Bar, Drain::Wills, Drain::Goodbye] {
                if step == Drain::Goodbye {
                    // What is under way is acknowledged before the connection ends.
                    self.keep_promises(limit / 2).await;
                }
                self.step(step).await;
            }
            while self.lingering().await > 0 {
                sleep(LINGER_POLL).await;
            }
        });
        match drained.await {
            Ok(()) => tracing::info!("all clients have left"),
            Err(_) => tracing::warn!(
                after_ms = limit.as_millis(),
                "some clients did not take their goodbye in time"
            ),
        }
    }

    /// Accepts nobody, waits for what is promised, and ends all connections in such a way that their clients return to
    /// what the store holds.
    async fn suspend(&self, limit: Duration) {
        for step in [Drain::Close, Drain::Bar] {
            self.step(step).await;
        }
        // What is under way is acknowledged before the connection ends.
        self.keep_promises(limit / 2).await;
        let left = timeout(HANDOVER_LINGER.min(limit), async {
            // Those who were on their way in come after the others.
            loop {
                self.suspend_all().await;
                if self.lingering().await == 0 {
                    return;
                }
                sleep(LINGER_POLL).await;
            }
        });
        if left.await.is_err() {
            tracing::info!(
                "some clients did not take their goodbye in time; they find their sessions when they return"
            );
        }
    }

    async fn step(&self, step: Drain) {
        for line in &self.lines {
            if line.send(step).await.is_err() {
                tracing::error!(?step, "a line ended before the broker did");
            }
        }
    }

    async fn suspend_all(&self) {
        for line in &self.lines {
            let mut next = Some(0);
            while let Some(from) = next {
                next = line.send(Suspend(from)).await.ok().and_then(|slice| slice.next);
            }
        }
    }

    /// Waits until the store has what the lines have for it at this moment. Clients who go on publishing have no end.
    async fn keep_promises(&self, limit: Duration) {
        let mut marks = Vec::new();
        for line in &self.lines {
            marks.push(line.send(MarkStore).await.unwrap_or(0));
        }
        self.await_store(&marks, limit).await;
    }

    /// Waits until the store has what the lines have for it, up to a mark for each; no longer than `limit`, for it may
    /// have no room.
    async fn await_store(&self, marks: &[u64], limit: Duration) {
        let kept = timeout(limit, async {
            for (line, mark) in self.lines.iter().zip(marks) {
                while line.send(AwaitsStore(*mark)).await.unwrap_or(false) {
                    sleep(LINGER_POLL).await;
                }
            }
        });
        if kept.await.is_err() {
            tracing::warn!("the store did not take everything in time; what it did not take was not acknowledged");
        }
    }

    async fn lingering(&self) -> usize {
        let mut total = 0;
        for line in &self.lines {
            total += line.send(Lingering).await.unwrap_or(0);
        }
        total
    }

    async fn stop(mut self) {
        drop(self.control.take());
        let everything = vec![u64::MAX; self.lines.len()];
        self.await_store(&everything, STORE_LIMIT).await;
        for arbiter in self.arbiters {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a line ended in a panic");
            }
        }
        if let Some((addr, thread)) = self.store {
            addr.stop();
            if thread.join().is_err() {
                tracing::error!("the store ended in a panic");
            }
        }
    }
}
