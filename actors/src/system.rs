//! Start order and stop order of all actors.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, System};
use actix_rt::Arbiter;
use broker::line::{Line, LineSetup};
use broker::presence::Presence;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use crate::acceptor::Gate;
use crate::clock::Clock;
use crate::desk::{Desk, Inboxes};
use crate::message::{Drain, Lingering};
use crate::router::{MeetLines, RouterActor};
use crate::session::{Open, SessionActor};
use crate::settings::Settings;
use crate::state;
use crate::tables::SharedTables;
use crate::transport::tcp;

/// How often a stopping broker looks whether all clients have left.
const LINGER_POLL: Duration = Duration::from_millis(20);
/// Between two looks for retained messages whose time is over.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Why a broker did not start. Nothing of it is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused threads, signals or an event queue.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
    /// An actor ended while the broker started.
    #[error("cannot start: an actor ended at once")]
    Actor,
}

/// Runs a broker until SIGTERM or SIGINT, then drains it.
///
/// `on_ready` is called once with the addresses that are listened on, when clients can connect.
///
/// # Errors
///
/// Says what kept the broker from starting.
pub fn run(settings: Settings, on_ready: impl FnOnce(&[SocketAddr])) -> Result<(), StartError> {
    let mut listeners = Vec::new();
    for &address in &settings.bind {
        let opened = tcp::listen(address, settings.lines).map_err(|error| StartError::Listen { address, error })?;
        listeners.push(opened);
    }
    let bound: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
    let system = System::new();
    system.block_on(async move {
        let mut stop = StopSignals::listen()?;
        let house = House::start(&settings);
        house
            .open(&settings, listeners.into_iter().map(|(_, listeners)| listeners))
            .await?;
        on_ready(&bound);
        let name = stop.wait().await;
        tracing::info!(
            signal = name,
            "stopping: no further connections, saying goodbye to all clients"
        );
        house.drain(settings.drain_timeout).await;
        house.stop();
        Ok(())
    })
}

/// The signals that stop a broker, and the one that is kept for reloading.
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

    async fn wait(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.term.recv() => return "SIGTERM",
                _ = self.int.recv() => return "SIGINT",
                _ = self.hup.recv() => tracing::warn!("SIGHUP is kept for reloading settings; restart to change them"),
            }
        }
    }
}

/// All actors of a broker.
struct House {
    arbiters: Vec<Arbiter>,
    lines: Vec<Addr<SessionActor>>,
    router: Addr<RouterActor>,
    tables: SharedTables,
    clock: Clock,
}

impl House {
    /// Starts the router, then the lines.
    fn start(settings: &Settings) -> Self {
        let clock = Clock::start();
        let tables = SharedTables::new(settings.router, settings.retained);
        let presence = Arc::new(Presence::new(settings.lines, settings.sessions_max));
        let inboxes = Arc::new(Inboxes::new(settings.lines));
        let router = RouterActor::new(tables.clone()).start();
        let mut arbiters = Vec::new();
        let mut lines = Vec::new();
        for index in 0..settings.lines {
            let arbiter = Arbiter::new();
            let (tables, presence) = (tables.clone(), Arc::clone(&presence));
            let (inboxes, router) = (Arc::clone(&inboxes), router.clone());
            let settings = settings.clone();
            let line = SessionActor::start_in_arbiter(&arbiter.handle(), move |_| {
                let line = Line::new(LineSetup {
                    index,
                    lines: settings.lines,
                    seed: settings.router.seed,
                    limits: settings.limits.clone(),
                    overseer: (settings.overseer)(),
                    presence,
                    tables: Box::new(tables),
                });
                SessionActor::new(Rc::new(Desk::new(
                    index,
                    line,
                    settings.of_line(),
                    clock,
                    router,
                    inboxes,
                )))
            });
            arbiters.push(arbiter);
            lines.push(line);
        }
        Self {
            arbiters,
            lines,
            router,
            tables,
            clock,
        }
    }

    /// Introduces everyone to everyone and opens the doors.
    async fn open(
        &self,
        settings: &Settings,
        listeners: impl Iterator<Item = Vec<std::net::TcpListener>>,
    ) -> Result<(), StartError> {
        self.router
            .send(MeetLines(self.lines.clone()))
            .await
            .map_err(|_| StartError::Actor)?;
        let mut shares: Vec<Vec<_>> = self.lines.iter().map(|_| Vec::new()).collect();
        for of_lines in listeners {
            let gate = Gate::new(settings.listener.connections_max);
            for (share, listener) in shares.iter_mut().zip(of_lines) {
                share.push((listener, Arc::clone(&gate), settings.listener));
            }
        }
        for (line, listeners) in self.lines.iter().zip(shares) {
            let open = Open {
                lines: self.lines.clone(),
                listeners,
            };
            line.send(open).await.map_err(|_| StartError::Actor)?;
        }
        if !settings.state_interval.is_zero() {
            let (lines, tables) = (self.lines.clone(), self.tables.clone());
            let reporter = state::Reporter::new(lines, tables, self.clock, settings);
            actix_rt::spawn(reporter.report_forever());
        }
        let (tables, clock) = (self.tables.clone(), self.clock);
        actix_rt::spawn(async move {
            loop {
                sleep(SWEEP_INTERVAL).await;
                tables.sweep(clock.now());
            }
        });
        Ok(())
    }

    /// Stops in order: doors, wills while their receivers are there, goodbyes; then waits for what is being written.
    async fn drain(&self, limit: Duration) {
        let deadline = Instant::from_std(crate::clock::deadline(limit));
        let drained = timeout_at(deadline, async {
            for step in [Drain::Close, Drain::Wills, Drain::Goodbye] {
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

    async fn lingering(&self) -> usize {
        let mut total = 0;
        for line in &self.lines {
            total += line.send(Lingering).await.unwrap_or(0);
        }
        total
    }

    fn stop(self) {
        for arbiter in self.arbiters {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a line ended in a panic");
            }
        }
    }
}
