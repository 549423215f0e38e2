//! How the broker fares, at one look.

use broker::counters::Counters;
use broker::exchange::Kind;
use broker::memory::Memory;

use crate::operations::Operations;
use crate::operations::life::Stage;

/// How the broker fares. Counts are since the start unless they say what is at this moment.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The broker's version.
    pub version: String,
    /// The machine's name.
    pub node: String,
    /// In milliseconds since 1970.
    pub started_at: u64,
    /// Seconds since then.
    pub uptime_secs: u64,
    /// Clients can connect.
    pub is_ready: bool,
    /// Clients are being sent away.
    pub is_draining: bool,
    /// Threads that serve clients.
    pub lines: usize,
    /// Connections at this moment.
    pub connections: u64,
    /// Sessions at this moment, connected or not.
    pub sessions: u64,
    /// Subscriptions at this moment.
    pub subscriptions: usize,
    /// Retained messages at this moment.
    pub retained: usize,
    /// What they count for.
    pub retained_bytes: usize,
    /// Messages that wait in sessions at this moment.
    pub queued: u64,
    /// Messages sent and not acknowledged at this moment.
    pub inflight: u64,
    /// Memory that the process uses.
    pub memory_bytes: u64,
    /// Memory that it may use.
    pub memory_bytes_max: u64,
    /// "ample", "tight" or "scarce".
    pub memory_mark: &'static str,
    /// PUBLISH packets received.
    pub received: u64,
    /// PUBLISH packets sent.
    pub sent: u64,
    /// Messages dropped, for one receiver each.
    pub dropped: u64,
    /// PUBLISH packets that were refused.
    pub refused: u64,
    /// Messages that the lines cannot account for; 0 unless the broker has a fault.
    pub unaccounted: u64,
    /// Bytes read from connections.
    pub bytes_in: u64,
    /// Bytes written to connections.
    pub bytes_out: u64,
    /// What an operator should look at, each in one line.
    pub warnings: Vec<String>,
}

impl Operations {
    /// How the broker fares at this moment.
    pub async fn overview(&self) -> Overview {
        let each = self.counters().await;
        let mut counters = Counters::default();
        each.iter().for_each(|of_line| counters.add(of_line));
        let house = &self.house;
        let (subscriptions, retained, retained_bytes) = house.tables.sizes();
        let (memory_bytes, memory_bytes_max) = house.overload.memory_bytes();
        let uptime_millis = house.clock.uptime_millis();
        let refused = counters.stopped.get(Kind::Publish as usize);
        Overview {
            version: house.version.clone(),
            node: node(),
            started_at: house.clock.begun().0,
            uptime_secs: uptime_millis / 1000,
            is_ready: self.stage() == Stage::Serving,
            is_draining: self.stage() == Stage::Draining,
            lines: house.lines.len(),
            connections: counters.connected,
            sessions: counters.sessions,
            subscriptions,
            retained,
            retained_bytes,
            queued: counters.queued,
            inflight: counters.inflight,
            memory_bytes,
            memory_bytes_max,
            memory_mark: house.overload.memory().name(),
            received: counters.publish_in.iter().sum(),
            sent: counters.publish_out.iter().sum(),
            dropped: counters.dropped_total(),
            refused: refused.map_or(0, |reasons| reasons.iter().sum()),
            unaccounted: each.iter().map(|of_line| of_line.law().unaccounted()).sum(),
            bytes_in: counters.bytes_in,
            bytes_out: counters.bytes_out,
            warnings: self.warnings(each.len()),
        }
    }

    fn warnings(&self, answered: usize) -> Vec<String> {
        let house = &self.house;
        let mut warnings = Vec::new();
        match house.overload.memory() {
            Memory::Ample => {}
            Memory::Tight => warnings.push(
                "memory is tight: QoS 1 and 2 for absent clients and further retained messages are refused".to_owned(),
            ),
            Memory::Scarce => {
                warnings.push("memory is scarce: clients without a session are refused and QoS 0 is dropped".to_owned())
            }
        }
        if house.overload.has_no_descriptors() {
            let max = house.overload.connections_max();
            warnings.push(format!(
                "all {max} connections that the limit of open files allows are taken; raise it"
            ));
        }
        let lines = house.lines.len();
        if answered < lines {
            warnings.push(format!("only {answered} of {lines} lines answered; restart the broker"));
        }
        warnings
    }
}

fn node() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
