//! `/api/v1/overview`: how the broker fares, at one look.

use actix_web::web::{Json, ServiceConfig, resource};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::Broker;
use crate::access::Viewer;
use crate::error::Error;
use crate::moment::rfc3339;

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(overview))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(resource("/api/v1/overview").get(overview));
}

/// How the broker fares.
#[derive(Debug, Serialize, ToSchema)]
struct Overview {
    version: String,
    /// The machine's name.
    node: String,
    started_at: String,
    uptime_secs: u64,
    /// Clients can connect.
    ready: bool,
    /// Clients are being sent away.
    draining: bool,
    /// Threads that serve clients.
    lines: usize,
    connections: u64,
    /// Connected or not.
    sessions: u64,
    subscriptions: usize,
    retained: Retained,
    /// Messages that wait in sessions.
    queued: u64,
    /// Messages sent and not acknowledged.
    inflight: u64,
    memory: Memory,
    messages: Messages,
    bytes: Bytes,
    /// What an operator should look at, each in one line.
    warnings: Vec<String>,
}

/// Retained messages.
#[derive(Debug, Serialize, ToSchema)]
struct Retained {
    messages: usize,
    bytes: usize,
}

/// The process's memory.
#[derive(Debug, Serialize, ToSchema)]
struct Memory {
    used_bytes: u64,
    max_bytes: u64,
    /// "ample", "tight" or "scarce".
    mark: String,
}

/// PUBLISH packets since the start.
#[derive(Debug, Serialize, ToSchema)]
struct Messages {
    received_total: u64,
    sent_total: u64,
    /// For one receiver each.
    dropped_total: u64,
    /// Of clients that were told so.
    refused_total: u64,
    /// What the broker cannot account for; 0 unless it has a fault.
    unaccounted: u64,
}

/// Bytes of MQTT since the start.
#[derive(Debug, Serialize, ToSchema)]
struct Bytes {
    received_total: u64,
    sent_total: u64,
}

/// How the broker fares at this moment, in counts. Whoever wants rates asks twice.
#[utoipa::path(get, path = "/api/v1/overview", tag = "broker", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "How the broker fares", body = Overview)))]
async fn overview(_: Viewer, Broker(operations): Broker) -> Result<Json<Overview>, Error> {
    let seen = operations.overview().await;
    Ok(Json(Overview {
        version: seen.version,
        node: seen.node,
        started_at: rfc3339(seen.started_at),
        uptime_secs: seen.uptime_secs,
        ready: seen.is_ready,
        draining: seen.is_draining,
        lines: seen.lines,
        connections: seen.connections,
        sessions: seen.sessions,
        subscriptions: seen.subscriptions,
        retained: Retained {
            messages: seen.retained,
            bytes: seen.retained_bytes,
        },
        queued: seen.queued,
        inflight: seen.inflight,
        memory: Memory {
            used_bytes: seen.memory_bytes,
            max_bytes: seen.memory_bytes_max,
            mark: seen.memory_mark.to_owned(),
        },
        messages: Messages {
            received_total: seen.received,
            sent_total: seen.sent,
            dropped_total: seen.dropped,
            refused_total: seen.refused,
            unaccounted: seen.unaccounted,
        },
        bytes: Bytes {
            received_total: seen.bytes_in,
            sent_total: seen.bytes_out,
        },
        warnings: seen.warnings,
    }))
}
