//! The broker's figures, gathered from everyone who counts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Operations;
use crate::figures::{Figures, ListenerFigures, Measure};
use crate::listener::Listener;

/// For all lines to answer. One that does not is left out, and that is a figure too.
const PATIENCE: Duration = Duration::from_secs(2);

impl Operations {
    /// What everyone has counted, as of this moment.
    pub async fn figures(&self) -> Figures {
        let house = &self.house;
        // All are asked before any has answered, so that their answers are of nearly one instant.
        let asked: Vec<_> = house.lines.iter().map(|line| line.send(Measure)).collect();
        let mut lines = Vec::with_capacity(asked.len());
        for answer in asked {
            let answer = timeout(PATIENCE, answer).await;
            lines.push(answer.ok().and_then(Result::ok).map(|figures| *figures));
        }
        let (subscriptions, retained, retained_bytes) = house.tables.sizes();
        let (memory_bytes, memory_bytes_max) = house.overload.memory_bytes();
        Figures {
            version: house.version.clone(),
            uptime: Duration::from_millis(house.clock.uptime_millis()),
            lines,
            listeners: house.doors.listeners().iter().map(of_listener).collect(),
            subscriptions,
            retained,
            retained_bytes,
            memory: house.overload.memory(),
            memory_bytes,
            memory_bytes_max,
            allocator: (house.probes.allocator)(),
            log_records: (house.probes.log_records)(),
            log_dropped: (house.probes.log_dropped)(),
            spans: house.watcher.counts(),
            connections_max: house.overload.connections_max(),
            store: house.store.as_ref().map(crate::store::StoreAddr::figures),
            authentications: house.chain.tally(),
            rules: house.policy.counts(),
        }
    }
}

fn of_listener(listener: &Arc<Listener>) -> ListenerFigures {
    ListenerFigures {
        name: listener.settings.name.clone(),
        transport: listener.settings.transport(),
        open: listener.open(),
        connections_max: listener.settings.limits.connections_max,
        established: listener.tally.established(),
        failures: listener.tally.failures(),
        certificates: listener
            .security
            .as_ref()
            .map(|security| security.ends())
            .unwrap_or_default(),
    }
}
