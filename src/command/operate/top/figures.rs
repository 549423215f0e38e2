//! Two looks at a broker, and what happened between them.

use std::collections::HashMap;
use std::fmt;
use std::time::Instant;

use serde_json::{Value, json};

use crate::command::remote::listing::{harmless, in_time};
use crate::command::store::in_units;

/// One look.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    at: Instant,
    overview: Value,
    clients: Vec<Value>,
    clients_total: u64,
}

/// What is shown of two looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) version: String,
    pub(super) uptime_secs: f64,
    pub(super) is_draining: bool,
    pub(super) connections: u64,
    pub(super) sessions: u64,
    pub(super) subscriptions: u64,
    pub(super) retained: u64,
    pub(super) queued: u64,
    pub(super) inflight: u64,
    pub(super) memory_bytes: u64,
    pub(super) memory_bytes_max: u64,
    /// Not accounted for by the law of conservation: 0 in a broker that is well.
    pub(super) unaccounted: i64,
    /// Per second.
    pub(super) received: f64,
    pub(super) sent: f64,
    pub(super) dropped: f64,
    pub(super) refused: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    pub(super) warnings: Vec<String>,
    pub(super) clients: Vec<Row>,
    pub(super) clients_total: u64,
}

/// One client; rates are per second, and unknown of a client that was not there before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) client_id: String,
    pub(super) address: String,
    pub(super) packets_in: Option<f64>,
    pub(super) packets_out: Option<f64>,
    pub(super) queued: u64,
    pub(super) inflight: u64,
    pub(super) subscriptions: u64,
}

impl Sample {
    pub(super) fn read(at: Instant, overview: &Value, clients: &Value) -> Self {
        let items = clients.get("items").and_then(Value::as_array);
        Self {
            at,
            overview: overview.clone(),
            clients: items.cloned().unwrap_or_default(),
            clients_total: number(clients, "/total"),
        }
    }
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn text(value: &Value, pointer: &str) -> String {
    harmless(value.pointer(pointer).and_then(Value::as_str).unwrap_or_default())
}

impl Figures {
    pub(super) fn between(before: &Sample, now: &Sample) -> Self {
        let secs = now.at.saturating_duration_since(before.at).as_secs_f64();
        let per_sec = |earlier: u64, later: u64| match secs > 0.0 {
            true => later.saturating_sub(earlier) as f64 / secs,
            false => 0.0,
        };
        let rate = |pointer: &str| per_sec(number(&before.overview, pointer), number(&now.overview, pointer));
        let known: HashMap<String, &Value> = before
            .clients
            .iter()
            .map(|client| (text(client, "/client_id"), client))
            .collect();
        let row = |client: &Value| {
            let client_id = text(client, "/client_id");
            let earlier = known.get(&client_id).filter(|_| secs > 0.0);
            let rate = |pointer| earlier.map(|earlier| per_sec(number(earlier, pointer), number(client, pointer)));
            Row {
                address: text(client, "/address"),
                packets_in: rate("/packets_in"),
                packets_out: rate("/packets_out"),
                queued: number(client, "/queued"),
                inflight: number(client, "/inflight"),
                subscriptions: number(client, "/subscriptions"),
                client_id,
            }
        };
        let overview = &now.overview;
        let flag = |pointer| overview.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
        let warnings = overview.pointer("/warnings").and_then(Value::as_array);
        Self {
            version: text(overview, "/version"),
            uptime_secs: overview
                .pointer("/uptime_secs")
                .and_then(Value::as_f64)
                .unwrap_or_default(),
            is_draining: flag("/draining"),
            connections: number(overview, "/connections"),
            sessions: number(overview, "/sessions"),
            subscriptions: number(overview, "/subscriptions"),
            retained: number(overview, "/retained/messages"),
            queued: number(overview, "/queued"),
            inflight: number(overview, "/inflight"),
            memory_bytes: number(overview, "/memory/used_bytes"),
            memory_bytes_max: number(overview, "/memory/max_bytes"),
            unaccounted: overview
                .pointer("/messages/unaccounted")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            received: rate("/messages/received_total"),
            sent: rate("/messages/sent_total"),
            dropped: rate("/messages/dropped_total"),
            refused: rate("/messages/refused_total"),
            bytes_in: rate("/bytes/received_total"),
            bytes_out: rate("/bytes/sent_total"),
            warnings: warnings
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(harmless)
                .collect(),
            clients: now.clients.iter().map(row).collect(),
            clients_total: now.clients_total,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let clients = self.clients.iter().map(|row| {
            json!({
                "client_id": row.client_id, "address": row.address, "packets_in_per_sec": row.packets_in,
                "packets_out_per_sec": row.packets_out, "queued": row.queued, "inflight": row.inflight,
                "subscriptions": row.subscriptions,
            })
        });
        json!({
            "version": self.version, "uptime_secs": self.uptime_secs, "draining": self.is_draining,
            "connections": self.connections, "sessions": self.sessions, "subscriptions": self.subscriptions,
            "retained": self.retained, "queued": self.queued, "inflight": self.inflight,
            "memory_bytes": self.memory_bytes, "memory_bytes_max": self.memory_bytes_max,
            "unaccounted": self.unaccounted, "received_per_sec": self.received, "sent_per_sec": self.sent,
            "dropped_per_sec": self.dropped, "refused_per_sec": self.refused, "bytes_in_per_sec": self.bytes_in,
            "bytes_out_per_sec": self.bytes_out, "warnings": self.warnings, "clients": clients.collect::<Vec<_>>(),
            "clients_total": self.clients_total,
        })
    }

    /// The lines above the clients.
    pub(super) fn summary(&self) -> Vec<String> {
        let percent = (self.memory_bytes * 100)
            .checked_div(self.memory_bytes_max)
            .unwrap_or_default();
        let state = if self.is_draining { ", draining" } else { "" };
        let mut lines = vec![
            format!(
                "strowger {}, up {}{state}",
                self.version,
                in_time(self.uptime_secs.floor())
            ),
            format!(
                "messages   {} in/s   {} out/s   {} dropped/s   {} refused/s",
                figure(self.received),
                figure(self.sent),
                figure(self.dropped),
                figure(self.refused)
            ),
            format!(
                "bytes      {}/s in   {}/s out",
                in_units(self.bytes_in as u64),
                in_units(self.bytes_out as u64)
            ),
            format!(
                "holds      {} connections   {} sessions   {} subscriptions   {} retained   {} queued   {} in flight",
                self.connections, self.sessions, self.subscriptions, self.retained, self.queued, self.inflight
            ),
            format!(
                "memory     {} ({percent} % of {})",
                in_units(self.memory_bytes),
                in_units(self.memory_bytes_max)
            ),
        ];
        if self.unaccounted != 0 {
            lines.push(format!(
                "WARNING    {} messages are not accounted for",
                self.unaccounted
            ));
        }
        lines.extend(self.warnings.iter().map(|warning| format!("WARNING    {warning}")));
        lines
    }
}

/// A rate in few digits.
pub(super) fn figure(rate: f64) -> String {
    if rate >= 100.0 || rate == 0.0 {
        format!("{rate:.0}")
    } else {
        format!("{rate:.1}")
    }
}

/// The titles of the clients' columns.
pub(super) const TITLES: [&str; 7] = [
    "client",
    "address",
    "packets in/s",
    "out/s",
    "queued",
    "in flight",
    "subscriptions",
];

impl Row {
    pub(super) fn cells(&self) -> [String; 7] {
        let rate = |rate: Option<f64>| rate.map_or_else(String::new, figure);
        [
            self.client_id.clone(),
            self.address.clone(),
            rate(self.packets_in),
            rate(self.packets_out),
            self.queued.to_string(),
            self.inflight.to_string(),
            self.subscriptions.to_string(),
        ]
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.summary() {
            writeln!(f, "{line}")?;
        }
        writeln!(f)?;
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(TITLES.map(str::to_uppercase));
        for row in &self.clients {
            table.add_row(row.cells());
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        writeln!(f, "{table}")
    }
}
