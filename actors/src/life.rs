//! The loop of the broker's life: signals and wishes, one after the other, until it ends.

mod drain;
mod watchdog;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_rt::task::{JoinHandle, spawn_blocking};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::drain::Draining;
pub(crate) use self::watchdog::Pulse;
use crate::events::Events;
use crate::message::{Drain, Lingering};
use crate::operations::life::{Declined, DrainOrder, Helm, Reply, Stage, UpgradeOrder, Wish};
use crate::patience::{Silent, answers_within, not_answered};
use crate::process::{Moment, Process, Successor};
use crate::quic::QuicHouse;
use crate::reload::{OpenDoors, Reloader};
use crate::session::{Open, SessionActor};

/// For the answer to reach a caller whose wish ends the broker.
const ANSWER: Duration = Duration::from_millis(20);

/// For the log to be opened again.
const REOPEN_LOG: Duration = Duration::from_secs(5);

/// The signals that stop a broker, the one that reloads, and the one after which its log goes to another file.
pub(crate) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
        })
    }

    /// From here on, those that stop the broker say so to `stop`, whatever else goes on.
    pub(crate) fn attend(self, stop: watch::Sender<Option<&'static str>>) -> LesserSignals {
        let Self {
            mut term,
            mut int,
            hup,
            usr1,
        } = self;
        actix_rt::spawn(async move {
            let who = tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
            };
            stop.send_replace(Some(who));
        });
        LesserSignals { hup, usr1 }
    }
}

/// The signals that stop nothing.
pub(crate) struct LesserSignals {
    hup: Signal,
    usr1: Signal,
}

/// Whether the broker is to stop. Unlike a wish it need not wait for its turn.
#[derive(Clone, Debug)]
pub(crate) struct Stop(pub(crate) watch::Receiver<Option<&'static str>>);

impl Stop {
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until somebody wants it, and says who.
    pub(crate) async fn comes(&self) -> &'static str {
        let mut seen = self.0.clone();
        let who = seen.wait_for(Option::is_some).await.map(|who| *who);
        match who {
            Ok(Some(who)) => who,
            // Nobody is left who could.
            Ok(None) | Err(_) => pending().await,
        }
    }
}

/// What the loop works with.
pub(crate) struct Life<'a> {
    pub(crate) helm: Helm,
    pub(crate) stop: Stop,
    pub(crate) reloader: &'a Reloader,
    pub(crate) events: &'a Events,
    pub(crate) doors: &'a OpenDoors,
    pub(crate) lines: &'a [Addr<SessionActor>],
    pub(crate) quic: Option<&'a QuicHouse>,
    pub(crate) process: &'a Arc<dyn Process>,
    /// Whether anything outlives the process.
    pub(crate) is_kept: bool,
}

/// How it ends.
pub(crate) enum End {
    /// The broker stops; who wanted it.
    Stop(&'static str),
    /// This binary takes over.
    Upgrade(Successor),
}

/// What the loop does next.
enum Turn {
    Stop(&'static str),
    Reload,
    ReopenLog,
    Wish(Wish),
    Checked(Result<Successor, Declined>, Reply<()>),
}

/// A binary that is being asked whether it would take over, and who wants to know.
type Check = (JoinHandle<Result<Successor, Declined>>, Reply<()>);

/// What goes on beside the loop.
#[derive(Default)]
struct Beside {
    draining: Option<Draining>,
    check: Option<Check>,
    /// The log is being opened again.
    log: Option<JoinHandle<()>>,
}

impl Life<'_> {
    /// Serves until the broker ends.
    pub(crate) async fn live(mut self, mut signals: LesserSignals) -> End {
        let watchdog = watchdog::watch(Arc::clone(self.process), self.lines.to_vec());
        let watchdog = actix_rt::spawn(watchdog);
        let mut beside = Beside::default();
        let stop = self.stop.clone();
        let end = loop {
            let turn = tokio::select! {
                who = stop.comes() => Turn::Stop(who),
                _ = signals.hup.recv() => Turn::Reload,
                _ = signals.usr1.recv() => Turn::ReopenLog,
                Some(wish) = self.helm.wishes.recv() => Turn::Wish(wish),
                (checked, reply) = checked(&mut beside.check) => Turn::Checked(checked, reply),
            };
            match turn {
                Turn::Stop(who) => break End::Stop(who),
                Turn::Reload => {
                    let reload = async {
                        self.reopen_log(&mut beside).await;
                        self.reload("SIGHUP").await
                    };
                    if let Err(who) = unless(&stop, reload).await {
                        break End::Stop(who);
                    }
                }
                Turn::ReopenLog => {
                    if let Err(who) = unless(&stop, self.reopen_log(&mut beside)).await {
                        break End::Stop(who);
                    }
                }
                Turn::Wish(wish) => {
                    if let Err(who) = unless(&stop, self.grant(wish, &mut beside)).await {
                        break End::Stop(who);
                    }
                }
                Turn::Checked(Ok(successor), reply) => {
                    drop(reply.send(Ok(())));
                    // The caller hears of it before the socket is closed.
                    sleep(ANSWER).await;
                    break End::Upgrade(successor);
                }
                Turn::Checked(Err(declined), reply) => {
                    tracing::warn!(reason = %declined, "the upgrade is declined; this binary goes on");
                    drop(reply.send(Err(declined)));
                }
            }
        };
        let (stage, moment) = match end {
            End::Stop(_) => (Stage::Stopping, Moment::Stopping),
            End::Upgrade(_) => (Stage::Upgrading, Moment::Upgrading),
        };
        self.helm.stage.send_replace(stage);
        self.process.tell(moment);
        watchdog.abort();
        end
    }

    async fn grant(&self, wish: Wish, beside: &mut Beside) {
        // A caller who has gone needs no answer.
        match wish {
            Wish::Reload(reply) => drop(reply.send(self.reload("operator").await)),
            Wish::Plan(file, reply) => {
                drop(reply.send(self.reloader.plan(Some(file), &self.stop).await.map_err(Declined)))
            }
            Wish::Drain(_, reply) if beside.check.is_some() => {
                let why = "another binary is being asked whether it takes over; drain when it has answered";
                drop(reply.send(Err(Declined(why.to_owned()))));
            }
            Wish::Drain(order, reply) => {
                self.drain(order, beside).await;
                drop(reply.send(Ok(())));
            }
            Wish::Undrain(reply) => drop(reply.send(self.undrain(beside).await)),
            Wish::Upgrade(order, reply) => match self.may_upgrade(&order, beside) {
                Ok(()) => beside.check = Some((self.check(order), reply)),
                Err(declined) => drop(reply.send(Err(declined))),
            },
        }
    }

    /// Opens the log again, which may be on a disk that does not answer.
    async fn reopen_log(&self, beside: &mut Beside) {
        // One after the other, or the log would go on in an older file.
        if is_log_open(beside).await {
            let process = Arc::clone(self.process);
            beside.log = Some(spawn_blocking(move || process.reopen_log()));
            is_log_open(beside).await;
        }
    }

    async fn reload(&self, who: &'static str) -> Result<Vec<String>, Declined> {
        if *self.helm.stage.borrow() == Stage::Draining {
            let why = "the broker is draining; undo that first (strowger drain --undo)";
            tracing::error!("reload refused: {why}");
            return Err(Declined(why.to_owned()));
        }
        self.process.tell(Moment::Reloading);
        tracing::info!("{who}: reading settings, certificates, users, rights and rules again");
        let done = self.reloader.reload(&self.stop).await.map_err(Declined);
        let lines = done.as_ref().map(|done| {
            let late = done.late.iter().cloned();
            done.plan.lines().into_iter().chain(late).collect::<Vec<_>>()
        });
        self.events.tell("reload", || match &lines {
            Ok(lines) => lines.join("; "),
            Err(declined) => format!("refused: {declined}"),
        });
        let steps = done.iter().flat_map(|done| &done.plan.steps);
        for step in steps.filter(|step| step.kind.is_of_listener()) {
            self.events.tell("listener", || step.to_string());
        }
        self.process.tell(Moment::Reloaded);
        lines.map_err(Clone::clone)
    }

    async fn drain(&self, order: DrainOrder, beside: &mut Beside) {
        let pace = order.clients_per_sec;
        tracing::info!(
            clients_per_sec = pace,
            to = order.reference,
            "draining: nobody is accepted, and clients are sent to another server"
        );
        if self.helm.stage.send_replace(Stage::Draining) == Stage::Serving {
            self.process.tell(Moment::Draining);
            let close = |line: Addr<SessionActor>| async move {
                line.send(Drain::Close).await?;
                // This answer comes when the acceptors have heard of it.
                line.send(Lingering).await.map(drop)
            };
            let closed = self.lines.iter().cloned().map(close);
            let within = self.reloader.line_answers_within();
            tell_of_silence(&answers_within(within, closed).await, within, "accepts nobody");
            self.quic.iter().for_each(|quic| quic.close());
            self.doors.refuse();
        }
        let within = self.reloader.line_answers_within();
        beside.draining = Some(Draining::begin(self.lines.to_vec(), order, within));
    }

    async fn undrain(&self, beside: &mut Beside) -> Result<(), Declined> {
        if beside.draining.is_none() {
            return Err(Declined("the broker is not draining".to_owned()));
        }
        let lines = u16::try_from(self.lines.len()).unwrap_or(u16::MAX);
        // Before anything changes: without them nobody would accept who connects.
        let shares = self.doors.shares(lines).map_err(|error| {
            Declined(format!(
                "the listeners cannot be opened again: {error}; the broker drains on: mend that and try again"
            ))
        })?;
        let listening = self.doors.listen_again().map_err(|error| {
            Declined(format!(
                "not all listeners could be opened again: {error}; mend that and restart the broker"
            ))
        });
        beside.draining = None;
        let opened = self.lines.iter().zip(shares);
        let opened = opened.map(|(line, share)| line.send(Open(share)));
        let within = self.reloader.line_answers_within();
        tell_of_silence(&answers_within(within, opened).await, within, "accepts clients");
        self.quic.iter().for_each(|quic| quic.reopen());
        self.helm.stage.send_replace(Stage::Serving);
        self.process.tell(Moment::Ready);
        tracing::info!("the drain was undone: clients are accepted");
        listening
    }

    fn may_upgrade(&self, order: &UpgradeOrder, beside: &Beside) -> Result<(), Declined> {
        let why = if beside.check.is_some() {
            "another binary is being checked; wait for that"
        } else if beside.draining.is_some() {
            "the broker is draining; undo that (strowger drain --undo) or restart it"
        } else if !self.is_kept && !order.lossy {
            "nothing is stored (storage.engine or storage.durability is \"memory\"), so that an upgrade would lose all \
             sessions and messages; agree to that with --lossy"
        } else {
            return Ok(());
        };
        Err(Declined(why.to_owned()))
    }

    fn check(&self, order: UpgradeOrder) -> JoinHandle<Result<Successor, Declined>> {
        let (process, sockets) = (Arc::clone(self.process), self.doors.keys());
        spawn_blocking(move || process.check_upgrade(&order, &sockets))
    }
}

/// Says which lines have not answered, and what they do when they go on.
fn tell_of_silence(answers: &[Result<(), Silent>], within: Duration, then: &'static str) {
    for (line, answer) in answers.iter().enumerate() {
        match answer {
            Ok(()) => {}
            Err(Silent::Ended) => tracing::error!("line {line} has ended"),
            Err(Silent::Late) => tracing::error!("{}: it {then} when it goes on", not_answered(line, within)),
        }
    }
}

/// Does what was wished for, unless somebody wants the broker to stop: a line may not answer. What is half done then ends
/// with the broker. What a stop has given up itself is told to whoever wished for it.
async fn unless<T>(stop: &Stop, granted: impl Future<Output = T>) -> Result<T, &'static str> {
    tokio::select! {
        biased;
        granted = granted => Ok(granted),
        who = stop.comes() => Err(who),
    }
}

/// Waits until whoever opens the log is done, for a bounded time.
async fn is_log_open(beside: &mut Beside) -> bool {
    let Some(opening) = &mut beside.log else { return true };
    let Ok(opened) = timeout(REOPEN_LOG, opening).await else {
        let secs = REOPEN_LOG.as_secs();
        tracing::error!("the log has not been opened again for {secs} s; try again (SIGUSR1) when its disk answers");
        return false;
    };
    if opened.is_err() {
        tracing::error!("opening the log again ended in a panic");
    }
    beside.log = None;
    true
}

/// Waits for the answer of a binary that is being checked; for ever if none is.
async fn checked(check: &mut Option<Check>) -> (Result<Successor, Declined>, Reply<()>) {
    let answer = match check {
        Some((task, _)) => task.await,
        None => pending().await,
    };
    let gone = |_| Err(Declined("the check of the binary ended in a panic".to_owned()));
    match check.take() {
        Some((_, reply)) => (answer.unwrap_or_else(gone), reply),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn what_never_ends_keeps_no_stop() {
        let sender = watch::Sender::new(None);
        let stop = Stop(sender.subscribe());
        assert_eq!(unless(&stop, async { 1 }).await, Ok(1));
        sender.send_replace(Some("SIGTERM"));
        assert_eq!(unless(&stop, pending::<()>()).await, Err("SIGTERM"));
        // What hears of the stop itself has the last word.
        assert_eq!(unless(&stop, async { 1 }).await, Ok(1));
    }
}
