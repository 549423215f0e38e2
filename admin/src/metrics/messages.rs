//! Messages: in, out, waiting, lost; and the exchanges that carry them.

use actors::Figures;
use actors::broker::counters::{Counters, Drop};
use actors::broker::exchange::{Kind, Refusal};

use super::family::families;
use super::page::{Page, word};

families! {
    "Messages and exchanges";
    Counter RECEIVED "strowger_messages_received_total" ["qos"] "PUBLISH packets received.";
    Counter SENT "strowger_messages_sent_total" ["qos"] "PUBLISH packets sent, repeats included.";
    Counter PAYLOAD_IN "strowger_payload_received_bytes_total" [] "Payload of PUBLISH packets received.";
    Counter PAYLOAD_OUT "strowger_payload_sent_bytes_total" [] "Payload of PUBLISH packets sent.";
    Counter BYTES_IN "strowger_received_bytes_total" [] "Bytes read from connections.";
    Counter BYTES_OUT "strowger_sent_bytes_total" [] "Bytes written to connections.";
    Counter PACKETS_IN "strowger_packets_received_total" [] "MQTT packets received.";
    Counter PACKETS_OUT "strowger_packets_sent_total" [] "MQTT packets sent.";
    Counter DROPPED "strowger_messages_dropped_total" ["reason"] "Messages that did not reach a receiver that had asked for them, by the reason.";
    Gauge QUEUED "strowger_messages_queued" [] "Messages that wait in sessions, as far as their number is known.";
    Gauge INFLIGHT "strowger_messages_inflight" [] "Messages sent at QoS 1 or 2 and not acknowledged to the end.";
    Counter STARTED "strowger_exchanges_started_total" ["kind"] "Exchanges started, by the packet that opens them.";
    Counter ENDED "strowger_exchanges_ended_total" ["kind", "ending"] "Exchanges ended: finished, stopped with a refusal, or canceled because their connection or session was over.";
    Counter REFUSED "strowger_exchanges_refused_total" ["kind", "reason"] "Exchanges stopped with a refusal, by the reason.";
    Gauge SESSIONS "strowger_sessions" [] "Sessions, connected or not.";
    Counter SESSIONS_EXPIRED "strowger_sessions_expired_total" [] "Sessions that ended because their client stayed away for too long.";
    Gauge SUBSCRIPTIONS "strowger_subscriptions" [] "Subscriptions of all sessions.";
    Gauge RETAINED "strowger_retained_messages" [] "Retained messages.";
    Gauge RETAINED_BYTES "strowger_retained_bytes" [] "What retained messages count for: topic, payload, properties.";
}

/// Adds them.
pub(super) fn fill(page: &mut Page, figures: &Figures, counters: &Counters) {
    for (qos, name) in ["0", "1", "2"].iter().enumerate() {
        page.count(&RECEIVED, &[name], counters.publish_in.get(qos).copied().unwrap_or(0));
        page.count(&SENT, &[name], counters.publish_out.get(qos).copied().unwrap_or(0));
    }
    let totals = [
        (&PAYLOAD_IN, counters.payload_in),
        (&PAYLOAD_OUT, counters.payload_out),
        (&BYTES_IN, counters.bytes_in),
        (&BYTES_OUT, counters.bytes_out),
        (&PACKETS_IN, counters.packets_in),
        (&PACKETS_OUT, counters.packets_out),
        (&QUEUED, counters.queued),
        (&INFLIGHT, counters.inflight),
        (&SESSIONS, counters.sessions),
        (&SESSIONS_EXPIRED, counters.sessions_expired),
        (&SUBSCRIPTIONS, figures.subscriptions as u64),
        (&RETAINED, figures.retained as u64),
        (&RETAINED_BYTES, figures.retained_bytes as u64),
    ];
    for (family, total) in totals {
        page.count(family, &[], total);
    }
    for (reason, count) in Drop::ALL.iter().zip(counters.dropped) {
        page.count(&DROPPED, &[&word(reason)], count);
    }
    for (place, kind) in Kind::ALL.iter().enumerate() {
        fill_kind(page, counters, place, *kind);
    }
}

/// Whether an alert looks at its increase, which is seen only from one value to the next.
fn is_watched(kind: Kind, reason: Refusal) -> bool {
    (kind, reason) == (Kind::Publish, Refusal::QuotaExceeded)
}

fn fill_kind(page: &mut Page, counters: &Counters, place: usize, of_kind: Kind) {
    let kind = &*word(&of_kind);
    let of = |counts: &[u64]| counts.get(place).copied().unwrap_or(0);
    let refusals = counters.stopped.get(place).copied().unwrap_or_default();
    page.count(&STARTED, &[kind], of(&counters.started));
    page.count(&ENDED, &[kind, "finished"], of(&counters.finished));
    page.count(&ENDED, &[kind, "canceled"], of(&counters.canceled));
    page.count(&ENDED, &[kind, "stopped"], refusals.iter().sum());
    for (reason, count) in Refusal::ALL.iter().zip(refusals) {
        // Most of them cannot happen to most kinds.
        if count > 0 || is_watched(of_kind, *reason) {
            page.count(&REFUSED, &[kind, &word(reason)], count);
        }
    }
}
