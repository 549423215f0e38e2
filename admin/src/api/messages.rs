//! Messages: retained ones, browsed and deleted, and those that operators publish.

use actix_web::web::{Data, Json, Query, ServiceConfig, resource};
use actors::{Properties, Publication, RetainedMessage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::Broker;
use crate::access::{Operator, Viewer};
use crate::envelope::Patience;
use crate::error::Error;
use crate::moment::rfc3339;
use crate::page::Limit;

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(list, show, tree, delete, publish))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource("/api/v1/retained").get(list).delete(delete))
        .service(resource("/api/v1/retained/message").get(show))
        .service(resource("/api/v1/retained/tree").get(tree))
        .service(resource("/api/v1/publish").post(publish));
}

/// Which retained messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those that this topic filter matches [default: #]
    filter: Option<String>,
    /// Only those with this in their topic
    search: Option<String>,
    /// Behind this topic: "next" of the part before
    cursor: Option<String>,
}

/// A retained message, without what it says.
#[derive(Debug, Serialize, ToSchema)]
struct RetainedItem {
    topic: String,
    qos: u8,
    payload_bytes: usize,
    published_at: Option<String>,
    expires_at: Option<String>,
}

/// Part of the retained messages, in the order of their topics.
#[derive(Debug, Serialize, ToSchema)]
struct RetainedPart {
    items: Vec<RetainedItem>,
    /// The cursor to go on with; null at the end.
    next: Option<String>,
}

/// A retained message. The payload is text if it is UTF-8, else base64.
#[derive(Debug, Serialize, ToSchema)]
struct RetainedDetail {
    #[serde(flatten)]
    item: RetainedItem,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    properties: MessageProperties,
}

/// What goes with a message, in MQTT 5.0.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct MessageProperties {
    /// 1: the payload is said to be UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    payload_format: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, maximum = 4294967295_u64)]
    message_expiry_secs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// Pairs of a name and a value, in their order.
    #[schema(max_items = 1000)]
    user_properties: Vec<(String, String)>,
}

impl From<Properties> for MessageProperties {
    fn from(properties: Properties) -> Self {
        Self {
            payload_format: properties.payload_format.map(u8::from),
            message_expiry_secs: None,
            response_topic: properties.response_topic,
            correlation_data_base64: properties.correlation_data.map(|data| STANDARD.encode(data)),
            content_type: properties.content_type,
            user_properties: properties.user_properties,
        }
    }
}

fn item(message: &RetainedMessage) -> RetainedItem {
    RetainedItem {
        topic: message.topic.clone(),
        qos: message.qos,
        payload_bytes: message.payload.len(),
        published_at: message.published_at.map(rfc3339),
        expires_at: message.expires_at.map(rfc3339),
    }
}

/// Lists retained messages, in the order of their topics.
#[utoipa::path(get, path = "/api/v1/retained", tag = "retained", params(Wanted, Limit),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = RetainedPart)))]
async fn list(
    _: Viewer,
    Broker(operations): Broker,
    Query(wanted): Query<Wanted>,
    Query(limit): Query<Limit>,
) -> Result<Json<RetainedPart>, Error> {
    let limit = limit.items()?;
    let filter = wanted.filter.as_deref().unwrap_or("#");
    let search = wanted.search.as_deref().unwrap_or_default();
    let (messages, next) = operations
        .retained(filter, search, wanted.cursor.as_deref(), limit)
        .await?;
    let items = messages.iter().map(item).collect();
    Ok(Json(RetainedPart { items, next }))
}

/// Which topic.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OfTopic {
    /// The topic
    topic: String,
}

/// Shows the retained message of a topic.
#[utoipa::path(get, path = "/api/v1/retained/message", tag = "retained", params(OfTopic),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The message", body = RetainedDetail),
        (status = 404, description = "There is none", body = crate::error::Problem)))]
async fn show(_: Viewer, Broker(operations): Broker, Query(of): Query<OfTopic>) -> Result<Json<RetainedDetail>, Error> {
    let message = operations.retained_message(&of.topic)?;
    let item = item(&message);
    let (payload, payload_base64) = match String::from_utf8(message.payload) {
        Ok(text) => (Some(text), None),
        Err(binary) => (None, Some(STANDARD.encode(binary.as_bytes()))),
    };
    Ok(Json(RetainedDetail {
        item,
        payload,
        payload_base64,
        properties: message.properties.into(),
    }))
}

/// A place in the tree of topics.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Place {
    /// The levels above, such as a/b; without it the first level
    under: Option<String>,
    /// Behind this level: "next" of the part before
    cursor: Option<String>,
}

/// A level of the tree of topics.
#[derive(Debug, Serialize, ToSchema)]
struct Level {
    /// Its name.
    level: String,
    /// All levels down to it.
    topic: String,
    /// Messages whose topics go on behind it.
    messages_below: usize,
    /// There is a message of exactly this topic.
    has_message: bool,
}

/// Levels that stand beside each other, in the order of their names.
#[derive(Debug, Serialize, ToSchema)]
struct Levels {
    items: Vec<Level>,
    /// The cursor to go on with; null at the end.
    next: Option<String>,
    /// False: there was more beneath than one answer looks at, and the counts are what was seen.
    complete: bool,
}

/// Lists the levels at a place of the tree of retained topics.
#[utoipa::path(get, path = "/api/v1/retained/tree", tag = "retained", params(Place, Limit),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Levels)))]
async fn tree(
    _: Viewer,
    Broker(operations): Broker,
    Query(place): Query<Place>,
    Query(limit): Query<Limit>,
) -> Result<Json<Levels>, Error> {
    let under = place.under.as_deref();
    let tree = operations
        .retained_tree(under, place.cursor.as_deref(), limit.items()?)
        .await;
    let items = tree.levels.into_iter().map(|level| Level {
        topic: under.map_or_else(|| level.level.clone(), |under| format!("{under}/{}", level.level)),
        level: level.level,
        messages_below: level.messages_below,
        has_message: level.has_message,
    });
    Ok(Json(Levels {
        items: items.collect(),
        next: tree.next,
        complete: tree.is_complete,
    }))
}

/// Which retained messages are to go.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Doomed {
    /// Those that this topic filter matches
    filter: String,
    /// Only count them [default: false]
    dry_run: Option<bool>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// Messages that the filter matches.
    matched: usize,
    /// Messages that are gone.
    deleted: usize,
    /// False: there are more than one request has the time for; ask again.
    complete: bool,
}

/// Deletes the retained messages that a filter matches, or counts them. Subscribers are not told.
#[utoipa::path(delete, path = "/api/v1/retained", tag = "retained", params(Doomed),
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "What was deleted", body = Deleted)))]
async fn delete(
    Operator(caller): Operator,
    Broker(operations): Broker,
    patience: Data<Patience>,
    Query(doomed): Query<Doomed>,
) -> Result<Json<Deleted>, Error> {
    let is_dry_run = doomed.dry_run.unwrap_or(false);
    // The answer has the other half to be sent in.
    let deletion = operations
        .delete_retained(&doomed.filter, is_dry_run, patience.0 / 2)
        .await?;
    if !is_dry_run {
        tracing::info!(
            operator = caller.name,
            filter = doomed.filter,
            deleted = deletion.deleted,
            "an operator has deleted retained messages"
        );
    }
    Ok(Json(Deleted {
        matched: deletion.matched,
        deleted: deletion.deleted,
        complete: deletion.is_complete,
    }))
}

/// A message to be published. What it says is in payload, or in payload_base64 if it is not text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Publish {
    #[schema(min_length = 1, max_length = 65535)]
    topic: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    properties: MessageProperties,
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
struct Published {
    /// Sessions that it went to; of a shared group, one.
    receivers: usize,
    /// Those among them whose client is away, for whom it waits.
    queued: usize,
}

/// Publishes a message, and says how many got it.
///
/// The answer comes when the message is kept as durably as its topic's messages are. Rights and rules are not asked: the
/// role is the right. The bounds that hold for clients hold.
#[utoipa::path(post, path = "/api/v1/publish", tag = "messages", request_body = Publish,
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "It was published", body = Published),
        (status = 409, description = "A client's message would be refused, too", body = crate::error::Problem)))]
async fn publish(
    Operator(caller): Operator,
    Broker(operations): Broker,
    Json(publish): Json<Publish>,
) -> Result<Json<Published>, Error> {
    let payload = match (publish.payload, publish.payload_base64) {
        (Some(_), Some(_)) => return Err(Error::bad_request("payload and payload_base64 exclude each other")),
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => binary(&text, "payload_base64")?,
        (None, None) => Vec::new(),
    };
    let properties = publish.properties;
    let correlation_data = properties
        .correlation_data_base64
        .map(|text| binary(&text, "correlation_data_base64"));
    let publication = Publication {
        topic: publish.topic.clone(),
        payload,
        qos: publish.qos,
        retain: publish.retain,
        expiry_secs: properties.message_expiry_secs,
        properties: Properties {
            payload_format: match properties.payload_format {
                None => None,
                Some(0) => Some(false),
                Some(1) => Some(true),
                Some(other) => {
                    let what = format!("payload_format is {other}; allowed: 0, 1");
                    return Err(Error::bad_request(what));
                }
            },
            response_topic: properties.response_topic,
            correlation_data: correlation_data.transpose()?,
            content_type: properties.content_type,
            user_properties: properties.user_properties,
        },
    };
    let outcome = operations.publish(publication).await?;
    tracing::info!(
        operator = caller.name,
        topic = publish.topic,
        receivers = outcome.receivers,
        "an operator has published a message"
    );
    Ok(Json(Published {
        receivers: outcome.receivers,
        queued: outcome.queued,
    }))
}

fn binary(text: &str, field: &str) -> Result<Vec<u8>, Error> {
    STANDARD
        .decode(text)
        .map_err(|error| Error::bad_request(format!("{field} is not base64: {error}")))
}
