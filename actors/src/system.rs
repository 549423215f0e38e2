//! Start order and stop order of all actors.

use std::io;
use std::os::fd::OwnedFd;
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
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::access::{Access, entitle};
use crate::clock::Clock;
use crate::control::Control;
use crate::desk::{Desk, Inboxes, Ways};
use crate::doors::{self, Doors, Renewal};
use crate::listener::Listener;
use crate::message::{AwaitsStore, Drain, Lingering};
use crate::overload::Overload;
use crate::quic::QuicHouse;
use crate::rights::RightsFileError;
use crate::router::{MeetLines, RouterActor};
use crate::session::{Open, SessionActor};
use crate::settings::{ListenerSettings, Settings};
use crate::state;
use crate::store::{self, CommitSettings, Opened, Postbox, StoreActor, StoreAddr};
use crate::tables::SharedTables;
use crate::transport::tls::TlsError;

/// How often a stopping broker looks whether all clients have left.
const LINGER_POLL: Duration = Duration::from_millis(20);
/// For the store to take what the last goodbyes left, when the broker stops.
const STORE_LIMIT: Duration = Duration::from_secs(5);
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

/// Runs a broker until SIGTERM or SIGINT, then drains it.
///
/// `on_ready` is called once with the listeners, where they are bound, when clients can connect.
///
/// # Errors
///
/// Says what kept the broker from starting.
pub fn run(settings: Settings, on_ready: impl FnOnce(&[ListenerSettings])) -> Result<(), StartError> {
    // What can be known before a store is opened for nothing.
    let listeners = doors::prepare(&settings.listeners)?;
    let system = System::new();
    system.block_on(async move {
        let (access, rights) = Access::open(&settings).await?;
        let opened = settings.store.as_ref().map(store::open).transpose()?;
        let mut stop = StopSignals::listen()?;
        let mut house = House::start(&settings, opened, &access, &rights).await?;
        // Nobody waits at the door while sessions are being read.
        let doors = Doors::open(listeners, settings.lines)?;
        house.open(&settings, &doors.listeners, doors.sockets).await?;
        let quic = QuicHouse::open(doors.datagrams, &house.lines, (house.clock, &access.chain))?;
        on_ready(&doors.bound);
        let renewal = actix_rt::spawn(doors::renew_forever(doors.listeners.clone()));
        let name = stop.wait(&doors.listeners, &access, &house.lines).await;
        renewal.abort();
        tracing::info!(
            signal = name,
            "stopping: no further connections, saying goodbye to all clients"
        );
        quic.iter().for_each(QuicHouse::close);
        house.drain(settings.drain_timeout).await;
        house.stop().await;
        quic.into_iter().for_each(QuicHouse::stop);
        drop(doors.files);
        Ok(())
    })
}

/// The signals that stop a broker, and the one that reloads.
struct StopSignals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(
        &mut self,
        listeners: &[Arc<Listener>],
        access: &Access,
        lines: &[Addr<SessionActor>],
    ) -> &'static str {
        loop {
            tokio::select! {
                _ = self.term.recv() => return "SIGTERM",
                _ = self.int.recv() => return "SIGINT",
                _ = self.hup.recv() => {
                    tracing::info!("SIGHUP: reading certificates, users, rights and rules again; other settings need a restart");
                    doors::renew(listeners.to_vec(), Renewal::All).await;
                    access.reload(lines).await;
                }
            }
        }
    }
}

/// What one line knows and decides.
fn brain(index: u16, settings: &Settings, presence: Arc<Presence>, tables: SharedTables, serial: u64) -> Line {
    Line::new(LineSetup {
        index,
        lines: settings.lines,
        seed: settings.router.seed,
        limits: settings.limits.clone(),
        overseer: settings.policy.overseer(),
        presence,
        tables: Box::new(tables),
        serial,
    })
}

/// All actors of a broker.
struct House {
    arbiters: Vec<Arbiter>,
    lines: Vec<Addr<SessionActor>>,
    router: Addr<RouterActor>,
    tables: SharedTables,
    clock: Clock,
    overload: Arc<Overload>,
    store: Option<(StoreAddr, JoinHandle<()>)>,
    /// Of a broker with a store.
    control: Option<Control>,
}

impl House {
    /// Starts the router, then the lines, gives them the rights and what the store holds, and starts the store's own
    /// thread.
    async fn start(
        settings: &Settings,
        opened: Option<Opened>,
        access: &Access,
        rights: &Rights,
    ) -> Result<Self, StartError> {
        let (time, serial) = opened
            .as_ref()
            .map_or((Millis::default(), 0), |opened| (opened.time, opened.serial));
        let clock = Clock::start(time);
        let tables = SharedTables::new(settings.router, settings.retained);
        let presence = Arc::new(Presence::new(settings.lines, settings.sessions_max));
        let inboxes = Arc::new(Inboxes::new(settings.lines));
        let overload = Overload::new(settings.overload);
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
            let line = SessionActor::start_in_arbiter(&arbiter.handle(), move |_| {
                let line = brain(index, &settings, presence, tables, serial);
                let ways = Ways {
                    clock,
                    router,
                    inboxes,
                    store,
                    chain,
                    overload,
                };
                SessionActor::new(Rc::new(Desk::new(index, line, settings.of_line(), ways)))
            });
            arbiters.push(arbiter);
            lines.push(line);
        }
        // Before anything that the store holds is published: wills of clients that were there when the broker ended.
        entitle(&lines, rights).await;
        let store = match (opened, channel, &settings.store) {
            (Some(mut opened), Some((addr, errands)), Some(store)) => {
                store::restore(&mut opened.archive, &lines, &tables, clock.now()).await?;
                let commit = CommitSettings {
                    wait_max: store.commit_wait_max,
                    bytes_max: store.commit_bytes_max,
                    journal_bytes_max: store.journal_bytes_max,
                };
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
            store,
            control: None,
        })
    }

    /// Introduces everyone to everyone and opens the doors.
    async fn open(
        &mut self,
        settings: &Settings,
        listeners: &[Arc<Listener>],
        sockets: Vec<Vec<OwnedFd>>,
    ) -> Result<(), StartError> {
        self.router
            .send(MeetLines(self.lines.clone()))
            .await
            .map_err(|_| StartError::Actor)?;
        let mut shares: Vec<Vec<_>> = self.lines.iter().map(|_| Vec::new()).collect();
        for (listener, of_lines) in listeners.iter().zip(sockets) {
            for (share, socket) in shares.iter_mut().zip(of_lines) {
                share.push((socket, Arc::clone(listener)));
            }
        }
        for (line, listeners) in self.lines.iter().zip(shares) {
            let open = Open {
                lines: self.lines.clone(),
                listeners,
            };
            line.send(open).await.map_err(|_| StartError::Actor)?;
        }
        if let (Some((addr, _)), Some(store)) = (&self.store, &settings.store) {
            self.control = Control::open(&store.directory, addr.clone());
        }
        actix_rt::spawn(Arc::clone(&self.overload).watch_forever());
        if !settings.state_interval.is_zero() {
            let (lines, tables) = (self.lines.clone(), self.tables.clone());
            let overload = Arc::clone(&self.overload);
            let reporter = state::Reporter::new(lines, (tables, overload), self.clock, settings);
            actix_rt::spawn(reporter.report_forever());
        }
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

    /// Stops in order: doors, wills while their receivers are there, goodbyes; then waits for what is being written.
    async fn drain(&self, limit: Duration) {
        let deadline = Instant::from_std(crate::clock::deadline(limit));
        let drained = timeout_at(deadline, async {
            for step in [Drain::Close, Drain::Wills, Drain::Goodbye] {
                if step == Drain::Goodbye {
                    // What is under way is acknowledged before the connection ends.
                    self.await_store(limit / 2).await;
                }
                for line in &self.lines {
                    if line.send(step).await.is_err() {
                        tracing::error!(?step, "a line ended before the broker stopped");
                    }
                }
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

    /// Waits until the store has what the lines have for it; no longer than `limit`, for it may have no room.
    async fn await_store(&self, limit: Duration) {
        let kept = timeout(limit, async {
            for line in &self.lines {
                while line.send(AwaitsStore).await.unwrap_or(false) {
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
        self.await_store(STORE_LIMIT).await;
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
