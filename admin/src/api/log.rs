//! `/api/v1/log`: what the log writes, its latest records, and those to come.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::web::{Data, Json, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{OpenApi, ToSchema};

use crate::access::{Admin, Standing, Viewer};
use crate::error::{Error, Problem};
use crate::journal::{Change, Exempt, Journal, LogRecord};
use crate::moment::rfc3339;
use crate::stream::{Missed, Source, answer, event};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(levels, change, reset, recent, stream), components(schemas(Change, Line)))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource("/api/v1/log").get(levels).put(change).delete(reset))
        .service(resource("/api/v1/log/recent").get(recent))
        .service(resource("/api/v1/log/stream").get(stream));
}

/// What the log writes.
#[derive(Debug, Serialize, ToSchema)]
struct LogLevels {
    /// For all records, as `log.level` has it.
    level: String,
    overrides: Vec<LevelOverride>,
}

/// Another level for the records about a client or a topic.
#[derive(Debug, Serialize, ToSchema)]
struct LevelOverride {
    client_id: Option<String>,
    topic: Option<String>,
    level: String,
    expires_at: String,
}

/// The latest records.
#[derive(Debug, Serialize, ToSchema)]
struct Lines {
    /// Oldest first.
    items: Vec<Line>,
}

/// One record.
#[derive(Debug, Serialize, ToSchema)]
struct Line {
    at: String,
    /// "error", "warn", "info", "debug" or "trace".
    level: String,
    /// Which part of the broker wrote it.
    target: String,
    message: String,
    /// What it is about.
    fields: BTreeMap<String, String>,
}

type Log = Data<Arc<dyn Journal>>;

fn levels_of(log: &Log) -> Json<LogLevels> {
    let levels = log.levels();
    let overrides = levels.overrides.into_iter().map(override_of).collect();
    Json(LogLevels {
        level: levels.level,
        overrides,
    })
}

fn override_of(exempt: Exempt) -> LevelOverride {
    LevelOverride {
        client_id: exempt.client_id,
        topic: exempt.topic,
        level: exempt.level,
        expires_at: rfc3339(exempt.until_millis),
    }
}

fn line_of(record: &LogRecord) -> Line {
    Line {
        at: rfc3339(record.at_millis),
        level: record.level.clone(),
        target: record.target.clone(),
        message: record.message.clone(),
        fields: record.fields.iter().cloned().collect(),
    }
}

/// What the log writes at this moment.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The levels", body = LogLevels)))]
async fn levels(_: Viewer, log: Log) -> Json<LogLevels> {
    levels_of(&log)
}

/// Lets the log write by other levels until the settings are read again. Those for single clients and topics end by
/// themselves.
#[utoipa::path(put, path = "/api/v1/log", tag = "log", request_body = Change,
    extensions(("x-role" = json!("admin"))),
    responses((status = 200, description = "The levels that are in force", body = LogLevels),
        (status = 422, description = "A level that is none", body = Problem)))]
async fn change(_: Admin, log: Log, change: Json<Change>) -> Result<Json<LogLevels>, Error> {
    log.change(&change)
        .map_err(|what| Error::new(StatusCode::UNPROCESSABLE_ENTITY, what))?;
    Ok(levels_of(&log))
}

/// Lets the log write by the level of the settings again.
#[utoipa::path(delete, path = "/api/v1/log", tag = "log", extensions(("x-role" = json!("admin"))),
    responses((status = 200, description = "The levels that are in force", body = LogLevels)))]
async fn reset(_: Admin, log: Log) -> Json<LogLevels> {
    log.reset();
    levels_of(&log)
}

/// The latest 1,000 records, if they are not longer than 1 MiB.
#[utoipa::path(get, path = "/api/v1/log/recent", tag = "log", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The latest records", body = Lines)))]
async fn recent(_: Viewer, log: Log) -> Json<Lines> {
    let records = log.recent();
    let items = records.iter().map(|record| line_of(record)).collect();
    Json(Lines { items })
}

struct Written(Receiver<Arc<LogRecord>>);

impl Source for Written {
    async fn next(&mut self) -> Option<String> {
        match self.0.recv().await {
            Ok(record) => Some(event("record", &line_of(&record))),
            Err(RecvError::Lagged(missed)) => Some(event("missed", &Missed { missed })),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The records from here on, as server-sent events.
#[utoipa::path(get, path = "/api/v1/log/stream", tag = "log",
    extensions(("x-role" = json!("viewer")), ("x-stream" = json!(true))),
    responses((status = 200, description = "Records, without end", body = String,
        content_type = "text/event-stream")))]
async fn stream(Viewer(caller): Viewer, log: Log, request: HttpRequest) -> Result<HttpResponse, Error> {
    answer(Written(log.listen()), Standing::of(&request, caller))
}
