//! Traces leave the process: spans of the lines, batched on a thread of their own and sent to a collector by OTLP.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actors::Watcher;
use broker::traces::{Span, Step};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};

/// Spans that are sent together.
const BATCH_MAX: usize = 512;
/// Longest time that a span waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Between two lines in the log about a collector that does not answer, in batches that failed.
const NOTICE_EVERY: u64 = 60;

/// Where spans go, and how many may wait.
#[derive(Debug)]
pub(crate) struct Exporting {
    pub(crate) endpoint: String,
    pub(crate) queue_spans_max: usize,
    pub(crate) timeout: Duration,
}

/// See the module. The thread begins with the first span, because settings are also read by processes that do not serve,
/// and ends with the last line that has a hold of this.
#[derive(Debug)]
pub(crate) struct Telemetry {
    spans: SyncSender<(Span, u64)>,
    counts: Arc<Counts>,
    /// What the thread begins with.
    idle: Mutex<Option<Idle>>,
    is_begun: AtomicBool,
}

/// Where to send, and where what is to be sent comes from.
type Idle = (Exporting, Receiver<(Span, u64)>);

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

impl Telemetry {
    pub(crate) fn new(exporting: Exporting) -> Self {
        let (spans, receiver) = sync_channel(exporting.queue_spans_max);
        Self {
            spans,
            counts: Arc::default(),
            idle: Mutex::new(Some((exporting, receiver))),
            is_begun: AtomicBool::new(false),
        }
    }

    /// Starts the thread. Without it spans fill the queue, and then are dropped and counted.
    fn begin(&self) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((exporting, receiver)) = idle else { return };
        let counts = Arc::clone(&self.counts);
        let thread = std::thread::Builder::new().name("traces".to_owned());
        let begun = thread.spawn(move || match exporter_of(exporting) {
            Ok(exporter) => export_forever(&exporter, &receiver, &counts),
            Err(error) => tracing::error!(%error, "traces cannot be sent (traces.endpoint)"),
        });
        if let Err(error) = begun {
            tracing::error!(%error, "there is no thread that sends traces");
        }
    }
}

fn exporter_of(exporting: Exporting) -> Result<SpanExporter, ExporterBuildError> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(exporting.endpoint)
        .with_timeout(exporting.timeout)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("strowger")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

impl Watcher for Telemetry {
    fn take(&self, span: Span, now_micros: u64) {
        if !self.is_begun.swap(true, Ordering::Relaxed) {
            self.begin();
        }
        if self.spans.try_send((span, now_micros)).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let Counts {
            exported,
            dropped,
            failed,
        } = &*self.counts;
        [("exported", exported), ("dropped", dropped), ("failed", failed)]
            .map(|(word, count)| (word, count.load(Ordering::Relaxed)))
            .to_vec()
    }
}

fn export_forever(exporter: &SpanExporter, spans: &Receiver<(Span, u64)>, counts: &Counts) {
    let mut failures = 0_u64;
    loop {
        let mut batch = Vec::new();
        let mut wait = BATCH_WAIT;
        while batch.len() < BATCH_MAX {
            match spans.recv_timeout(wait) {
                Ok((span, now_micros)) => batch.push(data_of(span, now_micros)),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What is there goes at once with what came before it; more is not waited for long.
            wait = BATCH_WAIT / 10;
        }
        if batch.is_empty() {
            continue;
        }
        let sent = batch.len() as u64;
        match futures_executor::block_on(exporter.export(batch)) {
            Ok(()) => _ = counts.exported.fetch_add(sent, Ordering::Relaxed),
            Err(error) => {
                counts.failed.fetch_add(sent, Ordering::Relaxed);
                if failures.is_multiple_of(NOTICE_EVERY) {
                    tracing::warn!(%error, "the collector of traces does not take them (traces.endpoint)");
                }
                failures += 1;
            }
        }
    }
}

fn data_of(span: Span, now_micros: u64) -> SpanData {
    let ended = span.ended_micros.unwrap_or(now_micros).max(span.begun_micros);
    let is_receipt = span.step == Step::Receive;
    let parent = if is_receipt {
        span.context.parent
    } else {
        span.context.receipt
    };
    let id = SpanId::from_bytes(span.id.to_be_bytes());
    let trace_id = TraceId::from_bytes(span.context.trace_id.to_be_bytes());
    SpanData {
        span_context: SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: SpanId::from_bytes(parent.to_be_bytes()),
        parent_span_is_remote: is_receipt && parent != 0,
        span_kind: match span.step {
            Step::Receive => SpanKind::Consumer,
            Step::Route | Step::Store => SpanKind::Internal,
            Step::Deliver => SpanKind::Producer,
        },
        name: span.step.name().into(),
        start_time: at(span.begun_micros),
        end_time: at(ended),
        attributes: attributes_of(&span),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("strowger").build(),
    }
}

/// By OpenTelemetry's semantic conventions for messaging, as far as they have a name.
fn attributes_of(span: &Span) -> Vec<KeyValue> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("messaging.system", "mqtt"),
        KeyValue::new("messaging.destination.name", span.topic.to_string()),
        KeyValue::new("messaging.client.id", span.client_id.to_string()),
        KeyValue::new("messaging.message.body.size", whole(span.payload_bytes as u64)),
        KeyValue::new("mqtt.qos", whole(span.qos as u64)),
    ];
    attributes.extend(
        span.copies
            .map(|copies| KeyValue::new("strowger.copies", whole(copies))),
    );
    attributes
}

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}
