//! What every answer has, whoever wrote it: a time limit, headers that protect browsers, errors in one form.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Data, JsonConfig, PathConfig, PayloadConfig, QueryConfig, ServiceConfig};
use actix_web::{HttpRequest, ResponseError};

use crate::error::Error;

/// How long a request may take until its answer begins.
pub(crate) struct Patience(pub(crate) Duration);

/// What browsers are told, unless an answer says otherwise.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Answers a request and seals what is answered.
pub(crate) async fn seal(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let patience = request.app_data::<Data<Patience>>().map(|patience| patience.0);
    let patience = patience.unwrap_or(Duration::from_secs(10));
    // The request is the handler's alone: while someone else holds it, it cannot be routed.
    let answered = tokio::time::timeout(patience, next.call(request)).await.map_err(|_| {
        let what = format!(
            "the request took longer than {} s (admin.timeout_secs): send it whole and at once. If it was, the broker may \
             still do what it asks for: see the log",
            patience.as_secs()
        );
        Error::new(StatusCode::REQUEST_TIMEOUT, what)
    })??;
    let answered = answered.map_into_boxed_body();
    let mut response = in_one_form(answered);
    for (name, value) in HEADERS {
        if !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// An error that actix found itself, in the form of all others.
fn in_one_form(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is = |start: &[u8]| kind.is_some_and(|kind| kind.starts_with(start));
    // What actix says of an error of its own is text as well.
    let is_ours = is(b"application/json") || is(b"text/") && response.response().error().is_none();
    if !(status.is_client_error() || status.is_server_error()) || is_ours {
        return response;
    }
    let (request, said) = response.into_parts();
    let allow = said.headers().get(header::ALLOW).cloned();
    let what = match status {
        StatusCode::NOT_FOUND => format!("there is no {}; /openapi.json lists what there is", request.path()),
        StatusCode::METHOD_NOT_ALLOWED => {
            format!(
                "{} is not for {}; /openapi.json lists what is",
                request.method(),
                request.path()
            )
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the body is longer than admin.body_bytes_max; send less".to_owned(),
        _ => format!(
            "the request failed: {}",
            status.canonical_reason().unwrap_or("for a reason that has no name")
        ),
    };
    let mut answer = Error::new(status, what).error_response();
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    ServiceResponse::new(request, answer)
}

/// How much a request may hold, and what is said of one that is not understood.
pub(crate) fn bounds(service: &mut ServiceConfig, body_bytes_max: usize) {
    service
        .app_data(PayloadConfig::new(body_bytes_max))
        .app_data(
            JsonConfig::default()
                .limit(body_bytes_max)
                .error_handler(move |error, _| json_refused(&error, body_bytes_max).into()),
        )
        .app_data(QueryConfig::default().error_handler(query_refused))
        .app_data(PathConfig::default().error_handler(path_refused));
}

fn json_refused(error: &JsonPayloadError, bytes_max: usize) -> Error {
    let is_too_long = matches!(
        error,
        JsonPayloadError::OverflowKnownLength { .. }
            | JsonPayloadError::Overflow { .. }
            | JsonPayloadError::Payload(PayloadError::Overflow)
    );
    if is_too_long {
        let what = format!("the body is longer than {bytes_max} bytes (admin.body_bytes_max); send less");
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    } else if matches!(error, JsonPayloadError::ContentType) {
        let what = "the body has to be JSON; say so with Content-Type: application/json";
        Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what)
    } else {
        Error::bad_request(format!("the body is not what is asked for: {error}"))
    }
}

fn query_refused(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    Error::bad_request(format!("the query is not what is asked for: {error}")).into()
}

fn path_refused(error: PathError, _: &HttpRequest) -> actix_web::Error {
    Error::bad_request(format!("the path is not what is asked for: {error}")).into()
}
