//! Those whose answer goes on for long: whether they may still have it.

use actix_web::HttpRequest;
use actix_web::web::Data;
use tokio::time::Instant;

use super::{Access, Caller, Way, held};

/// Somebody who was let in, and how he stands since.
pub(crate) struct Standing {
    access: Option<Data<Access>>,
    caller: Caller,
    is_by_socket: bool,
}

impl Standing {
    /// Of the one who sent this request.
    pub(crate) fn of(request: &HttpRequest, caller: Caller) -> Self {
        Self {
            access: request.app_data::<Data<Access>>().cloned(),
            caller,
            is_by_socket: request.conn_data::<Way>() == Some(&Way::Socket),
        }
    }

    /// Whether he would be let in with the same role again: his token is not removed, and no other role was given to it.
    pub(crate) fn holds(&self) -> bool {
        let has = |access: &Data<Access>| held(&access.tokens).current(Instant::now()).has(&self.caller);
        self.is_by_socket || self.access.as_ref().is_some_and(has)
    }
}
