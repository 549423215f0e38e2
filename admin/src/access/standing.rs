//! Those whose answer goes on for long: whether they may still have it.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Data;
use tokio::time::{Instant, sleep};

use super::{Access, Caller};

/// Between two looks whether the operator may still have it.
const INTERVAL: Duration = Duration::from_secs(1);

/// Somebody who was let in, and how he stands since.
pub(crate) struct Standing {
    access: Option<Data<Access>>,
    caller: Caller,
}

impl Standing {
    /// Of the one who sent this request.
    pub(crate) fn of(request: &HttpRequest, caller: Caller) -> Self {
        Self {
            access: request.app_data::<Data<Access>>().cloned(),
            caller,
        }
    }

    /// Waits until he would not.
    pub(crate) async fn fall(&self) {
        while self.holds() {
            sleep(INTERVAL).await;
        }
    }

    /// Whether he would be let in with the same role again, by the same token or session.
    pub(crate) fn holds(&self) -> bool {
        let access = self.access.as_ref();
        access.is_some_and(|access| access.holds(&self.caller, Instant::now()))
    }
}
