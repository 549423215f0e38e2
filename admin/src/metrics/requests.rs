//! How many requests operators have made, by the class of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::web::Data;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Requests([AtomicU64; CLASSES.len()]);

impl Requests {
    fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.0.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = CLASSES.iter().zip(&self.0);
        counts
            .map(|(class, count)| (*class, count.load(Ordering::Relaxed)))
            .collect()
    }
}

/// The middleware that counts.
///
/// # Errors
///
/// What the handler says.
pub(crate) async fn count_request<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let requests = request.app_data::<Data<Arc<Requests>>>().cloned();
    let answer = next.call(request).await;
    if let Some(requests) = requests {
        requests.count(match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        });
    }
    answer
}
