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
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::access::{Access, entitle};
use crate::clock::Clock;
use crate::control::Control;
use crate::desk::{Desk, Ways};
use crate::doors::handover::Handover;
use crate::doors::{self, Doors, Premises};
use crate::events::Events;
use crate::inboxes::Inboxes;
use crate::life::{Life, Pulse, Signals, Stop};
use crate::message::AwaitReturn;
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

mod closing;

/// What a start after an upgrade may take before the service manager's watchdog is told no more: as long as its unit gives
/// any other start.
const START_LIMIT: Duration = Duration::from_secs(300);
/// What an end may take beyond its two bounds before that watchdog is told no more: lines and threads that do not answer.
const LAST_THREADS: Duration = Duration::from_secs(25);
/// For tasks that block to end with the broker.
const LAST_TASKS: Duration = Duration::from_secs(1);
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

/// How a broker's life ends.
#[derive(Debug)]
pub enum Ending {
    /// It has stopped.
    Stopped,
    /// It has stopped, also if another binary was to take over, and the store has not written and synced everything that
    /// it had; why, and what that means.
    CutShort(String),
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
    let runtime = runtime()?;
    let shared = Arc::clone(&runtime);
    let system = System::with_tokio_rt(move || shared);
    let ended = system.block_on(live(settings, premises, process, on_ready));
    drop(system);
    // What was asked of the system in vain, as of a file that does not answer, keeps nobody.
    if let Some(runtime) = Arc::into_inner(runtime) {
        runtime.shutdown_timeout(LAST_TASKS);
    }
    ended
}

/// What futures run on. Whoever has it need not wait for its blocking tasks when it ends.
fn runtime() -> io::Result<Arc<Runtime>> {
    Builder::new_current_thread().enable_all().build().map(Arc::new)
}

/// Holds the runtime of a line. Whoever drops it when the line has ended waits for none of its blocking tasks, as a
/// question to a server of names, and may be a future of another runtime.
struct LineRuntime(Option<Arc<Runtime>>);

impl LineRuntime {
    /// A runtime for the line, and what holds it.
    fn build() -> io::Result<(Arc<Runtime>, Self)> {
        let runtime = runtime()?;
        let held = Self(Some(Arc::clone(&runtime)));
        Ok((runtime, held))
    }
}

impl Drop for LineRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take().and_then(Arc::into_inner) {
            runtime.shutdown_background();
        }
    }
}

async fn live(
    settings: Settings,
    premises: Premises,
    process: &Arc<dyn Process>,
    on_ready: impl FnOnce(&Operations, &[ListenerSettings]),
) -> Result<Ending, StartError> {
    let past = process.past();
    // The service manager has heard that the broker serves, from the binary before.
    let pulse = past
        .awaits_clients
        .then(|| Pulse::begin(process, START_LIMIT))
        .flatten();
    let (access, rights) = Access::open(&settings).await?;
    let opened = settings.store.as_ref().map(store::open).transpose()?;
    let signals = Signals::listen()?;
    let grace = past.awaits_clients.then_some(settings.upgrade_grace);
    let mut house = House::start(&settings, opened, (&access, &rights), grace).await?;
    // Nobody waits at the door while sessions are being read.
    let doors = Doors::open(premises)?;
    let bound = doors.bound();
    let open_doors = Arc::new(OpenDoors::hold(doors));
    let state_interval = watch::Sender::new(settings.state_interval);
    house.open(&settings, &open_doors, state_interval.subscribe()).await?;
    let quic = QuicHouse::open(open_doors.datagrams()?, &house.lines, (house.clock, &access.chain))?;
    let (course, helm) = Course::begin(past);
    let stop = Stop(helm.stop.subscribe());
    let signals = signals.attend(helm.stop.clone());
    let operations = house.operations(&settings, &open_doors, &access, course);
    house.answer_callers(&settings, &operations);
    on_ready(&operations, &bound);
    process.tell(Moment::Ready);
    drop(pulse);
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
        stop: stop.clone(),
        reloader: &reloader,
        events: &house.events,
        doors: &open_doors,
        lines: &house.lines,
        quic: quic.as_ref(),
        process,
        is_kept: house.store.is_some(),
    };
    let end = life.live(signals).await;
    let within = reloader.ends_within();
    let _pulse = Pulse::begin(process, within.goodbye + within.store + LAST_THREADS);
    renewal.abort();
    quic.iter().for_each(QuicHouse::close);
    Ok(house.end(end, (&open_doors, quic), within, &stop).await)
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

/// Finds out whether the files that the settings name are good, as [`run`] would read them: certificates of listeners, users
/// and bans, rights, and what the data directory says of itself. Nothing is opened, locked or changed.
///
/// # Errors
///
/// The first that is not.
pub fn check(settings: &Settings) -> Result<(), StartError> {
    doors::read_certificates(&settings.listeners)?;
    System::new().block_on(Access::open(settings))?;
    Ok(settings.store.as_ref().map_or(Ok(()), store::check)?)
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
    arbiters: Vec<(Arbiter, LineRuntime)>,
    lines: Vec<Addr<SessionActor>>,
    router: Addr<RouterActor>,
    tables: SharedTables,
    clock: Clock,
    overload: Arc<Overload>,
    events: Arc<Events>,
    store: Option<(StoreAddr, JoinHandle<Result<(), String>>)>,
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
            let (runtime, held) = LineRuntime::build()?;
            let arbiter = Arbiter::try_with_tokio_rt(move || Ok(runtime))?;
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
            arbiters.push((arbiter, held));
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
            bailiffs: operations::bans::Bailiffs::new(self.lines.len()),
            version: settings.version.clone(),
            course,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads may be refused: then a runtime without its thread ends within a future of another one.
    #[actix_rt::test]
    async fn the_runtime_of_a_line_may_end_within_a_future() {
        let (runtime, held) = LineRuntime::build().expect("a runtime");
        drop(runtime);
        drop(held);
    }
}
