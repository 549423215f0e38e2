//! Answers that go on: server-sent events, which browsers and `curl -N` read as they come.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::select;
use tokio::time::timeout;

use crate::access::Standing;
use crate::error::Error;

/// Answers that go on at once, for all who ask.
const STREAMS_MAX: usize = 64;
/// When nothing happens, a comment is sent after this time: one who has gone is noticed by it.
const HEARTBEAT: Duration = Duration::from_secs(10);

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// What such an answer is made of.
pub(crate) trait Source {
    /// The next event, as [`event`] writes it. `None`: there will be no more. A call may be given up and made again.
    fn next(&mut self) -> impl Future<Output = Option<String>>;
}

/// An event of a kind, with its data.
pub(crate) fn event(kind: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    format!("event: {kind}\ndata: {data}\n\n")
}

/// What a listener is told that was too slow.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Missed {
    /// Events that it did not get.
    pub(crate) missed: u64,
}

/// A place among those who are answered.
struct Seat;

impl Seat {
    fn take() -> Option<Self> {
        let taken = OPEN.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |open| {
            (open < STREAMS_MAX).then_some(open + 1)
        });
        taken.ok().map(|_| Self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers with what the source has, until the caller goes or may not have it any more.
///
/// # Errors
///
/// As many listen as may.
pub(crate) fn answer(source: impl Source + 'static, standing: Standing) -> Result<HttpResponse, Error> {
    let Some(seat) = Seat::take() else {
        return Err(full());
    };
    let events = unfold(
        (source, standing, seat, true),
        |(mut source, standing, seat, is_first)| async move {
            // The first word is there at once, so that the one who asked knows that he is heard.
            let text = if is_first {
                ": listening\n\n".to_owned()
            } else {
                select! {
                    () = standing.fall() => return None,
                    told = timeout(HEARTBEAT, source.next()) => match told {
                        Ok(text) => text?,
                        Err(_) => ": nothing yet\n\n".to_owned(),
                    },
                }
            };
            standing
                .holds()
                .then(|| (Ok::<_, Infallible>(Bytes::from(text)), (source, standing, seat, false)))
        },
    );
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(events))
}

/// 429: as many listen as may.
pub(crate) fn full() -> Error {
    Error::too_many(
        format!("{STREAMS_MAX} others are listening, which is as many as may; end one of them"),
        5,
    )
}
