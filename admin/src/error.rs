//! What went wrong with a request: its status, a word for machines, a line for people.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use actors::{Declined, Unanswered};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not carried out. The message names the culprit and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    status: StatusCode,
    message: String,
    /// Seconds after which the same request may be answered.
    retry_after_secs: Option<u64>,
}

/// An answer that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    error: ProblemDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
struct ProblemDetail {
    /// A word for machines; it follows from the status.
    #[schema(example = "not_found")]
    code: &'static str,
    /// A line for people: the culprit and the remedy.
    message: String,
}

impl Error {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after_secs: None,
        }
    }

    /// 400: the request makes no sense.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 401: nobody knows who asks.
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: the one who asks may not.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 409: as things stand it cannot be done.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 429: too much was asked; the same request may be answered later.
    pub(crate) fn too_many(message: impl Into<String>, retry_after_secs: u64) -> Self {
        Self {
            retry_after_secs: Some(retry_after_secs),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, message)
        }
    }

    /// 503: the broker is not there yet, or not any more.
    pub(crate) fn starting() -> Self {
        Self {
            retry_after_secs: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the broker is starting; ask again in a second",
            )
        }
    }

    /// 503: part of the broker did not answer.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

/// The word that goes with a status.
pub(crate) fn code(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "timeout",
        409 => "conflict",
        413 => "too_large",
        415 => "unsupported_media_type",
        422 => "refused",
        429 => "too_many",
        503 => "unavailable",
        400..=499 => "bad_request",
        _ => "failed",
    }
}

impl From<Unanswered> for Error {
    fn from(unanswered: Unanswered) -> Self {
        let words = unanswered.to_string();
        match unanswered {
            Unanswered::Senseless(_) => Self::bad_request(words),
            Unanswered::Missing(_) => Self::not_found(words),
            Unanswered::Refused(_) => Self::conflict(words),
            Unanswered::Line => Self::unavailable(words),
        }
    }
}

impl From<Declined> for Error {
    fn from(declined: Declined) -> Self {
        Self::conflict(declined.to_string())
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(secs) = self.retry_after_secs {
            response.insert_header((RETRY_AFTER, secs));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer realm=\"strowger\""));
        }
        let (code, message) = (code(self.status), self.message.clone());
        response.json(Problem {
            error: ProblemDetail { code, message },
        })
    }
}
