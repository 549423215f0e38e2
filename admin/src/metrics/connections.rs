//! Who comes in and who does not, and what they may do.

use actors::broker::counters::Counters;
use actors::{Figures, ListenerFigures};

use super::family::families;
use super::page::Page;

families! {
    "Connections and clients";
    Gauge CONNECTIONS "strowger_connections" ["listener", "transport"] "Connections open, whether or not their CONNECT has come.";
    Gauge CONNECTIONS_MAX "strowger_connections_limit" ["listener"] "Connections that may be open on a listener at once (listener.connections_max).";
    Gauge DESCRIPTORS_MAX "strowger_connections_descriptors" [] "Connections that there are file descriptors for, on all listeners together.";
    Gauge CLIENTS "strowger_clients_connected" [] "Clients connected: their CONNECT was accepted and their connection is open.";
    Counter ESTABLISHED "strowger_connects_total" ["listener"] "Connections whose CONNECT has come, whatever the answer was.";
    Counter FAILURES "strowger_connection_failures_total" ["listener", "reason"] "Connections that ended before a CONNECT came: handshakes that failed, addresses and proxies that were refused, clients that were too slow.";
    Counter TURNED_AWAY "strowger_connections_turned_away_total" [] "Connections closed by a limit before they spoke MQTT.";
    Counter VIOLATIONS "strowger_protocol_violations_total" [] "Connections ended because the client broke a rule of MQTT.";
    Counter SILENT "strowger_keep_alive_timeouts_total" [] "Connections ended because the client was silent for one and a half times its keep alive.";
    Counter PANICS "strowger_panics_total" [] "Connections ended by an error of the broker's own. Each is a bug to be reported.";
    Gauge CERTIFICATE_END "strowger_certificate_expiry_timestamp_seconds" ["listener", "file"] "When a listener's certificate ends, in seconds of Unix time.";
    Counter AUTHENTICATIONS "strowger_authentications_total" ["method", "result"] "Clients that proved who they are, or did not, by the method that had the last word; none: no method was asked, or none knew what they brought.";
    Counter AUTHORISATIONS "strowger_authorizations_total" ["action", "result"] "Questions put to the rights, where there are any: on a message that is published or received, on a filter, on a will.";
    Counter LIMITS "strowger_limit_reached_total" ["limit"] "How often clients reached a limit.";
    Counter RULES "strowger_rule_evaluations_total" ["rule", "result"] "How often each rule was asked, matched and failed since the book was read.";
}

/// Adds them.
pub(super) fn fill(page: &mut Page, figures: &Figures, counters: &Counters) {
    for listener in &figures.listeners {
        fill_listener(page, listener);
    }
    page.count(&DESCRIPTORS_MAX, &[], figures.connections_max as u64);
    page.count(&CLIENTS, &[], counters.connected);
    page.count(&TURNED_AWAY, &[], counters.turned_away);
    page.count(&VIOLATIONS, &[], counters.violations);
    page.count(&SILENT, &[], counters.keep_alive_timeouts);
    page.count(&PANICS, &[], counters.panics);
    for (method, result, count) in &figures.authentications {
        page.count(&AUTHENTICATIONS, &[&method.replace(' ', "_"), result], *count);
    }
    for (action, [refused, allowed]) in counters.rights() {
        page.count(&AUTHORISATIONS, &[action, "allowed"], allowed);
        page.count(&AUTHORISATIONS, &[action, "refused"], refused);
    }
    for (limit, count) in actors::broker::limits::Limit::ALL.iter().zip(counters.limited) {
        page.count(&LIMITS, &[limit.name()], count);
    }
    for (rule, [asked, matched, failed]) in &figures.rules {
        page.count(&RULES, &[rule, "asked"], *asked);
        page.count(&RULES, &[rule, "matched"], *matched);
        page.count(&RULES, &[rule, "failed"], *failed);
    }
}

fn fill_listener(page: &mut Page, listener: &ListenerFigures) {
    let name = &*listener.name;
    page.count(&CONNECTIONS, &[name, listener.transport], listener.open as u64);
    page.count(&CONNECTIONS_MAX, &[name], listener.connections_max as u64);
    page.count(&ESTABLISHED, &[name], listener.established);
    for (reason, count) in &listener.failures {
        page.count(&FAILURES, &[name, reason], *count);
    }
    for (file, end) in &listener.certificates {
        page.add(&CERTIFICATE_END, &[name, file], *end as f64);
    }
}
