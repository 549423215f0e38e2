//! The broker itself: its listeners, its rules, its settings, its life.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, ServiceConfig, resource};
use actors::{DrainOrder, NewFile};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::Broker;
use crate::access::{Admin, Viewer};
use crate::error::Error;
use crate::knowledge::{Answer, Books, Query, Rules, Setting};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(listeners, rules, explain, settings, plan, reload, drain, undrain))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource("/api/v1/listeners").get(listeners))
        .service(resource("/api/v1/rules").get(rules))
        .service(resource("/api/v1/explain").post(explain))
        .service(resource("/api/v1/settings").get(settings))
        .service(resource("/api/v1/plan").post(plan))
        .service(resource("/api/v1/reload").post(reload))
        .service(resource("/api/v1/drain").post(drain).delete(undrain));
}

/// A listener.
#[derive(Debug, Serialize, ToSchema)]
struct ListenerItem {
    name: String,
    /// Where it is.
    endpoint: String,
    /// What carries MQTT there.
    transport: String,
    /// It asks clients for a certificate.
    client_certificates: bool,
    connections: usize,
    connections_max: usize,
}

/// All of something.
#[derive(Debug, Serialize, ToSchema)]
struct All<T> {
    items: Vec<T>,
}

/// Lists where clients come in.
#[utoipa::path(get, path = "/api/v1/listeners", tag = "broker", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "All of them", body = All<ListenerItem>)))]
async fn listeners(_: Viewer, Broker(operations): Broker) -> Json<All<ListenerItem>> {
    let listeners = operations.listeners().into_iter().map(|listener| ListenerItem {
        name: listener.name,
        endpoint: listener.endpoint,
        transport: listener.transport,
        client_certificates: listener.has_client_certificates,
        connections: listener.connections,
        connections_max: listener.connections_max,
    });
    Json(All {
        items: listeners.collect(),
    })
}

/// Shows the rules in force and how often each was asked, matched and failed.
#[utoipa::path(get, path = "/api/v1/rules", tag = "broker", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "The rules", body = Rules)))]
async fn rules(_: Viewer, books: Data<Books>) -> Json<Rules> {
    Json(books.rules())
}

/// Says what a client may do, which line of the rights and which rule decides, and who would get its message. Nothing is
/// sent.
#[utoipa::path(post, path = "/api/v1/explain", tag = "broker", request_body = Query,
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "What decides", body = Answer)))]
async fn explain(
    _: Viewer,
    Broker(operations): Broker,
    books: Data<Books>,
    Json(query): Json<Query>,
) -> Result<Json<Answer>, Error> {
    let mut answer = books.explain(&query).map_err(Error::bad_request)?;
    if let Some(topic) = answer.topic.take() {
        let filter = actors::SubscriptionFilter {
            topic: Some(topic),
            ..actors::SubscriptionFilter::default()
        };
        let (total, found) = operations.subscriptions(filter, "client_id", (0, 100)).await?;
        answer.receivers_total = Some(total);
        answer.receivers = found.into_iter().map(|subscription| subscription.client_id).collect();
    }
    Ok(Json(answer))
}

/// Lists all settings, each with where its value comes from. Secrets are not shown.
#[utoipa::path(get, path = "/api/v1/settings", tag = "broker", extensions(("x-role" = json!("admin"))),
    responses((status = 200, description = "All of them", body = All<Setting>)))]
async fn settings(_: Admin, books: Data<Books>) -> Json<All<Setting>> {
    Json(All {
        items: books.settings(),
    })
}

/// A file of settings.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSettings {
    /// Its text.
    toml: String,
}

/// What changes.
#[derive(Debug, Serialize, ToSchema)]
struct Changes {
    /// A line each.
    changes: Vec<String>,
}

/// What would change.
#[derive(Debug, Serialize, ToSchema)]
struct Planned {
    /// A line each, for people.
    changes: Vec<String>,
    steps: Vec<PlanStep>,
}

/// One thing that would change.
#[derive(Debug, Serialize, ToSchema)]
struct PlanStep {
    /// A setting, a listener, a file.
    subject: String,
    text: String,
    /// Clients that it would hurt.
    clients: u64,
    /// The first of them.
    client_ids: Vec<String>,
    subscriptions_lost: u64,
}

/// Says what other settings would change, and for whom. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/plan", tag = "broker", request_body = NewSettings,
    extensions(("x-role" = json!("admin"))),
    responses((status = 200, description = "What would change", body = Planned),
        (status = 409, description = "They would be refused", body = crate::error::Problem)))]
async fn plan(_: Admin, Broker(operations): Broker, Json(new): Json<NewSettings>) -> Result<Json<Planned>, Error> {
    let file = NewFile {
        name: "the request".to_owned(),
        text: new.toml,
    };
    let plan = operations.plan(file).await?;
    let steps = plan.steps.iter().map(|step| PlanStep {
        subject: step.subject.clone(),
        text: step.text.clone(),
        clients: step.clients,
        client_ids: step.client_ids.clone(),
        subscriptions_lost: step.subscriptions_lost,
    });
    Ok(Json(Planned {
        changes: plan.lines(),
        steps: steps.collect(),
    }))
}

/// Reads settings, certificates, users, rights and rules again, all or nothing.
#[utoipa::path(post, path = "/api/v1/reload", tag = "broker", extensions(("x-role" = json!("admin"))),
    responses((status = 200, description = "What has changed", body = Changes),
        (status = 409, description = "Something is wrong with them, and nothing has changed",
            body = crate::error::Problem)))]
async fn reload(Admin(caller): Admin, Broker(operations): Broker) -> Result<Json<Changes>, Error> {
    let changes = operations.reload().await?;
    tracing::info!(
        operator = caller.name,
        changes = changes.len(),
        "an operator has reloaded the settings"
    );
    Ok(Json(Changes { changes }))
}

/// How clients are sent away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Drain {
    /// Over all lines; without it all at once.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 4294967295_u64)]
    clients_per_sec: Option<u32>,
    /// Where clients of 5.0 are to go: host:port.
    #[schema(max_length = 1024)]
    server_reference: Option<String>,
    /// They are to stay there (0x9D) rather than go there this time (0x9C).
    for_good: bool,
}

/// Accepts nobody any more and sends the clients away, at a pace. Their sessions stay.
#[utoipa::path(post, path = "/api/v1/drain", tag = "broker", request_body = Drain,
    extensions(("x-role" = json!("admin"))),
    responses((status = 202, description = "It has begun"),
        (status = 409, description = "The broker ends already", body = crate::error::Problem)))]
async fn drain(
    Admin(caller): Admin,
    Broker(operations): Broker,
    Json(drain): Json<Drain>,
) -> Result<HttpResponse, Error> {
    if drain.clients_per_sec == Some(0) {
        return Err(Error::bad_request(
            "clients_per_sec is 0; allowed: 1 and more, or nothing for all at once",
        ));
    }
    let reference = drain.server_reference;
    if reference
        .as_ref()
        .is_some_and(|to| to.is_empty() || to.len() > 1024 || to.contains('\0'))
    {
        return Err(Error::bad_request("server_reference is no server; write host:port"));
    }
    let order = DrainOrder {
        clients_per_sec: drain.clients_per_sec,
        reference,
        for_good: drain.for_good,
    };
    operations.drain(order).await?;
    tracing::info!(operator = caller.name, "an operator has the clients sent away");
    Ok(HttpResponse::Accepted().finish())
}

/// Accepts clients again.
#[utoipa::path(delete, path = "/api/v1/drain", tag = "broker", extensions(("x-role" = json!("admin"))),
    responses((status = 204, description = "Clients are accepted"),
        (status = 409, description = "There is no drain to end", body = crate::error::Problem)))]
async fn undrain(Admin(caller): Admin, Broker(operations): Broker) -> Result<HttpResponse, Error> {
    operations.undrain().await?;
    tracing::info!(operator = caller.name, "an operator has clients accepted again");
    Ok(HttpResponse::NoContent().finish())
}
