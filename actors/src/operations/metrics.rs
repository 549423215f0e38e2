//! The broker's figures, gathered from everyone who counts.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Operations, answers};
use crate::figures::{Figures, LineFigures, ListenerFigures, Measure};
use crate::listener::Listener;

/// What each line answered last. One that is silent for a while keeps its counts: sums that fall and rise again would be
/// taken for those of a broker that was restarted.
#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<Option<LineFigures>>>);

impl Heard {
    /// Notes what the lines answered; answers with what is known of each.
    fn complete(&self, answers: Vec<Option<LineFigures>>) -> Vec<Option<LineFigures>> {
        let mut known = self.0.lock();
        known.resize(answers.len(), None);
        for (known, answer) in known.iter_mut().zip(answers) {
            if answer.is_some() {
                *known = answer;
            }
        }
        known.clone()
    }
}

impl Operations {
    /// What everyone has counted, as of this moment.
    pub async fn figures(&self) -> Figures {
        let house = &self.house;
        // All are asked before any has answered, so that their answers are of nearly one instant.
        let answers = answers(house.lines.iter().map(|line| line.send(Measure)).collect()).await;
        let answering = answers.iter().map(Option::is_some).collect();
        let answers = answers.into_iter().map(|answer| answer.map(|figures| *figures));
        let lines = self.heard.complete(answers.collect());
        let (subscriptions, retained, retained_bytes) = house.tables.sizes();
        let (memory_bytes, memory_bytes_max) = house.overload.memory_bytes();
        Figures {
            version: house.version.clone(),
            uptime: Duration::from_millis(house.clock.uptime_millis()),
            lines,
            answering,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(turns: u64) -> Option<LineFigures> {
        Some(LineFigures {
            turns,
            ..LineFigures::default()
        })
    }

    #[test]
    fn a_line_that_is_silent_keeps_its_counts() {
        let heard = Heard::default();
        let seen = |answers| -> Vec<Option<u64>> {
            let known = heard.complete(answers).into_iter();
            known.map(|line| line.map(|figures| figures.turns)).collect()
        };
        assert_eq!(seen(vec![turns(3), None]), [Some(3), None], "one was never heard");
        assert_eq!(seen(vec![None, turns(5)]), [Some(3), Some(5)]);
        assert_eq!(seen(vec![turns(7), None]), [Some(7), Some(5)]);
    }
}
