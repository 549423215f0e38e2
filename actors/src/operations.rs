//! A broker that runs, as those see it who operate it: what can be asked of it and done to it, from any thread.
//!
//! Nothing here touches the state of a line: each question is a message that the line answers in its turn, bounded in what
//! it looks at, so that no client waits for an operator.

mod console;
mod events;
pub(crate) mod life;
mod metrics;
mod recorder;

pub use console::ConsoleError;
pub use recorder::Trace;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, MailboxError};
use auth::Chain;
use broker::counters::Counters;
use tokio::time::timeout_at;

use self::life::Course;
use self::metrics::Heard;
use crate::clock::{Clock, deadline};
use crate::events::Events;
use crate::figures::Probes;
use crate::message::Count;
use crate::overload::Overload;
use crate::policy::Policy;
use crate::reload::OpenDoors;
use crate::session::SessionActor;
use crate::store::StoreAddr;
use crate::tables::SharedTables;
use crate::watcher::Watcher;

pub(crate) mod bans;
mod clients;
mod listeners;
mod overview;
mod publish;
mod retained;
pub(crate) mod stride;
mod subscriptions;

pub use bans::{Ban, SentAway, Whom};
pub use clients::{Client, ClientFilter, Will};
pub use listeners::ListenerSight;
pub use overview::Overview;
pub use publish::{Outcome, Properties, Publication};
pub use retained::{Deletion, RetainedMessage, Tree, TreeLevel};
pub use subscriptions::{Subscription, SubscriptionFilter};

/// For all lines to answer a question about their counts.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why an operator has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The question makes no sense; says what would.
    #[error("{0}")]
    Senseless(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// As things stand it cannot be done; says why.
    #[error("{0}")]
    Refused(String),
    /// A line has ended.
    #[error("a line of the broker did not answer; if it goes on, restart the broker")]
    Line,
}

impl Unanswered {
    fn no_client(client_id: &str) -> Self {
        Self::Missing(format!(
            "there is no session of the client {client_id:?}; GET /api/v1/clients lists them"
        ))
    }
}

/// What can be asked of a broker that runs and done to it. Clones are the same broker.
#[derive(Clone)]
pub struct Operations {
    house: Arc<House>,
    heard: Arc<Heard>,
}

/// Everyone who has an answer.
pub(crate) struct House {
    pub(crate) lines: Vec<Addr<SessionActor>>,
    pub(crate) tables: SharedTables,
    pub(crate) clock: Clock,
    pub(crate) overload: Arc<Overload>,
    pub(crate) events: Arc<Events>,
    pub(crate) doors: Arc<OpenDoors>,
    pub(crate) chain: Arc<Chain>,
    pub(crate) policy: Arc<dyn Policy>,
    /// `None`: nothing outlives the process.
    pub(crate) store: Option<StoreAddr>,
    pub(crate) probes: Probes,
    pub(crate) watcher: Arc<dyn Watcher>,
    /// Those who carry out a ban on clients that are in.
    pub(crate) bailiffs: bans::Bailiffs,
    pub(crate) version: String,
    /// The ways to the loop of its life.
    pub(crate) course: Course,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

impl Operations {
    pub(crate) fn new(house: House) -> Self {
        Self {
            house: Arc::new(house),
            heard: Arc::default(),
        }
    }

    /// Those of a broker without lines, for tests of who passes questions on.
    #[cfg(test)]
    pub(crate) async fn of_nobody() -> Self {
        let (course, _) = Course::begin(crate::process::Past::default());
        let overload = crate::settings::OverloadSettings {
            memory_bytes_max: 0,
            memory_growth_percent: 0,
            memory_connect_percent: 0,
            memory_used: || None,
            line_lag_max: std::time::Duration::ZERO,
            connections_max: 0,
        };
        let router = broker::router::RouterLimits {
            subscriptions_per_session_max: 0,
            topic_levels_max: 0,
            seed: 0,
        };
        let retained = broker::router::RetainedLimits {
            messages_max: 1000,
            payload_bytes_max: 1000,
        };
        let chain = Chain::open(&auth::Settings::default()).await.expect("nothing to read");
        Self::new(House {
            lines: Vec::new(),
            tables: SharedTables::new(router, retained),
            clock: Clock::start(broker::message::Millis(0)),
            overload: Overload::new(overload),
            events: Events::new(Clock::start(broker::message::Millis(0))),
            doors: Arc::default(),
            chain: Arc::new(chain),
            policy: Arc::new(crate::policy::OpenHouse),
            store: None,
            watcher: Arc::new(crate::watcher::Nobody),
            probes: Probes {
                allocator: || None,
                log_records: Vec::new,
                log_dropped: || 0,
            },
            bailiffs: bans::Bailiffs::new(0),
            version: String::new(),
            course,
        })
    }

    /// The broker's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.house.version
    }

    /// What each line has counted since its start; a line that is stuck or has ended is left out.
    pub async fn counters(&self) -> Vec<Counters> {
        let asked = self.house.lines.iter().map(|line| line.send(Count)).collect();
        answers(asked).await.into_iter().flatten().collect()
    }
}

/// What the lines answer to a question that all of them have been asked, by one deadline for all; `None`: it did not come.
async fn answers<T>(asked: Vec<impl Future<Output = Result<T, MailboxError>>>) -> Vec<Option<T>> {
    let deadline = tokio::time::Instant::from_std(deadline(PATIENCE));
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        // One that has come by the deadline is taken, however late it is looked at.
        let answer = timeout_at(deadline, answer).await;
        answers.push(answer.ok().and_then(Result::ok));
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::Pin;

    use super::*;

    type Answer = Pin<Box<dyn Future<Output = Result<u8, MailboxError>>>>;

    #[actix_rt::test]
    async fn lines_that_are_stuck_cost_one_deadline_and_no_answer_of_others() {
        let asked: Vec<Answer> = vec![
            Box::pin(pending()),
            Box::pin(ready(Ok(1))),
            Box::pin(pending()),
            Box::pin(ready(Err(MailboxError::Closed))),
            Box::pin(pending()),
            Box::pin(ready(Ok(2))),
        ];
        let begun = crate::clock::instant();
        assert_eq!(answers(asked).await, [None, Some(1), None, None, None, Some(2)]);
        assert!(crate::clock::since(begun) < 2 * PATIENCE);
    }

    #[actix_rt::test]
    async fn the_start_is_always_at_the_same_time() {
        let operations = Operations::of_nobody().await;
        let started_at = operations.overview().await.started_at;
        for _ in 0..10_000 {
            assert_eq!(operations.overview().await.started_at, started_at);
        }
    }
}
