//! HTTP for operators: administration, metrics, health, dashboard.
//!
//! It has a thread and listeners of its own and knows the broker by [`Operations`] alone, so that nothing that an operator
//! asks for stands in the way of a message. `access` says who may ask, `api` what can be asked; `office` is the listener.

mod access;
mod api;
mod console;
mod dashboard;
mod envelope;
mod error;
mod health;
pub mod journal;
pub mod knowledge;
mod metrics;
mod moment;
mod office;
mod page;
mod stream;

pub use access::Role;
pub use access::tokens::{self, Key, Token};
pub use metrics::manual as metrics_manual;
pub use office::{Office, OpenError, Settings, TlsFiles};

use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actors::Operations;

use crate::error::Error;

/// The broker that is operated; empty until it serves.
type Post = Arc<OnceLock<Operations>>;

/// The broker that a request is about. Until it serves, the request is refused with 503.
pub(crate) struct Broker(pub(crate) Operations);

impl FromRequest for Broker {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let operations = request.app_data::<Data<Post>>().and_then(|post| post.get());
        ready(operations.cloned().map(Broker).ok_or_else(Error::starting))
    }
}
