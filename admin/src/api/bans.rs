//! Bans: who stays outside.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path, Query, ServiceConfig, resource};
use actors::{Ban, Whom};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::Broker;
use crate::access::{Operator, Viewer};
use crate::envelope::Patience;
use crate::error::Error;
use crate::moment::rfc3339;
use crate::page::{Listed, Paging};

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(list, ban, lift))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service
        .service(resource("/api/v1/bans").get(list).post(ban))
        .service(resource("/api/v1/bans/{id:.+}").delete(lift));
}

/// Which bans.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WantedBans {
    /// Only those with this in whom they keep outside, who made them or why, whatever the case
    search: Option<String>,
}

impl WantedBans {
    fn wants(&self, ban: &Ban) -> bool {
        let Some(part) = &self.search else { return true };
        let part = part.to_ascii_lowercase();
        let has = |text: &str| text.to_ascii_lowercase().contains(&part);
        has(&ban.id) || [&ban.by, &ban.reason].into_iter().flatten().any(|text| has(text))
    }
}

/// Whom a ban names.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    ClientId,
    Username,
    /// An address, or a network such as 203.0.113.0/24.
    Address,
}

/// A ban.
#[derive(Debug, Serialize, ToSchema)]
struct BanItem {
    /// Its name.
    id: String,
    kind: Kind,
    value: String,
    since_at: Option<String>,
    /// null: for good.
    until_at: Option<String>,
    /// Who made it.
    by: Option<String>,
    reason: Option<String>,
    /// "operator", or "file": it stands in auth.bans_file and is lifted there.
    origin: String,
}

/// A ban to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBan {
    kind: Kind,
    #[schema(min_length = 1)]
    value: String,
    /// For how long; without it until it is lifted.
    secs: Option<u64>,
    /// For whoever reads the list.
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// A ban that was made.
#[derive(Debug, Serialize, ToSchema)]
struct Made {
    #[serde(flatten)]
    ban: BanItem,
    /// Clients that have been disconnected.
    disconnected: usize,
    /// Whether that is all of them; else the others are being disconnected.
    complete: bool,
}

impl From<Ban> for BanItem {
    fn from(ban: Ban) -> Self {
        let (kind, value) = match ban.whom {
            Whom::Client(id) => (Kind::ClientId, id),
            Whom::User(name) => (Kind::Username, name),
            Whom::Address(network) => (Kind::Address, network),
        };
        let instant = |secs: u64| rfc3339(secs.saturating_mul(1000));
        Self {
            id: ban.id,
            kind,
            value,
            since_at: ban.since.map(instant),
            until_at: ban.until.map(instant),
            by: ban.by,
            reason: ban.reason,
            origin: if ban.is_live { "operator" } else { "file" }.to_owned(),
        }
    }
}

/// Lists the bans that hold.
#[utoipa::path(get, path = "/api/v1/bans", tag = "bans", params(WantedBans, Paging),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Some of them", body = Listed<BanItem>)))]
async fn list(
    _: Viewer,
    Broker(operations): Broker,
    Query(wanted): Query<WantedBans>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listed<BanItem>>, Error> {
    let page = paging.page()?;
    let bans = operations.bans().into_iter().filter(|ban| wanted.wants(ban));
    Ok(Json(page.cut(bans.map(BanItem::from).collect())))
}

/// Bans someone, and disconnects whoever that is and inside. Outlives the broker, if it has a store.
///
/// Where there are many, the answer comes while the last of them are being disconnected.
#[utoipa::path(post, path = "/api/v1/bans", tag = "bans", request_body = NewBan,
    extensions(("x-role" = json!("operator"))),
    responses((status = 201, description = "The ban holds", body = Made),
        (status = 409, description = "There are too many, or it cannot be written; or it holds, and too many others \
            are being carried out to disconnect anybody",
            body = crate::error::Problem)))]
async fn ban(
    Operator(caller): Operator,
    Broker(operations): Broker,
    patience: Data<Patience>,
    Json(new): Json<NewBan>,
) -> Result<HttpResponse, Error> {
    let whom = match new.kind {
        Kind::ClientId => Whom::Client(new.value),
        Kind::Username => Whom::User(new.value),
        Kind::Address => Whom::Address(new.value),
    };
    // The answer has the other half to be made and sent in.
    let patience = patience.0 / 2;
    let made = operations.ban(whom, new.secs, (&caller.name, new.reason.as_deref()), patience);
    let (ban, sent_away) = made.await?;
    let (disconnected, complete) = (sent_away.count, sent_away.is_complete);
    tracing::info!(
        operator = caller.name,
        ban = ban.id,
        disconnected,
        complete,
        "an operator has banned someone"
    );
    Ok(HttpResponse::Created().json(Made {
        ban: ban.into(),
        disconnected,
        complete,
    }))
}

/// Lifts a ban.
#[utoipa::path(delete, path = "/api/v1/bans/{id}", tag = "bans",
    params(("id" = String, Path, description = "The name of the ban")), extensions(("x-role" = json!("operator"))),
    responses((status = 204, description = "It is lifted"),
        (status = 404, description = "There is none", body = crate::error::Problem),
        (status = 409, description = "It stands in a file, or the change cannot be written",
            body = crate::error::Problem)))]
async fn lift(Operator(caller): Operator, Broker(operations): Broker, id: Path<String>) -> Result<HttpResponse, Error> {
    operations.lift(&id).await?;
    tracing::info!(operator = caller.name, ban = %id, "an operator has lifted a ban");
    Ok(HttpResponse::NoContent().finish())
}
