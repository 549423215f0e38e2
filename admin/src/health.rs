//! `/livez` and `/readyz`: what a service manager or an orchestrator asks, without credentials.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
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
    say(StatusCode::OK, "alive")
}

/// Clients can connect.
#[get("/readyz")]
async fn readyz(post: Data<Post>) -> HttpResponse {
    let stage = match post.get().map(actors::Operations::stage) {
        Some(Stage::Serving) => return say(StatusCode::OK, "ready"),
        Some(stage) => stage.word(),
        None => "starting",
    };
    say(StatusCode::SERVICE_UNAVAILABLE, &format!("the broker is {stage}"))
}

/// For people and scripts that look at the answer; an orchestrator looks at the status.
fn say(status: StatusCode, words: &str) -> HttpResponse {
    HttpResponse::build(status)
        .content_type(ContentType::plaintext())
        .body(format!("{words}\n"))
}
