//! What can be asked of the broker and done to it, under `/api/v1`, and its description in OpenAPI 3.1.
//!
//! Each file has the endpoints of one thing. A handler takes a guard of `access` first, then the broker, then what the
//! request says. The description is made of the handlers; what all of them have in common is added here.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema as _};

use crate::access::login;
use crate::error::Problem;

mod bans;
mod broker;
mod clients;
mod events;
mod log;
mod messages;
mod named;
mod overview;
mod recorder;

/// The role that an endpoint needs, in its description; without it the endpoint is open to all.
const ROLE: &str = "x-role";
const TOKEN: &str = "token";
const SESSION: &str = "session";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Strowger",
        description = "Administration of a Strowger broker. docs/API.md begins at the beginning."
    ),
    components(schemas(Problem))
)]
struct Frame;

pub(crate) fn routes(service: &mut ServiceConfig) {
    login::routes(service);
    events::routes(service);
    log::routes(service);
    overview::routes(service);
    recorder::routes(service);
    clients::routes(service);
    messages::routes(service);
    bans::routes(service);
    broker::routes(service);
    service.service(resource("/openapi.json").get(describe));
}

/// The description of the API.
async fn describe() -> HttpResponse {
    HttpResponse::Ok().json(description())
}

/// All endpoints, and what each of them may answer.
fn description() -> OpenApi {
    let mut whole = Frame::openapi();
    for part in parts() {
        whole.merge(part);
    }
    named::describe(&mut whole);
    let components = whole.components.get_or_insert_default();
    components.add_security_scheme(TOKEN, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKey::Cookie(ApiKeyValue::new("strowger-session"));
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(cookie));
    for path in whole.paths.paths.values_mut() {
        let operations = [
            (&mut path.get, true),
            (&mut path.put, false),
            (&mut path.post, false),
            (&mut path.delete, false),
        ];
        for (operation, is_look) in operations {
            if let Some(operation) = operation {
                complete(operation, is_look);
            }
        }
    }
    whole
}

/// What each group of endpoints says of itself. Shapes of several groups that have one name would be taken for one.
fn parts() -> [OpenApi; 10] {
    [
        login::Doc::openapi(),
        events::Doc::openapi(),
        log::Doc::openapi(),
        overview::Doc::openapi(),
        recorder::Doc::openapi(),
        clients::Doc::openapi(),
        messages::Doc::openapi(),
        bans::Doc::openapi(),
        broker::Doc::openapi(),
        crate::console::Doc::openapi(),
    ]
}

/// Adds to an endpoint what the guards and the envelope may answer.
fn complete(operation: &mut Operation, is_look: bool) {
    let needs_role = operation.extensions.as_ref().is_some_and(|all| all.contains_key(ROLE));
    let mut common = vec![(
        "408",
        "The request did not come whole in time, or the broker is still at it",
    )];
    let has_input = operation.parameters.is_some() || operation.request_body.is_some();
    if has_input {
        common.push(("400", "The request makes no sense"));
    }
    if operation.request_body.is_some() {
        common.push(("413", "The body is longer than admin.body_bytes_max"));
        common.push(("415", "The body is not said to be JSON"));
    }
    if needs_role {
        let schemes = [TOKEN, SESSION].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
        operation.security = Some(schemes.to_vec());
        common.push(("401", "Nobody knows who asks"));
        common.push(("429", "Too many wrong tokens came from this address"));
        common.push(("503", "The broker is starting"));
        let is_refused = operation.extensions.as_ref().and_then(|all| all.get(ROLE)) != Some(&"viewer".into());
        if is_refused || !is_look {
            common.push(("403", "The one who asks may not"));
        }
    }
    let schema = Ref::from_schema_name(Problem::name());
    for (status, description) in common {
        let content = ContentBuilder::new().schema(Some(schema.clone())).build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content);
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| response.build().into());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_two_shapes_have_one_name() {
        let mut known = HashMap::new();
        for part in parts() {
            for (name, shape) in part.components.unwrap_or_default().schemas {
                let text = serde_json::to_string(&shape).expect("a shape is JSON");
                let before = known.insert(name.clone(), text.clone());
                assert!(
                    before.is_none_or(|before| before == text),
                    "{name} is two shapes; rename one"
                );
            }
        }
        assert!(known.len() > 10);
    }
}
