//! Traces of sampled messages, and who gets them.

use crate::rule::Rule;
use crate::table::Allowed::{Range, Text};
use crate::table::section;

/// An address of the web, or nothing.
const COLLECTOR: Rule = Rule {
    says: "an address such as \"http://127.0.0.1:4318/v1/traces\", or nothing",
    holds: |text| {
        let hosts = ["http://", "https://"].map(|scheme| text.strip_prefix(scheme));
        let is_url = hosts.into_iter().flatten().any(|rest| !rest.is_empty());
        text.is_empty() || (is_url && text.bytes().all(|byte| byte.is_ascii_graphic()))
    },
};

section! {
    /// Traces of sampled messages by OpenTelemetry: what each went through from its PUBLISH to its deliveries.
    "traces" Traces {
        /// Address of a collector that takes OTLP over HTTP, such as "http://127.0.0.1:4318/v1/traces"; empty: nothing is
        /// traced. Messages of 5.0 whose user property `traceparent` says that they are sampled are traced always.
        endpoint: String = String::new(), Text(COLLECTOR);
        /// Of a million other messages so many are traced.
        sampled_per_million: u32 = 0, Range(0..=1_000_000), "messages";
        /// Steps of messages that may wait for the collector; more are dropped and counted.
        queue_spans_max: usize = 8192, Range(64..=1_000_000), "spans";
        /// How long the collector may take for one batch.
        timeout_secs: u64 = 5, Range(1..=60), "seconds";
    }
}
