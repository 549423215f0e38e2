//! Clients, their sessions and their subscriptions.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Json, Query, ServiceConfig, resource};
use actors::{Client, ClientFilter, SubscriptionFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::named::{self, Named};
use crate::Broker;
use crate::access::{Operator, Viewer};
use crate::error::Error;
use crate::moment::rfc3339;
use crate::page::{Listed, Page, Paging};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(
    list,
    list_sessions,
    list_queues,
    show,
    disconnect,
    remove,
    subscriptions_of,
    unsubscribe,
    list_subscriptions
))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource("/api/v1/clients").get(list))
        .service(resource("/api/v1/sessions").get(list_sessions))
        .service(resource("/api/v1/queues").get(list_queues))
        .service(resource("/api/v1/subscriptions").get(list_subscriptions))
        .service(resource(named::paths("")).get(show).delete(remove))
        .service(resource(named::paths("/connection")).delete(disconnect))
        .service(
            resource(named::paths("/subscriptions"))
                .get(subscriptions_of)
                .delete(unsubscribe),
        );
}

/// Whether a client is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Connected,
    Away,
    All,
}

/// Which clients, in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only those that are connected, or away [default: all]
    state: Option<State>,
    /// Only those with this in their client identifier or user name, whatever the case
    search: Option<String>,
    /// Only those of this user name
    username: Option<String>,
    /// Only those that came in by this listener
    listener: Option<String>,
    /// Only those that speak this version
    #[param(pattern = "^(3\\.1|3\\.1\\.1|5\\.0|5)$")]
    version: Option<String>,
    /// By what; a minus in front turns the order round [default: client_id]
    #[param(pattern = "^-?(client_id|connected_at|queued|inflight|subscriptions|packets_in|packets_out)$")]
    sort: Option<String>,
}

/// A client and its session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientItem {
    client_id: String,
    username: Option<String>,
    groups: Vec<String>,
    /// "connected" or "away".
    state: State,
    /// The listener that it came in by last; empty: not since the broker started.
    listener: String,
    address: Option<String>,
    /// "3.1", "3.1.1" or "5.0"; null: it has not been there since the broker started.
    version: Option<String>,
    connected_at: Option<String>,
    left_at: Option<String>,
    /// When its session ends if it stays away; null: it is there, or never.
    expires_at: Option<String>,
    /// How long its session outlives its connection; 4294967295: as long as the broker allows.
    #[schema(value_type = u64, maximum = 4294967295_u64)]
    expiry_secs: u32,
    keep_alive_secs: u32,
    subscriptions: usize,
    /// Messages that wait for it.
    queued: usize,
    queued_bytes: usize,
    /// How long the oldest of them has waited, where that is known.
    oldest_age_secs: Option<f64>,
    /// Messages sent and not acknowledged.
    inflight: usize,
    packets_in: u64,
    packets_out: u64,
}

/// A client with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
struct ClientDetail {
    #[serde(flatten)]
    item: ClientItem,
    /// The line that it lives on.
    line: u16,
    /// Its session is in the store.
    persisted: bool,
    /// Its session ends with its connection.
    clean_start: bool,
    will: Option<WillDetail>,
    queue: QueueDetail,
    /// QoS 2 messages whose PUBREL is awaited.
    awaiting_pubrel: usize,
    /// Deliveries wait until then, by a rule.
    held_until: Option<String>,
    /// Bytes that its socket has not taken.
    unwritten_bytes: usize,
}

/// A will; what it says stays with its client.
#[derive(Debug, Serialize, ToSchema)]
struct WillDetail {
    topic: String,
    qos: u8,
    retain: bool,
    delay_secs: u32,
}

/// What waits for a client.
#[derive(Debug, Serialize, ToSchema)]
struct QueueDetail {
    messages: usize,
    bytes: usize,
    oldest_age_secs: Option<f64>,
}

/// Why, in words for the client.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// A client of 5.0 reads it in its DISCONNECT.
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// What became of a connection.
#[derive(Debug, Serialize, ToSchema)]
struct Disconnected {
    /// Whether there was one.
    disconnected: bool,
}

impl From<Client> for ClientItem {
    fn from(client: Client) -> Self {
        let state = if client.is_connected {
            State::Connected
        } else {
            State::Away
        };
        Self {
            client_id: client.client_id,
            username: client.username,
            groups: client.groups,
            state,
            listener: client.listener,
            address: client.address,
            version: client.version.map(str::to_owned),
            connected_at: client.connected_at.map(rfc3339),
            left_at: client.left_at.map(rfc3339),
            expires_at: client.expires_at.map(rfc3339),
            expiry_secs: client.expiry_secs,
            keep_alive_secs: client.keep_alive_secs,
            subscriptions: client.subscriptions,
            queued: client.queued,
            queued_bytes: client.queued_bytes,
            oldest_age_secs: client.oldest_age_millis.map(secs),
            inflight: client.inflight,
            packets_in: client.packets_in,
            packets_out: client.packets_out,
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of years are exact")]
fn secs(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

impl From<Client> for ClientDetail {
    fn from(client: Client) -> Self {
        Self {
            line: client.line,
            persisted: client.is_persisted,
            clean_start: client.expiry_secs == 0,
            will: client.will.as_ref().map(|will| WillDetail {
                topic: will.topic.clone(),
                qos: will.qos,
                retain: will.retain,
                delay_secs: will.delay_secs,
            }),
            queue: QueueDetail {
                messages: client.queued,
                bytes: client.queued_bytes,
                oldest_age_secs: client.oldest_age_millis.map(secs),
            },
            awaiting_pubrel: client.awaiting_pubrel,
            held_until: client.held_until.map(rfc3339),
            unwritten_bytes: client.unwritten_bytes,
            item: client.into(),
        }
    }
}

async fn page_of(broker: Broker, wanted: Wanted, page: Page, sort: &str) -> Result<Json<Listed<ClientItem>>, Error> {
    let filter = ClientFilter {
        is_connected: wanted.state.and_then(|state| match state {
            State::Connected => Some(true),
            State::Away => Some(false),
            State::All => None,
        }),
        search: wanted.search,
        username: wanted.username,
        listener: wanted.listener,
        version: wanted.version,
    };
    let sort = wanted.sort.as_deref().unwrap_or(sort);
    let range = (page.skipped(), page.limit);
    let (total, clients) = broker.0.clients(filter, sort, range).await?;
    Ok(Json(
        page.answer(clients.into_iter().map(ClientItem::from).collect(), total),
    ))
}

/// Lists clients that are connected or have a session.
#[utoipa::path(get, path = "/api/v1/clients", tag = "clients", params(Wanted, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<ClientItem>)))]
async fn list(
    _: Viewer,
    broker: Broker,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<ClientItem>>, Error> {
    page_of(broker, wanted, paging.page()?, "client_id").await
}

/// Lists sessions: the same as clients, under the name that the standard has for them.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "clients", params(Wanted, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<ClientItem>)))]
async fn list_sessions(
    _: Viewer,
    broker: Broker,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<ClientItem>>, Error> {
    page_of(broker, wanted, paging.page()?, "client_id").await
}

/// Lists clients by what waits for them, the longest queue first.
#[utoipa::path(get, path = "/api/v1/queues", tag = "clients", params(Wanted, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<ClientItem>)))]
async fn list_queues(
    _: Viewer,
    broker: Broker,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<ClientItem>>, Error> {
    page_of(broker, wanted, paging.page()?, "-queued").await
}

/// Shows one client with its session.
#[utoipa::path(get, path = "/api/v1/clients/{client_id}", tag = "clients",
    params(("client_id" = String, Path, description = "The client identifier")), extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The client", body = ClientDetail),
        (status = 404, description = "There is none", body = crate::error::Problem)))]
async fn show(_: Viewer, Broker(operations): Broker, client_id: Named) -> Result<Json<ClientDetail>, Error> {
    Ok(Json(operations.client(&client_id).await?.into()))
}

/// Ends a client's connection with 0x98. Its session stays.
#[utoipa::path(delete, path = "/api/v1/clients/{client_id}/connection", tag = "clients", request_body = Option<Reason>,
    params(("client_id" = String, Path, description = "The client identifier")), extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "It has no connection", body = Disconnected),
        (status = 404, description = "There is no such client", body = crate::error::Problem)))]
async fn disconnect(
    Operator(caller): Operator,
    Broker(operations): Broker,
    client_id: Named,
    body: Bytes,
) -> Result<Json<Disconnected>, Error> {
    let words = reason(&body)?;
    let disconnected = operations.disconnect(&client_id, &words).await?;
    tracing::info!(operator = caller.name, client = %client_id.0, words, "an operator has ended a connection");
    Ok(Json(Disconnected { disconnected }))
}

/// Ends a client's session, and its connection with 0x98: its will is published, what waits for it is given up.
#[utoipa::path(delete, path = "/api/v1/clients/{client_id}", tag = "clients", request_body = Option<Reason>,
    params(("client_id" = String, Path, description = "The client identifier")), extensions(("x-role" = json!("operator"))),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "There is no such client", body = crate::error::Problem)))]
async fn remove(
    Operator(caller): Operator,
    Broker(operations): Broker,
    client_id: Named,
    body: Bytes,
) -> Result<HttpResponse, Error> {
    let words = reason(&body)?;
    operations.remove_client(&client_id, &words).await?;
    tracing::info!(operator = caller.name, client = %client_id.0, words, "an operator has ended a session");
    Ok(HttpResponse::NoContent().finish())
}

/// The words of a body that may be missing.
fn reason(body: &[u8]) -> Result<String, Error> {
    const BYTES_MAX: usize = 1024;
    if body.is_empty() {
        return Ok(String::new());
    }
    let reason: Option<Reason> = serde_json::from_slice(body)
        .map_err(|error| Error::bad_request(format!("the body is not what is asked for: {error}")))?;
    let words = reason.unwrap_or_default().reason.unwrap_or_default();
    if words.len() > BYTES_MAX || words.contains('\0') {
        let what = format!("the reason is longer than {BYTES_MAX} bytes or has U+0000 in it");
        return Err(Error::bad_request(what));
    }
    Ok(words)
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubscriptionItem {
    client_id: String,
    /// The topic filter, without the share name.
    filter: String,
    /// The name of the shared group.
    share: Option<String>,
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
    subscription_id: Option<u32>,
}

/// Which subscriptions, in which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedSubscriptions {
    /// Only those with this in their topic filter, whatever the case
    search: Option<String>,
    /// Only those that match this topic
    topic: Option<String>,
    /// By what; a minus in front turns the order round [default: client_id]
    #[param(pattern = "^-?(client_id|filter)$")]
    sort: Option<String>,
}

/// Whose subscriptions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfClient {
    /// Only those of this client
    client_id: Option<String>,
}

async fn subscriptions(
    broker: Broker,
    wanted: WantedSubscriptions,
    client_id: Option<String>,
    page: Page,
) -> Result<Json<Listed<SubscriptionItem>>, Error> {
    let filter = SubscriptionFilter {
        search: wanted.search,
        client_id,
        topic: wanted.topic,
    };
    let sort = wanted.sort.as_deref().unwrap_or("client_id");
    let range = (page.skipped(), page.limit);
    let (total, found) = broker.0.subscriptions(filter, sort, range).await?;
    let items = found.into_iter().map(|subscription| SubscriptionItem {
        client_id: subscription.client_id,
        filter: subscription.filter,
        share: subscription.share,
        qos: subscription.qos,
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        subscription_id: subscription.subscription_id,
    });
    Ok(Json(page.answer(items.collect(), total)))
}

/// Lists subscriptions of all clients, or of one.
#[utoipa::path(get, path = "/api/v1/subscriptions", tag = "subscriptions", params(WantedSubscriptions, OfClient, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<SubscriptionItem>),
        (status = 404, description = "There is no such client", body = crate::error::Problem)))]
async fn list_subscriptions(
    _: Viewer,
    broker: Broker,
    Query(wanted): Query<WantedSubscriptions>,
    Query(of): Query<OfClient>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<SubscriptionItem>>, Error> {
    subscriptions(broker, wanted, of.client_id, paging.page()?).await
}

/// Lists a client's subscriptions.
#[utoipa::path(get, path = "/api/v1/clients/{client_id}/subscriptions", tag = "subscriptions",
    params(("client_id" = String, Path, description = "The client identifier"), WantedSubscriptions, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<SubscriptionItem>),
        (status = 404, description = "There is no such client", body = crate::error::Problem)))]
async fn subscriptions_of(
    _: Viewer,
    broker: Broker,
    client_id: Named,
    Query(wanted): Query<WantedSubscriptions>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<SubscriptionItem>>, Error> {
    subscriptions(broker, wanted, Some(client_id.0), paging.page()?).await
}

/// Which subscription.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WhichSubscription {
    /// Its topic filter; of a shared one with $share and the name of the group
    filter: String,
}

/// Takes a subscription from a client. The client is not told: MQTT has no words for it.
#[utoipa::path(delete, path = "/api/v1/clients/{client_id}/subscriptions", tag = "subscriptions",
    params(("client_id" = String, Path, description = "The client identifier"), WhichSubscription),
    extensions(("x-role" = json!("operator"))),
    responses((status = 204, description = "It is gone"),
        (status = 404, description = "There is no such client or no such subscription", body = crate::error::Problem),
        (status = 409, description = "It is going, and takes its time", body = crate::error::Problem)))]
async fn unsubscribe(
    Operator(caller): Operator,
    Broker(operations): Broker,
    client_id: Named,
    Query(which): Query<WhichSubscription>,
) -> Result<HttpResponse, Error> {
    operations.unsubscribe(&client_id, &which.filter).await?;
    tracing::info!(
        operator = caller.name,
        client = %client_id.0,
        filter = which.filter,
        "an operator has taken a subscription from a client"
    );
    Ok(HttpResponse::NoContent().finish())
}
