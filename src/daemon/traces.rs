//! From the section `traces` to what the lines trace, and to who is told.

use std::sync::Arc;
use std::time::Duration;

use actors::{Nobody, Watcher};
use broker::traces::TraceLimits;

use crate::telemetry::{Exporting, Telemetry};

const MILLION: u64 = 1_000_000;

/// Which messages are traced.
pub(super) fn limits(traces: &conf::Traces) -> TraceLimits {
    TraceLimits {
        on: !traces.endpoint.is_empty(),
        every: MILLION.checked_div(u64::from(traces.sampled_per_million)).unwrap_or(0),
    }
}

/// Who is told.
pub(super) fn watcher(traces: &conf::Traces) -> Arc<dyn Watcher> {
    if traces.endpoint.is_empty() {
        return Arc::new(Nobody);
    }
    let exporting = Exporting {
        endpoint: traces.endpoint.clone(),
        queue_spans_max: traces.queue_spans_max,
        timeout: Duration::from_secs(traces.timeout_secs),
    };
    Arc::new(Telemetry::new(exporting))
}
