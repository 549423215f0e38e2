//! `/livez` and `/readyz`: what a service manager or an orchestrator asks, without credentials.

use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, get};

use actors::Stage;

use crate::Post;

pub(crate) fn routes(service: &mut ServiceConfig) {
    service.service(livez).service(readyz);
}

/// The process answers.
#[get("/livez")]
async fn livez() -> HttpResponse {
    HttpResponse::Ok().body("alive\n")
}

/// Clients can connect.
#[get("/readyz")]
async fn readyz(post: Data<Post>) -> HttpResponse {
    match post.get() {
        Some(operations) if operations.stage() == Stage::Serving => HttpResponse::Ok().body("ready\n"),
        Some(operations) => {
            let stage = operations.stage().word();
            HttpResponse::ServiceUnavailable().body(format!("the broker is {stage}\n"))
        }
        None => HttpResponse::ServiceUnavailable().body("the broker is starting\n"),
    }
}
