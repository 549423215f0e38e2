//! What happened to a client: `/api/v1/clients/{id}/recorder`, and `/trace` while it happens.

use std::str;

use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::web::{Query, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use actors::{Captured, Happening, Recording, RecordingEntry, Trace};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::named::{self, Named};
use crate::Broker;
use crate::access::{Operator, Standing};
use crate::error::Error;
use crate::moment::rfc3339;
use crate::stream::{Missed, Source, answer, event};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(recorder, trace), components(schemas(Item)))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource(named::paths("/recorder")).get(recorder))
        .service(resource(named::paths("/trace")).get(trace));
}

/// In which form.
#[derive(Debug, Default, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON.
    #[default]
    Json,
    /// A capture file for Wireshark.
    Pcapng,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Form {
    /// In which form it is answered.
    #[param(inline)]
    format: Option<Format>,
}

/// What is remembered of a client.
#[derive(Debug, Serialize, ToSchema)]
struct Story {
    /// The client identifier, or the address, that was asked for.
    client_id: String,
    connected: bool,
    /// Why the client is not connected, or that it is, in one line.
    verdict: String,
    /// What happened, oldest first.
    items: Vec<Item>,
}

/// One thing that happened: a packet or a decision.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Item {
    at: String,
    /// "packet"; or the decision: "connected", "refused", "disconnected", "denied", "dropped", "limit", "gap".
    kind: &'static str,
    /// Under which identifier; empty: none that could be read.
    client_id: String,
    /// Where the client came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Of a packet: "in" from the client, "out" to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    /// Of a packet: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PUBLISH")]
    packet: Option<String>,
    /// The fields of a packet in words; what was decided, and why.
    text: String,
    /// Of a packet: its whole size.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<usize>,
    /// Of a packet: it was longer than what is kept of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<bool>,
    /// Of a PUBLISH: what is kept of its payload, if that is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    /// Of a PUBLISH: what is kept of its payload, if that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    /// Of a packet: what is kept of it. Passwords and authentication data are masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// Of a decision: how often, since it was last told.
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    /// Of a connection that ended: by "client", "network" or "broker".
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Of a connection that ended: the reason code of MQTT 5.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<u8>,
}

impl From<RecordingEntry> for Item {
    fn from(entry: RecordingEntry) -> Self {
        let item = Self {
            at: rfc3339(entry.at_millis),
            client_id: entry.client_id,
            address: (!entry.peer.is_empty()).then_some(entry.peer),
            ..Self::default()
        };
        match entry.what {
            Happening::Packet(packet) => of_packet(item, packet),
            Happening::Decision {
                kind,
                times,
                text,
                by,
                reason_code,
            } => Self {
                kind,
                text,
                times: Some(times),
                by,
                reason_code,
                ..item
            },
        }
    }
}

fn of_packet(item: Item, packet: Captured) -> Item {
    let (mut payload, mut payload_base64) = (None, None);
    if let Some(bytes) = packet.payload() {
        match str::from_utf8(bytes) {
            Ok(text) => payload = Some(text.to_owned()),
            // The cut may have gone through a letter.
            Err(error) if packet.is_cut() && error.error_len().is_none() => {
                let whole = bytes.get(..error.valid_up_to()).unwrap_or_default();
                payload = Some(String::from_utf8_lossy(whole).into_owned());
            }
            Err(_) => payload_base64 = Some(STANDARD.encode(bytes)),
        }
    }
    Item {
        kind: "packet",
        direction: Some(if packet.is_out { "out" } else { "in" }),
        size_bytes: Some(packet.size),
        cut: Some(packet.is_cut()),
        raw_base64: Some(STANDARD.encode(&packet.bytes)),
        text: packet.text,
        packet: Some(packet.packet),
        payload,
        payload_base64,
        ..item
    }
}

impl From<Recording> for Story {
    fn from(recording: Recording) -> Self {
        Self {
            client_id: recording.name,
            connected: recording.is_connected,
            verdict: recording.verdict,
            items: recording.entries.into_iter().map(Item::from).collect(),
        }
    }
}

/// The last packets of a client and what was decided about it, also of one that is gone or was not let in. An address, with
/// or without its port, stands for all that were not let in from there.
#[utoipa::path(get, path = "/api/v1/clients/{client_id}/recorder", tag = "clients",
    params(("client_id" = String, Path, description = "The client, or an address"), Form),
    extensions(("x-role" = json!("operator"))),
    responses(
        (status = 200, description = "What is remembered", content(
            (Story = "application/json"), (Vec<u8> = "application/octet-stream"))),
        (status = 404, description = "Nothing is remembered of it", body = crate::error::Problem)))]
async fn recorder(
    _: Operator,
    Broker(operations): Broker,
    client_id: Named,
    form: Query<Form>,
) -> Result<HttpResponse, Error> {
    let recording = operations.recording(&client_id).await;
    if recording.entries.is_empty() && !recording.is_connected {
        return Err(Error::not_found(recording.verdict));
    }
    Ok(match form.format.unwrap_or_default() {
        Format::Json => HttpResponse::Ok().json(Story::from(recording)),
        Format::Pcapng => HttpResponse::Ok()
            .content_type("application/octet-stream")
            .insert_header(ContentDisposition {
                disposition: DispositionType::Attachment,
                parameters: vec![DispositionParam::Filename("recorder.pcapng".to_owned())],
            })
            .body(recording.pcapng()),
    })
}

struct Traced(Trace, Option<String>);

impl Source for Traced {
    async fn next(&mut self) -> Option<String> {
        if let Some(waiting) = self.1.take() {
            return Some(waiting);
        }
        let (missed, entry) = self.0.next().await?;
        let item = Item::from(entry);
        let told = event(item.kind, &item);
        if missed == 0 {
            return Some(told);
        }
        self.1 = Some(told);
        Some(event("missed", &Missed { missed }))
    }
}

/// Each packet of a client and each decision about it, while it happens, as server-sent events; `data` is an item of the
/// flight recorder. The client need not be connected yet.
#[utoipa::path(get, path = "/api/v1/clients/{client_id}/trace", tag = "clients",
    params(("client_id" = String, Path, description = "The client")),
    extensions(("x-role" = json!("operator")), ("x-stream" = json!(true))),
    responses((status = 200, description = "Packets and decisions, without end", body = String,
        content_type = "text/event-stream")))]
async fn trace(
    Operator(caller): Operator,
    Broker(operations): Broker,
    client_id: Named,
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let Some(trace) = operations.trace(&client_id).await else {
        return Err(Error::too_many(
            "16 clients are traced, which is as many as may be; end one of the traces",
            5,
        ));
    };
    answer(Traced(trace, None), Standing::of(&request, caller))
}
