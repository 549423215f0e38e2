//! Other settings for a broker that runs: all of them are checked, then all are put in force, or none.
//!
//! What a reload would do is found out first, of the lines in slices; [`Reloader::plan`] says it, [`Reloader::reload`] says
//! it and does it. So what a plan says is what happens, unless clients come and go between them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use auth::{Chain, Prepared, Refusal};
use broker::acl::{Rights, Subject};
use broker::effect::Parting;
use broker::line::{Findings, Review};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::access::rights_of;
use crate::authentication::guest_of;
use crate::life::Stop;
use crate::operations::stride::Stride;
use crate::overload::Overload;
use crate::patience::{Progress, Work, not_answered};
use crate::plan::{Facts, Plan, SettingChange, steps};
use crate::policy::Policy;
use crate::session::SessionActor;
use crate::session::reload::{Enforce, Govern, Look};
use crate::settings::{EndsWithin, Settings};
use crate::tables::SharedTables;

mod doors;

use doors::NextDoors;
pub(crate) use doors::OpenDoors;

/// Where other settings come from.
pub trait Configurator: fmt::Debug + Send + Sync {
    /// Reads everything that a broker is started with anew, and puts nothing in force. It may block. A text takes the
    /// place of the file of settings.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line.
    fn draft(&self, text: Option<NewFile>) -> Result<Draft, String>;
}

/// A text in the place of the file of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// What messages call it.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Settings that were read and are not in force.
pub struct Draft {
    /// What a broker would be started with; what needs a restart is as it was.
    pub settings: Settings,
    /// The settings that differ.
    pub changes: Vec<SettingChange>,
    /// What is said of the rules, if they are other ones.
    pub rules: Option<String>,
    /// Puts in force what the configurator has itself: the rules, the log. It cannot fail.
    pub adopt: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// What is in force of that which no actor has.
struct InForce {
    rights: Rights,
    wide_subscriptions: bool,
    line_answers_within: Duration,
    ends_within: EndsWithin,
}

/// Everyone whom other settings concern.
pub(crate) struct Reloader {
    pub(crate) configurator: Arc<dyn Configurator>,
    pub(crate) lines: Vec<Addr<SessionActor>>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) policy: Arc<dyn Policy>,
    pub(crate) tables: SharedTables,
    pub(crate) overload: Arc<Overload>,
    pub(crate) doors: Arc<OpenDoors>,
    /// Between two reports to `$SYS`.
    pub(crate) state_interval: watch::Sender<Duration>,
    in_force: Mutex<InForce>,
    /// One after the other. With what lines have not done of the last one.
    turn: tokio::sync::Mutex<Vec<Late>>,
}

/// A line that has not followed a reload yet, and what it has to do.
struct Late {
    line: usize,
    work: Work,
}

/// What became of a reload.
#[derive(Debug)]
pub(crate) struct Done {
    /// What it changed.
    pub(crate) plan: Plan,
    /// Of each line that did not answer in time, what becomes of it.
    pub(crate) late: Vec<String>,
}

/// Everything that was read and found good.
struct Checked {
    draft: Draft,
    chain: Prepared,
    rights: Rights,
    review: Arc<Review>,
    doors: NextDoors,
    plan: Plan,
}

/// Everyone that a [`Reloader`] is made of.
pub(crate) struct Concerned {
    pub(crate) lines: Vec<Addr<SessionActor>>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) tables: SharedTables,
    pub(crate) overload: Arc<Overload>,
    pub(crate) doors: Arc<OpenDoors>,
    pub(crate) state_interval: watch::Sender<Duration>,
}

impl Reloader {
    /// Takes over from a start with these settings and rights.
    pub(crate) fn new(concerned: Concerned, settings: &Settings, rights: Rights) -> Self {
        let Concerned {
            lines,
            chain,
            tables,
            overload,
            doors,
            state_interval,
        } = concerned;
        Self {
            configurator: Arc::clone(&settings.configurator),
            policy: Arc::clone(&settings.policy),
            lines,
            chain,
            tables,
            overload,
            doors,
            state_interval,
            in_force: Mutex::new(InForce {
                rights,
                wide_subscriptions: settings.limits.access.wide_subscriptions,
                line_answers_within: settings.line_answers_within,
                ends_within: settings.ends_within,
            }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// How long a stop may take.
    pub(crate) fn ends_within(&self) -> EndsWithin {
        self.in_force.lock().ends_within
    }

    /// How long the answer of a line is waited for.
    pub(crate) fn line_answers_within(&self) -> Duration {
        self.in_force.lock().line_answers_within
    }

    /// Says what a reload would do and to whom, and does nothing.
    ///
    /// # Errors
    ///
    /// Why it would be refused, in one line.
    pub(crate) async fn plan(&self, file: Option<NewFile>, stop: &Stop) -> Result<Plan, String> {
        let _turn = self.turn.lock().await;
        Ok(self.check_unless(stop, file, doors::Depth::Probe).await?.plan)
    }

    /// Reads settings and all files anew and puts them in force. Says what that changed.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line; nothing was changed.
    pub(crate) async fn reload(&self, stop: &Stop) -> Result<Done, String> {
        let mut turn = self.turn.lock().await;
        let checked = match followed(&mut turn) {
            Ok(()) => self.check_unless(stop, None, doors::Depth::Open).await,
            Err(late) => Err(late),
        };
        let checked =
            checked.inspect_err(|error| tracing::error!(error, "reload refused: everything stays as it was"))?;
        for step in &checked.plan.steps {
            tracing::info!("reload: {step}");
        }
        let (plan, late) = self.carry_out(checked).await;
        let within = self.line_answers_within();
        let told = late.iter().map(|late| {
            let told = format!("{}: it follows when it goes on", not_answered(late.line, within));
            tracing::error!("reload: {told}");
            told
        });
        let told = told.collect();
        *turn = late;
        Ok(Done { plan, late: told })
    }

    /// Checks, unless the broker is to stop before that is done: a file may not answer, and nobody waits for it then.
    async fn check_unless(&self, stop: &Stop, file: Option<NewFile>, depth: doors::Depth) -> Result<Checked, String> {
        tokio::select! {
            checked = self.check(file, depth) => checked,
            who = stop.comes() => Err(format!("the broker stops ({who})")),
        }
    }

    async fn check(&self, file: Option<NewFile>, depth: doors::Depth) -> Result<Checked, String> {
        let configurator = Arc::clone(&self.configurator);
        let drafted = spawn_blocking(move || {
            let draft = configurator.draft(file)?;
            let rights = rights_of(&draft.settings).map_err(|error| error.to_string())?;
            Ok::<_, String>((draft, rights))
        });
        let (draft, rights) = drafted
            .await
            .map_err(|_| "reading the settings ended in a panic".to_owned())??;
        let settings = &draft.settings;
        let chain = self.chain.prepare(&settings.authentication).await;
        let chain = chain.map_err(|error| error.to_string())?;
        let (open_doors, new, lines) = (Arc::clone(&self.doors), settings.listeners.clone(), settings.lines);
        let next = spawn_blocking(move || NextDoors::prepare(&open_doors, &new, lines, depth));
        let next = next
            .await
            .map_err(|_| "opening listeners ended in a panic".to_owned())??;
        let (before, wide_before) = {
            let in_force = self.in_force.lock();
            (in_force.rights.clone(), in_force.wide_subscriptions)
        };
        let are_rights_other = rights != before;
        let is_wide_other = wide_before != settings.limits.access.wide_subscriptions;
        let review = Arc::new(Review {
            limits: Arc::new(settings.limits.clone()),
            rights: rights.clone(),
            are_rights_other: are_rights_other || is_wide_other,
            may_stay: may_stay(chain.clone(), next.leaving()),
        });
        let found = self.look(&review, settings.line_answers_within).await?;
        let (_, retained, _) = self.tables.sizes();
        let plan = Plan {
            steps: steps(&Facts {
                changes: &draft.changes,
                old: &next.old(),
                new: &settings.listeners,
                doors: &next.steps,
                certificates: &next.renewed_names(),
                are_rights_other,
                loss_disconnects: settings.limits.access.loss_disconnects,
                news: self.chain.news(&chain),
                rules: draft.rules.as_deref(),
                retained,
                found: &found,
            }),
        };
        Ok(Checked {
            draft,
            chain,
            rights,
            review,
            doors: next,
            plan,
        })
    }

    /// Finds out of all lines whom it would hit.
    async fn look(&self, review: &Arc<Review>, limit: Duration) -> Result<Findings, String> {
        let mut found = Findings::default();
        let mut stride = Stride::begin();
        for (number, line) in self.lines.iter().enumerate() {
            let mut from = Some(0);
            while let Some(place) = from {
                let looked = line.send(Look {
                    review: Arc::clone(review),
                    from: place,
                });
                let looked = timeout(limit, looked).await.map_err(|_| not_answered(number, limit))?;
                // A line that has ended has nobody.
                let (of_line, next) = looked.unwrap_or_default();
                found.extend(of_line);
                from = next;
                stride.pause().await;
            }
        }
        Ok(found)
    }

    /// Puts everything in force. Nothing of this can fail; lines may be late.
    async fn carry_out(&self, checked: Checked) -> (Plan, Vec<Late>) {
        let Checked {
            draft,
            chain,
            rights,
            review,
            doors,
            plan,
        } = checked;
        let Draft {
            settings, rules, adopt, ..
        } = draft;
        adopt();
        self.chain.install(chain);
        tracing::info!("authentication reloaded");
        self.tables.set_limits(settings.router, settings.retained);
        self.overload.set(settings.overload);
        self.state_interval.send_replace(settings.state_interval);
        *self.in_force.lock() = InForce {
            rights: rights.clone(),
            wide_subscriptions: settings.limits.access.wide_subscriptions,
            line_answers_within: settings.line_answers_within,
            ends_within: settings.ends_within,
        };
        let policy = rules.is_some().then(|| Arc::clone(&self.policy));
        let rehung = doors.hang(&self.doors);
        let concerned = self.lines.iter().zip(rehung).enumerate();
        let under_way: Vec<Late> = concerned
            .map(|(number, (line, rehang))| {
                let govern = Govern {
                    limits: settings.limits.clone(),
                    rights: rights.clone(),
                    policy: policy.clone(),
                    rehang,
                };
                let (line, review, limit) = (line.clone(), Arc::clone(&review), settings.line_answers_within);
                Late {
                    line: number,
                    work: Work::begin(|progress| have_follow((number, line, limit), govern, review, progress)),
                }
            })
            .collect();
        let mut late = Vec::new();
        for mut line in under_way {
            if !line.work.follow(settings.line_answers_within).await {
                late.push(line);
            }
        }
        if late.is_empty() {
            tracing::info!("rights reloaded");
            match policy {
                Some(_) => tracing::info!("rules reloaded"),
                None => tracing::info!("rules are as they were"),
            }
        }
        (plan, late)
    }
}

/// Whether all lines have followed the reload before.
fn followed(last: &mut Vec<Late>) -> Result<(), String> {
    last.retain(|late| !late.work.is_done());
    match last.first() {
        None => Ok(()),
        Some(late) => Err(format!(
            "line {} has not followed the reload before yet; try again when it has",
            late.line
        )),
    }
}

/// Has one line and its clients follow.
async fn have_follow(
    (number, line, limit): (usize, Addr<SessionActor>, Duration),
    govern: Govern,
    review: Arc<Review>,
    progress: Progress,
) {
    if line.send(govern).await.is_err() {
        tracing::error!("a line has ended and was not told of other settings");
        return;
    }
    let is_late = progress.is_late(limit);
    progress.made();
    let mut stride = Stride::begin();
    let mut from = Some(0);
    while let Some(place) = from {
        let enforced = line.send(Enforce {
            review: Arc::clone(&review),
            from: place,
        });
        from = enforced.await.unwrap_or_default();
        progress.made();
        stride.pause().await;
    }
    if is_late {
        tracing::info!("line {number} has followed the reload");
    }
}

/// Who may stay: who came in by a listener that stays and would be let in by `chain`.
fn may_stay(chain: Prepared, leaving: Vec<(Arc<str>, u32)>) -> Arc<broker::line::MayStay> {
    Arc::new(move |subject: &Subject<'_>| {
        let identity = subject.identity;
        // The very listener: another one may have its name.
        let gone = leaving
            .iter()
            .find(|(listener, _)| Arc::ptr_eq(listener, &identity.listener));
        if let Some((_, number)) = gone {
            return Err(Parting::ListenerGone(*number));
        }
        if identity.username.is_some() && identity.method.is_empty() {
            // Somebody who operates the broker, and was let in elsewhere.
            return Ok(());
        }
        chain.check(&guest_of(subject)).map_err(|refusal| match refusal {
            Refusal::Banned => Parting::Banned,
            Refusal::BadCredentials
            | Refusal::NotAuthorized
            | Refusal::TooManyFailures
            | Refusal::Flapping
            | Refusal::Unavailable => Parting::NotKnown,
        })
    })
}

#[cfg(test)]
mod tests;
