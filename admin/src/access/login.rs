//! `/api/v1/login`: a browser trades a token for a session, asks who it is, and goes.

use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Data, Json, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{OpenApi, ToSchema};

use super::{Access, Encrypted, Role, Viewer, address, browsers, held};
use crate::error::Error;

/// What is traded for a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A token of the tokens file.
    token: String,
}

/// Who a caller is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// The name in the tokens file; "admin.sock" for the Unix socket.
    name: String,
    role: Role,
}

/// The endpoints of this file, for the description of the API.
#[derive(OpenApi)]
#[openapi(paths(log_in, who, log_out))]
pub(crate) struct Doc;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(resource("/api/v1/login").post(log_in).get(who).delete(log_out));
}

/// Begins a browser's session.
///
/// The answer sets a cookie that no script can read. Requests that change something need the header `X-Strowger: 1` as
/// well. Programs send their token with each request instead: `Authorization: Bearer TOKEN`.
#[utoipa::path(post, path = "/api/v1/login", tag = "access", request_body = Login,
    responses((status = 200, description = "The session has begun", body = Whoami,
        headers(("Set-Cookie" = String, description = "The session"))),
    (status = 401, description = "The token is not known", body = crate::error::Problem),
    (status = 429, description = "Too many wrong tokens came from this address", body = crate::error::Problem)))]
async fn log_in(request: HttpRequest, access: Data<Access>, login: Json<Login>) -> Result<HttpResponse, Error> {
    let now = Instant::now();
    let caller = access.trade(&login.token, address(&request), now)?;
    tracing::info!(operator = caller.name, role = %caller.role, "an operator has logged in");
    let whoami = Whoami {
        name: caller.name.clone(),
        role: caller.role,
    };
    let mut browsers = held(&access.browsers);
    let secret = browsers
        .begin(caller, now)
        .map_err(|error| Error::unavailable(format!("the system gives no random numbers: {error}")))?;
    let cookie = browsers.cookie(&secret, request.conn_data::<Encrypted>().is_some());
    Ok(HttpResponse::Ok().insert_header((SET_COOKIE, cookie)).json(whoami))
}

/// Says who asks, by whatever way it came in.
#[utoipa::path(get, path = "/api/v1/login", tag = "access", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "Who asks", body = Whoami)))]
async fn who(Viewer(caller): Viewer) -> Json<Whoami> {
    Json(Whoami {
        name: caller.name,
        role: caller.role,
    })
}

/// Ends a browser's session.
#[utoipa::path(delete, path = "/api/v1/login", tag = "access", extensions(("x-role" = json!("viewer"))),
    responses((status = 204, description = "The session has ended")))]
async fn log_out(_: Viewer, request: HttpRequest, access: Data<Access>) -> HttpResponse {
    let cookies = request.headers().get_all(actix_web::http::header::COOKIE);
    for session in cookies
        .filter_map(|line| line.to_str().ok())
        .filter_map(browsers::session_in)
    {
        held(&access.browsers).end(session);
    }
    let cookie = browsers::no_cookie(request.conn_data::<Encrypted>().is_some());
    HttpResponse::NoContent().insert_header((SET_COOKIE, cookie)).finish()
}
