//! The broker's life as operators direct it: stop, reload, drain, upgrade, and how it fares.
//!
//! What is asked for here is a wish. The loop of the broker's life takes one after the other and answers each, so that no
//! two of them are under way at once and none is half done.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::Operations;
use crate::plan::Plan;
use crate::process::Past;
use crate::reload::NewFile;

/// Wishes that may wait for the loop; more are refused.
const WISHES_MAX: usize = 16;

/// Why the broker did not do what it was asked for: the culprit and the remedy, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Declined(pub String);

/// How a wish is answered.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Declined>>;

/// From operators to the loop of the broker's life.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Read settings and files again; answered with what has changed, a line each, or with why nothing has.
    Reload(Reply<Vec<String>>),
    /// What a reload with this text as the file of settings would change.
    Plan(NewFile, Reply<Plan>),
    /// Accept nobody and send the clients away; answered when that has begun.
    Drain(DrainOrder, Reply<()>),
    /// Accept clients again.
    Undrain(Reply<()>),
    /// Have another binary take over; answered when it was checked and this one begins to close.
    Upgrade(UpgradeOrder, Reply<()>),
}

/// How clients are sent away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainOrder {
    /// Clients per second, over all lines; `None`: all at once.
    pub clients_per_sec: Option<u32>,
    /// Where they are to go, as the Server Reference of 5.0 has it: `host:port`.
    pub reference: Option<String>,
    /// Whether they are to stay there (0x9D, server moved) rather than go there this time (0x9C, use another server).
    pub for_good: bool,
}

/// What takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeOrder {
    /// The binary; `None`: the file that this process was started from, as it is by then.
    pub binary: Option<PathBuf>,
    /// Whether what nothing stores may be lost.
    pub lossy: bool,
}

/// How far the broker's life has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// Clients connect.
    #[default]
    Serving,
    /// Nobody is accepted, and the clients are being sent away or are gone; can be undone.
    Draining,
    /// It ends.
    Stopping,
    /// It makes way for another binary.
    Upgrading,
}

impl Stage {
    /// One of `serving`, `draining`, `stopping`, `upgrading`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Upgrading => "upgrading",
        }
    }
}

/// How a broker fares.
#[derive(Debug, Clone)]
pub struct Status {
    /// The process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// How far it has come.
    pub stage: Stage,
    /// Since this binary took over.
    pub uptime: Duration,
    /// How often a binary has taken over in this process: 0 at first.
    pub upgrades: u32,
    /// Why the last upgrade was given up after this binary had made way for the other.
    pub upgrade_failure: Option<String>,
    /// Lines that answer.
    pub lines: usize,
    /// Clients that are connected.
    pub connections: u64,
    /// Sessions, with those whose client is away.
    pub sessions: u64,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages that wait for clients.
    pub queued: u64,
    /// Listeners: name, where, over what.
    pub listeners: Vec<(String, String, &'static str)>,
}

/// The ways to the loop of the broker's life and what it shows of itself.
#[derive(Debug)]
pub(crate) struct Course {
    wishes: mpsc::Sender<Wish>,
    /// Who wants the broker to stop.
    stop: watch::Sender<Option<&'static str>>,
    stage: watch::Receiver<Stage>,
    upgrades: u32,
    upgrade_failure: Option<String>,
}

/// The loop's end of a [`Course`].
pub(crate) struct Helm {
    pub(crate) wishes: mpsc::Receiver<Wish>,
    pub(crate) stage: watch::Sender<Stage>,
    pub(crate) stop: watch::Sender<Option<&'static str>>,
}

impl Course {
    /// A course and its helm.
    pub(crate) fn begin(past: Past) -> (Self, Helm) {
        let (wishes, asked) = mpsc::channel(WISHES_MAX);
        let (stage, seen) = watch::channel(Stage::Serving);
        let stop = watch::Sender::new(None);
        let course = Self {
            wishes,
            stop: stop.clone(),
            stage: seen,
            upgrades: past.upgrades,
            upgrade_failure: past.upgrade_failure,
        };
        let helm = Helm {
            wishes: asked,
            stage,
            stop,
        };
        (course, helm)
    }
}

impl Operations {
    /// How far the broker's life has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.house.course.stage.borrow()
    }

    /// Has the broker stop as SIGTERM does. Nothing that goes on keeps it: the end is the answer.
    ///
    /// # Errors
    ///
    /// It ends already.
    pub fn stop(&self) -> Result<(), Declined> {
        let asked = self.house.course.stop.send(Some("operator"));
        asked.map_err(|_| Declined("the broker is stopping".to_owned()))
    }

    /// Reads settings, certificates, users, rights and rules again. Answers with what has changed, a line each.
    ///
    /// # Errors
    ///
    /// Something is wrong with them, and nothing was changed.
    pub async fn reload(&self) -> Result<Vec<String>, Declined> {
        self.ask(Wish::Reload).await
    }

    /// What a reload with this text as the file of settings would change, and for whom.
    ///
    /// # Errors
    ///
    /// It would be refused, for this reason.
    pub async fn plan(&self, file: NewFile) -> Result<Plan, Declined> {
        self.ask(|reply| Wish::Plan(file, reply)).await
    }

    /// Accepts nobody any more and sends the clients away, at a pace. Their sessions stay. A second order replaces the
    /// first.
    ///
    /// # Errors
    ///
    /// The broker ends already.
    pub async fn drain(&self, order: DrainOrder) -> Result<(), Declined> {
        self.ask(|reply| Wish::Drain(order, reply)).await
    }

    /// Ends a drain: clients are accepted again.
    ///
    /// # Errors
    ///
    /// There is none to end, or a listener cannot be opened again.
    pub async fn undrain(&self) -> Result<(), Declined> {
        self.ask(Wish::Undrain).await
    }

    /// Has another binary take over in this process, with all listeners and all that the store holds.
    ///
    /// # Errors
    ///
    /// The binary would not serve, or something would be lost; nothing has changed.
    pub async fn upgrade(&self, order: UpgradeOrder) -> Result<(), Declined> {
        self.ask(|reply| Wish::Upgrade(order, reply)).await
    }

    /// How the broker fares.
    pub async fn status(&self) -> Status {
        let counters = self.counters().await;
        let house = &self.house;
        let (subscriptions, retained, _) = house.tables.sizes();
        let listeners = house.doors.places().into_iter().map(|(listener, place)| {
            let settings = &listener.settings;
            (settings.name.clone(), place, settings.transport())
        });
        let total = |of: fn(&broker::counters::Counters) -> u64| counters.iter().map(of).sum();
        Status {
            pid: std::process::id(),
            version: house.version.clone(),
            stage: self.stage(),
            uptime: Duration::from_millis(house.clock.uptime_millis()),
            upgrades: house.course.upgrades,
            upgrade_failure: house.course.upgrade_failure.clone(),
            lines: counters.len(),
            connections: total(|counters| counters.connected),
            sessions: total(|counters| counters.sessions),
            subscriptions,
            retained,
            queued: total(|counters| counters.queued),
            listeners: listeners.collect(),
        }
    }

    fn wish(&self, wish: Wish) -> Result<(), Declined> {
        self.house.course.wishes.try_send(wish).map_err(|error| {
            Declined(match error {
                mpsc::error::TrySendError::Full(_) => "the broker is busy with other requests; try again".to_owned(),
                mpsc::error::TrySendError::Closed(_) => "the broker is stopping".to_owned(),
            })
        })
    }

    async fn ask<T>(&self, wish: impl FnOnce(Reply<T>) -> Wish) -> Result<T, Declined> {
        let (reply, answer) = oneshot::channel();
        self.wish(wish(reply))?;
        answer
            .await
            .unwrap_or_else(|_| Err(Declined("the broker is stopping".to_owned())))
    }
}
