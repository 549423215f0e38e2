//! The broker's reports on itself, published under `$SYS/broker/`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use broker::counters::Counters;
use broker::state::{Load, Sizes, report};
use mqtt_codec::TopicName;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::message::{Count, PublishState};
use crate::overload::Overload;
use crate::policy::Policy;
use crate::session::SessionActor;
use crate::settings::Settings;
use crate::tables::SharedTables;

/// Adds the lines' counts up and publishes them.
pub(crate) struct Reporter {
    lines: Vec<Addr<SessionActor>>,
    tables: SharedTables,
    overload: Arc<Overload>,
    clock: Clock,
    interval: watch::Receiver<Duration>,
    version: String,
    load: Load,
    policy: Arc<dyn Policy>,
    /// What was said of it last, by topic.
    said: BTreeMap<String, String>,
}

impl Reporter {
    pub(crate) fn new(
        lines: Vec<Addr<SessionActor>>,
        (tables, overload): (SharedTables, Arc<Overload>),
        clock: Clock,
        interval: watch::Receiver<Duration>,
        settings: &Settings,
    ) -> Self {
        let version = settings.version.clone();
        Self {
            lines,
            tables,
            overload,
            clock,
            interval,
            version,
            load: Load::default(),
            policy: Arc::clone(&settings.policy),
            said: BTreeMap::new(),
        }
    }

    pub(crate) async fn report_forever(mut self) {
        loop {
            let interval = *self.interval.borrow_and_update();
            if !interval.is_zero() {
                self.report().await;
            }
            // Zero: none before somebody wants some.
            let pause = if interval.is_zero() { Duration::MAX } else { interval };
            tokio::select! {
                () = sleep(pause) => {}
                changed = self.interval.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn report(&mut self) {
        let mut counters = Counters::default();
        for line in &self.lines {
            if let Ok(counted) = line.send(Count).await {
                counters.add(&counted);
            }
        }
        let now = self.clock.now();
        self.load.note(&counters, now);
        let (subscriptions, retained, retained_bytes) = self.tables.sizes();
        let (memory_bytes, memory_bytes_max) = self.overload.memory_bytes();
        let sizes = Sizes {
            memory: self.overload.memory(),
            memory_bytes,
            memory_bytes_max,
            subscriptions,
            retained,
            retained_bytes,
        };
        let mut states = report(
            &self.version,
            self.clock.uptime_millis() / 1000,
            &counters,
            &sizes,
            &self.load,
        );
        states.extend(self.news_of_policy());
        if let Some(line) = self.lines.first()
            && line.send(PublishState { states }).await.is_err()
        {
            tracing::debug!("a line stopped before the last report");
        }
    }

    /// What the policy says and has not said before; of what it speaks no more, nothing is left.
    fn news_of_policy(&mut self) -> Vec<(TopicName, String)> {
        let states: BTreeMap<String, String> = self.policy.states().into_iter().collect();
        let gone = self.said.keys().filter(|name| !states.contains_key(*name));
        let gone = gone.map(|name| (name, String::new()));
        let changed = states
            .iter()
            .filter(|(name, value)| self.said.get(*name) != Some(value));
        let changed = changed.map(|(name, value)| (name, value.clone()));
        let topic = |name: &str| TopicName::new(format!("$SYS/broker/{name}")).ok();
        let news = gone.chain(changed);
        let news = news.filter_map(|(name, value)| Some((topic(name)?, value))).collect();
        self.said = states;
        news
    }
}
